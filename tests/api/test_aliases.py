"""Aliases work wherever a name does, move together, and are kept in a readable file."""

from __future__ import annotations

import httpx
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from tests.api.replies import refused, result

DENSE = models.VectorParams(size=2, distance=models.Distance.DOT)


def test_an_alias_works_wherever_a_name_does(client: QdrantClient, name: str) -> None:
    alias = f"{name} now"
    create = models.CreateAliasOperation(
        create_alias=models.CreateAlias(collection_name=name, alias_name=alias)
    )
    assert client.update_collection_aliases([create])
    assert client.collection_exists(alias)
    assert client.get_collection(alias).points_count == 3
    assert len(client.query_points(alias, [1.0, 0.0]).points) == 3
    assert client.retrieve(alias, [1])[0].id == 1
    client.set_payload(alias, {"new": 1}, [0])
    client.upsert(alias, [models.PointStruct(id=9, vector=[1.0, 1.0])])
    client.create_payload_index(alias, "n", models.PayloadSchemaType.INTEGER)
    client.update_collection(alias, metadata={"changed": True})
    assert client.get_collection(name).config.metadata == {"changed": True}
    assert client.count(name).count == 4
    held = models.AliasDescription(alias_name=alias, collection_name=name)
    assert client.get_collection_aliases(name).aliases == [held]
    assert held in client.get_aliases().aliases
    assert client.get_collection_aliases("missing").aliases == []
    assert alias not in [each.name for each in client.get_collections().collections]


def test_aliases_move_together(client: QdrantClient, name: str, http: httpx.Client) -> None:
    other = f"{name}b"
    client.create_collection(other, vectors_config=DENSE)
    a, b = f"{name}-a", f"{name}-b"

    def create(alias: str, collection: str) -> models.CreateAliasOperation:
        return models.CreateAliasOperation(
            create_alias=models.CreateAlias(collection_name=collection, alias_name=alias)
        )

    client.update_collection_aliases([create(a, name), create(b, other)])
    rename = models.RenameAlias(old_alias_name=b, new_alias_name=a)
    client.update_collection_aliases([models.RenameAliasOperation(rename_alias=rename)])
    assert client.count(a).count == 0
    with pytest.raises(UnexpectedResponse, match="Collection `missing` doesn"):
        client.update_collection_aliases([create(b, name), create(a, "missing")])
    assert client.count(a).count == 0
    assert not client.collection_exists(b)
    delete = models.DeleteAlias(alias_name=a)
    client.update_collection_aliases([models.DeleteAliasOperation(delete_alias=delete)])
    assert not client.collection_exists(a)
    for action, status, text in (
        ({}, 400, "actions[0]: expected exactly one of create_alias"),
        ({"create_alias": {"collection_name": name, "alias_name": other}}, 409, "already exists"),
        ({"create_alias": {"collection_name": name, "alias_name": "a/b"}}, 422, "not allowed"),
        ({"rename_alias": {"old_alias_name": a, "new_alias_name": b}}, 404, f"Alias {a} does not"),
    ):
        reply = http.post("/collections/aliases", json={"actions": [action]})
        assert text in refused(reply, status)
    client.delete_collection(other)


def test_aliases_are_readable_by_hand(http: httpx.Client, name: str) -> None:
    body = {"actions": [{"create_alias": {"collection_name": name, "alias_name": f"{name}x"}}]}
    assert result(http.post("/collections/aliases?timeout=5", json=body)) is True
    listed = result(http.get(f"/collections/{name}/aliases"))
    assert listed == {"aliases": [{"alias_name": f"{name}x", "collection_name": name}]}
