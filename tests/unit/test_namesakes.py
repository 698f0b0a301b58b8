"""The tests of a module are found by its name, but for those that are listed here.

``tests/unit/<room>/test_<module>.py`` holds them; those of a module that knows HTTP may need a
server and lie in ``tests/api``. The list may only get shorter: a new module comes with its tests,
and one that got some leaves it.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]

# By room, the modules whose tests are found under other names.
WITHOUT: dict[str, str] = {
    "app": (
        "bodies context costs counts envelope integrity_metrics knobs main metrics rates "
        "recall_metrics release settings strict_filters strict_formulas strict_limits "
        "strict_queries strict_sizes telemetry version_metrics"
    ),
    "app/access": "admission aliases claims documented guard holding limits table",
    "app/demo": "story",
    "app/health": "conditions gauges life overdue start",
    "app/routes": (
        "adapters aliases analysis backfill cluster collections in_event_loop indexes query "
        "readings table unsupported"
    ),
    "app/schemas": (
        "adapters aliases analysis backfills changes collections conditions declarations "
        "documents effective examples explanations formulas hits indexes information kinds "
        "legacy_bodies pruning query_documents records searches shapes spaces targets trees "
        "unresolved versioned"
    ),
    "app/wire": "compression connection ends replies screen sending targets waiting",
    "app/work": "depth gauges",
    "index": "collection_info collection_parts collection_versions errors types",
    "index/adapters": (
        "adapter compare_judged estimate_rows estimating fit_radial fit_request fitted growth "
        "map_queries pairs radial relative scoring solving trial unit watch"
    ),
    "index/checks": (
        "collection commits findings folders orphans parts points progress stored stretches tables"
    ),
    "index/config": "collection kinds names vectors",
    "index/doctor": "report restoring",
    "index/filters": "bitmaps expression meaning slices",
    "index/kinds": "registry",
    "index/kinds/dense": "cost kind probing",
    "index/kinds/sparse": "kind seal",
    "index/payload": (
        "bounds candidates field known lookup ordered part places presence sound texts values"
    ),
    "index/query": (
        "compiled execute facets formula likeness matrix nearest ordered source targets terms"
    ),
    "index/read": "attaching by_id mapped_vectors points selector vectors",
    "index/search": "across allowed closest leading_version mapped_scores one_segment",
    "index/segments": "build finding growing_part originals points seal sealed searcher segment",
    "index/storage": (
        "accept adapter_table checkpoints demand_table directory_lock doubled entries "
        "field_table in_memory local mapped payload_size reach read_rows reader schema "
        "superseded syncing unfinished verify wal"
    ),
    "index/upkeep": (
        "attempts dead_again due follower healing opened_adapters reopening scrub_thread tiers "
        "unopened"
    ),
    "index/versions": "backfilling compared_lists drawn_pairs relevance warming",
    "index/view": "bridge dense view",
    "index/write": "changes payload_following point_writes requests",
}


def modules() -> set[Path]:
    """Return all modules, from the folder `app` or `index` on."""
    files = (path for top in ("app", "index") for path in (ROOT / top).rglob("*.py"))
    return {path.relative_to(ROOT) for path in files if path.name != "__init__.py"}


def places(module: Path) -> list[Path]:
    """Return where the tests of a module may lie."""
    name = f"test_{module.name}"
    found = [ROOT / "tests" / "unit" / Path(*module.parts[1:-1]) / name]
    return [*found, ROOT / "tests" / "api" / name] if module.parts[0] == "app" else found


def test_every_module_has_tests_of_its_name() -> None:
    listed = {Path(room, f"{n}.py") for room, names in WITHOUT.items() for n in names.split()}
    without = {one for one in modules() if not any(place.exists() for place in places(one))}
    assert sorted(map(str, without - listed)) == [], "give them tests of their names"
    assert sorted(map(str, listed - without)) == [], "take them off the list"
