"""Changes of the versions of a vector name, each a job of the writer: stored, then in force.

Nothing is rewritten by any of them, and all but a drop can be undone: activating only says what the
bare name means. What would lose points or quality is refused unless it is forced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from pyroaring import BitMap

from palimpsest.index.adapters.fitted import Fitted
from palimpsest.index.config.collection import CollectionConfig, SpaceConfig, VersionConfig
from palimpsest.index.config.versions import (
    activated,
    declared,
    version_of,
    with_version,
    without_version,
)
from palimpsest.index.errors import AdapterNotFound, NotFound, StorageFull, VersionConflict
from palimpsest.index.remedies import Act, FitAdapter, MigratePoints
from palimpsest.index.storage.adapter_table import AdapterEntry
from palimpsest.index.storage.directory import Directory
from palimpsest.index.storage.files import remove_folder
from palimpsest.index.view.view import View
from palimpsest.index.write.declaring import Leftovers, put_config
from palimpsest.index.write.writer import Writer

COVERAGE_FLOOR = 0.95
QUALITY_FLOOR = 0.9


class Outlook(NamedTuple):
    """What queries of a version would find: shares of the points that hold the vector.

    ``quality`` is the share of the fully migrated answer expected, by the adapters' reports.
    ``unreachable`` are the points that no adapter leads to, with the versions they hold.
    """

    points: int
    covered: int
    quality: float
    unreachable: Mapping[str, int]

    @property
    def coverage(self) -> float:
        """The share of points that hold the version itself."""
        return self.covered / self.points if self.points else 1.0


def declare_version(writer: Writer, new: VersionConfig, space: SpaceConfig) -> bool:
    """Declare a version; False when the same one was declared before.

    Raises:
        UnknownVectorName: the vector name is not declared, or sparse.
        InvalidConfig: the version's name cannot be used.
        VersionConflict: it was declared differently.
    """

    # As a job of the writer: between the look at the config and its change no other declaration
    # comes.
    def declare() -> bool:
        config = declared(writer.config, new, space)
        if config is None:
            return False
        put_config(writer, config)
        return True

    return writer.call(declare).result()


def activate_version(
    writer: Writer,
    vector: str,
    version: str,
    *,
    force: bool = False,
    coverage_floor: float = COVERAGE_FLOOR,
    quality_floor: float = QUALITY_FLOOR,
) -> None:
    """Make a version what the bare name means; the one before keeps its rows.

    Raises:
        UnknownVectorName, VersionNotFound: a name is not declared.
        VersionConflict: its rows are mapped ones; or, unless forced, no adapter leads to some
            points, or too few hold it and its answers are expected to be worse than the floors.
    """

    def activate() -> None:
        new = version_of(writer.config, vector, version)
        if new.state == "active":
            return
        if new.mapped is not None:
            raise VersionConflict(
                f"Version {version!r} holds mapped rows, which cannot be active; once retired they "
                f"are searched again by consolidating {new.mapped[0]!r} into {new.mapped[1]!r} anew"
            )
        if not force:
            outlook = outlook_of(writer.view, writer.config, new)
            _require_floors(new, outlook, coverage_floor, quality_floor)
        put_config(writer, activated(writer.config, new))

    writer.call(activate).result()


def _require_floors(
    new: VersionConfig, outlook: Outlook, coverage_floor: float, quality_floor: float
) -> None:
    helps = MigratePoints(new.vector, new.version), Act.FORCE
    if outlook.unreachable:
        version, points = max(outlook.unreachable.items(), key=lambda each: each[1])
        raise VersionConflict(
            f"Version {new.version!r} cannot be activated: {points} points hold only version "
            f"{version!r} and no adapter leads to them",
            FitAdapter(new.vector, version, new.version),
            *helps,
        )
    if outlook.coverage < coverage_floor and outlook.quality < quality_floor:
        raise VersionConflict(
            f"Version {new.version!r} cannot be activated: {outlook.coverage:.3f} of the points "
            f"hold it (floor {coverage_floor}) and {outlook.quality:.3f} of its own answers are "
            f"expected (floor {quality_floor})",
            *helps,
        )


def retire_version(writer: Writer, vector: str, version: str, *, force: bool = False) -> None:
    """Let queries of other versions no longer search a version's rows; activating undoes it.

    Raises:
        UnknownVectorName, VersionNotFound: a name is not declared.
        VersionConflict: it is active, or points hold no other version; the latter not when forced.
    """

    def retire() -> None:
        gone = version_of(writer.config, vector, version)
        _require_spare(writer, gone, "retired", force)
        put_config(writer, with_version(writer.config, replace(gone, state="retired")))

    writer.call(retire).result()


def drop_version(writer: Writer, vector: str, version: str, *, force: bool = False) -> Leftovers:
    """Forget a version, its rows and its adapters, and rows mapped for its queries.

    Returns:
        What is left of them.

    Raises:
        UnknownVectorName, VersionNotFound: a name is not declared.
        VersionConflict: it is active, or points hold no other version; the latter not when forced.
    """

    def drop() -> Leftovers:
        config = writer.config
        gone = version_of(config, vector, version)
        _require_spare(writer, gone, "dropped", force)
        for one in config.versions_of(vector):
            if one == gone or _is_mapped_for(one, gone):
                config = without_version(config, one)
        return put_config(writer, config)

    return writer.call(drop).result()


def _require_spare(writer: Writer, gone: VersionConfig, what: str, force: bool) -> None:
    if gone.state == "active":
        raise VersionConflict(
            f"Version {gone.version!r} is active and cannot be {what}: activate another one first"
        )
    if force:
        return
    config, view = writer.config, writer.view
    versions = config.versions_of(gone.vector)
    going = [one for one in versions if one == gone or _is_mapped_for(one, gone)]
    queries = {one.version for one in versions if one not in going and one.state != "retired"}
    left = BitMap.union(BitMap(), *(view.vectors[config.column_of(one)].held for one in going))
    for one in versions:
        if one.version in queries and (one.mapped is None or one.mapped[1] in queries):
            left = left - view.vectors[config.column_of(one)].held
    if left:
        active = next(one.version for one in versions if one.state == "active")
        raise VersionConflict(
            f"Version {gone.version!r} cannot be {what}: {len(left)} points hold no other version "
            f"of vector {gone.vector!r}",
            MigratePoints(gone.vector, active),
            Act.FORCE,
        )


def _is_mapped_for(one: VersionConfig, queries: VersionConfig) -> bool:
    """Tell whether a version's rows were mapped for queries of another, and for no others."""
    return one.mapped is not None and one.mapped[1] == queries.version


def outlook_of(view: View, config: CollectionConfig, one: VersionConfig) -> Outlook:
    """Return what queries of a version would find now."""
    column = config.column_of(one)
    covered = len(view.vectors[column].held)
    points, expected = covered, float(covered)
    unreachable: dict[str, int] = {}
    for bridge, rest in view.bridged(column):
        if bridge.fitted is not None:
            expected += len(rest) * bridge.fitted.quality
        elif not bridge.needed:
            continue  # no query has ever found these points
        elif rest:
            unreachable[bridge.rows] = len(rest)
        points += len(rest)
    return Outlook(points, covered, expected / points if points else 1.0, unreachable)


def corpus_of(view: View, config: CollectionConfig, vector: str) -> BitMap:
    """Return the points that hold any version of a vector that is not retired."""
    held = [
        view.vectors[config.column_of(one)].held
        for one in config.versions_of(vector)
        if one.state != "retired"
    ]
    return BitMap.union(BitMap(), *held)


def put_fitted(
    writer: Writer,
    folder: Directory,
    ends: tuple[int, int],
    fitted: Fitted,
    instead_of: Fitted | None = None,
) -> None:
    """Store an adapter and search with it from now on, in place of the one before.

    Args:
        writer: of the collection.
        folder: of the collection's adapters.
        ends: the columns of the rows and of the queries when it was fitted.
        fitted: the adapter.
        instead_of: the one it may replace, None for whichever there is, and none.

    Raises:
        VersionConflict: one of the versions was dropped meanwhile, or the adapter it was to
            replace.
        StorageFull: there is no room for it.
    """
    name = writer.plan_folder()
    checksum = fitted.save(folder / name, writer.store.admitted)

    def put() -> str | None:
        if any(writer.config.columns[number] is None for number in ends):
            raise VersionConflict(
                "A version was dropped while its adapter was fitted: nothing is kept of the fit"
            )
        # Asked here, in the job: since the caller looked another fit may have taken its place.
        if instead_of is not None and writer.fitted.get(ends) is not instead_of:
            raise VersionConflict("The adapter was dropped or replaced meanwhile: it stays so")
        before = [e for e in writer.store.adapters.entries() if (e.rows, e.queries) == ends]
        with writer.store.transaction():
            writer.store.adapters.put(AdapterEntry(*ends, name, checksum))
        writer.take_adapter(ends, fitted)
        return before[0].folder if before else None

    putting = writer.call(put)
    try:
        replaced = putting.result()
    except (StorageFull, NotFound, VersionConflict):
        remove_folder(folder / name)  # after other failures the store may name it
        raise
    if replaced is not None:
        writer.leases.retire(folder / replaced)


def ends_of(config: CollectionConfig, vector: str, rows: str, queries: str) -> tuple[int, int]:
    """Return the columns of two versions. Raises UnknownVectorName or VersionNotFound."""
    return (
        config.column_of(version_of(config, vector, rows)),
        config.column_of(version_of(config, vector, queries)),
    )


def drop_adapter(writer: Writer, folder: Directory, vector: str, rows: str, queries: str) -> None:
    """Forget an adapter. Raises UnknownVectorName, VersionNotFound or AdapterNotFound."""

    def drop() -> str:
        ends = ends_of(writer.config, vector, rows, queries)
        entries = [e for e in writer.store.adapters.entries() if (e.rows, e.queries) == ends]
        if not entries:
            raise AdapterNotFound(vector, rows, queries)
        with writer.store.transaction(frees=True):
            writer.store.adapters.remove(*ends)
        writer.take_adapter(ends, None)
        return entries[0].folder

    writer.leases.retire(folder / writer.call(drop).result())
