// The ordinary life of a program, by the JavaScript client of this name: life.mjs CLIENT URL.
// Calls that a client does not have are left out; an answer that is not the expected one ends it.

import assert from 'node:assert/strict';
import { tell } from './warned.mjs';

const [name, url] = process.argv.slice(2);
const { QdrantClient } = await import(name);
const PLAIN = 'life-js-plain';
const NAMED = 'life-js-named';
const OTHER = 'life-js-other';
const UUID = '8f14e45f-ceea-4a7d-9c3b-2f1d5a1e8b77';
const CITIES = ['Berlin', 'London', 'Москва', '東京'];
const called = new Set();

// A client that notes which of its methods were called.
const client = new Proxy(new QdrantClient({ url }), {
  get(target, method) {
    const found = target[method];
    if (typeof found !== 'function') return found;
    return (...given) => {
      called.add(method);
      return found.apply(target, given);
    };
  },
});
const has = (method) => client[method] !== undefined;

// A vector close to one of four axes: neighbours of n are n + 4, n + 8, ...
const corner = (n) => [0, 1, 2, 3].map((axis) => (axis === n % 4 ? 1 : 0.01 * (n + 1)));
const payload = (n) => ({ city: CITIES[n % 4], n, tags: [n % 2 ? 'odd' : 'even', `t${n % 3}`] });
const range = (from, to) => Array.from({ length: to - from }, (_, place) => from + place);
const ids = (points) => points.map((point) => point.id);
const match = (key, value) => ({ key, match: { value } });

const FILTERS = [
  [{ must: [{ key: 'n', range: { gte: 3, lt: 6 } }] }, [3, 4, 5]],
  [{ must: [{ key: 'city', match: { any: ['Berlin', 'London'] } }] }, [0, 1, 4, 5, 8, 9]],
  [{ must_not: [{ key: 'city', match: { any: ['Berlin', 'London'] } }] }, [2, 3, 6, 7, 10, 11]],
  [{ must: [{ has_id: [2, 4, 99] }] }, [2, 4]],
  [{ must: [{ is_empty: { key: 'tags' } }] }, []],
  [{ should: [match('tags', 'even'), match('n', 7)] }, [0, 2, 4, 6, 7, 8, 10]],
];

async function create() {
  for (const each of [PLAIN, NAMED, OTHER]) await client.deleteCollection(each);
  for (const each of [PLAIN, OTHER]) {
    assert.equal(
      await client.createCollection(each, { vectors: { size: 4, distance: 'Cosine' } }),
      true,
    );
  }
  await client.createCollection(NAMED, {
    vectors: {
      text: { size: 4, distance: 'Dot', on_disk: true },
      image: { size: 3, distance: 'Euclid' },
    },
    sparse_vectors: { words: {} },
    hnsw_config: { m: 16, ef_construct: 100 },
    optimizers_config: { indexing_threshold: 10000 },
    quantization_config: { scalar: { type: 'int8', always_ram: true } },
    on_disk_payload: true,
  });
  const { collections } = await client.getCollections();
  const names = collections.map((each) => each.name);
  assert.ok([PLAIN, NAMED, OTHER].every((each) => names.includes(each)));
  assert.deepEqual(await client.collectionExists(PLAIN), { exists: true });
  assert.deepEqual(await client.collectionExists('life-js-nowhere'), { exists: false });
  const told = await client.getCollection(NAMED);
  assert.equal(told.config.params.vectors.image.distance, 'Euclid');
  assert.equal((await client.getCollection(PLAIN)).config.params.vectors.size, 4);
}

async function write() {
  const points = range(0, 12).map((n) => ({ id: n, vector: corner(n), payload: payload(n) }));
  const done = await client.upsert(PLAIN, { wait: true, points: points.slice(0, 6) });
  assert.equal(done.status, 'completed');
  const rest = points.slice(6);
  await client.upsert(PLAIN, {
    wait: true,
    batch: {
      ids: ids(rest),
      vectors: rest.map((point) => point.vector),
      payloads: rest.map((point) => point.payload),
    },
  });
  const others = range(0, 16).map((n) => ({ id: n, vector: corner(n), payload: payload(n) }));
  await client.upsert(OTHER, { wait: true, points: others });
  const named = range(0, 8).map((n) => ({
    id: n === 0 ? UUID : n,
    vector: {
      text: corner(n),
      image: [n, 0, 1],
      words: { indices: [n, 100], values: [1, 0.5] },
    },
    payload: payload(n),
  }));
  await client.upsert(NAMED, { wait: true, points: named });
}

async function read() {
  const found = await client.retrieve(PLAIN, { ids: [3, 1, 77], with_vector: true });
  assert.deepEqual(ids(found).sort(), [1, 3]);
  assert.deepEqual(new Set(found.map((point) => point.payload.city)), new Set(['London', '東京']));
  const [one] = await client.retrieve(NAMED, { ids: [UUID], with_vector: ['words'] });
  assert.deepEqual(one.vector, { words: { indices: [0, 100], values: [1, 0.5] } });
  const page = await client.scroll(PLAIN, { limit: 5 });
  assert.deepEqual(ids(page.points), [0, 1, 2, 3, 4]);
  const last = await client.scroll(PLAIN, { limit: 10, offset: page.next_page_offset });
  assert.deepEqual([ids(last.points), last.next_page_offset], [range(5, 12), null]);
  const filter = { must: [match('city', 'Москва')] };
  assert.equal((await client.count(PLAIN, { filter, exact: true })).count, 3);
  await filters();
}

async function filters() {
  for (const [filter, expected] of FILTERS) {
    const { points } = await client.scroll(PLAIN, { filter, limit: 20 });
    assert.deepEqual(ids(points), expected);
  }
}

async function index() {
  const kinds = { city: 'keyword', n: 'integer' };
  for (const [field_name, field_schema] of Object.entries(kinds)) {
    await client.createPayloadIndex(PLAIN, { field_name, field_schema, wait: true });
  }
  const { payload_schema } = await client.getCollection(PLAIN);
  assert.deepEqual(
    Object.entries(payload_schema).map(([key, field]) => [key, field.data_type, field.points]),
    Object.entries(kinds).map(([key, kind]) => [key, kind, 12]),
  );
  await filters();
  const { points } = await client.scroll(PLAIN, {
    order_by: { key: 'n', direction: 'desc' },
    limit: 2,
  });
  assert.deepEqual(ids(points), [11, 10]);
}

// What this client sent up to 1.18.
async function searchAsEver() {
  if (!has('search')) return;
  const found = await client.search(PLAIN, { vector: corner(1), limit: 3, with_vector: true });
  assert.deepEqual(ids(found), [1, 5, 9]);
  assert.ok(Math.abs(found[0].score - 1) < 1e-5);
  const one = await client.search(PLAIN, {
    vector: corner(1),
    filter: { must: [{ key: 'n', range: { gt: 1 } }] },
    params: { hnsw_ef: 64, exact: false },
    limit: 2,
    offset: 1,
    with_payload: { include: ['n'] },
    score_threshold: 0.9,
  });
  assert.deepEqual(one.map((point) => point.payload), [{ n: 9 }]);
  const image = { name: 'image', vector: [3.2, 0, 1] };
  assert.deepEqual(ids(await client.search(NAMED, { vector: image, limit: 2 })), [3, 4]);
  const words = { name: 'words', vector: { indices: [5], values: [1] } };
  assert.deepEqual(ids(await client.search(NAMED, { vector: words, limit: 3 })), [5]);
  const searches = [0, 2].map((n) => ({ vector: corner(n), limit: 2 }));
  const batch = await client.searchBatch(PLAIN, { searches });
  assert.deepEqual(batch.map(ids), [[0, 4], [2, 6]]);
  const { groups } = await client.searchPointGroups(PLAIN, {
    vector: corner(3),
    group_by: 'city',
    group_size: 2,
    limit: 2,
  });
  assert.deepEqual([groups[0].id, ids(groups[0].hits)], ['東京', [3, 7]]);
}

async function recommendAndDiscover() {
  if (!has('recommend')) return;
  const liked = { positive: [1, 5], negative: [2] };
  assert.deepEqual(ids(await client.recommend(PLAIN, { ...liked, limit: 1 })), [9]);
  const elsewhere = { positive: [13], lookup_from: { collection: OTHER }, limit: 3 };
  assert.deepEqual(new Set(ids(await client.recommend(PLAIN, elsewhere))), new Set([1, 5, 9]));
  const searches = [
    { ...liked, limit: 1 },
    { positive: [corner(1)], strategy: 'best_score', limit: 2 },
  ];
  const batch = await client.recommendBatch(PLAIN, { searches });
  assert.deepEqual(batch.map(ids), [[9], [1, 5]]);
  const { groups } = await client.recommendPointGroups(PLAIN, {
    positive: [0],
    group_by: 'city',
    group_size: 5,
    limit: 1,
  });
  assert.deepEqual([groups[0].id, ids(groups[0].hits)], ['Berlin', [4, 8]]);
  const context = [{ positive: 3, negative: 0 }];
  const found = await client.discoverPoints(PLAIN, { target: corner(3), context, limit: 2 });
  assert.deepEqual(ids(found), [7, 11]);
  const [first] = await client.discoverBatchPoints(PLAIN, {
    searches: [{ target: 2, context, limit: 1 }],
  });
  assert.deepEqual(ids(first), [6]);
}

async function query() {
  if (!has('query')) return;
  const found = await client.query(PLAIN, { query: corner(2), limit: 3, with_payload: true });
  assert.deepEqual(ids(found.points), [2, 6, 10]);
  const fused = await client.query(NAMED, {
    prefetch: [
      { query: corner(1), using: 'text', limit: 4 },
      { query: { indices: [1], values: [2] }, using: 'words', limit: 4 },
    ],
    query: { fusion: 'rrf' },
    limit: 1,
  });
  assert.deepEqual(ids(fused.points), [1]);
  const liked = { recommend: { positive: [1, 5], negative: [2] } };
  assert.deepEqual(ids((await client.query(PLAIN, { query: liked, limit: 1 })).points), [9]);
  const wanted = { discover: { target: 3, context: [{ positive: 3, negative: 0 }] } };
  assert.deepEqual(ids((await client.query(PLAIN, { query: wanted, limit: 2 })).points), [7, 11]);
  const batch = await client.queryBatch(PLAIN, {
    searches: [0, 2].map((n) => ({ query: corner(n), limit: 2 })),
  });
  assert.deepEqual(batch.map((each) => ids(each.points)), [[0, 4], [2, 6]]);
  const { groups } = await client.queryGroups(PLAIN, {
    query: corner(3),
    group_by: 'city',
    group_size: 2,
    limit: 1,
  });
  assert.deepEqual([groups[0].id, ids(groups[0].hits)], ['東京', [3, 7]]);
}

async function analyse() {
  if (!has('facet')) return;
  const { hits } = await client.facet(PLAIN, { key: 'city' });
  assert.deepEqual(new Map(hits.map((hit) => [hit.value, hit.count])).get('Москва'), 3);
  assert.ok((await client.searchMatrixPairs(PLAIN, { sample: 12, limit: 2 })).pairs.length);
  assert.equal((await client.searchMatrixOffsets(PLAIN, { sample: 12, limit: 2 })).ids.length, 12);
}

async function update() {
  await client.setPayload(PLAIN, { payload: { seen: true }, points: [1, 2], wait: true });
  await client.overwritePayload(PLAIN, { payload: { n: 3 }, points: [3], wait: true });
  await client.deletePayload(PLAIN, {
    keys: ['tags'],
    filter: { must: [match('n', 4)] },
    wait: true,
  });
  await client.clearPayload(PLAIN, { points: [5], wait: true });
  const found = await client.retrieve(PLAIN, { ids: [1, 3, 4, 5] });
  assert.deepEqual(Object.fromEntries(found.map((point) => [point.id, point.payload])), {
    1: { ...payload(1), seen: true },
    3: { n: 3 },
    4: { city: 'Berlin', n: 4 },
    5: {},
  });
  await client.updateVectors(NAMED, { points: [{ id: 2, vector: { image: [40, 0, 1] } }] });
  await client.deleteVectors(NAMED, { vector: ['words'], points: [3], wait: true });
  const [moved] = await client.retrieve(NAMED, { ids: [2], with_vector: ['image'] });
  assert.deepEqual(moved.vector, { image: [40, 0, 1] });
  const done = await client.batchUpdate(PLAIN, {
    wait: true,
    operations: [
      { upsert: { points: [{ id: 50, vector: corner(2), payload: { n: 50 } }] } },
      { set_payload: { payload: { x: 1 }, points: [50] } },
      { delete: { points: [11] } },
    ],
  });
  assert.deepEqual(done.map((each) => each.status), Array(3).fill('completed'));
}

async function configure() {
  await client.updateCollectionAliases({
    actions: [{ create_alias: { collection_name: PLAIN, alias_name: 'life-js-alias' } }],
  });
  assert.equal((await client.count('life-js-alias')).count, 12);
  const { aliases } = await client.getCollectionAliases(PLAIN);
  assert.deepEqual(aliases.map((each) => each.alias_name), ['life-js-alias']);
  await client.updateCollectionAliases({
    actions: [{ delete_alias: { alias_name: 'life-js-alias' } }],
  });
  await client.updateCollection(PLAIN, { optimizers_config: { indexing_threshold: 5000 } });
  const { config } = await client.getCollection(PLAIN);
  assert.equal(config.optimizer_config.indexing_threshold, 5000);
}

async function remove() {
  await client.deletePayloadIndex(PLAIN, 'city');
  await client.delete(PLAIN, { points: [0, 1], wait: true });
  await client.delete(PLAIN, { filter: { must: [match('city', 'Москва')] }, wait: true });
  const { points } = await client.scroll(PLAIN, { limit: 20 });
  assert.deepEqual(ids(points), [3, 4, 5, 7, 8, 9, 50]);
  await assert.rejects(client.getCollection('life-js-nowhere'), { status: 404 });
  for (const each of [PLAIN, NAMED, OTHER]) await client.deleteCollection(each);
}

const steps = [
  create, write, read, index, searchAsEver, recommendAndDiscover, query, analyse,
  update, configure, remove,
];
for (const step of steps) await step();
tell({ called: [...called].sort() });
