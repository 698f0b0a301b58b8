"""docs/metrics.md tells of the series that a server has, of all of them and of no others."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from tests.api.served import Server
from tests.monitoring.load import KEY, Workload

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(palimpsest_\w+)` \| (\w+) \| ([^|]*) \| [^|]+ \|$", re.MULTILINE)
TYPE = re.compile(r"# TYPE (\w+) (\w+)")
SAMPLE = re.compile(r"(\w+?)(?:\{(.*)\})? \S+")
LABEL = re.compile(r'(\w+)="')

Families = dict[str, tuple[str, set[str]]]  # type and labels, by name


def test_the_tables_are_what_a_server_has(server: Server, workload: Workload) -> None:
    text = httpx.get(f"{server.url}/metrics", headers={"api-key": KEY}, timeout=30).text
    scraped, told = families(text), documented()
    assert sorted(scraped.keys() - told.keys()) == [], "tell of them in docs/metrics.md"
    assert sorted(told.keys() - scraped.keys()) == [], "no server has them"
    for name, (kind, labels) in scraped.items():
        assert told[name][0] == kind, name
        # what never happened has no samples to read labels from
        assert labels in (told[name][1], set()), name


def documented() -> Families:
    found = {}
    for name, kind, labels in ROW.findall(PAGE.read_text()):
        assert name not in found, name
        found[name] = kind, set(re.findall(r"`(\w+)`", labels))
    return found


def families(text: str) -> Families:
    """Read a scrape, of our own series alone; the labels of buckets are the format's."""
    found: Families = {}
    name = ""
    for line in text.splitlines():
        if (typed := TYPE.match(line)) is not None:
            name = typed[1]
            found[name] = typed[2], set()
        elif not line.startswith("#") and (sample := SAMPLE.fullmatch(line)) is not None:
            assert sample[1].startswith(name), line
            found[name][1].update(set(LABEL.findall(sample[2] or "")) - {"le"})
    return {name: one for name, one in found.items() if name.startswith("palimpsest_")}


@pytest.mark.parametrize(
    ("label", "most"),
    [("stage", 11), ("status", 20), ("kind", 24), ("reason", 40), ("outcome", 10)],
)
def test_labels_come_from_closed_sets(
    server: Server, workload: Workload, label: str, most: int
) -> None:
    text = httpx.get(f"{server.url}/metrics", headers={"api-key": KEY}, timeout=30).text
    values = set(re.findall(rf'[{{,]{label}="([^"]*)"', text))
    assert 0 < len(values) <= most
    assert all(re.fullmatch(r"[a-z0-9_]+", value) for value in values)
