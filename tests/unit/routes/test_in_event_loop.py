"""What is answered at once: plain queries that are expected to be short, and nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.app.context import Context
from palimpsest.app.routes.in_event_loop import answer_now, bridging, read_now, seconds_of
from palimpsest.app.schemas.query import Query, decode_query
from palimpsest.app.settings import Settings
from palimpsest.app.warnings import Warnings
from palimpsest.index import Collection, CollectionConfig, VectorConfig
from tests.points import batch_of


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    opened = Context(Settings(data=tmp_path, threads=1))
    opened.open()
    docs = opened.database.create("docs", CollectionConfig({"": VectorConfig(2, "dot")}))
    docs.upsert(batch_of([2**64 - 1, 5], np.eye(2, dtype=np.float32))).result()
    yield opened
    opened.close()


def text(**asked: Any) -> bytes:
    return json.dumps(asked).encode()


def docs_of(context: Context) -> Collection:
    return context.database.get("docs")


def test_a_short_query_is_answered(context: Context) -> None:
    early = read_now(context, docs_of(context), text(query=[1, 0]))
    assert early is not None
    found = answer_now(context, docs_of(context), early, Warnings())
    assert found is not None
    assert [(hit.id, hit.score) for hit in found.points] == [(2**64 - 1, 1.0), (5, 0.0)]


def test_trees_and_long_bodies_go_the_long_way(context: Context) -> None:
    docs = docs_of(context)
    assert read_now(context, docs, text(query=[1, 0]) + b" " * context.short_body) is None
    early = read_now(context, docs, text(query={"sample": "random"}))
    assert early is not None
    assert answer_now(context, docs, early, Warnings()) is None


def test_what_was_read_by_another_declaration_is_not_answered(context: Context) -> None:
    docs = docs_of(context)
    early = read_now(context, docs, text(query=[1, 0]))
    assert early is not None
    docs.versions.declare("", "v2", VectorConfig(3, "dot"), declared={})
    assert answer_now(context, docs, early, Warnings()) is None


def test_a_batch_with_a_tree_takes_for_ever(context: Context) -> None:
    docs = docs_of(context)
    plain = decode_query(text(query=[1, 0]), docs.config)
    tree = decode_query(text(query={"sample": "random"}), docs.config)
    assert isinstance(plain, Query)
    assert 0 < seconds_of(docs, [plain, plain], "on") < math.inf
    assert seconds_of(docs, [plain, tree], "on") == math.inf  # type: ignore[list-item]
    assert bridging(plain.request, "on") is plain.request
    assert bridging(plain.request, "off").bridge == "off"
