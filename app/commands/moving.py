"""``palimpsest import`` and ``palimpsest export``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from palimpsest.app.commands.connection import SOURCE_KEY, SOURCE_KEY_FILE, key_of
from palimpsest.app.commands.output import show, tell
from palimpsest.app.transfer.client import Client
from palimpsest.app.transfer.errors import WrongUse
from palimpsest.app.transfer.exporting import run_export
from palimpsest.app.transfer.importing import Import, run_import
from palimpsest.app.transfer.mapping import Wished
from palimpsest.app.transfer.shapes import read_distance
from palimpsest.app.transfer.sources import Reading


def bring(client: Client, given: Mapping[str, Any]) -> None:
    """Import sources into a collection, and say what was done."""
    job = import_of(given, os.environ)
    done = run_import(job, client)
    rate = done.points / max(done.seconds, 1e-9)
    lines = [f"{job.collection}: {done.points:,} points in {done.seconds:.1f} s ({rate:,.0f}/s)"]
    if done.resumed:
        lines = [
            f"{job.collection}: {done.points:,} points, {done.resumed:,} rows of which earlier "
            f"tries had done; {done.seconds:.1f} s"
        ]
    if done.skipped:
        lines.append(f"  {done.skipped:,} rows are no points: {job.skip}")
    if done.marked:
        lines.append(f"  {done.marked:,} rows are marked as deleted in the source")
    show(lines, {"collection": job.collection, **asdict(done)}, given["json"])
    for note in done.notes:
        tell(note)


def write_out(client: Client, given: Mapping[str, Any]) -> None:
    """Export a collection to a file, and say what was done."""
    file = given["file"]
    done = run_export(client, given["collection"], file, restart=given["restart"])
    lines = [f"{file}: {done.points:,} points in {done.seconds:.1f} s"]
    show(lines, {"file": str(file), **asdict(done)}, given["json"])
    for note in done.notes:
        tell(note)


def import_of(given: Mapping[str, Any], environment: Mapping[str, str]) -> Import:
    """Return what the words of the command line ask for. Raises WrongUse."""
    if given["distance"] is not None and not given["create"]:
        raise WrongUse("--distance is of a collection that is created: it needs --create")
    wished = Wished(
        given["id"], tuple(given["vector"]), tuple(given["payload"]), given["payload_json"]
    )
    reading = Reading(
        wished,
        given["ids"],
        given["payloads"],
        key_of(given["source_api_key_file"], environment, SOURCE_KEY, SOURCE_KEY_FILE),
        given["ca"],
    )
    return Import(
        sources=tuple(given["sources"]),
        collection=given["collection"],
        reading=reading,
        create=given["create"],
        distance=None if given["distance"] is None else read_distance(given["distance"]),
        first_id=given["first_id"],
        skip=given["skip_bad"],
        state=given["state"],
        restart=given["restart"],
        connections=given["connections"],
    )
