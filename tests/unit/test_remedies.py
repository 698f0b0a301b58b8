"""Each remedy of the engine is worded once, as a call that the server takes."""

from __future__ import annotations

import re
from typing import get_args
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from palimpsest.app.access.table import RIGHTS
from palimpsest.app.errors import describe
from palimpsest.app.remedies import help_of
from palimpsest.app.schemas.adapters import AdapterBody
from palimpsest.app.schemas.backfills import BackfillParameters
from palimpsest.app.schemas.versions import DropParameters
from palimpsest.index import (
    Act,
    AdapterNotFound,
    CollectionExists,
    CollectionNotFound,
    DropVersion,
    FitAdapter,
    InvalidConfig,
    InvalidId,
    InvalidInput,
    MigratePoints,
    MissingAdapter,
    NoRangeIndex,
    PairPoints,
    PalimpsestError,
    PointNotFound,
    Remedy,
    VersionConflict,
)

NAMED: tuple[Remedy, ...] = (
    FitAdapter("", "v1", "v2"),
    FitAdapter('a "b"', "v1", "ü"),
    MigratePoints("", "v2"),
    MigratePoints("text & more", "v2"),
    PairPoints("", "v2"),
    DropVersion("", "v2"),
    DropVersion("text", "v 2", "docs?"),
)
CALL = re.compile(r"\b(GET|PUT|POST|DELETE) (\S+)(?: (\{.*\}))?")


def test_every_remedy_is_worded() -> None:
    assert {type(one) for one in NAMED} | {Act} == set(get_args(Remedy))
    for one in (*NAMED, *Act):
        assert help_of(one).strip()
        assert str(one).strip()


@pytest.mark.parametrize("remedy", NAMED, ids=repr)
def test_calls_are_such_as_the_server_takes(remedy: Remedy) -> None:
    found = CALL.search(help_of(remedy))
    assert found is not None
    method, url, body = found.groups()
    path, query = urlsplit(url).path, dict(parse_qsl(urlsplit(url).query, strict_parsing=False))
    template = re.sub(r"^/collections/[^/]+", "/collections/{collection_name}", path)
    template = re.sub(r"/versions/[^/]+$", "/versions/{version}", template)
    assert (method, template) in RIGHTS
    if isinstance(remedy, FitAdapter):
        fit = msgspec.json.decode(body, type=AdapterBody)
        assert (fit.vector, fit.rows, fit.queries) == (remedy.vector, remedy.rows, remedy.queries)
    elif isinstance(remedy, DropVersion):
        assert DropParameters.model_validate(query).vector == remedy.vector
    elif isinstance(remedy, MigratePoints | PairPoints):
        asked = BackfillParameters.model_validate(query)
        assert (asked.vector, asked.version) == (remedy.vector, remedy.version)
        assert asked.order == ("random" if isinstance(remedy, PairPoints) else "demand")


def test_an_error_tells_its_problem_and_one_choice_of_remedies() -> None:
    one = VersionConflict("It cannot be", FitAdapter("", "v1", "v2"), Act.GIVE_PAIRS, Act.FORCE)
    own = "fit an adapter from rows of 'v1' to queries of 'v2'"
    assert str(one) == f"It cannot be: {own}, give pairs, or force it"
    assert one.told(lambda _: "x") == "It cannot be: x, x, or x"
    assert (one.problem, one.remedies[2]) == ("It cannot be", Act.FORCE)
    assert str(VersionConflict("It cannot be")) == "It cannot be"
    assert str(PalimpsestError("Never", Act.FORCE)) == "Never: force it"


def test_texts_begin_as_clients_look_for_them() -> None:
    for error, said in (
        (CollectionNotFound("c"), (404, "Not found: Collection `c` doesn't exist!")),
        (CollectionExists("c"), (409, "Wrong input: Collection `c` already exists!")),
        (PointNotFound(7), (404, "Not found: No point with id 7 found")),
        (InvalidInput("It means nothing"), (400, "Wrong input: It means nothing")),
        (InvalidConfig("It is too large"), (422, "It is too large")),
    ):
        assert describe(error) == said
    for error, begins in (
        (InvalidId("x"), "Format error in JSON body: Invalid point id 'x'"),
        (NoRangeIndex("a.b"), "Bad request: No range index for `order_by` key: `a.b`. Please"),
    ):
        assert describe(error)[1].startswith(begins)
        assert str(error).startswith(begins.partition(": ")[2])


def test_clients_read_the_calls() -> None:
    fit = (
        "fit an adapter with POST /collections/{collection_name}/adapters "
        '{"vector": "text", "rows": "v1", "queries": "v2"}'
    )
    status, text = describe(MissingAdapter("text", "v1", "v2"))
    assert status == 400
    assert text == (
        "Wrong input: Points that hold only version 'v1' of vector 'text' cannot be found by "
        f"queries of version 'v2': {fit}, or search without them by the header "
        "x-palimpsest-bridge: off"
    )
    status, text = describe(AdapterNotFound("text", "v1", "v2"))
    assert status == 404
    assert text.endswith(f"from rows of version 'v1' to queries of 'v2': {fit}")
