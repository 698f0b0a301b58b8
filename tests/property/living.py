"""A collection that machines of rules write to: where it lies, and how it is killed."""

from __future__ import annotations

import pathlib
import shutil
import tempfile

from hypothesis.stateful import RuleBasedStateMachine, rule

from palimpsest.index import Collection
from tests.conftest import open_collection
from tests.soundness import require_sound


class Living(RuleBasedStateMachine):
    """``create`` of a machine opens ``self.collection`` in the folder ``here``."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="palimpsest-"))
        self.copies = 0
        self.collection: Collection | None = None

    def teardown(self) -> None:
        if self.collection is not None:
            self.collection.close()
            require_sound(self.here)
        shutil.rmtree(self.folder)

    @property
    def here(self) -> pathlib.Path:
        """The folder of the collection, another one after each kill."""
        return self.folder / str(self.copies)

    @property
    def open(self) -> Collection:
        assert self.collection is not None
        return self.collection

    @rule()
    def kill(self) -> None:
        """Go on from the files as they are at this moment, without a close."""
        before = self.here
        self.copies += 1
        shutil.copytree(before, self.here)
        self.open.close()
        shutil.rmtree(before)
        require_sound(self.here)
        self.collection = open_collection(self.here)
