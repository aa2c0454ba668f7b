import { randomBytes } from 'node:crypto';
import { type State, readLatest } from '../../activities/context.ts';
import { cutWindow } from '../../activities/windows/cut-window.ts';
import { readShoppers, type Shopper } from '../../activities/windows/read-shoppers.ts';
import { makePersonas, type Persona } from '../../experiments/simulator/personas.ts';
import { createShopperSession } from '../../experiments/simulator/shopper-session.ts';
import { defaultTruth } from '../../experiments/simulator/truth.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { dataState, ingestManifest } from '../../models/contracts/window.ts';
import { createRandom } from '../../models/random.ts';
import { getDocument } from '../../stores/blobs.ts';
import { openServingClient } from './serving-client.ts';

/** Slates that a shopper looks at in one visit. */
const slatesAVisit = 2;
const visitsAtOnce = 12;
const personasAtOnce = 500;
const quietPauseMs = 500;

export type ShopCounts = { visits: number; slates: number; events: number; purchases: number; buyers: number };
export type Shop = {
  counts: Readonly<ShopCounts>;
  /** Slates that the log holds, from whatever time. */
  loggedSlates(): Promise<number>;
  /** Shoppers come until that many slates were served. `onProgress` is told how many there are so far. @throws UND-SERVING */
  serve(input: { slates: number; signal: AbortSignal; onProgress?: (slates: number) => void }): Promise<void>;
  /** Shoppers come until the signal, many while `busy`, few otherwise; a serving tier that is away for a while is waited for. */
  keepOpen(input: { signal: AbortSignal; busy: () => boolean }): Promise<void>;
  close(): void;
};

type Input = { state: State; surface: string; servingUrl: string; charter: Charter; seed?: number };

/**
 * Simulated shoppers with real requests: each made after a customer of the data's held-out weeks, whose later purchases are what it wants.
 * Same seed, same shoppers; what they are shown is up to the system. Their ids are new at every opening.
 */
export function openShop({ state, surface, servingUrl, charter, seed = charter.seed }: Input): Shop {
  const client = openServingClient({ servingUrl, connections: visitsAtOnce });
  const opening = randomBytes(4).toString('hex');
  const counts: ShopCounts = { visits: 0, slates: 0, events: 0, purchases: 0, buyers: 0 };
  const random = createRandom(seed);
  let customers: Promise<Shopper[]> | undefined;
  let batch = 0;
  let waiting: Persona[] = [];

  async function nextPersona(): Promise<Persona> {
    customers ??= readCustomers(state, charter);
    const known = await customers;
    if (waiting.length === 0) {
      batch += 1;
      waiting = makePersonas({ customers: known, count: personasAtOnce, seed: seed + batch, prefix: `shopper-${opening}-${batch}` });
    }
    return waiting.pop() as Persona;
  }

  async function visit(): Promise<void> {
    const session = createShopperSession({ persona: await nextPersona(), truth: defaultTruth, random, maxSlates: slatesAVisit });
    const events = [];
    for (let ask = session.next(); ask !== null; ask = session.next()) {
      const answer = await client.recommend({ surface, ...ask });
      counts.slates += 1;
      events.push(...session.take({ requestId: answer.requestId, surface, slate: answer.items, atMs: Date.now() }));
    }
    await client.sendEvents(events);
    const purchases = events.filter(({ kind }) => kind === 'purchase').length;
    counts.visits += 1;
    counts.events += events.length;
    counts.purchases += purchases;
    counts.buyers += purchases > 0 ? 1 : 0;
  }

  /** As many visits at once as there are connections, for as long as `goesOn`. */
  async function shopping(goesOn: () => boolean, onVisit: () => unknown): Promise<void> {
    const line = async () => {
      while (goesOn()) {
        await visit();
        await onVisit();
      }
    };
    await Promise.all(Array.from({ length: visitsAtOnce }, line));
  }

  return {
    counts,
    loggedSlates: () => countSlates(state, surface),
    async serve({ slates, signal, onProgress }) {
      const from = counts.slates;
      await shopping(
        () => !signal.aborted && counts.slates - from < slates,
        () => onProgress?.(counts.slates - from),
      );
      signal.throwIfAborted();
    },
    async keepOpen({ signal, busy }) {
      const pause = () => new Promise((resolve) => setTimeout(resolve, quietPauseMs));
      while (!signal.aborted) {
        await shopping(
          () => !signal.aborted,
          () => (busy() ? undefined : pause()),
        ).catch(async (error) => {
          if (!(error instanceof UnderstudyError) || error.code !== 'UND-SERVING') throw error;
          await pause();
        });
      }
    },
    close: () => client.close(),
  };
}

async function readCustomers(state: State, charter: Charter): Promise<Shopper[]> {
  const data = await readLatest(state.generations, `data/${charter.surface}`, dataState);
  if (data === undefined) throw new UnderstudyError('UND-NO-DATA', `${charter.surface} has no data yet: run \`understudy ingest\` first`);
  const { rulesDigest } = await getDocument(state.blobs, data.document.ingest, ingestManifest);
  const window = cutWindow({ dataState: data.document, charter, rulesDigest });
  return readShoppers({ window, blobs: state.blobs, charter });
}

async function countSlates(state: State, surface: string): Promise<number> {
  const reader = state.logReader(surface, 'slates');
  let slates = 0;
  const cursor = await reader.scan({ take: () => (slates += 1), onDamaged: () => undefined });
  return slates + (await reader.tail(cursor)).records.length;
}
