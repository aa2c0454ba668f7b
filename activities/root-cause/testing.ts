import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Persona } from '../../experiments/simulator/personas.ts';
import { respond } from '../../experiments/simulator/respond.ts';
import { defaultTruth, type Truth } from '../../experiments/simulator/truth.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import type { ArtifactFiles } from '../../models/contracts/artifact.ts';
import { type CharterInput, parseCharter } from '../../models/contracts/charter.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import type { CauseRequest } from '../../models/contracts/root-cause.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import { loadArtifact, putArtifact } from '../../stores/artifacts.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import { latestDeployment } from '../../stores/deployments.ts';
import { catalogDocument } from '../events/build-catalog.ts';
import { lookForCause } from './find-cause.ts';
import type { Event } from '../../models/contracts/event.ts';
import { createRandom, type Random } from '../../models/random.ts';
import type { ServingOptions } from '../../serving/server.ts';
import { call, makeServedState, type ServedState, startReplica, testCharter } from '../../serving/testing.ts';
import { benchContext, quietBeat } from '../events/testing.ts';
import { ingestLog } from '../events/ingest-log.ts';
import { mergeDataState } from '../windows/merge-data-state.ts';
import { registerCharter } from '../registry/charters.ts';

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;
export const shopSurface = 'home';
const itemsOfGroup = 10;
const groups = 6;
const visitsAtOnce = 16;
/** Each visit moves the clock on: what a visitor does lies seconds behind the slate. */
const stepMs = 1_000;

export type Clock = { atMs: number };
/** It goes by itself. */
export const presentClock: Clock = {
  get atMs() {
    return Date.now();
  },
  set atMs(_ms) {},
};

/** Of every day before. */
export const usualVisits = 160;
export const pastDays = 14;

export const shopCharter: Partial<CharterInput> = {
  // A visit's events follow its slate within seconds.
  reward: { weights: { purchase: 1 }, attributionMs: 60_000 },
  scope: { itemIdPattern: '^i[0-9]{4}$' },
  // A busy machine is no fault of the shop's.
  slo: { p99Ms: 2_000, fallbackShare: 0.02 },
};

const shopItem = (item: CatalogItem, index: number): CatalogItem => ({
  ...item,
  category: `group-${Math.floor(index / itemsOfGroup)}`,
  priceMinor: 100 + index,
});

export type Shop = { folder: string; stateDir: string; state: ServedState; good: string; bad: string; charter: CharterInput; nowMs: number };

/** A surface with a good model live, and a worse one; nobody has come yet. `nowMs` is when the incident begins: its hour holds the present. */
export async function openShopState(): Promise<Shop> {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-cause-'));
  const stateDir = join(folder, 'state');
  const nowMs = Date.now() - hourMs / 6;
  const options = { stateDir, itemCount: groups * itemsOfGroup, catalog: shopItem, charter: shopCharter };
  const state = await makeServedState(options);
  const good = await trainedOn(
    { state, stateDir },
    await state.train('item-knn'),
    windowOf({ nowMs }, () => 2_000),
  );
  const bad = await state.train('popularity');
  const charter = { ...testCharter, surface: shopSurface, ...shopCharter };
  await registerCharter(benchContext(stateDir).state, charter, nowMs - 40 * dayMs);
  await state.publish({ champion: good, championRelease: 'release-good', previousChampion: bad, createdAtMs: nowMs - 40 * dayMs });
  return { folder, stateDir, state, good, bad, charter, nowMs };
}

/** The same with a state directory of its own. */
export async function copyOf(shop: Shop, name: string): Promise<Shop> {
  const stateDir = join(shop.folder, name);
  await cp(shop.stateDir, stateDir, { recursive: true });
  const state = await makeServedState({ stateDir, itemCount: groups * itemsOfGroup, catalog: shopItem, charter: shopCharter });
  return { ...shop, stateDir, state };
}

export const closeShop = ({ folder }: Shop): Promise<void> => rm(folder, { recursive: true, force: true, maxRetries: 5 });

export type Visitors = {
  visits: number;
  seed: number;
  /** Who come; as of old where it does not say. */
  persona?: ((random: Random) => { country: string; device: string; known: boolean }) | undefined;
  truth?: Truth;
  /** What becomes of a visit's events on their way, and at what time they come in. */
  events?: (events: Event[], visit: { device: string; country: string; random: Random }) => Event[];
  visitsAtOnce?: number;
};

/** As people are on all days. */
export function usualPersona(random: Random): { country: string; device: string; known: boolean } {
  const [country, device] = [random.float(), random.float()];
  return {
    country: country < 0.5 ? 'uk' : country < 0.7 ? 'fr' : country < 0.85 ? 'de' : 'es',
    device: device < 0.4 ? 'web' : device < 0.8 ? 'app' : 'tablet',
    known: random.float() < 0.8,
  };
}

/** Visitors of running replicas, each with real requests, at the time that the replicas' clock shows: one slate each, and what they do with it. */
export async function visitAll(urls: readonly string[], clock: Clock, visitors: Visitors): Promise<void> {
  const { visits, seed, persona = usualPersona, truth = defaultTruth, events: onTheirWay = (events) => events } = visitors;
  const random = createRandom(seed);
  let begun = 0;
  async function visit(): Promise<void> {
    const number = begun;
    begun += 1;
    clock.atMs += stepMs;
    const who = persona(random);
    const url = urls[number % urls.length] as string;
    const { history, ...shopper } = shopperOf(random, { name: `v${seed}-${number}`, known: who.known });
    const { userId, sessionId } = shopper;
    const told = history.map((itemId) => ({ itemId, kind: 'purchase' }));
    const context = { country: who.country, device: who.device, history: told };
    const answer = await call(`${url}/v1/recommend`, { surface: shopSurface, userId, sessionId, context });
    if (answer.status !== 200) return;
    const { requestId, items } = answer.body as { requestId: string; items: { itemId: string }[] };
    const slate = items.map(({ itemId }) => itemId);
    const made = respond({ persona: { ...shopper, history }, slate, requestId, surface: shopSurface, atMs: clock.atMs, truth, random });
    const sent = onTheirWay(made.map(withPrice), { ...who, random });
    if (sent.length > 0) await call(`${url}/v1/events`, { events: sent });
  }
  const line = async () => {
    while (begun < visits) await visit();
  };
  await Promise.all(Array.from({ length: visitors.visitsAtOnce ?? visitsAtOnce }, line));
}

const withPrice = (event: Event): Event => (event.kind === 'purchase' ? { ...event, unitPriceMinor: 100 } : event);

/** Somebody who wants most of one group of items, and has had the others where anything is known of them. */
function shopperOf(random: Random, { name, known }: { name: string; known: boolean }): Persona {
  const group = random.below(groups);
  const first = random.below(itemsOfGroup);
  const items = Array.from({ length: itemsOfGroup }, (_, place) => `i${String(group * itemsOfGroup + ((first + place) % itemsOfGroup)).padStart(4, '0')}`);
  return {
    userId: name,
    sessionId: `${name}-s`,
    history: known ? items.slice(0, 3) : [],
    wants: items.slice(3).map((itemId) => ({ itemId, repeat: false, directness: 0 })),
  };
}

/** A real replica whose clock is at a moment, for as long as `use` takes; its logs are sealed then. */
export async function withReplicaAt(
  shop: Pick<Shop, 'stateDir'>,
  clock: Clock,
  use: (url: string) => Promise<void>,
  over: Partial<ServingOptions> = {},
): Promise<void> {
  const serving = await startReplica(shop.stateDir, { clock: () => clock.atMs, ...over });
  try {
    await use(serving.url);
  } finally {
    await serving.close();
  }
}

/** The same hour of so many days before, each with a real replica and real visitors, who come one a second. */
export async function livePast(shop: Shop, seed: number, { fromMs = shop.nowMs, visits = usualVisits } = {}): Promise<void> {
  for (let back = pastDays; back >= 1; back -= 1) {
    const clock = { atMs: fromMs - back * dayMs };
    await withReplicaAt(shop, clock, (url) => visitAll([url], clock, { visits, seed: seed + back }));
  }
}

/** The artifact again, as if it had been trained on this window. */
export async function trainedOn({ state, stateDir }: Pick<Shop, 'state' | 'stateDir'>, artifact: string, window: WindowManifest): Promise<string> {
  const { blobs, generations } = benchContext(stateDir).state;
  const { manifest, parity } = await loadArtifact({ blobs, generations, digest: artifact });
  const entries = await Promise.all(Object.entries(manifest.files).map(async ([name, digest]) => [name, await blobs.get(digest)] as const));
  const files = Object.fromEntries(entries) as ArtifactFiles;
  return putArtifact({
    blobs: state.blobs,
    generations: state.generations,
    manifest: { ...manifest, window: await putDocument(blobs, window) },
    files,
    parity,
  });
}

/** Days of a window before the incident, with so many rows each. */
export function windowOf({ nowMs }: Pick<Shop, 'nowMs'>, rowsOf: (daysBack: number) => number): WindowManifest {
  const nothing = digestJson(null);
  const days = Array.from({ length: 28 }, (_, index) => 41 - index);
  const dayOf = (back: number) => new Date(nowMs - back * dayMs).toISOString().slice(0, 10);
  const trainSlices = days.flatMap((back) => {
    const rows = rowsOf(back);
    return rows === 0 ? [] : [{ day: dayOf(back), digest: nothing, logicalDigest: nothing, rows, source: 'orders' }];
  });
  return {
    ...{ kind: 'window', surface: shopSurface, timeZone: 'UTC', gapDays: 1, testSlices: [], catalog: nothing, rulesDigest: nothing, seed: 1 },
    train: { from: dayOf(41), to: dayOf(14) },
    test: { from: dayOf(12), to: dayOf(10) },
    trainSlices,
    rows: { train: trainSlices.reduce((sum, { rows }) => sum + rows, 0), test: 0 },
  };
}

/** What was served of the catalog, changed, in force from a moment on. */
export async function publishCatalog({ state, stateDir }: Shop, atMs: number, change: (item: CatalogItem, index: number) => CatalogItem): Promise<string> {
  const { blobs } = benchContext(stateDir).state;
  const latest = await latestDeployment(state.generations, shopSurface);
  const items = await getDocument(blobs, latest?.catalog ?? '', catalogDocument);
  const catalog = await putDocument(blobs, items.map(change));
  await state.publish({ catalog, createdAtMs: atMs });
  return catalog;
}

/** Measured and diagnosed as whoever asks a minute after the incident's hour. */
export async function lookAt(shop: Shop, over: Partial<CauseRequest> = {}): Promise<Awaited<ReturnType<typeof lookForCause>>> {
  const toMs = shop.nowMs + hourMs;
  const request = { surface: shopSurface, alert: null, signal: null, fromMs: shop.nowMs, toMs, atMs: toMs + 60_000, promotion: null, exact: false, ...over };
  return lookForCause(benchContext(shop.stateDir, { now: () => request.atMs }), request, quietBeat);
}

/** The surface's first data: one order of each item, some days before, and the catalog. */
export async function takeInOrders({ stateDir, state, charter, nowMs, folder }: Shop): Promise<void> {
  const { blobs, generations } = benchContext(stateDir).state;
  const catalog = (await latestDeployment(generations, shopSurface))?.catalog ?? '';
  async function* orders() {
    for (const [number, itemId] of state.itemIds.entries())
      yield {
        ...{ schemaVersion: 1 as const, eventId: `order-${number}`, kind: 'purchase' as const, surface: shopSurface, userId: `buyer-${number}` },
        ...{ sessionId: `till-${number}`, itemId, atMs: nowMs - 5 * dayMs + number },
      };
  }
  const { manifest, digest } = await ingestLog({
    ...{ surface: shopSurface, charter: parseCharter(charter), sourceName: 'orders', events: orders(), previous: { slices: [] } },
    ...{ catalog, blobs, workDir: join(folder, 'work'), nowMs },
  });
  await generations.create(`data/${shopSurface}`, 1, mergeDataState({ previous: undefined, manifest, manifestDigest: digest, nowMs: nowMs - 4 * dayMs }));
}
