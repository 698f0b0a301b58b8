"""The lists of packages that the image is made of agree with what pyproject.toml asks for.

``make lock`` writes them.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.11", "3.12", "3.13")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# Each list, what it is made of, and what uv calls that where it says why a package stands there.
LISTS = {
    "runtime": (
        [
            *PROJECT["project"]["dependencies"],
            *PROJECT["project"]["optional-dependencies"]["otel"],
        ],
        "palimpsest-server (pyproject.toml)",
    ),
    "build": (PROJECT["dependency-groups"]["build"], "palimpsest-server (pyproject.toml:build)"),
}


class Locked(NamedTuple):
    """One entry: a pinned package, the checksums of its files, who asks for it."""

    pin: Requirement
    sums: int
    askers: tuple[str, ...]


def entries(name: str) -> list[Locked]:
    text = (ROOT / "docker" / f"{name}.lock").read_text()
    found = []
    for block in re.split(r"^(?=[a-zA-Z])", text, flags=re.MULTILINE)[1:]:
        pin = Requirement(block.partition(" \\\n")[0])
        askers = re.findall(r"#(?: via)? +(\S.*)", block)
        found.append(Locked(pin, block.count("--hash=sha256:"), tuple(askers)))
    return found


def pinned(name: str, package: str, python: str) -> list[Version]:
    """Return the versions that a list gives an interpreter."""
    system = {"python_version": python, "python_full_version": f"{python}.0"}
    return [
        Version(next(iter(each.pin.specifier)).version)
        for each in entries(name)
        if canonicalize_name(each.pin.name) == canonicalize_name(package)
        and (each.pin.marker is None or each.pin.marker.evaluate(system))
    ]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("python", PYTHONS)
def test_what_is_asked_for_is_pinned_to_a_version_that_fits(name: str, python: str) -> None:
    wrong = []
    for text in LISTS[name][0]:
        asked = Requirement(text)
        versions = pinned(name, asked.name, python)
        if len(versions) != 1 or versions[0] not in asked.specifier:
            wrong.append(f"{text}: {versions}")
    assert wrong == [], "run `make lock`"


@pytest.mark.parametrize("name", LISTS)
def test_only_what_is_asked_for_is_said_to_be(name: str) -> None:
    asked = {canonicalize_name(Requirement(text).name) for text in LISTS[name][0]}
    own = LISTS[name][1]
    said = {canonicalize_name(each.pin.name) for each in entries(name) if own in each.askers}
    assert said == asked, "run `make lock`"


@pytest.mark.parametrize("name", LISTS)
def test_every_package_is_pinned_with_checksums_and_says_who_asks_for_it(name: str) -> None:
    listed = entries(name)
    assert len(listed) >= len(LISTS[name][0])
    for each in listed:
        assert [one.operator for one in each.pin.specifier] == ["=="], each.pin
        assert each.sums and each.askers, each.pin


@pytest.mark.parametrize("name", LISTS)
def test_no_list_names_a_place_to_fetch_from(name: str) -> None:
    text = (ROOT / "docker" / f"{name}.lock").read_text()
    assert "://" not in text and "--index" not in text and "--find-links" not in text
