"""The ordinary life of a program, by whichever qdrant-client runs this: ``life.py URL``.

It prints one JSON object: the client's version, the calls made, and the warnings met. An answer
that is not the expected one ends it. Calls that a client does not have are left out; everything
else is called by every version, so the script keeps to what all of them understand.
"""

import importlib.metadata
import json
import logging
import sys
import threading
import warnings

# What newer clients say of methods of their own, whatever server they talk to.
OF_THE_CLIENT_ITSELF = ("method is deprecated", "is deprecated, use")
PLAIN, NAMED, OTHER, LATE = "life-plain", "life-named", "life-other", "life-late"
CITIES = ["Berlin", "London", "Москва", "東京"]
UUID = "8f14e45f-ceea-4a7d-9c3b-2f1d5a1e8b77"


class Life:
    def __init__(self, client, models):
        self.client = client
        self.models = models
        self.called = []

    def call(self, name, *args, **kwargs):
        self.called.append(name)
        return getattr(self.client, name)(*args, **kwargs)

    def has(self, name):
        return hasattr(self.client, name)

    def match(self, key, value):
        models = self.models
        return models.FieldCondition(key=key, match=models.MatchValue(value=value))

    def wait_until_written(self, name, points):
        while self.call("count", name, exact=True).count < points:
            pass


def ids(points):
    return [point.id for point in points]


def corner(n):
    """A vector close to one of four axes: neighbours of n are n + 4, n + 8, ..."""
    return [1.0 if axis == n % 4 else 0.01 * (n + 1) for axis in range(4)]


def live(life):
    for name in (PLAIN, NAMED, OTHER, LATE):
        life.call("delete_collection", name)
    create(life)
    write(life)
    read(life)
    index(life)
    search_as_ever(life)
    recommend_and_discover(life)
    query(life)
    late_interaction(life)
    analyse(life)
    update(life)
    name_and_configure(life)
    delete(life)


def create(life):
    models, distance = life.models, life.models.Distance
    plain = models.VectorParams(size=4, distance=distance.COSINE)
    for name in (PLAIN, OTHER):
        assert life.call("create_collection", name, vectors_config=plain)
    assert life.call(
        "create_collection",
        NAMED,
        vectors_config={
            "text": models.VectorParams(size=4, distance=distance.DOT, on_disk=True),
            "image": models.VectorParams(size=3, distance=distance.EUCLID),
        },
        sparse_vectors_config={"words": models.SparseVectorParams()},
        hnsw_config=models.HnswConfigDiff(m=16, ef_construct=100),
        optimizers_config=models.OptimizersConfigDiff(indexing_threshold=10_000),
        quantization_config=models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
        ),
        on_disk_payload=True,
    )
    names = {each.name for each in life.call("get_collections").collections}
    assert {PLAIN, NAMED, OTHER} <= names
    if life.has("collection_exists"):
        assert life.call("collection_exists", PLAIN)
        assert not life.call("collection_exists", "life-nowhere")
    config = life.call("get_collection", NAMED).config
    assert config.params.vectors["image"].distance == distance.EUCLID
    assert config.params.sparse_vectors.keys() == {"words"}
    assert life.call("get_collection", PLAIN).config.params.vectors.size == 4


def payload(n):
    return {"city": CITIES[n % 4], "n": n, "tags": ["even" if n % 2 == 0 else "odd", f"t{n % 3}"]}


def write(life):
    models = life.models
    points = [models.PointStruct(id=n, vector=corner(n), payload=payload(n)) for n in range(12)]
    done = life.call("upsert", PLAIN, points=points[:6], wait=True)
    assert done.status == models.UpdateStatus.COMPLETED
    batch = models.Batch(
        ids=ids(points[6:]),
        vectors=[point.vector for point in points[6:]],
        payloads=[point.payload for point in points[6:]],
    )
    life.call("upsert", PLAIN, points=batch, wait=True)
    life.call("upload_points", OTHER, points=iter(points), batch_size=5, wait=True)
    life.call(
        "upload_collection",
        OTHER,
        vectors=[corner(n) for n in range(12, 16)],
        payload=[payload(n) for n in range(12, 16)],
        ids=list(range(12, 16)),
        wait=True,
    )
    life.wait_until_written(OTHER, 16)
    named = [
        models.PointStruct(
            id=UUID if n == 0 else n,
            vector={
                "text": corner(n),
                "image": [float(n), 0.0, 1.0],
                "words": models.SparseVector(indices=[n, 100], values=[1.0, 0.5]),
            },
            payload=payload(n),
        )
        for n in range(8)
    ]
    life.call("upsert", NAMED, points=named, wait=True)


def read(life):
    models = life.models
    found = life.call("retrieve", PLAIN, ids=[3, 1, 77], with_payload=True, with_vectors=True)
    assert sorted(ids(found)) == [1, 3]
    assert {point.payload["city"] for point in found} == {"London", "東京"}
    assert all(len(point.vector) == 4 for point in found)
    (one,) = life.call("retrieve", NAMED, ids=[UUID], with_vectors=["words"])
    assert one.id == UUID
    assert one.vector["words"].indices == [0, 100]
    page, following = life.call("scroll", PLAIN, limit=5)
    assert ids(page) == [0, 1, 2, 3, 4]
    page, following = life.call("scroll", PLAIN, limit=10, offset=following, with_vectors=True)
    assert (ids(page), following) == ([5, 6, 7, 8, 9, 10, 11], None)
    only = models.Filter(must=[life.match("city", "Москва")])
    assert ids(life.call("scroll", PLAIN, scroll_filter=only)[0]) == [2, 6, 10]
    assert life.call("count", PLAIN, count_filter=only).count == 3
    assert life.call("count", PLAIN, exact=False).count == 12
    for given, expected in filters(life).items():
        found, _ = life.call("scroll", PLAIN, scroll_filter=given_filter(life, given), limit=20)
        assert ids(found) == expected, given


def filters(life):
    return {
        "range": [3, 4, 5],
        "any": [0, 1, 4, 5, 8, 9],
        "except": [2, 3, 6, 7, 10, 11],
        "id": [2, 4],
        "none": [],
        "should": [0, 2, 4, 6, 7, 8, 10],
    }


def given_filter(life, name):
    models = life.models
    condition = models.FieldCondition
    return {
        "range": models.Filter(must=[condition(key="n", range=models.Range(gte=3, lt=6))]),
        "any": models.Filter(
            must=[condition(key="city", match=models.MatchAny(any=["Berlin", "London"]))]
        ),
        "except": models.Filter(
            must=[
                condition(key="city", match=models.MatchExcept(**{"except": ["Berlin", "London"]}))
            ]
        ),
        "id": models.Filter(must=[models.HasIdCondition(has_id=[2, 4, 99])]),
        "none": models.Filter(
            must=[models.IsEmptyCondition(is_empty=models.PayloadField(key="tags"))]
        ),
        "should": models.Filter(should=[life.match("tags", "even"), life.match("n", 7)]),
    }[name]


def index(life):
    models = life.models
    kinds = {"city": "keyword", "n": "integer"}
    for key, kind in kinds.items():
        schema = models.PayloadSchemaType(kind)
        life.call("create_payload_index", PLAIN, field_name=key, field_schema=schema, wait=True)
    told = life.call("get_collection", PLAIN).payload_schema
    assert {key: field.data_type.value for key, field in told.items()} == kinds
    assert {field.points for field in told.values()} == {12}
    for given, expected in filters(life).items():
        found, _ = life.call("scroll", PLAIN, scroll_filter=given_filter(life, given), limit=20)
        assert ids(found) == expected, given
    ordered, _ = life.call(
        "scroll",
        PLAIN,
        order_by=models.OrderBy(key="n", direction=models.Direction.DESC),
        limit=2,
    )
    assert ids(ordered) == [11, 10]


def search_as_ever(life):
    """What clients before 1.16 send."""
    if not life.has("search"):
        return
    models = life.models
    found = life.call("search", PLAIN, query_vector=corner(1), limit=3, with_vectors=True)
    assert ids(found) == [1, 5, 9]
    assert [point.payload["city"] for point in found] == ["London"] * 3
    assert abs(found[0].score - 1) < 1e-5
    odd = models.Filter(must=[models.FieldCondition(key="n", range=models.Range(gt=1))])
    found = life.call(
        "search",
        PLAIN,
        query_vector=corner(1),
        query_filter=odd,
        limit=2,
        offset=1,
        search_params=models.SearchParams(hnsw_ef=64, exact=False),
        with_payload=models.PayloadSelectorInclude(include=["n"]),
        score_threshold=0.9,
    )
    assert [point.payload for point in found] == [{"n": 9}]
    by_name = life.call("search", NAMED, query_vector=("image", [3.2, 0.0, 1.0]), limit=2)
    assert ids(by_name) == [3, 4]
    sparse = models.NamedSparseVector(
        name="words", vector=models.SparseVector(indices=[5], values=[1.0])
    )
    assert ids(life.call("search", NAMED, query_vector=sparse, limit=3)) == [5]
    both = [models.SearchRequest(vector=corner(n), limit=2, with_payload=True) for n in (0, 2)]
    batch = life.call("search_batch", PLAIN, requests=both)
    assert [ids(found) for found in batch] == [[0, 4], [2, 6]]
    groups = life.call(
        "search_groups",
        PLAIN,
        query_vector=corner(3),
        group_by="city",
        limit=2,
        group_size=2,
        with_lookup=models.WithLookup(collection=OTHER, with_payload=True),
    ).groups
    assert groups[0].id == "東京"
    assert ids(groups[0].hits) == [3, 7]


def recommend_and_discover(life):
    models = life.models
    if not life.has("recommend"):
        return
    found = life.call("recommend", PLAIN, positive=[1, 5], negative=[2], limit=1)
    assert ids(found) == [9]
    found = life.call(
        "recommend",
        PLAIN,
        positive=[corner(1)],
        negative=[],
        strategy=models.RecommendStrategy.BEST_SCORE,
        limit=2,
    )
    assert ids(found) == [1, 5]
    elsewhere = models.LookupLocation(collection=OTHER)
    found = life.call("recommend", PLAIN, positive=[13], lookup_from=elsewhere, limit=3)
    assert set(ids(found)) == {1, 5, 9}
    one = models.RecommendRequest(positive=[0], limit=2, using=None)
    batch = life.call("recommend_batch", PLAIN, requests=[one, one])
    assert [ids(found) for found in batch] == [[4, 8]] * 2
    groups = life.call(
        "recommend_groups", PLAIN, group_by="city", positive=[0], limit=1, group_size=5
    ).groups
    assert (groups[0].id, ids(groups[0].hits)) == ("Berlin", [4, 8])
    pair = models.ContextExamplePair(positive=3, negative=0)
    found = life.call("discover", PLAIN, target=corner(3), context=[pair], limit=2)
    assert ids(found) == [7, 11]
    one = models.DiscoverRequest(target=2, context=[pair], limit=1)
    batch = life.call("discover_batch", PLAIN, requests=[one])
    assert ids(batch[0]) == [6]


def query(life):
    """What clients since 1.10 send."""
    if not life.has("query_points"):
        return
    models = life.models
    found = life.call("query_points", PLAIN, query=corner(2), limit=3).points
    assert ids(found) == [2, 6, 10]
    assert set(ids(life.call("query_points", PLAIN, query=4, limit=2).points)) == {0, 8}
    fused = life.call(
        "query_points",
        NAMED,
        prefetch=[
            models.Prefetch(query=corner(1), using="text", limit=4),
            models.Prefetch(
                query=models.SparseVector(indices=[1], values=[2.0]), using="words", limit=4
            ),
        ],
        query=models.FusionQuery(fusion=models.Fusion.RRF),
        limit=1,
    ).points
    assert ids(fused) == [1]
    liked = models.RecommendQuery(recommend=models.RecommendInput(positive=[1, 5], negative=[2]))
    assert ids(life.call("query_points", PLAIN, query=liked, limit=1).points) == [9]
    pair = models.ContextPair(positive=3, negative=0)
    wanted = models.DiscoverQuery(discover=models.DiscoverInput(target=3, context=[pair]))
    assert ids(life.call("query_points", PLAIN, query=wanted, limit=2).points) == [7, 11]
    first = models.OrderByQuery(order_by="n")
    assert ids(life.call("query_points", PLAIN, query=first, limit=2).points) == [0, 1]
    one = models.QueryRequest(query=corner(0), limit=2, with_payload=True)
    batch = life.call("query_batch_points", PLAIN, requests=[one, one])
    assert [ids(each.points) for each in batch] == [[0, 4]] * 2
    if life.has("query_points_groups"):
        groups = life.call(
            "query_points_groups", PLAIN, query=corner(3), group_by="city", limit=1, group_size=2
        ).groups
        assert (groups[0].id, ids(groups[0].hits)) == ("東京", [3, 7])


def late_interaction(life):
    """What clients send that know of multi-vectors, since 1.10."""
    models = life.models
    if not hasattr(models, "MultiVectorComparator"):
        return
    sets = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
    late = models.VectorParams(size=4, distance=models.Distance.DOT, multivector_config=sets)
    assert life.call("create_collection", LATE, vectors_config={"late": late})
    points = [
        models.PointStruct(id=n, vector={"late": [corner(n), corner(n + 1)][: 1 + n % 2]})
        for n in range(8)
    ]
    life.call("upsert", LATE, points=points[:4], wait=True)
    life.call("upload_points", LATE, points=iter(points[4:]), wait=True)
    life.wait_until_written(LATE, 8)
    config = life.call("get_collection", LATE).config.params.vectors["late"]
    assert config.multivector_config == sets
    read = life.call("retrieve", LATE, ids=[2, 3], with_vectors=True)
    assert sorted(len(point.vector["late"]) for point in read) == [1, 2]
    asked = [corner(1), corner(2)]
    found = life.call("query_points", LATE, query=asked, using="late", limit=2).points
    assert ids(found) == [5, 1]
    changed = models.PointVectors(id=0, vector={"late": [[9.0, 0.0, 0.0, 0.0]] * 3})
    life.call("update_vectors", LATE, points=[changed], wait=True)
    one = life.call("query_points", LATE, query=[corner(0)], using="late", limit=1).points
    assert ids(one) == [0]
    best = life.call(
        "query_points",
        LATE,
        prefetch=models.Prefetch(query=[corner(2)], using="late", limit=5),
        query=asked,
        using="late",
        limit=1,
    ).points
    assert ids(best) == [5]


def analyse(life):
    if life.has("facet"):
        hits = life.call("facet", PLAIN, key="city").hits
        assert {hit.value: hit.count for hit in hits} == dict.fromkeys(CITIES, 3)
    if life.has("search_matrix_pairs"):
        assert life.call("search_matrix_pairs", PLAIN, sample=12, limit=2).pairs
        assert len(life.call("search_matrix_offsets", PLAIN, sample=12, limit=2).ids) == 12


def update(life):
    models = life.models
    life.call("set_payload", PLAIN, payload={"seen": True, "deep": {"a": 1}}, points=[1, 2])
    life.call("set_payload", PLAIN, payload={"b": 2}, key="deep", points=[1])
    life.call("overwrite_payload", PLAIN, payload={"n": 3}, points=[3])
    life.call(
        "delete_payload", PLAIN, keys=["tags"], points=models.Filter(must=[life.match("n", 4)])
    )
    life.call("clear_payload", PLAIN, points_selector=[5])
    found = {point.id: point.payload for point in life.call("retrieve", PLAIN, ids=[1, 2, 3, 4, 5])}
    assert found == {
        1: {**payload(1), "seen": True, "deep": {"a": 1, "b": 2}},
        2: {**payload(2), "seen": True, "deep": {"a": 1}},
        3: {"n": 3},
        4: {"city": "Berlin", "n": 4},
        5: {},
    }
    moved = [models.PointVectors(id=2, vector={"image": [40.0, 0.0, 1.0]})]
    life.call("update_vectors", NAMED, points=moved)
    life.call("delete_vectors", NAMED, vectors=["words"], points=[3])
    found = {p.id: p.vector for p in life.call("retrieve", NAMED, ids=[2, 3], with_vectors=True)}
    assert found[2]["image"] == [40.0, 0.0, 1.0]
    assert found[3].keys() == {"text", "image"}
    point = models.PointStruct(id=50, vector=corner(2), payload={"n": 50})
    done = life.call(
        "batch_update_points",
        PLAIN,
        update_operations=[
            models.UpsertOperation(upsert=models.PointsList(points=[point])),
            models.SetPayloadOperation(
                set_payload=models.SetPayload(payload={"x": 1}, points=[50])
            ),
            models.DeleteOperation(delete=models.PointIdsList(points=[11])),
        ],
    )
    assert [each.status for each in done] == [models.UpdateStatus.COMPLETED] * 3
    assert life.call("retrieve", PLAIN, ids=[50, 11])[0].payload == {"n": 50, "x": 1}


def name_and_configure(life):
    models = life.models
    alias = models.CreateAliasOperation(
        create_alias=models.CreateAlias(collection_name=PLAIN, alias_name="life-alias")
    )
    life.call("update_collection_aliases", change_aliases_operations=[alias])
    assert life.call("count", "life-alias").count == 12
    told = life.call("get_collection_aliases", PLAIN).aliases
    assert [each.alias_name for each in told] == ["life-alias"]
    assert any(each.alias_name == "life-alias" for each in life.call("get_aliases").aliases)
    gone = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name="life-alias"))
    life.call("update_collection_aliases", change_aliases_operations=[gone])
    changed = models.OptimizersConfigDiff(indexing_threshold=5_000)
    assert life.call("update_collection", PLAIN, optimizers_config=changed)
    told = life.call("get_collection", PLAIN).config.optimizer_config
    assert told.indexing_threshold == 5_000


def delete(life):
    models = life.models
    life.call("delete_payload_index", PLAIN, field_name="city")
    assert "city" not in life.call("get_collection", PLAIN).payload_schema
    life.call("delete", PLAIN, points_selector=[0, 1])
    few = models.FilterSelector(filter=models.Filter(must=[life.match("city", "Москва")]))
    life.call("delete", PLAIN, points_selector=few)
    assert ids(life.call("scroll", PLAIN, limit=20)[0]) == [3, 4, 5, 7, 8, 9, 50]
    for name in (PLAIN, NAMED, OTHER):
        assert life.call("delete_collection", name)
    life.call("delete_collection", LATE)


class Collected(logging.Handler):
    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


def main(url):
    logged = Collected()
    logging.getLogger().addHandler(logged)
    died = []
    threading.excepthook = lambda given: died.append(repr(given.exc_value))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        from qdrant_client import QdrantClient, models

        before = set(threading.enumerate())
        life = Life(QdrantClient(url=url, timeout=60), models)
        for thread in set(threading.enumerate()) - before:
            thread.join(30)  # newer clients ask for the version there
        live(life)
        life.client.close()
    told = [f"{each.category.__name__}: {each.message}" for each in caught]
    warned = [each for each in told if not any(text in each for text in OF_THE_CLIENT_ITSELF)]
    outcome = {
        "version": importlib.metadata.version("qdrant-client"),
        "called": sorted(set(life.called)),
        "warned": warned + logged.texts + died,
    }
    sys.stdout.write(json.dumps(outcome))


if __name__ == "__main__":
    main(*sys.argv[1:])
