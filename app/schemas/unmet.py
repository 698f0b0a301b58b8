"""What was declared and is not carried out, or contradicts itself, in words.

All settings are kept and given back as they were given. Those that ask for something else than what
happens are listed in ``warnings`` of ``GET /collections/{name}``; what does happen is its
``palimpsest`` object (``app.schemas.effective``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from palimpsest.app.schemas.changes import is_one
from palimpsest.app.schemas.column_configs import MULTI_ONLY, PRODUCT_BITS
from palimpsest.app.schemas.declarations import kilobytes
from palimpsest.index import (
    GRAPH_ROWS,
    MAX_EF_CONSTRUCTION,
    MAX_M,
    MIN_EF_CONSTRUCTION,
    MIN_M,
    CollectionConfig,
    FieldInfo,
    MultiConfig,
)

Declared: TypeAlias = Mapping[str, Any]
# By the name of a setting: the values that ask for what happens anyhow, and what that is.
Kept: TypeAlias = Mapping[str, tuple[tuple[Any, ...], str]]

ANY_SIZE = "segments are as large as `metadata.palimpsest.seal_rows` and compaction make them"
ONE_NODE = "there is one node, and one copy of everything"

COLLECTION: Kept = {
    "shard_number": ((1,), "a collection is one shard"),
    "replication_factor": ((1,), ONE_NODE),
    "write_consistency_factor": ((1,), ONE_NODE),
    "read_fan_out_factor": ((0,), ONE_NODE),
    "read_fan_out_delay_ms": ((0,), ONE_NODE),
    "on_disk_payload": ((True,), "payloads are kept on disk"),
}
PLACED_PARTS = {"payload": "the store on disk", "id_tracker": "memory and the store on disk"}
OPTIMIZERS: Kept = {
    "vacuum_min_vector_number": ((0,), "segments of any size are compacted"),
    "default_segment_number": ((0,), ANY_SIZE),
    "max_segment_size": ((), ANY_SIZE),
    "memmap_threshold": ((), "originals of sealed rows are always mapped"),
    "flush_interval_sec": ((0,), "a write is on disk before it is acknowledged"),
    "max_optimization_threads": (("auto",), "the server's `--threads` holds"),
    "prevent_unoptimized": (
        (False,),
        "writes wait for sealing only when rows come faster than they are sealed",
    ),
}
WAL: Kept = {
    "wal_capacity_mb": ((32,), "the log is SQLite's, of 32 MB between checkpoints"),
    "wal_segments_ahead": ((0,), "the log is SQLite's"),
    "wal_retain_closed": ((0,), "the log is SQLite's"),
}
HNSW: Kept = {
    "full_scan_threshold": ((), "a search chooses between graph and scan by counts of rows"),
    "max_indexing_threads": ((0,), "the server's `--threads` holds"),
    "on_disk": ((False,), "graphs are kept in memory"),
    "memory": (("cached", "pinned"), "graphs are kept in memory"),
    "payload_m": ((), "one graph serves filters too, by two hops"),
    "inline_storage": ((False,), "links and codes lie apart"),
}
QUANTIZATION: Kept = {
    "quantile": ((), "codes need no bounds"),
    "always_ram": ((True,), "codes are kept in memory"),
    "memory": (("cached", "pinned"), "codes are kept in memory"),
    "query_encoding": (("default",), "queries are of 8 bits, of 4 against 1-bit codes"),
}
VECTOR: Kept = {
    "on_disk": ((True,), "originals are kept on disk and mapped, codes in memory"),
    "memory": (("cold",), "originals are kept on disk and mapped, codes in memory"),
}
SPARSE_INDEX: Kept = {
    "full_scan_threshold": ((), "sparse vectors are always searched by their postings"),
    "on_disk": ((False,), "postings are kept in memory"),
    "memory": (("cached", "pinned"), "postings are kept in memory"),
    "datatype": (("float32",), "values of sparse vectors are float32"),
}
FIELD: Kept = {
    "on_disk": ((False,), "payload indexes are kept in memory"),
    "memory": (("cached", "pinned"), "payload indexes are kept in memory"),
    "is_tenant": ((False,), "points are not ordered by tenants"),
    "is_principal": ((False,), "points are not ordered by a field"),
    "enable_hnsw": ((True,), "the graph is the same for every payload index"),
}
# Codes that are not of the size asked for.
Sizes: TypeAlias = Mapping[tuple[str, str, str], str]
OTHER_SIZES: Sizes = {
    ("product", "compression", "x64"): "the smallest codes are 1 bit a dimension, which is x32",
    ("binary", "encoding", "one_and_half_bits"): "the nearest codes are 1 bit a dimension",
    ("turbo", "bits", "bits1_5"): "the nearest codes are 1 bit a dimension",
}
assert PRODUCT_BITS["x64"] == "1"  # what OTHER_SIZES says
_FEWEST = "the smallest codes of the vectors of a set are 2 bits a dimension"
TOKEN_SIZES: Sizes = {
    ("product", "compression", "x32"): _FEWEST,
    ("product", "compression", "x64"): _FEWEST,
    ("binary", "encoding", "one_bit"): _FEWEST,
    ("binary", "encoding", "one_and_half_bits"): _FEWEST,
    ("turbo", "bits", "bits1"): _FEWEST,
    ("turbo", "bits", "bits1_5"): _FEWEST,
}


def unmet(config: CollectionConfig, fields: Mapping[str, FieldInfo]) -> list[str]:
    """Return a text for each setting that asks for something else than what happens.

    Args:
        config: a collection with its declaration.
        fields: its payload indexes by key.
    """
    declared = config.declared
    texts = [*_of_collection(declared, kilobytes(GRAPH_ROWS, config))]
    for name, vector in _dense(declared):
        texts += _of_vector(name, vector, declared)
    texts += _of_names(config)
    for name, sparse in (declared.get("sparse_vectors") or {}).items():
        index = (sparse or {}).get("index") or {}
        texts += _differing(f"sparse_vectors.{name}.index.", index, SPARSE_INDEX)
    for key, field in fields.items():
        texts += _differing(f"index of {key!r}: ", field.declared, FIELD)
    return texts


def _of_collection(declared: Declared, scanned: int) -> Iterator[str]:
    """Yield what the collection's own settings ask for; ``scanned`` kilobytes have no graph."""
    yield from _differing("", declared, COLLECTION)
    for part, place in PLACED_PARTS.items():
        memory = (declared.get(part) or {}).get("memory")
        if memory is not None:
            yield _text(f"{part}.memory", memory, f"it is kept in {place}")
    yield from _differing("optimizers_config.", declared.get("optimizers_config"), OPTIMIZERS)
    yield from _differing("wal_config.", declared.get("wal_config"), WAL)
    hnsw = dict(declared.get("hnsw_config") or {})
    if hnsw.get("full_scan_threshold") == scanned:
        del hnsw["full_scan_threshold"]
    yield from _of_hnsw("hnsw_config.", hnsw)
    yield from _of_codes("quantization_config.", declared.get("quantization_config"))
    yield from _of_upkeep(declared)


def _of_upkeep(declared: Declared) -> Iterator[str]:
    optimizers = declared.get("optimizers_config") or {}
    if optimizers.get("deleted_threshold") == 0:
        text = "it has to be above 0, so the default holds"
        yield _text("optimizers_config.deleted_threshold", 0, text)
    own = _own(declared)
    for theirs, ours in (
        ("deleted_threshold", ("dead_ratio",)),
        ("indexing_threshold", ("seal_rows", "quiet_rows")),
    ):
        for name in ours:
            if optimizers.get(theirs) is not None and own.get(name) is not None:
                place = f"optimizers_config.{theirs}"
                yield _text(place, optimizers[theirs], f"`metadata.palimpsest.{name}` overrides it")


def _of_names(config: CollectionConfig) -> Iterator[str]:
    """Yield what the server's own settings say of vectors that there are none of."""
    own, at = _own(config.declared), "metadata.palimpsest."
    for name, settings in (own.get("vectors") or {}).items():
        if name not in config.vectors:
            yield _text(f"{at}vectors.{name}", settings, "there is no vector of that name")
    kinds = {one.kind for one in config.vectors.values()}
    for name, kind in (*dict.fromkeys(MULTI_ONLY, MultiConfig.kind).items(), ("order", "dense")):
        if own.get(name) is not None and kind not in kinds:
            yield _text(f"{at}{name}", own[name], f"it is of {kind} vectors, and there are none")


def _of_vector(name: str, vector: Declared, declared: Declared) -> Iterator[str]:
    at = f"vectors.{name}." if name else "vectors."
    yield from _differing(at, vector, VECTOR)
    yield from _of_hnsw(f"{at}hnsw_config.", vector.get("hnsw_config"))
    multi = vector.get("multivector_config") is not None
    sizes = TOKEN_SIZES if multi else OTHER_SIZES
    yield from _of_codes(f"{at}quantization_config.", vector.get("quantization_config"), sizes)
    if multi:
        yield from _contradictions_of_sets(at, name, vector, declared)
    else:
        yield from _contradictions(
            at, vector, {**_own(declared), **_own_of(name, declared)}, declared
        )


def _contradictions_of_sets(
    at: str, name: str, vector: Declared, declared: Declared
) -> Iterator[str]:
    """Yield what one setting of a multi-vector leaves of another."""
    own, datatype = {**_own(declared), **_own_of(name, declared)}, vector.get("datatype")
    codes = vector.get("quantization_config")
    place = f"{at}quantization_config"
    if vector.get("distance") in ("Euclid", "Manhattan"):
        text = "sets of this distance are searched exactly, by originals"
        if codes:
            yield _text(place, codes, text)
        for setting in ("fde", "tokens", "pool"):
            if own.get(setting) is not None:
                yield _text(f"metadata.palimpsest: {setting} of {name!r}", own[setting], text)
    elif codes and (own.get("tokens") or {}).get("bits") is not None:
        yield _text(place, codes, "`metadata.palimpsest` overrides it by its `tokens.bits`")
    elif codes and datatype in ("turbo4", "turbo8"):
        yield _text(place, codes, f"the datatype {datatype} says how vectors are coded")
    if datatype not in (None, "float32") and own.get("originals") is not None:
        text = "`metadata.palimpsest` says how originals are kept"
        yield _text(f"{at}datatype", datatype, text)


def _contradictions(at: str, vector: Declared, own: Declared, declared: Declared) -> Iterator[str]:
    """Yield what one setting of a vector leaves of another."""
    datatype = vector.get("datatype")
    codes = vector.get("quantization_config") or declared.get("quantization_config")
    hnsw = {**(declared.get("hnsw_config") or {}), **(vector.get("hnsw_config") or {})}
    place = f"{at}quantization_config"
    if codes and own.get("encoding") is not None:
        yield _text(place, codes, "`metadata.palimpsest.encoding` overrides it")
    elif codes and datatype == "turbo4":
        yield _text(place, codes, "the datatype turbo4 means codes of 4 bits and nothing else")
    if datatype not in (None, "float32") and own.get("originals") is not None:
        text = "`metadata.palimpsest.originals` says how originals are kept"
        yield _text(f"{at}datatype", datatype, text)
    if vector.get("distance") == "Manhattan":
        text = "Manhattan is searched exactly, by originals"
        if hnsw.get("m") is not None or hnsw.get("ef_construct") is not None:
            yield _text(f"{at}hnsw_config", hnsw, text)
        if codes:
            yield _text(place, codes, text)
    elif hnsw.get("m") == 0 and hnsw.get("ef_construct") is not None:
        yield _text(f"{at}hnsw_config", hnsw, "`m` 0 means no graph, whatever `ef_construct` is")


def _of_hnsw(at: str, hnsw: Declared | None) -> Iterator[str]:
    yield from _differing(at, hnsw, HNSW)
    for name, least, most in (
        ("m", MIN_M, MAX_M),
        ("ef_construct", MIN_EF_CONSTRUCTION, MAX_EF_CONSTRUCTION),
    ):
        value = (hnsw or {}).get(name)
        if value and not least <= value <= most:
            yield _text(f"{at}{name}", value, f"it is {min(max(value, least), most)}")


def _of_codes(at: str, quantization: Declared | None, sizes: Sizes | None = None) -> Iterator[str]:
    """Yield what codes are not carried out; ``sizes`` are those of a vector name's kind."""
    for kind, asked in (quantization or {}).items():
        yield from _differing(f"{at}{kind}.", asked, QUANTIZATION)
        for (of, name, value), text in (OTHER_SIZES if sizes is None else sizes).items():
            if kind == of and asked.get(name) == value:
                yield _text(f"{at}{kind}.{name}", value, text)


def _differing(at: str, given: Declared | None, kept: Kept) -> Iterator[str]:
    """Yield a text for each setting that is given and not what happens."""
    for name, value in (given or {}).items():
        if name in kept and value is not None and value not in kept[name][0]:
            yield _text(f"{at}{name}", value, kept[name][1])


def _text(place: str, value: Any, instead: str) -> str:
    return f"{place}: {json.dumps(value, ensure_ascii=False)} is not carried out: {instead}"


def _own(declared: Declared) -> Declared:
    own: Declared = (declared.get("metadata") or {}).get("palimpsest") or {}
    return own


def _own_of(name: str, declared: Declared) -> Declared:
    of_name: Declared = (_own(declared).get("vectors") or {}).get(name) or {}
    return of_name


def _dense(declared: Declared) -> list[tuple[str, Declared]]:
    vectors = declared.get("vectors") or {}
    return [("", vectors)] if is_one(vectors) else list(vectors.items())
