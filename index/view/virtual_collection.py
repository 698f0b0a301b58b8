"""What a collection, or a virtual collection of a version, reads: config, view, payload indexes."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from palimpsest.index.config.collection import CollectionConfig
from palimpsest.index.config.versions import shown
from palimpsest.index.payload.indexes import PayloadIndexes
from palimpsest.index.view.view import View
from palimpsest.index.waiting import Applied


class Published(Protocol):
    """What the writer has published last; replaced, never changed."""

    view: View
    indexes: PayloadIndexes
    applied: Applied


class Shown:
    """The published state under the names of one version, of the active ones by default."""

    def __init__(self, published: Published, version: str | None) -> None:
        self._published = published
        self._version = version
        self._config: tuple[CollectionConfig, CollectionConfig] | None = None  # as it is, as shown
        self._view: tuple[View, View] | None = None  # as it is, as shown

    @property
    def config(self) -> CollectionConfig:
        """The current settings. Raises VersionNotFound when the version was dropped."""
        return self.view.config

    @property
    def view(self) -> View:
        """What a search that starts now reads. Raises VersionNotFound."""
        # Both are taken once: another thread may publish, or replace what is kept here, in between.
        view, last = self._published.view, self._view
        if self._version is None:
            return view
        if last is None or last[0] is not view:
            last = self._view = view, replace(view, config=self._shown(view.config, self._version))
        return last[1]

    def _shown(self, config: CollectionConfig, version: str) -> CollectionConfig:
        last = self._config
        if last is None or last[0] is not config:
            last = self._config = config, shown(config, version)
        return last[1]

    @property
    def applied(self) -> Applied:
        """How far writes are applied."""
        return self._published.applied

    @property
    def indexes(self) -> PayloadIndexes:
        """The payload indexes."""
        return self._published.indexes
