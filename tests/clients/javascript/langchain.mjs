// LangChain's vector store in its ordinary life: langchain.mjs URL.

import assert from 'node:assert/strict';
import { Document } from '@langchain/core/documents';
import { Embeddings } from '@langchain/core/embeddings';
import { QdrantVectorStore } from '@langchain/qdrant';
import { tell } from './warned.mjs';

const [url] = process.argv.slice(2);
const WORDS = ['sea', 'boat', 'bread', 'cheese', 'snow', 'mountain', 'violin', 'harbour'];
const TEXTS = [
  'a boat on the sea', 'bread and cheese', 'snow on the mountain', 'a violin', 'a boat in the harbour',
];

// Counts words: what shares words is close.
class Counts extends Embeddings {
  async embedQuery(text) {
    const words = text.split(' ');
    return [0.1, ...WORDS.map((word) => words.filter((each) => each === word).length)];
  }

  async embedDocuments(texts) {
    return Promise.all(texts.map((text) => this.embedQuery(text)));
  }
}

const config = { url, collectionName: 'life-langchain-js' };
const embeddings = new Counts({});
await fetch(`${url}/collections/${config.collectionName}`, { method: 'DELETE' });
const facts = TEXTS.map((_, place) => ({ place, odd: place % 2 === 1 }));
const store = await QdrantVectorStore.fromTexts(TEXTS, facts, embeddings, config);
const texts = (found) => found.map((document) => document.pageContent);

assert.deepEqual(texts(await store.similaritySearch('bread', 1)), [TEXTS[1]]);
const [[first, score], [second]] = await store.similaritySearchWithScore('a boat on the sea', 2);
assert.deepEqual([first.pageContent, second.pageContent], [TEXTS[0], TEXTS[4]]);
assert.deepEqual(first.metadata, facts[0]);
assert.ok(Math.abs(score - 1) < 1e-5);
const odd = { must: [{ key: 'metadata.odd', match: { value: true } }] };
assert.deepEqual(new Set(texts(await store.similaritySearch('boat', 9, odd))), new Set([TEXTS[1], TEXTS[3]]));
const diverse = await store.maxMarginalRelevanceSearch('boat', { k: 2, fetchK: 5, lambda: 0.9 });
assert.ok(diverse.length === 2 && texts(diverse)[0].startsWith('a boat'));
const retriever = store.asRetriever({ k: 1, filter: odd });
assert.deepEqual(texts(await retriever.invoke('violin')), [TEXTS[3]]);

const again = await QdrantVectorStore.fromExistingCollection(embeddings, config);
const id = '8f14e45f-ceea-4a7d-9c3b-2f1d5a1e8b77';
await again.addDocuments([new Document({ pageContent: 'cheese', metadata: { place: 9 }, id })]);
const [added] = await again.similaritySearch('cheese', 1);
assert.deepEqual([added.id, added.metadata], [id, { place: 9 }]);
await again.delete({ ids: [id] });
await again.delete({ filter: odd });
assert.deepEqual(
  new Set(texts(await again.similaritySearch('boat', 9))),
  new Set([TEXTS[0], TEXTS[2], TEXTS[4]]),
);
await again.client.deleteCollection(config.collectionName);
tell({ called: ['fromTexts', 'similaritySearch', 'addDocuments', 'delete'] });
