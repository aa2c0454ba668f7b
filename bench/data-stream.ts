import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RecordRuleChoices } from '../models/contracts/record-rules.ts';
import { createRandom } from '../models/random.ts';
import { acceptEvents } from '../serving/accept-events.ts';
import { createMetrics } from '../serving/metrics.ts';
import type { Snapshot } from '../serving/snapshot.ts';
import { type LiveSurface, openSurface } from '../serving/surface.ts';
import { makeServedState, startReplica } from '../serving/testing.ts';
import { openBlobDirectory } from '../stores/blobs-directory.ts';
import { openGenerationDirectory } from '../stores/generations-directory.ts';
import { beginLife } from '../stores/life.ts';
import { openLogs } from '../stores/open-logs.ts';
import { charter } from './data-steps.ts';
import type { LoadOrder, LoadResult } from './serving-load.ts';

/*
 * Events as they come in at a replica: each rule on, each event on disk before it is acknowledged. Prints what one core does; it is the processor time of the
 * whole process, the threads that write included, that is counted.
 */
export type StreamResult = {
  batch: number;
  /** Events a second and core. `over`: with HTTP and JSON; `bare`: the events themselves; `without`: the same with no rule at all. */
  over: number;
  bare: number;
  without: number;
  seconds: { over: number; bare: number; without: number };
};

const events = 100_000;
const batch = 50;
const items = 4_000;
const recordRules: RecordRuleChoices = {
  'in-the-future': 'quarantine',
  'too-late': { action: 'quarantine', limit: 2_592_000_000 },
  'unknown-item': 'quarantine',
  'before-impression': 'quarantine',
  'bot-rate': { action: 'quarantine', limit: 300 },
};
const kinds = ['impression', 'view', 'click', 'add-to-cart'] as const;

/** Of visitors who see a slate, look, and click; now and then an item that no catalog has. */
function draw({ run, surface }: { run: string; surface: string }): Record<string, unknown>[] {
  const random = createRandom(1);
  const nowMs = Date.now();
  return Array.from({ length: events }, (_, nth) => {
    const visit = Math.floor(nth / 8);
    const item = random.float() < 0.005 ? 'nobody-knows' : `i${String((visit * 7 + (nth % 2)) % items).padStart(4, '0')}`;
    const [kind = 'view'] = [kinds[nth % 4]];
    const own = { schemaVersion: 2, eventId: `${run}-${nth}`, surface, kind, userId: `u${visit % 20_000}`, sessionId: `s${visit}`, itemId: item };
    return { ...own, requestId: `r${visit}`, position: nth % 10, atMs: nowMs - 60_000 + (nth % 8) * 1_000 };
  });
}

const batches = <T>(all: readonly T[]): T[][] => Array.from({ length: all.length / batch }, (_, nth) => all.slice(nth * batch, (nth + 1) * batch));

async function counted(work: () => Promise<void>): Promise<{ perCore: number; seconds: number }> {
  const [startedMs, before] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { perCore: events / ((user + system) / 1e6), seconds: (performance.now() - startedMs) / 1000 };
}

async function overHttp(stateDir: string): Promise<{ perCore: number; seconds: number }> {
  const state = await makeServedState({ stateDir, itemCount: items, charter: { data: { recordRules } } });
  await state.publish({ champion: await state.train('popularity') });
  const child = fork(fileURLToPath(new URL('./serving-load.ts', import.meta.url)), { execArgv: [] });
  const serving = await startReplica(stateDir);
  try {
    const bodies = batches(draw({ run: 'http', surface: 'home' })).map((some) => JSON.stringify({ events: some }));
    const order: LoadOrder = { url: `${serving.url}/v1/events`, bodies, connections: 8, requests: bodies.length };
    return await counted(async () => {
      const answer = new Promise<LoadResult>((resolve) => child.once('message', (message) => resolve(message as LoadResult)));
      child.send(order);
      const { failures } = await answer;
      if (failures !== 0) throw new Error(`${failures} batches were not taken in`);
    });
  } finally {
    child.disconnect();
    await serving.close();
  }
}

/** Eight batches at a time, as eight connections would send them. */
async function bare(stateDir: string, change: (surface: LiveSurface) => LiveSurface): Promise<{ perCore: number; seconds: number }> {
  const known = new Set(Array.from({ length: items }, (_, nth) => `i${String(nth).padStart(4, '0')}`));
  const snapshot = {
    spec: { charter: 'bench', canary: null, challenger: null },
    charter: { ...charter, data: { ...charter.data, recordRules } },
    inCatalog: (itemId: string) => known.has(itemId),
    pseudonyms: null,
  } as unknown as Snapshot;
  const generations = openGenerationDirectory({ root: join(stateDir, 'series') });
  const blobs = openBlobDirectory({ root: join(stateDir, 'blobs') });
  const logs = openLogs({ stateDir, kafka: undefined });
  const shared = { logs, replica: 'r1', life: beginLife(), metrics: createMetrics(), log: () => undefined };
  const surface = await openSurface({ ...shared, name: 'home', blobs, generations, snapshot });
  try {
    const surfaces = new Map([['home', change(surface)]]);
    const waiting = batches(draw({ run: 'bare', surface: 'home' }));
    return await counted(async () => {
      const connection = async () => {
        for (let some = waiting.pop(); some !== undefined; some = waiting.pop()) await acceptEvents({ events: some, surfaces, nowMs: Date.now() });
      };
      await Promise.all(Array.from({ length: 8 }, connection));
    });
  } finally {
    await surface.close();
  }
}

async function measure(): Promise<StreamResult> {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-bench-'));
  try {
    const ruled = await bare(join(folder, 'bare'), (surface) => surface);
    const free = await bare(join(folder, 'without'), (surface) => ({ ...surface, door: { judge: () => ({ reason: null, warnings: [] }) } }));
    const over = await overHttp(join(folder, 'over'));
    const seconds = { over: over.seconds, bare: ruled.seconds, without: free.seconds };
    return { batch, over: over.perCore, bare: ruled.perCore, without: free.perCore, seconds };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(await measure())}\n`);
