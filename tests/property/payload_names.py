"""The keys of the model's payloads as they are stored: keys of all of Unicode, drawn per run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from palimpsest.index.filters.expression import Condition, Filter, HasId, HasVector, Path
from tests.keys import KNOWN
from tests.property.payload_model import Payload

MODEL_KEYS = ("n", "word", "a", "keep", "b", "new", "nothing")


@dataclass(frozen=True)
class Names:
    """``stored`` gives the stored key of each key of the model."""

    stored: Mapping[str, str]

    def text_of(self, payload: Payload | None) -> bytes | None:
        """Return the text of a payload of the model, half of the keys escaped."""
        if payload is None:
            return None
        return json.dumps(_renamed(payload, self.stored), ensure_ascii="n" in payload).encode()

    def read(self, text: bytes | None) -> Payload:
        """Return a stored payload as the model has it."""
        names = {stored: name for name, stored in self.stored.items()}
        found: Payload = _renamed(json.loads(text or b"{}"), names)
        return found

    def path(self, path: Path) -> Path:
        """Return a path of the model as it is stored."""
        return tuple(self.stored[step] if isinstance(step, str) else step for step in path)

    def filter(self, filter: Filter) -> Filter:
        """Return a filter of the model on what is stored."""
        return replace(
            filter,
            must=filter.must and tuple(map(self._condition, filter.must)),
            should=filter.should and tuple(map(self._condition, filter.should)),
            must_not=filter.must_not and tuple(map(self._condition, filter.must_not)),
        )

    def _condition(self, condition: Condition) -> Condition:
        if isinstance(condition, HasId | HasVector):
            return condition
        assert hasattr(condition, "path")
        return replace(condition, path=self.path(condition.path))  # type: ignore[type-var]


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {names[key]: _renamed(inner, names) for key, inner in value.items()}
    return [_renamed(inner, names) for inner in value] if isinstance(value, list) else value


_keys = st.sampled_from(KNOWN) | st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters='"'), max_size=5
)
names = st.lists(_keys, min_size=len(MODEL_KEYS), max_size=len(MODEL_KEYS), unique=True).map(
    lambda drawn: Names(dict(zip(MODEL_KEYS, drawn, strict=True)))
)
