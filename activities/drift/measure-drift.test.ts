import { expect, it, onTestFinished, vi } from 'vitest';
import type { DriftQuestion, DriftReport } from '../../models/contracts/drift.ts';
import { createRandom } from '../../models/random.ts';
import { compareModels } from './compare-models.ts';
import { newestPeriods } from './choose-periods.ts';
import { type DriftInput, measureDrift, newestDrift, recordDrift } from './measure-drift.ts';
import { originOf, retrainedVectors } from './retrained-vectors.ts';
import { openDrift } from './testing.ts';

/* A few small trainings each. */
vi.setConfig({ testTimeout: 120_000 });
const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;

async function open(how: Parameters<typeof openDrift>[0]) {
  const world = await openDrift(how);
  onTestFinished(() => world.close());
  const { state, charter, dataState, older, newer } = world;
  const notes: string[] = [];
  const input: DriftInput = {
    ...{ surface: 'home', charter, data: dataState, models: { from: older, to: newer }, periods: newestPeriods(dataState, 2) },
    ...{ retrain: 3, seed: 1, now: () => 5, onStep: (note) => void notes.push(note) },
  };
  return { ...world, input, notes, measure: (change: Partial<DriftInput> = {}) => measureDrift(state, { ...input, ...change }) };
}
type Draft = Omit<DriftReport, 'generation'>;
const answer = ({ answers }: Draft, what: DriftQuestion) => answers.find((one) => one.what === what);

it('what moved in a shop is found, where, and what it cost', async () => {
  const { measure, notes, input, state, older, newer } = await open({ seed, moves: true });
  const report = await measure();
  expect(report.models).toMatchObject({ retrainings: 3, items: 60, from: { candidate: 'ials', artifact: older }, to: { artifact: newer } });
  expect(['item-vectors', 'neighbours'].map((what) => answer(report, what as DriftQuestion)?.moved)).toContain(true);
  for (const what of ['features', 'features-together', 'features-told-apart', 'label-rate'] as const)
    expect(answer(report, what), what).toMatchObject({ moved: true });
  expect(answer(report, 'label-rate')?.says).toMatch(/^2\d\.\d % of events were rewarded \(\d+\.\d % to \d+\.\d % from day to day\), and 1\d\.\d % are \(/);
  // Hats changed places: they are what moved most, and more of the list than their quarter.
  expect(report.segments[0]?.segment).toBe('hats');
  expect(report.segments[0]?.share).toBeGreaterThan(0.32);
  expect(report.items.filter(({ itemId }) => itemId.startsWith('hats')).length).toBeGreaterThan(6);
  expect(report.segments.find(({ segment }) => segment === 'games')?.reward?.high).toBeLessThan(0);
  expect(report.cost.all?.high).toBeLessThan(0);
  expect(report.models?.answersChanged).toBeGreaterThan(0.1);
  expect(report.columns.map(({ name }) => name)).toEqual(expect.arrayContaining(['popularity', 'share of hats']));
  // The newer one was trained on some of these days and not on others: the older is asked, of days that it was not trained on.
  expect(report.notMeasured).toEqual([]);
  expect(answer(report, 'scores')?.says).toMatch(/; users of 2026-02-02 to 2026-02-08 and of 2026-02-09 to 2026-02-15$/);
  expect(answer(report, 'user-vectors')?.units.every((users) => users > 50)).toBe(true);

  // The same again trains nothing, and says the same.
  expect(notes.filter((note) => note.startsWith('retraining'))).toHaveLength(3);
  notes.length = 0;
  expect(await measure({ retrain: 0 })).toEqual(report);
  expect(notes.filter((note) => note.startsWith('retraining'))).toEqual([]);
  const kept = await recordDrift(state, input);
  expect(kept).toEqual({ ...report, generation: 1 });
  expect(await newestDrift(state, 'home')).toEqual(kept);
  // What is kept of it names nobody.
  expect(JSON.stringify(kept)).not.toMatch(/"u:|u\d+"/);
});

it('where nothing happened, nothing moved; nor does another seed move a model', async () => {
  // One surface that is always the same: of drawn ones, 5 in 100 would move.
  const { measure, state, charter, older } = await open({ seed: 11, moves: false });
  const calm = await measure({ models: null });
  expect(calm.answers.map(({ what }) => what)).toEqual(['features', 'features-together', 'features-told-apart', 'label-rate']);
  expect(calm.answers.filter(({ moved }) => moved)).toEqual([]);
  expect(calm.notMeasured.find(({ what }) => what === 'item-vectors')?.why).toContain('no model has served before');
  expect(calm).toMatchObject({ models: null, items: [], segments: [] });
  const same = await measure({ models: { from: older, to: older }, periods: null });
  expect(same.answers.filter(({ moved }) => moved)).toEqual([]);
  expect(same.notMeasured.filter(({ why }) => why === 'there are too few days of data')).toHaveLength(6);

  const asked = { origin: await originOf(state, older), charter, count: 4, onlyKept: false, onTraining: () => undefined };
  const trained = await retrainedVectors(state, asked);
  const [from, to] = [trained[0], trained[3]];
  if (from === undefined || to === undefined) throw new Error('four were asked for');
  const between = compareModels({ from, to, retrainings: trained.slice(1, 3), isTurned: true, random: createRandom(seed) });
  expect(between.asked.map(({ what, p }) => ({ what, isMoved: p < 0.025 }))).toEqual([
    { what: 'item-vectors', isMoved: false },
    { what: 'neighbours', isMoved: false },
  ]);
  // Not the same to the bit: seeds count.
  expect(between.moved.some(({ beyond }) => beyond > 0)).toBe(true);
});

it('without retrainings it says what is missing; days that cannot be compared are refused', async () => {
  const { measure, dataState, input } = await open({ seed, moves: true, users: 60 });
  const report = await measure({ retrain: 0 });
  expect(report.notMeasured.filter(({ why }) => why.includes('--retrain 2')).map(({ what }) => what)).toEqual(['item-vectors', 'neighbours']);
  // Which items moved most can be said all the same.
  expect(report.items).toHaveLength(20);
  const { from, to } = input.periods ?? { from: { from: '', to: '' }, to: { from: '', to: '' } };
  await expect(measure({ periods: { from, to: { from: to.from, to: to.from } } })).rejects.toMatchObject({ code: 'UND-INPUT' });
  await expect(measure({ periods: { from: to, to: from } })).rejects.toMatchObject({ code: 'UND-INPUT' });
  expect(newestPeriods(dataState, 4)).toBeNull();
  expect(newestPeriods({ ...dataState, slices: [] }, 1)).toBeNull();
});

it('models without item vectors are compared by their answers, and score days that they were not trained on', async () => {
  const { measure, older } = await open({ seed, moves: true, algorithm: 'popularity' });
  // Both stretches of days after the older one's training.
  const periods = { from: { from: '2026-02-02', to: '2026-02-08' }, to: { from: '2026-02-09', to: '2026-02-15' } };
  const report = await measure({ periods, models: { from: older, to: older } });
  expect(answer(report, 'scores')).toMatchObject({ units: [expect.any(Number), expect.any(Number)] });
  expect(report.notMeasured.find(({ what }) => what === 'user-vectors')?.why).toContain('no product of vectors');
  expect(report.models).toMatchObject({ answersChanged: 0, items: 0, retrainings: 0 });
  expect(report.notMeasured.find(({ what }) => what === 'neighbours')?.why).toContain('compared by its answers alone');
});
