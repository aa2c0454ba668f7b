import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Measure } from '../../models/contracts/signal.ts';
import { attributeReward } from '../../experiments/reward/attribute-reward.ts';
import type { Event } from '../../models/contracts/event.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { readAlerts } from '../../stores/alerts.ts';
import { readLedger } from '../../stores/ledger.ts';
import { type Context, openState, type State } from '../context.ts';
import { measureHours } from './measure-hours.ts';
import { watchSurface } from './record-look.ts';
import { logTraffic, registerTiny } from './testing.ts';
import { latestWatch } from './watch-history.ts';
import { lookAtSurface } from './watch-surface.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const hourMs = 3_600_000;
const weekMs = 168 * hourMs;
const begin = Date.UTC(2026, 2, 2);

async function open(charter: Record<string, unknown> = {}): Promise<{ state: State; surface: string; stateDir: string }> {
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-watch-'));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true }));
  const state = openState(stateDir);
  return { state, surface: await registerTiny(state, charter), stateDir };
}

/** The parts of a context that a look needs. */
const contextOf = (state: State, nowMs: number): Context => ({ state, now: () => nowMs, log: () => undefined }) as unknown as Context;
const afterMs = 6 * 60_000;

it('measures of each hour what its log says, and no more if a record is there twice', async () => {
  const { state, surface, stateDir } = await open();
  const reward = { weights: { purchase: 2, impression: 0.1 }, attributionMs: 700, capPerUnit: 1 };
  const { slates, events } = await logTraffic({
    stateDir,
    surface,
    fromMs: begin,
    toMs: begin + 3 * hourMs,
    slatesAnHour: 200,
    seed,
    broken: { silent: 'ios' },
  });
  const wanted = new Set([
    'slates',
    'events',
    'heard',
    'fallback',
    'p99',
    'reward',
    'catalog-coverage',
    'user-coverage',
    'concentration',
    'freshness',
  ] as const);
  const span = { surface, reward, wanted, from: begin / hourMs - 2, to: begin / hourMs + 3, begun: false };
  const measured = await measureHours(state, span);
  // Before the first record nothing is known.
  expect(measured.map(({ atMs }) => atMs)).toEqual([0, 1, 2].map((hour) => begin + hour * hourMs));
  const at = (hour: number, signal: string, part = ''): Measure | undefined =>
    measured[hour]?.measures.find((one) => one.signal === signal && one.part === part);
  for (let hour = 0; hour < 3; hour += 1) {
    const own = slates.filter(({ atMs }) => Math.floor(atMs / hourMs) === begin / hourMs + hour);
    expect(at(hour, 'slates')?.total).toBe(own.length);
    expect(at(hour, 'fallback', 'popularity')).toMatchObject({ total: own.filter(({ rung }) => rung === 'popularity').length, of: own.length });
    expect(at(hour, 'user-coverage')?.total).toBe(own.filter(({ rung, history }) => rung === 'model' && history.length > 0).length);
    expect(at(hour, 'catalog-coverage')?.total).toBe(new Set(own.flatMap(({ items }) => items)).size);
    const times = own.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
    expect(at(hour, 'p99')?.total).toBe(times[Math.ceil(0.99 * times.length) - 1]);
    expect(at(hour, 'heard', 'ios')?.total).toBe(0);
    expect(at(hour, 'heard', 'web')?.total).toBe(
      new Set(events.map((event) => (event as Event).requestId).filter((id) => own.some((one) => one.requestId === id))).size,
    );
    const { bySlate } = attributeReward({ slates: own, events: events as Event[], reward });
    for (const segment of ['new', 'known']) {
      const theirs = own.filter((one) => one.segment === segment);
      const sum = theirs.reduce((total, { requestId }) => total + (bySlate.get(requestId)?.reduce((a, b) => a + b, 0) ?? 0), 0);
      expect(at(hour, 'reward', segment)?.total).toBeCloseTo(sum, 9);
      expect(at(hour, 'reward', segment)?.of).toBe(theirs.length);
    }
  }
  for (const stream of ['events', 'slates'] as const) {
    const folder = join(stateDir, 'log', surface, stream);
    const [segment = ''] = (await readdir(folder)).filter((name) => name.endsWith('.jsonl'));
    await copyFile(join(folder, segment), join(folder, segment.replace('.jsonl', '.jsonl.open').replace('one-', 'two-')));
    const records: unknown[] = [];
    await state.logReader(surface, stream).scan({ take: (record) => void records.push(record), onDamaged: () => undefined });
    expect(records).toHaveLength(2 * (stream === 'slates' ? slates : events).length);
  }
  expect(await measureHours(state, span)).toEqual(measured);
});

it('an outage in which nothing at all is logged is seen', { timeout: 90_000 }, async () => {
  const { state, surface, stateDir } = await open({ watch: { signals: ['slates'], weeks: 4 } });
  await logTraffic({ stateDir, surface, fromMs: begin - 5 * weekMs, toMs: begin, slatesAnHour: 25, seed });
  expect(await watchSurface(contextOf(state, begin + afterMs), { surface, look: 'first' })).toMatchObject({ opened: [] });
  for (const hours of [1, 2, 3, 4, 5, 6]) await watchSurface(contextOf(state, begin + hours * hourMs + afterMs), { surface, look: `look ${hours}` });
  expect(await readAlerts(state.generations, surface)).toMatchObject([{ signal: 'slates', direction: 'down', state: 'open', value: 0 }]);
  // Whatever is looked at at once is judged as hour by hour.
  expect((await latestWatch(state.generations, surface))?.hours).toMatchObject([{ atMs: begin + 5 * hourMs, measures: [{ total: 0 }] }]);
});

it('says that there is not enough history in the first weeks, and alarms of nothing', async () => {
  const { state, surface, stateDir } = await open();
  await logTraffic({ stateDir, surface, fromMs: begin - weekMs, toMs: begin - 5 * hourMs, slatesAnHour: 30, seed });
  const looked = await lookAtSurface(state, { surface, look: 'first', atMs: begin + afterMs });
  expect(looked?.state.opened).toEqual([]);
  expect(looked?.fits?.fits.map(({ signal }) => signal)).toEqual([]);
  expect(looked?.fits?.unjudged.find(({ signal }) => signal === 'slates')?.why).toContain('not enough history');
});

it('a surface without traffic has no hours, and no alert', async () => {
  const { state, surface } = await open();
  const looked = await lookAtSurface(state, { surface, look: 'first', atMs: begin + afterMs });
  expect(looked?.state).toMatchObject({ hours: [], opened: [], closed: [], measuredToMs: begin });
  expect(await lookAtSurface(state, { surface, look: 'unknown', atMs: begin - 400 * weekMs })).toMatchObject({ state: { hours: [] } });
  await expect(lookAtSurface(state, { surface: 'nowhere', look: 'first', atMs: begin })).rejects.toMatchObject({ code: 'UND-UNKNOWN-SURFACE' });
});

it('a client that is not heard of any more is named, with a picture and a sentence', { timeout: 90_000 }, async () => {
  const { state, surface, stateDir } = await open({ watch: { signals: ['heard'], weeks: 4 } });
  await logTraffic({ stateDir, surface, fromMs: begin - 5 * weekMs, toMs: begin - 8 * hourMs, slatesAnHour: 25, seed });
  await logTraffic({ stateDir, surface, fromMs: begin - 8 * hourMs, toMs: begin, slatesAnHour: 25, seed: seed + 1, broken: { silent: 'ios' } });
  const look = await watchSurface(contextOf(state, begin + afterMs), { surface, look: 'first' });
  expect(look.opened).toHaveLength(1);
  const [alert] = await readAlerts(state.generations, surface);
  expect(alert).toMatchObject({ signal: 'heard', part: 'ios', direction: 'down', state: 'open', value: 0 });
  expect(Math.abs((alert?.sinceMs ?? 0) - (begin - 8 * hourMs))).toBeLessThanOrEqual(4 * hourMs);
  expect(alert?.says).toMatch(/slates of which an event came, client ios: 0\.00 %, expected [6-9]\d\.\d %/);
  expect(alert?.picture).toHaveLength(72);
  expect(alert?.suspect?.what ?? null).toBeNull();
});

it('whoever dies between two writes of a look is made up for by the next try, and nothing is opened twice', { timeout: 90_000 }, async () => {
  const { state, surface, stateDir } = await open({ watch: { signals: ['fallback'], weeks: 4 } });
  await logTraffic({ stateDir, surface, fromMs: begin - 5 * weekMs, toMs: begin - 6 * hourMs, slatesAnHour: 25, seed });
  await logTraffic({ stateDir, surface, fromMs: begin - 6 * hourMs, toMs: begin, slatesAnHour: 25, seed: seed + 1, broken: { fallbackShare: 0.8 } });
  for (let writes = 1; ; writes += 1) {
    let left = writes;
    const dying: State = {
      ...state,
      generations: {
        ...state.generations,
        create: async (...written) => {
          left -= 1;
          if (left < 0) throw new UnderstudyError('UND-STATE', 'killed');
          await state.generations.create(...written);
        },
      },
    };
    const died = await watchSurface(contextOf(dying, begin + afterMs), { surface, look: 'first' }).then(
      () => false,
      () => true,
    );
    if (!died) break;
    expect(writes).toBeLessThan(20);
  }
  const look = await watchSurface(contextOf(state, begin + afterMs), { surface, look: 'first' });
  expect(look.opened).toHaveLength(1);
  expect(await watchSurface(contextOf(state, begin + afterMs), { surface, look: 'second' })).toMatchObject({ opened: [] });
  expect(await latestWatch(state.generations, surface)).toMatchObject({ generation: 1 });
  expect(await readAlerts(state.generations, surface)).toHaveLength(1);
  expect((await readLedger(state.generations, surface)).map(({ action }) => action).filter((action) => action.startsWith('alert'))).toEqual(['alert-opened']);
});
