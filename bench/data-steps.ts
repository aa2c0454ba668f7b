import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openState, readLatest, type State } from '../activities/context.ts';
import { generatedMapping } from './data-events.ts';
import { withDuck } from '../activities/events/duckdb.ts';
import { slicesSql } from '../activities/events/event-columns.ts';
import { ingestBatch } from '../activities/events/ingest-batch.ts';
import { joinPointInTime } from '../activities/features/join-point-in-time.ts';
import { openSlices } from '../activities/features/open-events.ts';
import { eraseData } from '../activities/privacy/erase-data.ts';
import { isTheirs, loadPersons } from '../activities/privacy/person-sql.ts';
import { sweepBlobs } from '../activities/privacy/sweep.ts';
import { sessionizeInDuck } from '../activities/sessions/sessionize-sql.ts';
import { cutWindow } from '../activities/windows/cut-window.ts';
import { mergeDataState } from '../activities/windows/merge-data-state.ts';
import { readTrain } from '../activities/windows/read-window.ts';
import { parseCharter } from '../models/contracts/charter.ts';
import { featureView } from '../models/contracts/feature.ts';
import type { Subjects } from '../models/contracts/erasure.ts';
import { type DataState, dataState } from '../models/contracts/window.ts';
import { rowRules } from '../models/rules/registry.ts';

/*
 * The steps of the data plane, each as a process of its own, so that its memory is its own. All but the first read what the first made of the generated
 * file: `<folder>/state`.
 */
export type StepOrder = { step: keyof typeof steps; folder: string };
export type StepResult = { seconds: number; cpuSeconds: number; maxMemoryMb: number; of: Record<string, number> };

export const charter = parseCharter({
  surface: 'home',
  title: 'Home',
  owners: ['bench'],
  objective: 'conversion',
  timeZone: 'Europe/London',
  reward: { weights: { purchase: 1 }, attributionMs: 1_000 },
  confidence: { purchase: 1, 'add-to-cart': 0.5 },
  repeatPolicy: 'allow',
  window: { trainDays: 28, gapDays: 0, testDays: 7 },
  bootstrap: 'popularity',
  candidates: [{ name: 'popularity', algorithm: 'popularity' }],
  gates: {},
  release: { approvers: [{ name: 'bench', role: 'ml-lead' }], canary: { ladder: [0.5], minUnits: [1] } },
});
const nowMs = Date.UTC(2026, 3, 1);

/** Reads, maps, judges, tells repeats, puts aside, slices by day; then the days are the surface's data. */
async function ingestFile({ state, workDir, path, name }: { state: State; workDir: string; path: string; name: string }): Promise<DataState> {
  const before = (await readLatest(state.generations, 'data/home', dataState))?.document;
  const { manifest, digest } = await ingestBatch({
    surface: 'home',
    charter,
    source: { path, name },
    mapping: generatedMapping,
    blobs: state.blobs,
    workDir,
    asOfDay: '2026-04-01',
    nowMs,
    before,
  });
  const data = mergeDataState({ previous: before, manifest, manifestDigest: digest, nowMs });
  await state.generations.create('data/home', data.generation, data);
  return data;
}

type Step = { state: State; folder: string; workDir: string };
type Timed = (work: () => Promise<Record<string, number>>) => Promise<void>;

const dataOf = async ({ state }: Step) => (await readLatest(state.generations, 'data/home', dataState))?.document as DataState;
const pathsOf = async (step: Step) => {
  const paths: string[] = [];
  for (const { digest } of (await dataOf(step)).slices) paths.push(await step.state.blobs.localPath(digest));
  return paths;
};
const rowsOf = (data: DataState) => data.slices.reduce((sum, { rows }) => sum + rows, 0);

const steps = {
  async ingest(step: Step, timed: Timed) {
    await timed(async () => {
      const data = await ingestFile({ ...step, path: join(step.folder, 'generated.parquet'), name: 'events' });
      return { rows: rowsOf(data), days: data.slices.length };
    });
  },

  async sessionize(step: Step, timed: Timed) {
    const paths = await pathsOf(step);
    await timed(() =>
      withDuck({ workDir: step.workDir }, async (duck) => {
        await duck.run(
          `CREATE VIEW unit_events AS SELECT event_id, coalesce('u:' || user_id, 's:' || session_id) AS unit, kind, session_id, at_ms FROM ${slicesSql(paths)}`,
        );
        const rules = { gapMs: 1_800_000, maxMs: 43_200_000, boundaries: { kinds: [], clientSession: false, midnight: false } };
        await sessionizeInDuck({ duck, relation: 'unit_events', into: 'sessions', rules, timeZone: charter.timeZone });
        const [row] = await duck.rows<{ sessions: number }>('SELECT count(*)::DOUBLE AS sessions FROM sessions');
        return { sessions: row?.sessions ?? 0 };
      }),
    );
  },

  async split(step: Step, timed: Timed) {
    await timed(async () => {
      const window = cutWindow({ dataState: await dataOf(step), charter, rulesDigest: `sha256:${'0'.repeat(64)}` });
      const { interactions } = await readTrain({ window, blobs: step.state.blobs, charter, workDir: step.workDir });
      return { interactions: interactions.items.length };
    });
  },

  /** The next day comes in, the window moves on, and the oldest day leaves it. */
  async rotate(step: Step, timed: Timed) {
    const windowOf = (data: DataState) => cutWindow({ dataState: data, charter, rulesDigest: `sha256:${'0'.repeat(64)}` });
    const was = windowOf(await dataOf(step));
    await timed(async () => {
      const data = await ingestFile({ ...step, path: join(step.folder, 'next', 'generated.parquet'), name: 'events' });
      const is = windowOf(data);
      const entered = [...is.trainSlices, ...is.testSlices].filter(
        (slice) => ![...was.trainSlices, ...was.testSlices].some(({ digest }) => digest === slice.digest),
      );
      return { rows: rowsOf(data), entered: entered.length, movedDays: (Date.parse(is.test.to) - Date.parse(was.test.to)) / 86_400_000 };
    });
  },

  /** Each row rule of the registry, and as many again with other limits as make it fifty, in one pass over the slices. */
  async rules(step: Step, timed: Timed) {
    const paths = await pathsOf(step);
    const numbers = Array.from({ length: 50 }, (_, index) => `(coalesce(unit_price_minor, ${index}) NOT BETWEEN ${index} AND ${20_000 + index})`);
    const all = [...rowRules.map((rule) => rule.breaksSql(86_400_000).replaceAll(':now', String(nowMs))), ...numbers].slice(0, 50);
    await timed(() =>
      withDuck({ workDir: step.workDir }, async (duck) => {
        await duck.run('CREATE TABLE foreign_items (item_id VARCHAR); CREATE TABLE known_items (item_id VARCHAR)');
        const [row] = await duck.rows<Record<string, number>>(
          `SELECT ${all.map((sql, index) => `count_if(${sql})::DOUBLE AS broken_${index}`).join(', ')} FROM ${slicesSql(paths)}`,
        );
        return { rules: all.length, broken: Object.values(row ?? {}).reduce((sum, count) => sum + count, 0) };
      }),
    );
  },

  /** What users did in the week before each of a quarter as many moments as there are events. */
  async join(step: Step, timed: Timed) {
    const data = await dataOf(step);
    const view = featureView.parse({
      ...{ name: 'user-week', version: 1, owner: 'bench', entity: 'user', ttlMs: 86_400_000 },
      source: { from: 'events', kinds: ['view', 'add-to-cart', 'purchase'] },
      features: [
        { name: 'events', expression: { aggregate: 'count' }, windowMs: 604_800_000, type: 'integer' },
        { name: 'spend', expression: { aggregate: 'sum', of: 'spendMinor' }, windowMs: 'all', type: 'integer' },
      ],
    });
    await withDuck({ workDir: step.workDir }, async (duck) => {
      const drawn = `SELECT user_id, at_ms FROM ${slicesSql(await pathsOf(step))} WHERE user_id IS NOT NULL AND hash(event_id, 1) % 100 < 27`;
      await duck.run(`CREATE TABLE labels AS ${drawn}`);
      await timed(async () => {
        await openSlices({ duck, slices: data.slices, blobs: step.state.blobs });
        await joinPointInTime({ duck, view, labels: { relation: 'labels', entity: 'user_id', asOfMs: 'at_ms' }, into: 'joined' });
        const [row] = await duck.rows<{ rows: number; known: number }>(
          'SELECT count(*)::DOUBLE AS rows, count(user_week__events)::DOUBLE AS known FROM joined',
        );
        return { labels: row?.rows ?? 0, known: row?.known ?? 0 };
      });
    });
  },

  /** A hundred people, each with about as many events as usual: new versions of the days that held them, then their old versions go. */
  async erase(step: Step, timed: Timed) {
    const paths = await pathsOf(step);
    const [userIds = []] = await withDuck({ workDir: step.workDir }, (duck) =>
      duck.columns(
        `SELECT user_id FROM ${slicesSql(paths)} WHERE user_id IS NOT NULL GROUP BY user_id HAVING count(*) BETWEEN 10 AND 40 ORDER BY hash(user_id) LIMIT 100`,
      ),
    );
    const people: Subjects = { userIds: userIds as string[], sessionIds: [], deviceIds: [] };
    const { state, workDir } = step;
    await timed(async () => {
      const erased = await eraseData({
        state,
        surface: 'home',
        doomed: isTheirs,
        prepare: (duck) => loadPersons(duck, people),
        certificate: 'er-bench',
        workDir,
      });
      const rewrittenMs = performance.now();
      const gone = await sweepBlobs({ blobs: state.blobs, people, certificate: 'er-bench', workDir });
      return {
        people: userIds.length,
        events: erased.removed.events ?? 0,
        days: erased.slices.length,
        blobs: gone.length,
        sweepSeconds: (performance.now() - rewrittenMs) / 1000,
      };
    });
  },
};

async function run({ step, folder }: StepOrder): Promise<StepResult> {
  const workDir = join(folder, 'work');
  mkdirSync(workDir, { recursive: true });
  const result: StepResult = { seconds: 0, cpuSeconds: 0, maxMemoryMb: 0, of: {} };
  await steps[step]({ state: openState(join(folder, 'state')), folder, workDir }, async (work) => {
    const [startedMs, before] = [performance.now(), process.cpuUsage()];
    result.of = await work();
    const { user, system } = process.cpuUsage(before);
    result.seconds = (performance.now() - startedMs) / 1000;
    result.cpuSeconds = (user + system) / 1e6;
  });
  return { ...result, maxMemoryMb: process.resourceUsage().maxRSS / 1024 };
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(await run(JSON.parse(process.argv[2] ?? '') as StepOrder))}\n`);
