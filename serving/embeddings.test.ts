import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { artifactManifest } from '../models/contracts/artifact.ts';
import { digestBytes } from '../models/contracts/digest.ts';
import { embeddingsResponse, similarResponse } from '../models/contracts/embedding-set.ts';
import { recommendResponse } from '../models/contracts/slate.ts';
import { createEmbeddingSearch } from '../models/embeddings/search.ts';
import { createRandom } from '../models/random.ts';
import { loadArtifact } from '../stores/artifacts.ts';
import { getDocument } from '../stores/blobs.ts';
import { putEmbeddingSet, readEmbeddingSet } from '../stores/embedding-sets.ts';
import { openModelPool } from './models/model-pool.ts';
import type { Serving } from './server.ts';
import { call, makeServedState, type ServedState, startReplica, until } from './testing.ts';

const gone = 'i0011';
let root: string;
let state: ServedState;
let serving: Serving;
let factors: string;
let version: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-similar-'));
  state = await makeServedState({ stateDir: root, catalog: (item) => ({ ...item, inStock: item.itemId !== gone }) });
  factors = await state.train('ials', { factors: 8 });
  version = (await getDocument(state.blobs, factors, artifactManifest)).embeddings ?? '';
  await state.publish({ champion: factors });
  serving = await startReplica(root, { keys: ['a-long-key'] });
});
afterAll(async () => {
  await serving.close();
  await rm(root, { recursive: true, force: true });
});

const ask = (path: string, body: object, headers: Record<string, string> = { authorization: 'Bearer a-long-key' }) =>
  call(`${serving.url}${path}`, { surface: 'home', ...body }, headers);
const similar = (body: object) => ask('/v1/similar', body);
const vectorOf = async (itemId: string): Promise<number[]> => (await ask('/v1/embeddings', { itemIds: [itemId] })).body.embeddings[0].vector;
const serve = async (champion: string) => {
  const { generation } = await state.publish({ champion });
  await until(
    () => ask('/v1/recommend', { sessionId: 's' }),
    ({ body }) => body.generation === generation,
  );
};

describe('items like another', () => {
  it('come out of the champion’s set, without what is out of scope and without the item itself; its vector finds the same', async () => {
    const { status, body } = await similar({ itemId: 'i0010', count: 60 });
    expect(status).toBe(200);
    const { items } = similarResponse.parse(body);
    expect(body).toMatchObject({ version, artifact: factors, measure: 'dot' });
    expect(items).toHaveLength(58);
    for (const { itemId } of items) expect([gone, 'i0010']).not.toContain(itemId);
    const byVector = await similar({ vector: await vectorOf('i0010'), version, count: 60 });
    expect(byVector.body.items).toHaveLength(59);
    expect(byVector.body.items.filter((one: { itemId: string }) => one.itemId !== 'i0010')).toEqual(items);
    expect((await similar({ itemId: 'i0010' })).body.items).toEqual(items.slice(0, 10));
    // What is out of scope is answered nowhere, and can be asked about.
    expect((await similar({ itemId: gone })).body.items).toHaveLength(10);
    expect(await vectorOf(gone)).toHaveLength(8);
  });

  it('vectors come in the order of the request, null where there is none; a slate says the version of its model', async () => {
    const { body } = await ask('/v1/embeddings', { itemIds: ['i0002', 'stranger', 'i0001', 'i0002'], version });
    const { embeddings, dimensions } = embeddingsResponse.parse(body);
    const { ids, vectors } = await readEmbeddingSet(state.blobs, version);
    const row = (itemId: string) => [...vectors.subarray(ids.indexOf(itemId) * dimensions, (ids.indexOf(itemId) + 1) * dimensions)];
    expect(embeddings).toEqual(['i0002', 'stranger', 'i0001', 'i0002'].map((itemId) => ({ itemId, vector: ids.includes(itemId) ? row(itemId) : null })));
    expect(recommendResponse.parse((await ask('/v1/recommend', { sessionId: 's' })).body).embeddings).toBe(version);
  });

  it('are refused with a code that says what is wrong', async () => {
    const vector = await vectorOf('i0001');
    const other = `sha256:${'0'.repeat(64)}`;
    const mixed = { code: 'UND-MIXED-VERSIONS', status: 409, version, artifact: factors };
    expect((await similar({ vector, version: other })).body).toMatchObject(mixed);
    expect((await similar({ itemId: 'i0001', version: other })).body).toMatchObject(mixed);
    expect((await ask('/v1/embeddings', { itemIds: ['i0001'], version: other })).body).toMatchObject(mixed);
    expect((await similar({ vector })).body).toMatchObject(mixed);
    expect((await similar({ vector: vector.slice(1), version })).body).toMatchObject({ code: 'UND-INPUT', detail: expect.stringContaining('7 numbers') });
    for (const body of [{}, { itemId: 'i0001', vector, version }, { itemId: 'i0001', count: 101 }, { vector: [], version }, { vector: ['x'], version }])
      expect((await similar(body)).body.code).toBe('UND-INPUT');
    expect((await similar({ itemId: 'stranger' })).body.code).toBe('UND-NOT-FOUND');
    expect((await ask('/v1/similar', { surface: 'nowhere', itemId: 'i0001' })).body.code).toBe('UND-UNKNOWN-SURFACE');
    for (const [path, body] of [
      ['/v1/similar', { itemId: 'i0001' }],
      ['/v1/embeddings', { itemIds: ['i0001'] }],
    ] as const)
      expect((await ask(path, body, {})).status).toBe(401);
    expect(await similar({ vector: vector.map(() => 0), version })).toMatchObject({ status: 200, body: { items: [] } });
  });
});

it('a model that is made over the set shares its version: vectors that were read before it went live are good after', async () => {
  const vector = await vectorOf('i0020');
  const before = await similar({ vector, version });
  const alike = await state.train('embedding-knn', {}, 1, version);
  await serve(alike);
  const after = await similar({ vector, version });
  expect(after.body).toEqual({ ...before.body, artifact: alike });
  expect((await ask('/v1/recommend', { sessionId: 's' })).body.embeddings).toBe(version);
  const popularity = await state.train('popularity');
  await serve(popularity);
  expect((await similar({ vector, version })).body).toMatchObject({ code: 'UND-NOT-FOUND', status: 404, artifact: popularity });
  expect((await ask('/v1/recommend', { sessionId: 's' })).body.embeddings).toBeUndefined();
  await serve(factors);
});

it('slates do not wait behind many searches: those are refused for a moment instead', async () => {
  const [rows, dimensions] = [100_000, 32];
  const random = createRandom(4);
  const ids = [...state.itemIds, ...Array.from({ length: rows - state.itemIds.length }, (_, row) => `other-${row}`)];
  const many = await putEmbeddingSet(state.blobs, {
    ...{ surface: 'home', dimensions, measure: 'dot', ids: Buffer.from(JSON.stringify(ids)) },
    vectors: Float32Array.from({ length: rows * dimensions }, () => random.float() - 0.5),
    madeBy: { window: version, recipe: version, seed: 1 },
  });
  await serve(await state.train('embedding-knn', {}, 1, many));
  const searches = Promise.all(Array.from({ length: 60 }, (_, number) => similar({ itemId: state.itemIds[number] })));
  const slates = await Promise.all(Array.from({ length: 5 }, () => ask('/v1/recommend', { sessionId: 's' })));
  for (const { body } of slates) expect(body.rung).toBe('model');
  const codes = (await searches).map(({ status, body }) => (status === 200 ? 'answered' : body.code));
  expect(new Set(codes)).toEqual(new Set(['answered', 'UND-OVERLOADED']));
  expect((await similar({ itemId: 'i0001' })).status).toBe(200);
  await serve(factors);
});

it.each(['vectors', 'ids', 'set'] as const)('a set whose %s are damaged leaves what is in force', async (part) => {
  const next = await state.train('ials', { factors: 12, lambda: part === 'ids' ? 0.5 : part === 'set' ? 0.7 : 0.9 }, 7);
  const set = (await getDocument(state.blobs, next, artifactManifest)).embeddings ?? '';
  const own = await readEmbeddingSet(state.blobs, set);
  // The ids are the vocabulary's bytes, which other artifacts of the same items share: a set of its own has others.
  const digest = part === 'set' ? set : part === 'vectors' ? own.set.vectors : await state.blobs.put(JSON.stringify([...own.ids].reverse()));
  let champion = next;
  if (part === 'ids') {
    const shuffled = await state.blobs.put(JSON.stringify({ ...own.set, ids: digest }));
    const manifest = await getDocument(state.blobs, next, artifactManifest);
    champion = await state.blobs.put(JSON.stringify({ ...manifest, embeddings: shuffled }));
    const record = await state.generations.latest(`parity/${next.slice(7)}`);
    await state.generations.create(`parity/${champion.slice(7)}`, 1, { ...(record?.document as object), artifact: champion });
  }
  await damage(digest);
  const { generation } = await state.publish({ champion });
  const { body } = await until(
    () => ask('/v1/recommend', { sessionId: 's' }).then(() => call(`${serving.url}/v1/surfaces/home`, undefined, { authorization: 'Bearer a-long-key' })),
    ({ body: one }) => one.refused?.generation === generation,
  );
  expect(body.refused.problem.code).toBe('UND-DIGEST');
  expect((await similar({ itemId: 'i0010' })).body).toMatchObject({ version, artifact: factors });
  await serve(factors);
});

async function damage(digest: string): Promise<void> {
  for await (const blob of state.blobs.list()) {
    if (blob.digest !== digest) continue;
    await rm(blob.path);
    await writeFile(blob.path, 'something else');
  }
}

it('a search among very many vectors does not hold up the event loop', async () => {
  const { manifest, graphPath, parity } = await loadArtifact({ ...state, digest: factors });
  const [rows, dimensions] = [100_000, 64];
  const random = createRandom(3);
  const vectors = Float32Array.from({ length: rows * dimensions }, () => random.float() - 0.5);
  const bytes = new Uint8Array(vectors.buffer);
  const vectorsPath = join(root, 'many.f32');
  await writeFile(vectorsPath, bytes);
  const embeddings = { version, vectors: digestBytes(bytes), vectorsPath, count: rows, dimensions, measure: 'dot' as const };
  const { itemCount, maxHistory } = manifest;
  const hosted = { digest: factors, graphPath, itemCount, maxHistory, parity, scopeBias: new Float32Array(itemCount) };
  const pool = await openModelPool({
    artifact: { ...hosted, embeddings: { ...embeddings, isAsked: true, allowed: new Uint8Array(rows).fill(1) } },
    ...{ scope: 'any', threads: 1, deadlineMs: 30_000 },
  });
  const query = [...vectors.subarray(0, dimensions)];
  const search = createEmbeddingSearch({ ...embeddings, vectors });
  const inPlace = () => search.nearest({ vector: query, count: 10, allowed: () => true });
  const inThread = () => pool.ask({ artifact: factors, like: { vector: query }, count: 10 });
  const answer = await inThread();
  expect({ rows: answer.items, scores: answer.scores }).toEqual(inPlace());
  /** So many turns the event loop takes while ten searches are made: whoever else has something to do gets one. */
  const turnsDuring = async (work: () => unknown) => {
    let [turns, going] = [0, true];
    const turning = (async () => {
      for (; going; turns += 1) await nextTurn();
    })();
    for (let time = 0; time < 10; time += 1) {
      await nextTurn();
      await work();
    }
    going = false;
    await turning;
    return turns;
  };
  const [beside, inTheWay] = [await turnsDuring(inThread), await turnsDuring(inPlace)];
  pool.release();
  await pool.closed;
  expect(beside).toBeGreaterThan(5 * inTheWay);
});
