import { expect, it, onTestFinished, vi } from 'vitest';
import { diagnose } from '../../experiments/root-cause/diagnose.ts';
import { drawFacts } from '../../experiments/root-cause/simulate-facts.ts';
import { drawWorld } from '../../experiments/root-cause/simulated-world.ts';
import type { DriftReport } from '../../models/contracts/drift.ts';
import { readAlerts } from '../../stores/alerts.ts';
import { latestDeployment } from '../../stores/deployments.ts';
import { drift as auditSection } from '../audit/sections/drift.ts';
import type { Context } from '../context.ts';
import { catalogReader } from '../root-cause/surface-history.ts';
import { lookAtModel } from '../root-cause/look-at-model.ts';
import { watchSurface } from '../watch/record-look.ts';
import { logTraffic } from '../watch/testing.ts';
import { keepRetrainings } from './keep-retrainings.ts';
import { newestDrift } from './measure-drift.ts';
import { openDrift } from './testing.ts';

/* Audit, root cause and watch, by real measurements of one surface that moved. */
vi.setConfig({ testTimeout: 180_000 });
const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const hourMs = 3_600_000;
const quiet = { signal: new AbortController().signal, beat: () => undefined };

it('an audit has retrainings made, says what moved and what it cost, and keeps it; root cause and watch read that', async () => {
  const world = await openDrift({ seed, moves: true });
  onTestFinished(() => world.close());
  const { context, state, charter, dataState, older, newer, serve } = world;
  expect(await keepRetrainings(context, { surface: 'home' }, quiet)).toMatchObject({ retrainings: 0, why: 'no other model has been champion' });
  await serve(newer, older);
  expect(await keepRetrainings(context, { surface: 'home' }, quiet)).toEqual({ retrainings: 3, why: null });

  const input = {
    context,
    keys: null,
    surface: 'home',
    charter,
    data: dataState,
    sinceMs: null,
    workDir: state.root,
    signal: quiet.signal,
    measuredFeedback: () => Promise.reject(new Error('not in this test')),
  };
  const tried = await auditSection.examine({ ...input, writes: false });
  expect(await newestDrift(state, 'home')).toBeUndefined();
  const { items, pictures } = await auditSection.examine({ ...input, writes: true });
  expect(items).toEqual(tried.items);
  const report = (await newestDrift(state, 'home')) as DriftReport;
  expect(report).toMatchObject({ generation: 1, models: { retrainings: 3, from: { artifact: older }, to: { artifact: newer } } });
  for (const { what, moved } of report.answers) expect(items.find(({ id }) => id === `drift/${what}`)?.status).toBe(moved ? 'weakened' : 'holds');
  expect(items.find(({ id }) => id === 'drift/label-rate')).toMatchObject({ status: 'weakened', unit: 'p' });
  expect(items.find(({ id }) => id === 'drift/cost')?.status).toMatch(/^(broken|weakened|holds)$/);
  expect(pictures).toHaveLength(1);

  const nowMs = context.now();
  const deployments = [await latestDeployment(state.generations, 'home')].filter((one) => one !== undefined);
  const look = (atMs: number) =>
    lookAtModel({
      ...{ context, surface: 'home', charter, deployments, data: [dataState] },
      ...{ slates: [], readCatalog: catalogReader(state), atMs, beat: () => undefined },
    });
  const late = await look(nowMs + 46 * 24 * hourMs);
  expect(late.model?.drift).toEqual([]);
  expect(late.missing.join()).toContain('drift: nothing was measured in the last six weeks');
  const facts = await look(nowMs);
  expect(facts.missing.filter((one) => one.startsWith('drift'))).toEqual([]);
  // That less is rewarded is what a cause is looked for of.
  expect(facts.model?.drift.map(({ what }) => what).sort()).toEqual(
    report.answers
      .map(({ what }) => what as string)
      .filter((what) => what !== 'label-rate')
      .sort(),
  );
  const still = drawFacts(drawWorld(1));
  if (still.model === null) throw new Error('there is a champion');
  const { suspects, mend } = diagnose({ ...still, model: { ...still.model, drift: facts.model?.drift ?? [] } });
  expect(suspects[0]).toMatchObject({ cause: 'drift', layer: 'model' });
  expect(suspects[0]?.evidence.map(({ says }) => says).join()).toMatch(
    /features moved by more than chance, or retraining, moves them \(p 0\.00\d+\): most of all /,
  );
  expect(mend).toMatchObject({ action: 'rebuild-window' });

  await logTraffic({ stateDir: state.root, surface: 'home', fromMs: nowMs - 3 * hourMs, toMs: nowMs + 30 * hourMs, slatesAnHour: 10, seed });
  await watchSurface(at(context, nowMs + 31 * hourMs), { surface: 'home', look: 'one' });
  const alerts = await readAlerts(state.generations, 'home');
  expect(alerts.find(({ part }) => part === 'days')).toMatchObject({
    signal: 'drift',
    state: 'open',
    says: expect.stringContaining('what moved beyond chance, of days'),
  });
  const isOwn = items.find(({ id }) => id === 'drift/cost')?.status === 'broken';
  expect(alerts.some(({ part }) => part === 'models')).toBe(isOwn);

  // Of a later measurement, by which nothing moved any more.
  const answers = report.answers.map((one) => ({ ...one, p: 0.5, adjusted: 1, moved: false }));
  await state.generations.create('drift/home', 2, { ...report, generation: 2, answers, atMs: nowMs + 31 * hourMs });
  await logTraffic({ stateDir: state.root, surface: 'home', fromMs: nowMs + 30 * hourMs, toMs: nowMs + 50 * hourMs, slatesAnHour: 10, seed: seed + 1 });
  await watchSurface(at(context, nowMs + 51 * hourMs), { surface: 'home', look: 'two' });
  expect((await readAlerts(state.generations, 'home')).filter(({ state: own }) => own === 'open')).toEqual([]);
});

const at = (context: Context, nowMs: number): Context => ({ ...context, now: () => nowMs });
