import fc from 'fast-check';
import { expect, it, onTestFinished, vi } from 'vitest';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import { checkCandidates } from '../../models/algorithms/registry.ts';
import { type Charter, charter as charterSchema, type CharterInput } from '../../models/contracts/charter.ts';
import { trialLog, tuning } from '../../models/contracts/tuning.ts';
import { createRandom } from '../../models/random.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import type { PreparedRetrain } from '../api.ts';
import { quietBeat, testCharter } from '../events/testing.ts';
import { openEvidence } from '../evidence/testing.ts';
import { kindIndex } from '../windows/read-events.ts';
import { prepareRetrain } from '../windows/prepare-retrain.ts';
import { toInteractions } from '../windows/read-window.ts';
import { readRecipe, trainCandidate } from './train-candidate.ts';
import { chooseParams } from './tune.ts';
import { decideTrials, runTrial } from './tune-activities.ts';
import { ofUsers } from './tune-trial.ts';

vi.setConfig({ testTimeout: 120_000 });

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 5);
const dayMs = 86_400_000;
const days = 30;
const window = { trainDays: 24, gapDays: 1, testDays: 3, validationDays: 4 };
const happenings = happeningsOf(drawPurchases({ users: 150, items: 80, tastes: 8, faith: 0.9, perUser: 24, days, zipf: 0.3, fresh: 0, seed }), startMs);
const searched = {
  name: 'ials',
  algorithm: 'ials',
  params: { sweeps: 4 },
  tune: { lambda: { min: 1e-4, max: 1e5, scale: 'log' as const }, factors: { min: 4, max: 16, integer: true } },
  search: { trials: 8, halving: { eta: 2, minShare: 0.2 } },
};

async function open(candidate: CharterInput['candidates'][number]) {
  const charter = { window, candidates: [candidate], bootstrap: candidate.name };
  const evidence = await openEvidence({ happenings, charter, nowMs: startMs + (days + 1) * dayMs });
  onTestFinished(() => evidence.close());
  const { context, dataState } = evidence;
  const { blobs, generations } = context.state;
  await generations.create('data/home', 1, { ...dataState, generation: 1 });
  const request = { surface: 'home', charter: await putDocument(blobs, evidence.charter), candidates: null, guest: null };
  const [work] = await prepareRetrain(context, request, quietBeat);
  return { ...evidence, blobs, work: work as PreparedRetrain };
}

it('as many workers as you like, in any order: the same trials on growing shares of the users, and the same choice as in one process', async () => {
  const { context, blobs, work, charter, window: cut } = await open(searched);
  expect(work.tuned).toBe(true);
  const random = createRandom(seed);
  const ran: string[] = [];
  let step = await decideTrials(context, { retrain: work, log: null, results: [] });
  while (step.kind === 'trials') {
    const { rung, due, log } = step;
    // What a worker took last may be done first; and one rung's results may come in two parts, as where one is tried again.
    const order = [...due].sort(() => random.float() - 0.5);
    const results: string[] = [];
    for (const trial of order) results.push(await runTrial(context, { retrain: work, rung, trial }, quietBeat));
    ran.push(...order.map((trial) => `${rung}/${trial}`));
    const half = Math.ceil(results.length / 2);
    const first = await decideTrials(context, { retrain: work, log, results: results.slice(0, half) });
    step = results.length === half ? first : await decideTrials(context, { retrain: work, log: first.log, results: results.slice(half) });
  }
  expect(ran).toHaveLength(8 + 4 + 2);
  const recipe = await readRecipe(context, work.recipe);
  const alone = await chooseParams({ blobs, window: cut, charter: charter as Charter, recipe, resumeDetails: undefined, beat: () => undefined, now: Date.now });
  expect(await putDocument(blobs, alone?.tuning)).toBe(step.tuning);

  const chosen = await getDocument(blobs, step.tuning, tuning);
  const users = chosen.rungs?.map(({ trainUsers }) => trainUsers) as number[];
  expect(chosen.rungs?.map(({ share, trials }) => ({ share, trials }))).toEqual([
    { share: 0.25, trials: 8 },
    { share: 0.5, trials: 4 },
    { share: 1, trials: 2 },
  ]);
  expect(users[0]).toBe(Math.round((users[2] as number) / 4));
  expect(chosen.trials.filter(({ rung }) => rung === 2)).toHaveLength(2);
  const last = chosen.trials.filter(({ rung }) => rung === 2).map(({ value }) => value);
  expect(chosen.trials[chosen.chosen]).toMatchObject({ rung: 2, value: Math.max(...last) });
  const { measurements } = await getDocument(blobs, step.log, trialLog);
  expect(measurements).toHaveLength(14);
  // Nobody is asked for on one rung and not on another.
  expect(new Set(measurements.map((one) => one.users))).toEqual(new Set([chosen.users]));

  // With the choice, training is that of a run that chose by itself.
  const given = await trainCandidate(context, { ...work, tuning: step.tuning }, quietBeat);
  expect(given.artifact).toBe((await trainCandidate(context, work, quietBeat)).artifact);
});

it('goes on without what cannot be trained, and says why', async () => {
  // The learning rate is beyond all reason.
  const candidate = { name: 'sasrec', algorithm: 'sasrec', params: { dimensions: 8, epochs: 1, blocks: 1, heads: 1 }, tune: { learningRate: [1e6, 1e-3] } };
  const { blobs, context, work, charter, window: cut } = await open(candidate);
  const recipe = await readRecipe(context, work.recipe);
  const found = await chooseParams({ blobs, window: cut, charter, recipe, resumeDetails: undefined, beat: () => undefined, now: Date.now });
  expect(found?.tuning).toMatchObject({ chosen: 1, trials: [{ value: 0, failed: expect.stringContaining('diverged') }, { params: { learningRate: 1e-3 } }] });
  const none = { ...recipe, tune: { ...recipe.tune, grid: { learningRate: [1e6, 9e5] } } } as typeof recipe;
  await expect(
    chooseParams({ blobs, window: cut, charter, recipe: none, resumeDetails: undefined, beat: () => undefined, now: Date.now }),
  ).rejects.toMatchObject({ code: 'UND-TRAINING-DIVERGED', message: expect.stringMatching(/^None of 2 trials could be trained; the first: .*diverged/) });
});

it('some users are a train part of their own: their rows, and the items in them', () => {
  const row = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.array(fc.tuple(row, fc.boolean()), { minLength: 1, maxLength: 12 }), (all) => {
      const rows = all.some(([, taken]) => taken) ? all : all.map(([items]): [number[], boolean] => [items, true]);
      const table = (part: readonly (readonly [number[], boolean])[]) => {
        const flat = part.flatMap(([items], unit) => items.map((item) => ({ unit, item })));
        const names = [...new Set(flat.map(({ item }) => item))].sort();
        return toInteractions({
          charter: { confidence: { purchase: 2 } },
          vocabularyMinEvents: 1,
          events: {
            rows: flat.length,
            units: part.map((_, unit) => `u:${unit}`),
            items: names.map((item) => `i${item}`),
            unit: Uint32Array.from(flat, ({ unit }) => unit),
            item: Uint32Array.from(flat, ({ item }) => names.indexOf(item)),
            kind: new Uint8Array(flat.length).fill(kindIndex('purchase')),
            atMs: Float64Array.from(flat, (_, place) => place),
            quantity: new Float64Array(flat.length).fill(1),
          },
        });
      };
      const whole = table(rows);
      const { interactions, vocabulary } = ofUsers(
        whole,
        Uint8Array.from(rows, ([, taken]) => (taken ? 1 : 0)),
      );
      const alone = table(rows.filter(([, taken]) => taken));
      expect(vocabulary).toEqual(alone.vocabulary);
      expect({ ...interactions, atMs: null }).toEqual({ ...alone.interactions, atMs: null });
      expect(interactions.atMs).toHaveLength(interactions.items.length);
      // What the catalog describes stays, whoever had it.
      const attributes = { indptr: new Uint32Array(whole.vocabulary.length + 1), attributes: new Uint32Array(), fields: [], fieldOf: new Uint8Array() };
      const described = ofUsers(
        { ...whole, attributes },
        Uint8Array.from(rows, ([, taken]) => (taken ? 1 : 0)),
      );
      expect(described).toMatchObject({ vocabulary: whole.vocabulary, attributes, interactions: { itemCount: whole.vocabulary.length } });
      const ids = (part: typeof described) => Array.from(part.interactions.items, (item) => part.vocabulary[item]);
      expect(ids(described)).toEqual(ids(alone));
    }),
  );
});

it('spaces that cannot be searched are found when the charter comes in', () => {
  const mistakes = (change: Partial<typeof searched> | Record<string, unknown>) => {
    const input = { ...testCharter(), window, bootstrap: 'ials', candidates: [{ ...searched, ...change }] };
    const own = charterSchema.safeParse(input).error?.issues.map(({ path, message }) => `/${path.join('/')}: ${message}`) ?? [];
    return [...own, ...checkCandidates(input).map(({ path, message }) => `${path}: ${message}`)].map((one) => one.replace('/candidates/0', ''));
  };
  expect(mistakes({})).toEqual([]);
  expect(mistakes({ search: undefined })).toEqual(['/search/trials: lambda, factors: of a range it must be said how many trials are drawn']);
  expect(mistakes({ tune: undefined })).toEqual(['/search: there is nothing to search: it needs tune']);
  expect(mistakes({ search: { trials: 3, halving: { eta: 4 } } })).toEqual([expect.stringMatching(/^\/search\/halving: there is nothing to halve: 3 trials/)]);
  expect(mistakes({ tune: { lambda: { min: 1, max: 1 } } })).toEqual([expect.stringContaining('max must be above min')]);
  expect(mistakes({ tune: { lambda: { min: 0, max: 1, scale: 'log' } } })).toEqual([expect.stringContaining('a log scale begins above 0')]);
  expect(mistakes({ tune: { factors: { min: 4, max: 16 } } })).toEqual([expect.stringMatching(/^\/tune\/factors: .*int/)]);
  expect(mistakes({ tune: { factors: { min: 2, max: 16, integer: true } } })).toEqual([expect.stringContaining('/tune/factors')]);
  expect(mistakes({ tune: { lambda: 3 } })).toEqual([expect.stringContaining('a list of values, or a range')]);
  const wide = Object.fromEntries(['factors', 'sweeps', 'solverSteps', 'foldInSteps'].map((name) => [name, [4, 5, 6, 7]]));
  expect(mistakes({ tune: wide, search: { trials: 20 } })).toEqual([]);
  expect(mistakes({ tune: { ...wide, foldInSteps: [4, 5, 6, 7000] }, search: { trials: 20 } })).toEqual([expect.stringContaining('/tune/foldInSteps')]);
});
