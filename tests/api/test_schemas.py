"""Decoding and encoding without a server: ids, selectors, parameters, hits, declarations."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from qdrant_client import models
from qdrant_client.local.local_collection import LocalCollection

from palimpsest.app.errors import Refusal, describe
from palimpsest.app.schemas.changes import merge
from palimpsest.app.schemas.collections import CollectionBody, CollectionChange
from palimpsest.app.schemas.declarations import to_config
from palimpsest.app.schemas.ids import parse_id, parse_path_id
from palimpsest.app.schemas.parameters import Parameters, parse_parameters
from palimpsest.app.schemas.selectors import FieldSelection, PayloadSelector, WithPayload
from palimpsest.index import (
    CollectionExists,
    CollectionNotFound,
    Damaged,
    Distance,
    InvalidId,
    InvalidInput,
    StorageFull,
    VectorConfig,
)

HYPHENATED = "936da01f-9abd-4d9d-80c7-02af85c822a8"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (0, b"0"),
        (2**64 - 1, b"18446744073709551615"),
        (HYPHENATED, b'"%s"' % HYPHENATED.encode()),
        (HYPHENATED.upper(), b'"%s"' % HYPHENATED.encode()),
        (HYPHENATED.replace("-", ""), b'"%s"' % HYPHENATED.encode()),
        (f"urn:uuid:{HYPHENATED}", b'"%s"' % HYPHENATED.encode()),
        (f"URN:UUID:{HYPHENATED.upper()}", b'"%s"' % HYPHENATED.encode()),
        ("{" + HYPHENATED + "}", b'"%s"' % HYPHENATED.encode()),
    ],
)
def test_ids_are_read_and_written(raw: int | str, expected: bytes) -> None:
    assert msgspec.json.encode(parse_id(raw)) == expected
    assert parse_path_id(str(raw)) == parse_id(raw)


@pytest.mark.parametrize(
    "raw",
    [
        -1,
        2**64,
        "",
        "7",
        "abc",
        "{" + HYPHENATED,
        HYPHENATED[:-1],
        HYPHENATED.replace("-", "_"),
        "9_6da01f9abd4d9d80c702af85c822a8a",
        HYPHENATED + "\n",
    ],
)
def test_other_ids_are_refused(raw: int | str) -> None:
    with pytest.raises(InvalidId):
        parse_id(raw)


PAYLOAD: dict[str, Any] = {
    "a": {"b": 1, "c": 2},
    "aa": {"b": 3},
    "a.b": 4,
    "l": [{"b": 5, "c": 6}, 7, [{"b": 8}]],
    "n": None,
    "s": "text",
}
SELECTIONS: list[Any] = [
    [],
    ["a"],
    ["a.b"],
    ["a", "a.b"],
    ["a.b", "a"],
    ['"a.b"', "l[].c"],
    ["l[]"],
    ["l[0]"],
    ["l"],
    ["l[].b", "n"],
    ["l[][].b"],
    ["s.deeper"],
    ["missing"],
]


@pytest.mark.parametrize("keys", SELECTIONS)
@pytest.mark.parametrize("form", ["list", "include", "exclude"])
def test_payload_selectors_agree_with_the_reference(keys: list[str], form: str) -> None:
    asked: WithPayload = keys
    reference: Any = keys
    if form == "include":
        asked = FieldSelection(include=keys)
        reference = models.PayloadSelectorInclude(include=keys)
    if form == "exclude":
        asked = FieldSelection(exclude=keys)
        reference = models.PayloadSelectorExclude(exclude=keys)
    select = PayloadSelector(asked, default=False)
    expected = LocalCollection._process_payload(PAYLOAD, reference)
    assert json.loads(bytes(select(json.dumps(PAYLOAD).encode()))) == expected


@pytest.mark.parametrize(
    "key",
    ["", ".a", "a.", "a..b", "a[", "a[x]", 'a."b', "a b", f"a[{'1' * 5_000}]", "a" + "[]" * 128],
)
def test_a_broken_path_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput, match="Invalid path"):
        PayloadSelector([key], default=False)


def test_a_selected_payload_keeps_the_digits_of_its_numbers() -> None:
    text = b'{"a":{"x":1.10,"y":123456789012345678901234567890},"b":1}'
    selected = PayloadSelector(["a"], default=True)(text)
    assert bytes(selected) == b'{"a":{"x":1.10,"y":123456789012345678901234567890}}'


def test_parameters() -> None:
    assert parse_parameters(b"") == Parameters(wait=False, timeout=None)
    given = b"wait=true&timeout=7&ordering=strong&consistency=majority&other=x"
    assert parse_parameters(given) == Parameters(wait=True, timeout=7)
    assert parse_parameters(b"consistency=2") == Parameters()


def test_the_error_table() -> None:
    assert describe(CollectionNotFound("x")) == (
        404,
        "Not found: Collection `x` doesn't exist!",
    )
    assert describe(CollectionExists("x"))[0] == 409
    assert describe(StorageFull("no space left"))[0] == 507
    assert describe(TimeoutError())[0] == 408


def test_unexpected_and_storage_errors_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    from pathlib import Path

    assert describe(Damaged(Path("codes.npy"), 1, 2, "checksum"))[0] == 500
    assert "codes.npy" in caplog.text
    status, text = describe(ZeroDivisionError("secret"))
    assert (status, text) == (500, "Service internal error: ZeroDivisionError")
    assert "secret" in caplog.text


def config_of(**body: Any) -> VectorConfig:
    whole = {"vectors": {"size": 8, "distance": "Cosine"}, **body}
    return to_config(CollectionBody.model_validate(whole)).vectors[""]


@pytest.mark.parametrize(
    ("asked", "encoding"),
    [
        ({"scalar": {"type": "int8"}}, "8"),
        ({"product": {"compression": "x16"}}, "2"),
        ({"product": {"compression": "x64"}}, "1"),
        ({"binary": {}}, "1"),
        ({"binary": {"encoding": "two_bits"}}, "2"),
        ({"turbo": {}}, "4"),
        ({"turbo": {"bits": "bits2"}}, "2"),
        (None, "4"),
    ],
)
def test_quantization_maps_to_an_encoding(asked: Any, encoding: str) -> None:
    assert config_of(quantization_config=asked).encoding == encoding
    vector = {"size": 8, "distance": "Dot", "quantization_config": asked}
    assert config_of(vectors=vector).encoding == encoding


def test_our_own_metadata_overrides() -> None:
    config = to_config(
        CollectionBody.model_validate(
            {
                "vectors": {"a": {"size": 8, "distance": "Dot", "datatype": "float16"}},
                "hnsw_config": {"m": 32, "ef_construct": 100_000},
                "optimizers_config": {"indexing_threshold": 0, "deleted_threshold": 0.5},
                "metadata": {"palimpsest": {"encoding": "1", "seal_rows": 100}},
            }
        )
    )
    assert config.vectors["a"] == VectorConfig(
        8,
        Distance.DOT,
        encoding="1",
        originals="float16",
        M=32,
        ef_construction=2_000,
        datatype="float16",
        fixed_encoding=True,
    )
    assert config.maintenance.seal_rows == 100
    assert config.maintenance.quiet_rows == 10_000_000
    assert config.maintenance.dead_ratio == 0.5


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ({"encoding": "3"}, "metadata.palimpsest.encoding"),
        ({"seal_rows": 1}, "seal_rows: expected 64 to"),
        ({"sealrows": 1}, "metadata.palimpsest.sealrows"),
    ],
)
def test_wrong_metadata_is_refused(metadata: Any, text: str) -> None:
    with pytest.raises(Refusal, match=text) as caught:
        config_of(metadata={"palimpsest": metadata})
    assert caught.value.status == 422


def test_changes_merge_into_a_declaration() -> None:
    declared = {
        "vectors": {"size": 8, "distance": "Dot"},
        "quantization_config": {"scalar": {"type": "int8"}},
        "hnsw_config": {"m": 8, "on_disk": True},
        "metadata": {"kept": 1, "gone": 2},
    }
    change = CollectionChange.model_validate(
        {
            "vectors": {"": {"on_disk": True}},
            "hnsw_config": {"m": 24},
            "quantization_config": "Disabled",
            "params": {"on_disk_payload": False},
            "metadata": {"gone": None, "new": {"x": None}},
        }
    )
    merged = merge(declared, change).model_dump(exclude_unset=True)
    assert merged == {
        "vectors": {"size": 8, "distance": "Dot", "on_disk": True},
        "hnsw_config": {"m": 24, "on_disk": True},
        "on_disk_payload": False,
        "metadata": {"kept": 1, "new": {"x": None}},
    }
