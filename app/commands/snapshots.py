"""``palimpsest snapshot``: create, list, download, upload, restore, delete."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from palimpsest.app.commands.output import columns, in_bytes, show
from palimpsest.app.transfer.client import Client, collection_path
from palimpsest.app.transfer.errors import TransferError, WrongUse
from palimpsest.app.transfer.progress import bytes_bar


def run(client: Client, given: Mapping[str, Any]) -> None:
    """Do one action. Raises TransferError and its kinds."""
    _ACTIONS[given["action"]](client, given)


def create(client: Client, given: Mapping[str, Any]) -> None:
    """Make a snapshot, and say what it is called."""
    made = client.call("POST", f"{_path(given)}?wait=true")
    show([f"{made['name']}  {in_bytes(made.get('size'))}"], made, given["json"])


def list_all(client: Client, given: Mapping[str, Any]) -> None:
    """List snapshots: name, size, when it was made."""
    held = client.get(_path(given))
    rows = [
        [one["name"], in_bytes(one.get("size")), one.get("creation_time") or ""] for one in held
    ]
    show(columns(rows) or ["no snapshots"], held, given["json"])


def download(client: Client, given: Mapping[str, Any]) -> None:
    """Fetch a snapshot to a file that does not exist yet; half of one is never left there."""
    file: Path = given["file"]
    if file.exists():
        raise WrongUse(f"{file}: exists: name another file, or remove it")
    new = file.with_name(file.name + ".new")
    try:
        size = _fetch(client, _of_one(given), new)
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
    outcome = {"file": str(file), "bytes": size}
    show([f"{file}: {in_bytes(size)}"], outcome, given["json"])


def upload(client: Client, given: Mapping[str, Any]) -> None:
    """Send a file, and have the collection become what it holds."""
    file: Path = given["file"]
    if not file.is_file():
        raise WrongUse(f"{file}: no such file")
    path = collection_path(given["collection"], "snapshots", "upload")
    client.upload(f"{path}?wait=true&priority=snapshot", "snapshot", file)
    _restored(given)


def restore(client: Client, given: Mapping[str, Any]) -> None:
    """Have a collection become what a snapshot holds."""
    path = collection_path(given["collection"], "snapshots", "recover")
    body = {"location": given["snapshot"], "priority": "snapshot"}
    if given["checksum"] is not None:
        body["checksum"] = given["checksum"]
    client.call("PUT", f"{path}?wait=true", body)
    _restored(given)


def delete(client: Client, given: Mapping[str, Any]) -> None:
    """Remove a snapshot."""
    client.call("DELETE", f"{_of_one(given)}?wait=true")
    show([f"deleted {given['snapshot']}"], {"deleted": given["snapshot"]}, given["json"])


def _restored(given: Mapping[str, Any]) -> None:
    name = given["collection"]
    show([f"restored {name}"], {"restored": name}, given["json"])


def _path(given: Mapping[str, Any]) -> str:
    """Return the path of the snapshots of a collection, or of the whole server."""
    name = given["collection"]
    return "/snapshots" if name is None else collection_path(name, "snapshots")


def _of_one(given: Mapping[str, Any]) -> str:
    return f"{_path(given)}/{quote(given['snapshot'], safe='')}"


def _fetch(client: Client, path: str, new: Path) -> int:
    """Write what is at a path to a file, synced, and return its bytes. Raises TransferError."""
    size = 0
    with client.streamed(path) as reply, new.open("wb") as file:
        told = reply.headers.get("content-length")
        with bytes_bar(new.stem, int(told) if told else None) as shown:
            for chunk in reply.iter_raw(1 << 20):
                file.write(chunk)
                size += len(chunk)
                shown.update(len(chunk))
        file.flush()
        os.fsync(file.fileno())
    if told is not None and size != int(told):
        raise TransferError(f"{path}: expected {told} bytes, got {size}: fetch it again")
    return size


_ACTIONS = {
    "create": create,
    "list": list_all,
    "download": download,
    "upload": upload,
    "restore": restore,
    "delete": delete,
}
