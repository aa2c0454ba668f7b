import { graphFiles } from '../models/graph/graph-files.ts';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Embeddings, Interactions } from '../models/algorithms/algorithm.ts';
import { algorithmNamed, parseParams } from '../models/algorithms/registry.ts';
import { recommendGraphInterface } from '../models/contracts/artifact.ts';
import type { CatalogItem } from '../models/contracts/catalog-item.ts';
import type { Charter, CharterInput } from '../models/contracts/charter.ts';
import { parseCharter } from '../models/contracts/charter.ts';
import type { CanarySpec, DeploymentSpec } from '../models/contracts/deployment.ts';
import { digestBytes, digestJson } from '../models/contracts/digest.ts';
import { makeParityRecord } from '../models/graph/parity.ts';
import { createRandom } from '../models/random.ts';
import { exposureMemory, fairGroups } from '../models/slate/arrange.ts';
import { itemWords } from '../models/slate/item-words.ts';
import { scopeOf } from '../models/slate/scope.ts';
import { putArtifact } from '../stores/artifacts.ts';
import { type BlobStore, putDocument } from '../stores/blobs.ts';
import { openBlobDirectory } from '../stores/blobs-directory.ts';
import { putEmbeddingSet, readEmbeddingSet } from '../stores/embedding-sets.ts';
import { createDeployment, latestDeployment } from '../stores/deployments.ts';
import type { GenerationStore } from '../stores/generations.ts';
import { openGenerationDirectory } from '../stores/generations-directory.ts';
import type { ModelHost } from './models/model-host.ts';
import type { RecommendInput } from './recommend.ts';
import { type Serving, type ServingOptions, startServing } from './server.ts';
import { arrangementOf, type Snapshot } from './snapshot.ts';

/** A state directory as the pipeline would leave it, with real artifacts, for the tests and the benchmark of the tier. */
export type ServedState = {
  stateDir: string;
  blobs: BlobStore;
  generations: GenerationStore;
  itemIds: string[];
  /** `over`: version of the embedding set for an algorithm that is given one. */
  train(algorithm: string, params?: Record<string, unknown>, seed?: number, over?: string): Promise<string>;
  /** Writes the next generation. The first one needs a champion. */
  publish(change: Partial<DeploymentSpec>): Promise<DeploymentSpec>;
};

export async function makeServedState(input: {
  stateDir: string;
  surface?: string;
  itemCount?: number;
  userCount?: number;
  charter?: Partial<CharterInput>;
  catalog?: (item: CatalogItem, index: number) => CatalogItem;
}): Promise<ServedState> {
  const { stateDir, surface = 'home', itemCount = 60, userCount = 80 } = input;
  await mkdir(stateDir, { recursive: true });
  const blobs = openBlobDirectory({ root: join(stateDir, 'blobs') });
  const generations = openGenerationDirectory({ root: join(stateDir, 'series') });
  const itemIds = Array.from({ length: itemCount }, (_, index) => `i${String(index).padStart(4, '0')}`);
  const catalog = itemIds.map((itemId, index) => {
    const item: CatalogItem = { itemId, title: `Item ${index}`, inStock: true };
    return input.catalog?.(item, index) ?? item;
  });
  const interactions = interactionsOf({ itemCount, userCount });
  const catalogDigest = await putDocument(blobs, catalog);
  const charterDigest = await putDocument(blobs, parseCharter({ ...testCharter, surface, ...input.charter }));

  return {
    stateDir,
    blobs,
    generations,
    itemIds,

    async train(name, params = {}, seed = 1, over) {
      const algorithm = algorithmNamed(name);
      const embeddings = over === undefined ? undefined : givenOf(await readEmbeddingSet(blobs, over), itemIds);
      const model = await algorithm.train({ interactions, params: parseParams(algorithm, params), seed, embeddings });
      const { indptr, items } = interactions;
      const histories = Array.from({ length: 8 }, (_, user) => [...items.slice(indptr[user], indptr[user + 1])]).map((history) => ({
        history,
        historyWeight: history.map(() => 1),
      }));
      const parity = makeParityRecord({ model, itemCount, maxHistory: model.maxHistory, seed, histories });
      const files = { ...graphFiles(model.exportGraph()), 'vocabulary.json': Buffer.from(JSON.stringify(itemIds)) };
      const digests = Object.fromEntries(Object.entries(files).map(([file, bytes]) => [file, digestBytes(bytes)]));
      const nothing = digestJson(null);
      const made = model.embeddings?.();
      const madeBy = { window: nothing, recipe: digestJson(params), seed };
      const set = made === undefined ? over : await putEmbeddingSet(blobs, { surface, madeBy, ids: files['vocabulary.json'], ...made });
      const manifest = {
        kind: 'artifact',
        interface: recommendGraphInterface,
        surface,
        candidate: name,
        algorithm: name,
        params: {},
        window: nothing,
        recipe: nothing,
        seed,
        itemCount,
        maxHistory: model.maxHistory,
        files: digests,
        ...(set === undefined ? {} : { embeddings: set }),
      } as const;
      return putArtifact({ blobs, generations, manifest, files, parity });
    },

    async publish(change) {
      const before = await latestDeployment(generations, surface);
      const base = before ?? {
        kind: 'deployment' as const,
        surface,
        generation: 0,
        champion: '',
        championRelease: 'r0',
        previousChampion: null,
        canary: null,
        challenger: null,
        charter: charterDigest,
        catalog: catalogDigest,
        fencedReleases: [],
        paused: false,
        author: { kind: 'bootstrap' as const, name: 'test', reason: 'test' },
        createdAtMs: 0,
      };
      const generation = base.generation + 1;
      return createDeployment(generations, { ...base, ...change, generation, replaces: base.generation, operationId: `op-${generation}` });
    },
  };
}

/** A replica on a state directory, with nothing special about it. */
export function startReplica(stateDir: string, over: Partial<ServingOptions> = {}): Promise<Serving> {
  const usual = { port: 0, replica: 'r1', keys: [], adminKey: null, clock: Date.now, log: () => undefined, seed: 5, modelDeadlineMs: 2_000 };
  return startServing({ stateDir, ...usual, ...over });
}

/** The replicas of one test, over the state directory of the moment, closed together. */
export function openReplicas(stateDir: () => string): {
  running: Serving[];
  start: (over?: Partial<ServingOptions>) => Promise<Serving>;
  close: () => Promise<void>;
} {
  const running: Serving[] = [];
  return {
    running,
    async start(over) {
      const serving = await startReplica(stateDir(), over);
      running.push(serving);
      return serving;
    },
    async close() {
      for (const one of running.splice(0)) await one.close();
    },
  };
}

export const canaryOf = (artifact: string, over: Partial<CanarySpec> = {}): CanarySpec => ({
  releaseId: 'rel-1',
  artifact,
  mode: 'canary',
  stage: 0,
  cap: 0.5,
  share: 0.5,
  salt: 'salt-1',
  ...over,
});

/** A deployment spec with nothing special about it, for tests that need no files. */
export const specOf = (over: Partial<DeploymentSpec> & Pick<DeploymentSpec, 'champion'>): DeploymentSpec => ({
  kind: 'deployment',
  surface: 'home',
  generation: 1,
  replaces: 0,
  operationId: 'op-1',
  championRelease: 'r0',
  previousChampion: null,
  canary: null,
  challenger: null,
  charter: digestJson('charter'),
  catalog: digestJson('catalog'),
  fencedReleases: [],
  paused: false,
  author: { kind: 'bootstrap', name: 'test', reason: '' },
  createdAtMs: 0,
  ...over,
});

/** A snapshot that needs no files. All items of the catalog are in every model's vocabulary; without a host nothing is loaded. */
export function snapshotOf(input: { spec: DeploymentSpec; charter: Charter; catalog: CatalogItem[]; artifacts: string[]; host: ModelHost | null }): Snapshot {
  const { spec, charter, catalog, artifacts, host } = input;
  const vocabulary = catalog.map(({ itemId }) => itemId);
  const indexOf = new Map(vocabulary.map((id, index) => [id, index]));
  return {
    spec,
    charter,
    scope: scopeOf({ scope: charter.scope, items: catalog, vocabulary: [] }),
    inCatalog: () => true,
    ...arrangementOf({ charter, words: itemWords(catalog), groups: charter.fairness === undefined ? null : fairGroups(charter.fairness, catalog) }),
    rulesDigest: digestJson('rules'),
    pseudonyms: null,
    models: new Map(host === null ? [] : artifacts.map((digest) => [digest, { digest, vocabulary, indexOf, maxHistory: 50 }])),
    host,
  };
}

/** For requests that nothing is held back from, and nothing is owed after. */
export const unguarded: Pick<RecommendInput, 'guard' | 'exposure'> = {
  guard: { of: ({ scope }) => ({ scope, heldBack: 0, silent: [], untilMs: Number.POSITIVE_INFINITY }), generation: () => 0 },
  exposure: exposureMemory(undefined),
};

/** A charter with nothing special about it. */
export const testCharter: CharterInput = {
  surface: 'home',
  title: 'Home',
  owners: ['tests'],
  objective: 'conversion',
  reward: { weights: { purchase: 1 }, attributionMs: 60_000 },
  confidence: { click: 1, 'add-to-cart': 2, purchase: 4 },
  repeatPolicy: 'allow',
  window: { trainDays: 30, testDays: 7 },
  bootstrap: 'popularity',
  candidates: [{ name: 'popularity', algorithm: 'popularity' }],
  gates: {},
  release: { approvers: [{ name: 'lead', role: 'lead' }], canary: { minUnits: [1], ladder: [0.5] } },
};

/** The vectors of a set for these items, 0 where it has none. */
function givenOf({ set: { dimensions, measure }, ids, vectors }: Awaited<ReturnType<typeof readEmbeddingSet>>, itemIds: readonly string[]): Embeddings {
  const rowOf = new Map(ids.map((itemId, row) => [itemId, row]));
  const of = itemIds.flatMap((itemId) => {
    const row = rowOf.get(itemId);
    return Array.from({ length: dimensions }, (_, f) => (row === undefined ? 0 : (vectors[row * dimensions + f] as number)));
  });
  return { dimensions, measure, vectors: Float32Array.from(of) };
}

/** Tastes in blocks of ten items, low indexes liked better. */
function interactionsOf({ itemCount, userCount }: { itemCount: number; userCount: number }): Interactions {
  const random = createRandom(7);
  const indptr = new Uint32Array(userCount + 1);
  const items: number[] = [];
  const blocks = Math.max(1, Math.floor(itemCount / 10));
  for (let user = 0; user < userCount; user += 1) {
    const block = random.below(blocks);
    const length = 3 + random.below(12);
    for (let entry = 0; entry < length; entry += 1)
      items.push(random.float() < 0.8 ? block * 10 + Math.min(random.below(10), random.below(10)) : random.below(itemCount));
    indptr[user + 1] = items.length;
  }
  return {
    userCount,
    itemCount,
    indptr,
    items: Uint32Array.from(items),
    weights: new Float32Array(items.length).fill(1),
    atMs: Float64Array.from(items, (_, entry) => 1_700_000_000_000 + entry * 1_000),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: the tests look into answers of every shape.
export type Answer = { status: number; headers: Headers; body: any };

/** A JSON request to a running tier. */
export async function call(url: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(
    url,
    body === undefined
      ? { headers }
      : { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: typeof body === 'string' ? body : JSON.stringify(body) },
  );
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : text };
}

/** Asks until it is so. @throws with the last answer when it is not so in time. */
export async function until<T>(ask: () => Promise<T> | T, isSo: (answer: T) => boolean, timeoutMs = 10_000): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (isSo(answer)) return answer;
    if (performance.now() > endMs) throw new Error(`It did not come about within ${timeoutMs} ms: ${JSON.stringify(answer)?.slice(0, 500)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
