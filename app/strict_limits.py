"""What strict mode limits: the settings of one collection."""

from __future__ import annotations

import msgspec


class SparseLimit(msgspec.Struct, frozen=True):
    """Limit of one sparse vector name."""

    max_length: int | None = None


class MultivectorLimit(msgspec.Struct, frozen=True):
    """Limit of one multi-vector name."""

    max_vectors: int | None = None


class Limits(msgspec.Struct, frozen=True):
    """What is limited; None where nothing is. Rates are per minute."""

    max_query_limit: int | None = None
    max_timeout: int | None = None
    unindexed_filtering_retrieve: bool | None = None
    unindexed_filtering_update: bool | None = None
    search_max_hnsw_ef: int | None = None
    search_allow_exact: bool | None = None
    search_max_oversampling: float | None = None
    upsert_max_batchsize: int | None = None
    search_max_batchsize: int | None = None
    max_collection_vector_size_bytes: int | None = None
    max_collection_payload_size_bytes: int | None = None
    max_points_count: int | None = None
    read_rate_limit: int | None = None
    write_rate_limit: int | None = None
    filter_max_conditions: int | None = None
    condition_max_size: int | None = None
    multivector_config: dict[str, MultivectorLimit] | None = None
    sparse_config: dict[str, SparseLimit] | None = None
    max_payload_index_count: int | None = None
    max_resident_memory_percent: int | None = None
