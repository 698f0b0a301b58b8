"""``palimpsest collections``: list, info, create, delete."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from palimpsest.app.commands.output import columns, show
from palimpsest.app.transfer.client import Client, collection_path
from palimpsest.app.transfer.errors import Refused, WrongUse
from palimpsest.app.transfer.shapes import Dense, declaration, read_distance, shape_of


def run(client: Client, given: Mapping[str, Any]) -> None:
    """Do one action. Raises TransferError and its kinds."""
    _ACTIONS[given["action"]](client, given)


def list_all(client: Client, given: Mapping[str, Any]) -> None:
    """List names, with points and status."""
    names = [each["name"] for each in client.get("/collections")["collections"]]
    told = [_told(client, name) for name in names]
    rows = [
        [
            one["name"],
            f"{one['points']:,} points" if one["points"] is not None else "",
            one["status"],
        ]
        for one in told
    ]
    show(columns(rows) or ["no collections"], told, given["json"])


def info(client: Client, given: Mapping[str, Any]) -> None:
    """Show one: its vectors, points, payload indexes and warnings."""
    told = client.get(collection_path(given["name"]))
    indexes = told.get("payload_schema", {})
    lines = [
        f"{given['name']}: {told['status']}, {told['points_count'] or 0:,} points, "
        f"{told['indexed_vectors_count']:,} vectors in segments"
    ]
    lines += [f"  {name or '(unnamed)'}: {one}" for name, one in shape_of(told["config"]).items()]
    lines += [f"  index on {field}: {one['data_type']}" for field, one in indexes.items()]
    lines += [f"  warning: {one['message']}" for one in told.get("warnings", [])]
    show(lines, told, given["json"])


def create(client: Client, given: Mapping[str, Any]) -> None:
    """Create one of a size and distance, or by a file that has the body of the call."""
    path = collection_path(given["name"])
    client.call("PUT", path, _body(given))
    show([f"created {given['name']}"], {"created": given["name"]}, given["json"])


def delete(client: Client, given: Mapping[str, Any]) -> None:
    """Delete one that exists. Raises WrongUse where it does not."""
    if client.call("DELETE", collection_path(given["name"])) is not True:
        raise WrongUse(f"there is no collection {given['name']!r}")
    show([f"deleted {given['name']}"], {"deleted": given["name"]}, given["json"])


def _told(client: Client, name: str) -> dict[str, Any]:
    try:
        one = client.get(collection_path(name))
    except Refused as error:  # dropped meanwhile, or damaged beyond telling
        return {"name": name, "points": None, "status": error.reason}
    return {"name": name, "points": one["points_count"], "status": one["status"]}


def _body(given: Mapping[str, Any]) -> Any:
    config: Path | None = given["config"]
    by_size = given["size"] is not None and given["distance"] is not None
    if (config is None) == (given["size"] is None and given["distance"] is None):
        raise WrongUse("collections create: expected --size and --distance, or --config")
    if config is None:
        if not by_size:
            raise WrongUse("collections create: expected both --size and --distance")
        return declaration({"": Dense(given["size"])}, read_distance(given["distance"]))
    try:
        return msgspec.json.decode(config.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError) as error:
        raise WrongUse(f"{config}: expected a JSON object: {error}") from error


_ACTIONS = {"list": list_all, "info": info, "create": create, "delete": delete}
