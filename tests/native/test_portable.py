"""The compiled module asks nothing of a system that glibc 2.28 does not have.

``index/native/portable`` sees to it, where editable builds and wheels are made alike.
"""

from __future__ import annotations

import platform
import re
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

from palimpsest.index import _native

NEWEST = (2, 28)
# What manylinux_2_28 allows, less libstdc++, which stands inside.
ALLOWED = {"libc.so.6", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0", "ld-linux-x86-64.so.2"}


@pytest.fixture(scope="module")
def module() -> Path:
    """The file of the module, unless it was built otherwise."""
    file = Path(_native.__file__)
    if platform.machine() != "x86_64":
        pytest.skip("other than on x86-64 it is built for the system at hand")
    if b"libasan" in file.read_bytes():
        pytest.skip("a build with sanitizers is for the system at hand")
    return file


def needs(file: Path) -> dict[str, set[str]]:
    """Return the libraries that a file needs, and the versions of symbols it needs of each."""
    with file.open("rb") as opened:
        elf = ELFFile(opened)
        dynamic = elf.get_section_by_name(".dynamic")
        found = {tag.needed: set() for tag in dynamic.iter_tags("DT_NEEDED")}
        for section in elf.iter_sections():
            if isinstance(section, GNUVerNeedSection):
                for library, versions in section.iter_versions():
                    found[library.name] |= {each.name for each in versions}
    return found


def test_no_symbol_is_newer_than_the_oldest_system(module: Path) -> None:
    versions = {each for of in needs(module).values() for each in of}
    of_glibc = {
        tuple(map(int, found.groups()))
        for each in versions
        if (found := re.fullmatch(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?", each))
    }
    assert of_glibc and max(of_glibc) <= NEWEST


def test_only_libraries_are_needed_that_every_system_has(module: Path) -> None:
    assert set(needs(module)) <= ALLOWED


def test_nothing_but_its_entry_is_seen_outside(module: Path) -> None:
    with module.open("rb") as opened:
        symbols = ELFFile(opened).get_section_by_name(".dynsym").iter_symbols()
        seen = [one.name for one in symbols if one.name and one["st_shndx"] != "SHN_UNDEF"]
    assert seen == ["PyInit__native"]
