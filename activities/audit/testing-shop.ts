import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { slate } from '../../experiments/canary/testing-log.ts';
import { attentionAt } from '../../experiments/feedback/shown-slate.ts';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import type { CharterInput } from '../../models/contracts/charter.ts';
import type { Event } from '../../models/contracts/event.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { createRandom } from '../../models/random.ts';
import { exploreSlate } from '../../models/slate/explore.ts';
import { createDeployment } from '../../stores/deployments.ts';
import { openLogWriter } from '../../stores/event-log-files.ts';
import { openEvidence } from '../evidence/testing.ts';
import { registerCharter } from '../registry/charters.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 5);
const dayMs = 86_400_000;
export const attributionMs = 3_600_000;
const itemIds = Array.from({ length: 60 }, (_, item) => `i${item}`);
const fromMs = startMs + 31 * dayMs;

export type ShopWorld = {
  users: number;
  /** Items that each model's slates are made of less than those of the one before. */
  narrowing: number;
  /** Of what visitors from `it` look at, the share that they buy; others buy seven in ten. */
  itRate: number;
  /** Of every so many users one is answered by popularity alone; 0: none. */
  fallbackEvery: number;
  /** Items of this category stand in slates only where exploration puts them. */
  hidden: string | null;
  /** Share of the drawn places that have anything from the catalog, not something that the model ranks. */
  floor: number;
};
const usualRate = 0.7;
const quiet: ShopWorld = { users: 900, narrowing: 0, itRate: usualRate, fallbackEvery: 0, hidden: null, floor: 1 };

/** A surface with eight models, one a day, and what it logged; everything is wanted alike, whatever is shown. What is `planted` is wrong with it. */
export async function openShop(planted: Partial<ShopWorld> = {}, charter: Partial<CharterInput> = {}) {
  const drawn = drawPurchases({ users: 80, items: 60, tastes: 3, faith: 0.9, perUser: 12, days: 30, zipf: 0.5, fresh: 0, seed: 1 });
  const evidence = await openEvidence({
    happenings: happeningsOf(drawn, startMs),
    nowMs: fromMs,
    charter: {
      window: { trainDays: 24, gapDays: 1, testDays: 3 },
      reward: { weights: { purchase: 1 }, attributionMs },
      slate: { size: 5 },
      evaluation: { minSegmentUsers: 100 },
      ...charter,
    },
    catalog: itemIds.map((itemId, item) => ({ itemId, title: `thing ${item % 7} of sort ${item % 3}`, category: `c${item % 3}`, inStock: true })),
  });
  onTestFinished(() => evidence.close());
  const { context } = evidence;
  const registered = await registerCharter(context.state, evidence.charter, context.now());
  const first = await evidence.train('popularity');
  await context.state.generations.create('data/home', 1, { ...evidence.dataState, generation: 1 });
  const artifacts = [first, ...['b', 'c', 'd', 'e', 'f', '9'].map((letter) => `sha256:${letter.repeat(64)}`), await evidence.train('item-knn')];
  for (const [day, champion] of artifacts.entries())
    await createDeployment(context.state.generations, {
      ...{ kind: 'deployment', surface: 'home', generation: day + 1, replaces: day, operationId: `day-${day}`, createdAtMs: fromMs + day * dayMs },
      ...{ champion, championRelease: `r${day}`, previousChampion: artifacts[day - 1] ?? null, canary: null, challenger: null },
      ...{ charter: registered.digest, catalog: evidence.dataState.catalog, fencedReleases: [], paused: false },
      author: { kind: 'release', name: 'test', reason: '' },
    });
  const log = drawLog({ ...quiet, ...planted, artifacts });
  for (const [stream, records] of Object.entries(log)) {
    const writer = await openLogWriter({ directory: join(context.state.root, 'log', 'home', stream), writer: 'a' });
    await writer.append(records.slice(0, records.length >> 1));
    await writer.seal();
    await writer.append(records.slice(records.length >> 1));
    await writer.close();
  }
  const input = { surface: 'home', charter: evidence.charter, fromMs, toMs: fromMs + 8 * dayMs, signal: new AbortController().signal };
  return { context, input, log, artifacts };
}

type Log = { slates: SlateRecord[]; events: Event[] };

function drawLog({ artifacts, ...world }: ShopWorld & { artifacts: readonly string[] }): Log {
  const random = createRandom(seed);
  const log: Log = { slates: [], events: [] };
  const { slates, events } = log;
  const tell = (over: Partial<Event> & Pick<Event, 'atMs' | 'itemId' | 'sessionId'>) =>
    events.push({ schemaVersion: 1, eventId: `e${events.length}`, kind: 'purchase', surface: 'home', ...over });
  for (const [day, artifact] of artifacts.entries())
    for (let user = 0; user < world.users; user += 1) {
      const country = user % 4 === 0 ? 'it' : 'at';
      const atMs = fromMs + day * dayMs + user * 10_000;
      const [userId, sessionId, requestId] = [`${user}`, `s${user}`, `q${day}-${user}`];
      const isFallback = world.fallbackEvery > 0 && user % world.fallbackEvery === 0;
      const explored = slateOf(world, { day, drawId: requestId, random: random.uint32() });
      const answered = isFallback ? { artifact: null, rung: 'popularity' as const } : { artifact };
      const who = { unit: `u:${user}`, userId, sessionId, requestId, atMs, context: { country, device: 'web' } };
      slates.push(slate({ ...who, ...answered, ...explored, generation: day + 1, history: itemIds.slice(0, user % 30), historyWeights: [] }));
      for (const [position, itemId] of explored.items.entries())
        if (random.float() < (country === 'it' ? world.itRate : usualRate) * attentionAt(position))
          tell({ userId, sessionId, requestId, position, itemId, atMs: atMs + 1000 + position });
      if (random.float() < 0.7) tell({ sessionId: `o${day}-${user}`, itemId: itemIds[random.below(60)] as string, atMs: atMs + 2000, kind: 'view' });
    }
  // Bought without a slate's id, of what was just shown: no demand of its own.
  const shown = slates[0] as SlateRecord;
  tell({ userId: shown.userId, sessionId: shown.sessionId as string, itemId: shown.items[0] as string, atMs: shown.atMs + 5 });
  return log;
}

function slateOf({ narrowing, hidden, floor }: ShopWorld, { day, drawId, random: seed }: { day: number; drawId: string; random: number }) {
  const random = createRandom(seed);
  const choice = itemIds.slice(0, 60 - narrowing * day).filter((_, item) => `c${item % 3}` !== hidden);
  const order = choice.map((itemId) => ({ itemId, at: random.float() })).sort((a, b) => a.at - b.at);
  const ranked = order.map(({ itemId }) => itemId);
  return exploreSlate({
    baseItems: ranked.slice(0, 5),
    nextItems: ranked.slice(5),
    challengerRankings: [],
    scope: { allowed: () => true, allowedIds: itemIds },
    excluded: new Set(),
    settings: { slots: 1, poolDepth: 20, rankOffset: 5, challengerDepth: 0, floor },
    slateSize: 5,
    seed: random.uint32(),
    drawId,
  });
}
