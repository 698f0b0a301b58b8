"""Everything a damaged collection is asked, and when an answer is wrong.

A twin that was not damaged is asked the same. An answer is right if it is the twin's; searches that
walk a graph may find other points than the twin, with the distances that these have. An answer that
is not right has to name damage, and what it still says has to be right.
"""

from __future__ import annotations

import http.client
import math
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import msgspec

from tests.crash.reading import Client
from tests.crash.stage import (
    ALIASES,
    COLOURS,
    NEW_SIZE,
    PLAIN,
    SIZES,
    WELL,
    WIDE,
    Id,
    Stage,
    floats,
    text_of,
)

How: TypeAlias = Literal["same", "ranked", "near", "counts", "shown"]
Verdict: TypeAlias = Literal["right", "named"]
EVERYTHING = 5_000  # more than there are
NEAR = 0.7  # of the closest points, found by a search that walks a graph
CLOSE = 2e-4  # relative error of scores, whose sums may be taken in another order
LONGEST = 30.0  # seconds for any answer; they take milliseconds


class Wrong(AssertionError):
    """An answer that is neither right nor names what is wrong."""


@dataclass(frozen=True)
class Question:
    """A request about one collection.

    Args:
        how: its answer is compared: as it is ("same"), as points in an order ("ranked") or as some
            of the closest ("near"), as values with counts ("counts"), by what is shown of a
            collection ("shown").
    """

    name: str
    collection: str
    method: str
    path: str
    body: Any
    how: How = "same"


@dataclass(frozen=True)
class Truth:
    """What an undamaged twin answers, and the score of every point for each search."""

    results: Mapping[str, Any]
    scores: Mapping[str, Mapping[Id, float]]
    records: Mapping[str, Mapping[Id, Any]]
    questions: list[Question] = field(default_factory=list)


def questions_for(stage: Stage) -> list[Question]:
    """Return all questions."""
    draw = random.Random(3)
    asked = [*general(WIDE, stage.ids[WIDE]), *general(PLAIN, stage.ids[PLAIN])]
    asked += [*of_vectors(draw), *of_payloads(), *of_versions()]
    for alias, name in ALIASES.items():
        if name != WELL:
            asked.append(Question(f"alias {alias}", alias, "POST", "/points/count", {}))
    asked.append(Question("aliases", "", "GET", "/aliases", None, "counts"))
    return asked


def general(name: str, ids: list[Id]) -> Iterator[Question]:
    """Yield what is asked of any collection."""

    def post(what: str, path: str, body: Any, how: How = "same") -> Question:
        return Question(f"{name}: {what}", name, "POST", path, body, how)

    whole = {"with_payload": True, "with_vector": True}
    yield Question(f"{name}: shown", name, "GET", "", None, "shown")
    for start in range(0, len(ids), 400):
        body = {"ids": ids[start : start + 400], **whole}
        yield post(f"retrieve from {start} on", "/points", body)
    yield post("scroll", "/points/scroll", {"limit": EVERYTHING, **whole})
    yield post("page", "/points/scroll", {"limit": 40, "offset": 50, "with_vector": False})
    yield post("page of UUIDs", "/points/scroll", {"limit": 40, "offset": ids[2], **whole})
    yield post("count", "/points/count", {"exact": True})
    for colour in (COLOURS[0], "violet"):
        red = {"must": [{"key": "colour", "match": {"value": colour}}]}
        yield post(f"{colour} scroll", "/points/scroll", {"limit": 300, "filter": red, **whole})
        yield post(f"{colour} count", "/points/count", {"filter": red, "exact": True})
    filter = {"must_not": [{"has_id": ids[:3]}, {"key": "n", "range": {"lt": 40}}]}
    yield post("filtered scroll", "/points/scroll", {"limit": 300, "filter": filter})
    yield post("facet", "/facet", {"key": "colour", "limit": 50, "exact": True}, "counts")
    ordered = {"limit": 30, "order_by": {"key": "n", "direction": "desc"}}
    yield post("order", "/points/scroll", ordered)


def of_vectors(draw: random.Random) -> Iterator[Question]:
    """Yield searches by each vector: exact ones, and as they come, with and without a filter."""
    spaces = {("", "plain"): SIZES["a"], ("a@v2", WIDE): NEW_SIZE}
    spaces |= {(name, WIDE): size for name, size in SIZES.items()}
    odd = {"must": [{"key": "on", "match": {"value": False}}]}
    for (using, name), size in spaces.items():
        for number in range(2):
            base: dict[str, Any] = {"query": floats(draw, size), "limit": 20}
            if using:
                base["using"] = using
            what = f"{name}: {using or 'vector'} {number}"
            path = "/points/query"
            exact = {**base, "params": {"exact": True}}
            yield Question(f"{what} exact", name, "POST", path, exact, "ranked")
            whole = {**exact, "with_payload": True, "with_vector": True}
            yield Question(f"{what} whole", name, "POST", path, whole, "ranked")
            near = {**base, "params": {"hnsw_ef": 128, "quantization": {"rescore": True}}}
            yield Question(f"{what} near", name, "POST", path, near, "near")
            filtered = {**near, "filter": odd}
            if name == WIDE:
                yield Question(f"{what} filtered", name, "POST", path, filtered, "near")
        grouped = {**exact, "group_by": "colour", "limit": 5, "group_size": 3}
        what = f"{name}: {using or 'vector'}"
        yield Question(f"{what} groups", name, "POST", "/points/query/groups", grouped)
        for query in (7, {"recommend": {"positive": [3, 13], "negative": [7]}}):
            body = {**exact, "query": query, "limit": 10}
            kind = "by id" if isinstance(query, int) else "recommend"
            yield Question(f"{what} {kind}", name, "POST", path, body, "ranked")
    sparse = {"indices": [3, 9, 27, 41], "values": [1.0, 0.5, 2.0, 0.25]}
    body = {"query": sparse, "using": "sparse", "limit": 25, "with_vector": ["sparse"]}
    yield Question("wide: sparse", WIDE, "POST", "/points/query", body, "ranked")
    prefetch = [
        {"query": sparse, "using": "sparse", "limit": 30},
        {"query": floats(draw, SIZES["a"]), "using": "a", "limit": 30, "params": {"exact": True}},
    ]
    body = {"prefetch": prefetch, "query": {"fusion": "rrf"}, "limit": 12, "with_payload": True}
    yield Question("wide: fusion", WIDE, "POST", "/points/query", body)


def of_payloads() -> Iterator[Question]:
    """Yield filters by each payload index, and by what has none."""
    near = {"center": {"lon": 0.0, "lat": 0.0}, "radius": 400_000.0}
    conditions: dict[str, Any] = {
        "integer": {"key": "n", "range": {"gte": 100, "lt": 900}},
        "float": {"key": "x", "range": {"gt": 1.5}},
        "bool": {"key": "on", "match": {"value": True}},
        "geo": {"key": "place", "geo_radius": near},
        "datetime": {"key": "at", "range": {"lt": "2024-05-01T00:00:00Z"}},
        "uuid": {"key": "key", "match": {"value": "00000000-0000-0000-0000-000000000007"}},
        "text": {"key": "text", "match": {"text": "alpha beta"}},
        "any": {"key": "colour", "match": {"any": [COLOURS[1], COLOURS[3]]}},
        "without index": {"key": "free.list[]", "match": {"value": 3}},
        "empty": {"is_empty": {"key": "edited"}},
        "vector": {"has_vector": "whole"},
        "version": {"has_vector": "a@v2"},
    }
    for what, condition in conditions.items():
        filter = {"must": [condition]}
        count = {"filter": filter, "exact": True}
        yield Question(f"wide: count by {what}", WIDE, "POST", "/points/count", count)
        scroll = {"filter": filter, "limit": 60, "with_payload": True}
        yield Question(f"wide: scroll by {what}", WIDE, "POST", "/points/scroll", scroll)


def of_versions() -> Iterator[Question]:
    for version in ("v1", "v2"):
        name = f"{WIDE}@{version}"
        count = {"filter": {"must": [{"has_vector": "a"}]}, "exact": True}
        yield Question(f"{version}: count", name, "POST", "/points/count", count)
        body = {"limit": 50, "offset": 60, "with_vector": ["a"]}
        yield Question(f"{version}: page", name, "POST", "/points/scroll", body)


def ask(client: Client, question: Question) -> tuple[int, Any, float]:
    """Return a reply's status and JSON, and the seconds it took. Raises Wrong."""
    started = time.monotonic()
    client.path = f"/collections/{question.collection}" if question.collection else ""
    try:
        status, text = client.send(question.method, question.path, question.body)
        return status, msgspec.json.decode(text), time.monotonic() - started
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        seconds = time.monotonic() - started
        raise Wrong(f"{question.name}: no answer after {seconds:.1f} s: {error!r}") from error


def learn(port: int, stage: Stage) -> Truth:
    """Ask the undamaged twin."""
    results: dict[str, Any] = {}
    scores: dict[str, dict[Id, float]] = {}
    records: dict[str, dict[Id, Any]] = {WIDE: {}, PLAIN: {}}
    questions = questions_for(stage)
    with Client(port, "") as client:
        for question in questions:
            status, reply, _ = ask(client, question)
            assert status == 200 and "warnings" not in reply, f"{question.name}: {text_of(reply)}"
            results[question.name] = reply["result"]
            if question.how in ("ranked", "near"):
                params = {**question.body.get("params", {}), "exact": True}
                body = {**question.body, "limit": EVERYTHING, "params": params}
                body.pop("with_vector", None)
                _, reply, _ = ask(client, replace(question, body=body))
                scores[question.name] = {
                    one["id"]: one["score"] for one in reply["result"]["points"]
                }
            if "retrieve" in question.name:
                records[question.collection].update((one["id"], one) for one in reply["result"])
    return Truth(results, scores, records, questions)


def judge(question: Question, status: int, reply: Any, truth: Truth) -> Verdict:
    """Tell whether an answer is right or names damage. Raises Wrong."""
    named = names_damage(status, reply)
    if status != 200:
        if named:
            return "named"
        raise Wrong(f"{question.name} is {status} without damage: {text_of(reply)[:600]}")
    found, expected = reply["result"], truth.results[question.name]
    if is_right(question, found, expected, truth):
        return "right"
    if not named:
        raise Wrong(f"{question.name}: {difference(found, expected)}")
    require_part(question, found, truth)
    return "named"


def names_damage(status: int, reply: Any) -> bool:
    """Tell whether a reply says that something is damaged."""
    if status == 200:
        shown = reply["result"]
        texts = [*reply.get("warnings", ())]
        if isinstance(shown, dict):
            texts += [text_of(shown.get("optimizer_status")), text_of(shown.get("warnings"))]
    else:
        texts = [text_of(reply)]
    return any("damaged" in text for text in texts)


def is_right(question: Question, found: Any, expected: Any, truth: Truth) -> bool:
    if question.how == "shown":
        same = found["points_count"] == expected["points_count"]
        return bool(same and found["status"] in ("green", "yellow"))
    if question.how == "counts":
        return sorted(map(text_of, listed(found))) == sorted(map(text_of, listed(expected)))
    if question.how == "same":
        return alike(found, expected)
    points, twins = found["points"], expected["points"]
    ids = [one["id"] for one in points]
    known = truth.scores[question.name]
    if len(ids) != len(twins) or len(set(ids)) != len(ids):
        return False
    if not all(
        one["id"] in known
        and close(one["score"], known[one["id"]])
        and is_record(one, question, truth)
        for one in points
    ):
        return False
    if question.how == "ranked":
        pairs = zip(points, twins, strict=True)
        return all(close(one["score"], twin["score"]) for one, twin in pairs)
    best = {one["id"] for one in twins}
    return len(best & set(ids)) >= NEAR * len(best)


def require_part(question: Question, found: Any, truth: Truth) -> None:
    """Require that what an answer which names damage still says is right. Raises Wrong."""
    known = truth.scores.get(question.name)
    for one in points_in(found):
        if known is not None and not is_scored(one, known):
            raise Wrong(f"{question.name} names damage, and a wrong score: {text_of(one)[:600]}")
        if not is_record(one, question, truth):
            raise Wrong(f"{question.name} names damage, and a wrong point: {text_of(one)[:600]}")


def is_scored(one: Any, known: Mapping[Id, float]) -> bool:
    """Tell whether a found point has the score that it has in truth."""
    return one["id"] in known and close(one["score"], known[one["id"]])


def points_in(found: Any) -> list[Any]:
    if isinstance(found, dict):
        found = found.get("points", [])
    listed = found if isinstance(found, list) else []
    return [one for one in listed if isinstance(one, dict) and "id" in one]


def is_record(one: Any, question: Question, truth: Truth) -> bool:
    """Tell whether what is told of a point is what it holds."""
    records = truth.records.get(question.collection)
    if records is None:
        return True
    whole = records.get(one["id"])
    if whole is None:
        return False
    payload, vector = one.get("payload"), one.get("vector")
    if payload is not None and payload != whole["payload"]:
        return False
    if isinstance(vector, dict):
        return all(whole["vector"].get(name) == own for name, own in vector.items())
    return vector is None or vector == whole["vector"]


def listed(found: Any) -> list[Any]:
    """Return the entries of a facet, or of a list of aliases."""
    entries = found.get("hits", found.get("aliases"))
    assert isinstance(entries, list)
    return entries


def alike(found: Any, expected: Any) -> bool:
    """Tell whether two results are the same, but for the last digits of scores."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(
            close(own, expected[key])
            if key == "score" and isinstance(own, float | int)
            else alike(own, expected[key])
            for key, own in found.items()
        )
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(alike, found, expected))
    return type(found) is type(expected) and bool(found == expected)


def close(found: float, expected: float) -> bool:
    return math.isclose(found, expected, rel_tol=CLOSE, abs_tol=CLOSE)


def difference(found: Any, expected: Any) -> str:
    """Say where two results begin to differ."""
    one, other = text_of(found), text_of(expected)
    place = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    start = max(0, place - 80)
    return f"found ...{one[start : place + 200]}, expected ...{other[start : place + 200]}"
