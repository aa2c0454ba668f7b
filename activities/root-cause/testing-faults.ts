import { mkdir, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { defaultTruth } from '../../experiments/simulator/truth.ts';
import type { Event } from '../../models/contracts/event.ts';
import type { CauseName, MendAction } from '../../models/contracts/root-cause.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { startReplica } from '../../serving/testing.ts';
import { openLogWriter } from '../../stores/event-log-files.ts';
import { benchContext } from '../events/testing.ts';
import { registerCharter } from '../registry/charters.ts';
import {
  copyOf,
  dayMs,
  hourMs,
  publishCatalog,
  type Shop,
  shopSurface,
  trainedOn,
  usualPersona,
  usualVisits,
  type Visitors,
  visitAll,
  windowOf,
  withReplicaAt,
} from './testing.ts';

/* Each fault is planted as it would come about: in a process, in what a client sends, or in what is deployed. */

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const clockOf = (shop: Shop, afterMs = 0) => ({ atMs: shop.nowMs + afterMs });
const visits = (over: Partial<Visitors> = {}): Visitors => ({ visits: usualVisits, seed: seed + 100, ...over });

/** An hour like any other but for what is said. */
export async function anHour(shop: Shop, over: Partial<Visitors> = {}, replica: Parameters<typeof startReplica>[1] = {}): Promise<void> {
  const clock = clockOf(shop);
  await withReplicaAt(shop, clock, (url) => visitAll([url], clock, visits(over)), replica);
}

/** What was logged in the incident's hour. */
async function hourOf<Logged>(shop: Shop, stream: 'slates' | 'events'): Promise<Logged[]> {
  const { records } = await benchContext(shop.stateDir).state.logReader(shopSurface, stream).tail({});
  return (records as { atMs: number; receivedAtMs?: number }[]).filter((one) => (one.receivedAtMs ?? one.atMs) >= shop.nowMs) as Logged[];
}

async function writeLog(shop: Shop, stream: 'slates' | 'events', records: readonly unknown[]): Promise<void> {
  const writer = await openLogWriter({ directory: join(shop.stateDir, 'log', shopSurface, stream), writer: 'collector' });
  await writer.append(records);
  await writer.close();
}

export type Fault = { cause: CauseName; what: string; mend?: MendAction; plant: (shop: Shop) => Promise<void> };

/** A replica that obeys a state directory of its own, and writes its logs and its report where the others do. */
async function strayReplica(shop: Shop, change: (own: Shop) => Promise<unknown>) {
  const own = await copyOf(shop, `${basename(shop.stateDir)}-stray`);
  onTestFinished(() => rm(own.stateDir, { recursive: true, force: true, maxRetries: 5 }));
  await change(own);
  for (const shared of ['log', 'run']) {
    await rm(join(own.stateDir, shared), { recursive: true, force: true });
    await mkdir(join(shop.stateDir, shared), { recursive: true });
    await symlink(join(shop.stateDir, shared), join(own.stateDir, shared));
  }
  return own;
}

async function anHourWithStray(shop: Shop, own: Shop): Promise<void> {
  const clock = clockOf(shop);
  const [honest, stray] = [
    await startReplica(shop.stateDir, { clock: () => clock.atMs }),
    await startReplica(own.stateDir, { clock: () => clock.atMs, replica: 'stray' }),
  ];
  onTestFinished(async () => {
    await honest.close();
    await stray.close();
  });
  await visitAll([honest.url, stray.url], clock, visits());
}

const without = (is: (event: Event) => boolean) => (events: Event[]) => events.filter((event) => !is(event));

export const inServing: Fault[] = [
  {
    cause: 'fallback',
    what: 'models that never answer in time',
    plant: (shop) => anHour(shop, {}, { modelDeadlineMs: 0.01 }),
  },
  {
    cause: 'latency',
    what: 'answers that take three seconds longer, as they would be logged',
    async plant(shop) {
      const same = await copyOf(shop, `${basename(shop.stateDir)}-quick`);
      onTestFinished(() => rm(same.stateDir, { recursive: true, force: true, maxRetries: 5 }));
      await anHour(same);
      await writeLog(
        shop,
        'slates',
        (await hourOf<SlateRecord>(same, 'slates')).map((slate) => ({ ...slate, latencyMs: slate.latencyMs + 3_000 })),
      );
      await writeLog(shop, 'events', await hourOf(same, 'events'));
    },
  },
  {
    cause: 'stale-deployment',
    what: 'a replica that does not see a promotion',
    mend: 'drain-replica',
    async plant(shop) {
      // The stray one still has what was live before the good one came.
      const own = await strayReplica(shop, (stray) =>
        stray.state.publish({ champion: shop.bad, previousChampion: shop.good, createdAtMs: shop.nowMs - 2 * dayMs }),
      );
      await shop.state.publish({ champion: shop.bad, previousChampion: shop.good, createdAtMs: shop.nowMs - 2 * dayMs });
      await shop.state.publish({ champion: shop.good, previousChampion: shop.bad, createdAtMs: shop.nowMs - dayMs });
      await anHourWithStray(shop, own);
    },
  },
  {
    cause: 'wrong-artifact',
    what: 'a replica with another artifact under the generation in force',
    async plant(shop) {
      const own = await strayReplica(shop, (stray) =>
        stray.state.publish({ champion: shop.bad, previousChampion: shop.good, createdAtMs: shop.nowMs - dayMs }),
      );
      await shop.state.publish({ createdAtMs: shop.nowMs - dayMs });
      await anHourWithStray(shop, own);
    },
  },
  {
    cause: 'rules',
    what: 'a charter that takes most items out of scope',
    async plant(shop) {
      const { state } = benchContext(shop.stateDir);
      const scope = { itemIdPattern: '^i[0-9]{4}$', excludeCategories: ['group-0', 'group-1', 'group-2', 'group-3', 'group-4'] };
      const { digest } = await registerCharter(state, { ...shop.charter, scope }, shop.nowMs);
      await shop.state.publish({ charter: digest, createdAtMs: shop.nowMs });
      await anHour(shop);
    },
  },
];

export const inData: Fault[] = [
  {
    cause: 'volume',
    what: 'two in three visits whose events are lost, on all clients',
    plant: (shop) => anHour(shop, { events: (events, { random }) => (random.float() < 0.67 ? [] : events) }),
  },
  {
    cause: 'tracking',
    what: 'an app whose events do not come any more',
    plant: (shop) => anHour(shop, { events: (events, { device }) => (device === 'app' ? [] : events) }),
  },
  {
    cause: 'missing-source',
    what: 'purchases that do not come any more',
    plant: (shop) => anHour(shop, { events: without(({ kind }) => kind === 'purchase') }),
  },
  {
    cause: 'schema',
    what: 'a client that names items in another way',
    mend: 'replay-quarantine',
    plant: (shop) => anHour(shop, { events: (events) => events.map((event) => ({ ...event, itemId: `sku-${event.itemId}` })) }),
  },
  {
    cause: 'duplicates',
    what: 'a collector that writes everything twice',
    async plant(shop) {
      await anHour(shop);
      const again = await hourOf<Event & { receivedAtMs: number }>(shop, 'events');
      await writeLog(
        shop,
        'events',
        again.map((event) => ({ ...event, receivedAtMs: event.receivedAtMs + 1_000 })),
      );
    },
  },
  {
    cause: 'late-events',
    what: 'events that come two hours after they happened',
    async plant(shop) {
      const late: Event[] = [];
      const before = clockOf(shop, -2 * hourMs);
      const hold = (events: Event[]) => {
        late.push(...events);
        return [];
      };
      await withReplicaAt(shop, before, (url) => visitAll([url], before, visits({ seed: seed + 200, events: hold })));
      const clock = clockOf(shop);
      await withReplicaAt(shop, clock, async (url) => {
        await visitAll([url], clock, visits({ events: () => late.splice(0, 20) }));
      });
    },
  },
  {
    cause: 'catalog',
    what: 'two in three items out of stock by a broken feed',
    async plant(shop) {
      await publishCatalog(shop, shop.nowMs, (item, index) => ({ ...item, inStock: index % 3 === 0 }));
      await anHour(shop);
    },
  },
  {
    cause: 'price',
    what: 'prices in another unit',
    async plant(shop) {
      await publishCatalog(shop, shop.nowMs, (item) => ({ ...item, priceMinor: (item.priceMinor ?? 0) * 100 }));
      // Nobody buys at such a price.
      await anHour(shop, { truth: { ...defaultTruth, wanted: { ...defaultTruth.wanted, purchase: 0.1 } } });
    },
  },
];

export const inModel: Fault[] = [
  {
    cause: 'new-artifact',
    what: 'a worse artifact that was promoted',
    mend: 'rollback',
    async plant(shop) {
      const worse = await trainedOn(
        shop,
        shop.bad,
        windowOf(shop, () => 2_000),
      );
      await shop.state.publish({ champion: worse, championRelease: 'release-worse', previousChampion: shop.good, createdAtMs: shop.nowMs });
      await anHour(shop);
    },
  },
  {
    cause: 'bad-window',
    what: 'an artifact that was trained on a window with missing days',
    mend: 'rollback',
    async plant(shop) {
      const gaps = await trainedOn(
        shop,
        shop.bad,
        windowOf(shop, (back) => (back > 14 && back <= 24 ? 0 : 2_000)),
      );
      await shop.state.publish({ champion: gaps, championRelease: 'release-gaps', previousChampion: shop.good, createdAtMs: shop.nowMs });
      await anHour(shop);
    },
  },
  {
    cause: 'cold-share',
    what: 'visitors of whom nothing is known',
    plant: (shop) => anHour(shop, { persona: (random) => ({ ...usualPersona(random), known: random.float() < 0.1 }) }),
  },
];
