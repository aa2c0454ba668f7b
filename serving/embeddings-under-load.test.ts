import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { embeddingsResponse, similarResponse } from '../models/contracts/embedding-set.ts';
import { readEmbeddingSet } from '../stores/embedding-sets.ts';
import { type Answer, call, makeServedState, startReplica, until } from './testing.ts';

const itemCount = 60;
const count = 7;
const swapsAtLeast = 12;
const swapsAtMost = 60;
const clients = 4;

type Offline = { artifact: string; ids: string[]; rows: number[][] };

/** Every row looked at, in double precision, without anything of the tier's own search. */
function bruteForce({ ids, rows }: Offline, vector: readonly number[], without?: string): { itemId: string; score: number }[] {
  return rows
    .map((row, index) => ({ itemId: ids[index] as string, score: row.reduce((sum, value, f) => sum + value * (vector[f] as number), 0) }))
    .filter(({ itemId }) => itemId !== without)
    .sort((a, b) => b.score - a.score)
    .slice(0, count);
}

/** Which of the two an answer is of, after it was found to be that one's through and through. */
function expectWhole(body: unknown, of: ReadonlyMap<string, Offline>, expected: (offline: Offline) => { itemId: string; score: number }[]): string {
  const { version, artifact, items } = similarResponse.parse(body);
  const offline = of.get(version) as Offline;
  expect(artifact).toBe(offline.artifact);
  const mine = expected(offline);
  expect(items.map(({ itemId }) => itemId)).toEqual(mine.map(({ itemId }) => itemId));
  for (const [place, { score }] of items.entries()) expect(score).toBeCloseTo(mine[place]?.score as number, 5);
  return version;
}

it('while two models with vectors of their own are deployed in turn, every answer is of one version or is refused: none is a mixture', async () => {
  const root = await mkdtemp(join(tmpdir(), 'understudy-vectors-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const state = await makeServedState({ stateDir: root, itemCount });
  const of = new Map<string, Offline>();
  const artifacts: string[] = [];
  // Of the same length: nothing but the version tells them apart.
  for (const seed of [1, 2]) {
    const artifact = await state.train('ials', { factors: 8, sweeps: 2, lambda: seed }, seed);
    const { embeddings = '' } = JSON.parse(Buffer.from(await state.blobs.get(artifact)).toString('utf8')) as { embeddings?: string };
    const { ids, vectors, set } = await readEmbeddingSet(state.blobs, embeddings);
    expect(set.measure).toBe('dot');
    const rows = ids.map((_, row) => [...vectors.subarray(row * set.dimensions, (row + 1) * set.dimensions)]);
    of.set(embeddings, { artifact, ids, rows });
    artifacts.push(artifact);
  }
  expect(of.size).toBe(2);
  await state.publish({ champion: artifacts[0] as string });
  const serving = await startReplica(root);
  onTestFinished(() => serving.close());

  const seen = { answered: 0, refused: 0, byItem: 0, versions: new Set<string>() };
  const search = (body: object): Promise<Answer> => call(`${serving.url}/v1/similar`, { surface: 'home', count, ...body });
  async function readAndSearch(itemId: string): Promise<void> {
    const read = await call(`${serving.url}/v1/embeddings`, { surface: 'home', itemIds: [itemId, 'nothing-like-it'] });
    expect(read.status).toBe(200);
    const { version, artifact, embeddings } = embeddingsResponse.parse(read.body);
    const offline = of.get(version) as Offline;
    const row = offline.rows[offline.ids.indexOf(itemId)] as number[];
    expect(artifact).toBe(offline.artifact);
    expect(embeddings).toEqual([
      { itemId, vector: row },
      { itemId: 'nothing-like-it', vector: null },
    ]);
    const found = await search({ vector: embeddings[0]?.vector, version });
    if (found.status === 409) {
      expect(found.body).toMatchObject({ code: 'UND-MIXED-VERSIONS', version: expect.stringMatching(/^sha256:/) });
      expect(found.body.version).not.toBe(version);
      expect(of.get(found.body.version)?.artifact).toBe(found.body.artifact);
      seen.refused += 1;
      return;
    }
    expect(found.status).toBe(200);
    expect(expectWhole(found.body, of, (one) => bruteForce(one, row))).toBe(version);
    seen.versions.add(version);
    seen.answered += 1;
  }
  async function searchByItem(itemId: string): Promise<void> {
    const found = await search({ itemId });
    expect(found.status).toBe(200);
    expectWhole(found.body, of, (one) => bruteForce(one, one.rows[one.ids.indexOf(itemId)] as number[], itemId));
    seen.byItem += 1;
  }

  let going = true;
  const running = Array.from({ length: clients }, async (_, client) => {
    for (let turn = client; going; turn += clients) {
      const itemId = state.itemIds[(turn * 7) % itemCount] as string;
      await (client === 0 ? searchByItem(itemId) : readAndSearch(itemId));
    }
  });
  const failed = Promise.all(running).then(
    () => undefined,
    (error: unknown) => error,
  );
  let swaps = 0;
  try {
    while (swaps < swapsAtLeast || (seen.refused === 0 && swaps < swapsAtMost)) {
      swaps += 1;
      const { generation } = await state.publish({ champion: artifacts[swaps % 2] as string });
      const before = seen.answered;
      await until(
        () => call(`${serving.url}/v1/surfaces/home`),
        ({ body }) => body.generation === generation,
      );
      // Each serves for a while.
      await until(
        () => seen.answered,
        (now) => now > before + 2 * clients,
      );
    }
  } finally {
    going = false;
    expect(await failed).toBeUndefined();
  }
  expect(seen.versions.size).toBe(2);
  expect(seen.answered).toBeGreaterThan(swaps);
  expect(seen.refused).toBeGreaterThan(0);
  expect(seen.byItem).toBeGreaterThan(0);
}, 90_000);
