import { expect, it, onTestFinished, vi } from 'vitest';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import { checkCandidates } from '../../models/algorithms/registry.ts';
import { artifactManifest } from '../../models/contracts/artifact.ts';
import { type Charter, charter as charterSchema, type CharterInput } from '../../models/contracts/charter.ts';
import { tuning } from '../../models/contracts/tuning.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import type { PreparedRetrain } from '../api.ts';
import { quietBeat } from '../events/testing.ts';
import { openEvidence } from '../evidence/testing.ts';
import { readRecipe, trainCandidate } from './train-candidate.ts';
import { addDays } from '../windows/days.ts';
import { freezeRecipe, prepareRetrain } from '../windows/prepare-retrain.ts';
import { chooseParams, tuningFile } from './tune.ts';

vi.setConfig({ testTimeout: 120_000 });

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 5);
const dayMs = 86_400_000;
const days = 30;
const tune = { lambda: [100_000, 0.01] };
const window = { trainDays: 24, gapDays: 1, testDays: 3, validationDays: 4 };
const happenings = happeningsOf(drawPurchases({ users: 150, items: 80, tastes: 8, faith: 0.9, perUser: 24, days, zipf: 0.3, fresh: 0, seed }), startMs);

/** By so much of it nothing is learned. */
async function open() {
  const candidates = [{ name: 'ials', algorithm: 'ials', params: { factors: 8, sweeps: 6 }, tune }];
  const evidence = await openEvidence({ happenings, charter: { window, candidates, bootstrap: 'ials' }, nowMs: startMs + (days + 1) * dayMs });
  onTestFinished(() => evidence.close());
  const { context, dataState, charter } = evidence;
  await context.state.generations.create('data/home', 1, { ...dataState, generation: 1 });
  const charterDigest = await putDocument(context.state.blobs, charter);
  const [work] = await prepareRetrain(context, { surface: 'home', charter: charterDigest, candidates: null, guest: null }, quietBeat);
  const recipe = await readRecipe(context, work?.recipe ?? '');
  const input = {
    blobs: context.state.blobs,
    window: evidence.window,
    charter: charter as Charter,
    recipe,
    resumeDetails: undefined,
    beat: () => undefined,
    now: Date.now,
  };
  return { ...evidence, work: work as PreparedRetrain, input };
}

it('the values that are best on the validation part are trained on the whole train part, and the artifact says what was tried', async () => {
  const { context, work, input, train, measure, window: cut, charter, dataState } = await open();
  const { state } = context;
  const manifest = await getDocument(state.blobs, (await trainCandidate(context, work, quietBeat)).artifact, artifactManifest);
  expect(manifest).toMatchObject({ params: { factors: 8, sweeps: 6, lambda: 0.01 }, window: work.window });
  const tuned = await getDocument(state.blobs, manifest.files[tuningFile] ?? '', tuning);
  expect(tuned).toMatchObject({ metric: 'ndcg@10', chosen: 1, trials: [{ params: { lambda: 100_000 } }, { params: { lambda: 0.01 } }] });
  // Train, gap, validation; behind them the gap and the test part, of which nothing was known.
  expect(tuned.validation).toEqual({ from: addDays(cut.train.to, -3), to: cut.train.to });
  expect(tuned.train).toEqual({ from: cut.train.from, to: addDays(tuned.validation.from, -2) });
  expect(addDays(tuned.validation.to, 2)).toBe(cut.test.from);
  expect((await chooseParams({ ...input, window: { ...cut, testSlices: [], earlier: undefined } }))?.tuning).toEqual(tuned);

  // Each figure is that of a run of these values that is reported on the same days.
  const { validation } = cut;
  const then = { ...cut, ...validation } as WindowManifest;
  for (const { params, value, low, high } of tuned.trials) {
    const { users, metrics } = await measure(await train('ials', { factors: 8, sweeps: 6, ...params }, then), null, { window: then, seed: charter.seed });
    expect({ users, ...metrics['ndcg@10'] }).toMatchObject({ users: tuned.users, value, low, high });
  }
  expect(dataState.slices.at(-1)?.day).toBe(cut.test.to);
});

it('goes on behind the trials of an attempt that was cut off, to the same choice', async () => {
  const { input } = await open();
  const whole = await chooseParams(input);
  let said: unknown;
  const cutOff = (details?: unknown) => {
    if (details === undefined) return;
    said = details;
    throw new Error('the worker died');
  };
  await expect(chooseParams({ ...input, beat: cutOff })).rejects.toThrow('the worker died');
  const { params, measured } = whole?.measurements[0] ?? {};
  expect(said).toMatchObject({ measurements: [{ trial: 0, params, measured }] });
  const told: unknown[] = [];
  const beat = (details?: unknown) => void (details === undefined || told.push(details));
  expect((await chooseParams({ ...input, resumeDetails: said, beat }))?.tuning).toEqual(whole?.tuning);
  expect(told).toHaveLength(1);
  // Of another grid it was not.
  const other = { measurements: [{ ...whole?.measurements[0], params: { lambda: 3 } }] };
  expect((await chooseParams({ ...input, resumeDetails: other, beat }))?.tuning).toEqual(whole?.tuning);
  expect(told).toHaveLength(3);
});

it('is another recipe where trials would be judged by another scope', async () => {
  const { context, charter, input } = await open();
  const [candidate] = charter.candidates;
  if (candidate === undefined) throw new Error('no candidate');
  const other = { ...charter, scope: { ...charter.scope, excludeItems: ['i0', 'i1'] } } as Charter;
  const recipe = await freezeRecipe(context, other, candidate);
  expect(recipe).not.toEqual(input.recipe);
  // And the recipe alone says how: a charter that has changed since changes no trial.
  const mine = (await chooseParams(input))?.tuning;
  expect((await chooseParams({ ...input, charter: other }))?.tuning).toEqual(mine);
  expect((await chooseParams({ ...input, recipe }))?.tuning).not.toEqual(mine);
});

it('says what is wrong before anything is trained', async () => {
  const { context, charter, input, window: cut } = await open();
  const candidate = { name: 'ials', algorithm: 'ials', params: {}, tune: { factors: [8, -1] } };
  await expect(freezeRecipe(context, charter as Charter, candidate)).rejects.toMatchObject({ code: 'UND-INPUT', message: expect.stringContaining('factors') });
  const validation = { ...cut.validation, testSlices: [] } as WindowManifest['validation'];
  await expect(chooseParams({ ...input, window: { ...cut, validation } })).rejects.toMatchObject({ code: 'UND-NO-DATA' });

  const mistakes = (change: Partial<CharterInput>) => charterSchema.safeParse({ ...charter, ...change }).error?.issues.map(({ path }) => path.join('.')) ?? [];
  expect(mistakes({})).toEqual([]);
  expect(mistakes({ window: { ...window, validationDays: 23 } })).toEqual(['window.validationDays']);
  const { validationDays: _, ...without } = window;
  expect(mistakes({ window: without })).toEqual(['candidates.0.tune']);
  expect(mistakes({ candidates: [{ name: 'ials', algorithm: 'guest', tune }] })).toEqual(['candidates.0.tune']);
  // What would not be trained, and what no algorithm takes.
  expect(mistakes({ candidates: [{ name: 'ials', algorithm: 'ials', tune, warmStart: { lambda: 1 } }] })).toEqual(['candidates.0.tune']);
  expect(checkCandidates({ candidates: [{ name: 'ials', algorithm: 'ials', tune: { lambda: [0.1, -1], lambbda: ['x'] } }] }).map(({ path }) => path)).toEqual([
    '/candidates/0/tune/lambbda',
    '/candidates/0/tune/lambda',
  ]);
  const over = { name: 'alike', algorithm: 'embedding-knn', embeddings: { of: 'ials' }, tune: { decay: [0.9, 1] } };
  expect(mistakes({ candidates: [{ name: 'ials', algorithm: 'ials' }, over] })).toEqual(['candidates.1.tune']);
  expect(
    mistakes({
      bootstrap: 'alike',
      candidates: [
        { name: 'ials', algorithm: 'ials' },
        { ...over, tune: undefined },
      ],
    }),
  ).toEqual(['bootstrap']);
  expect(mistakes({ candidates: [{ name: 'ials', algorithm: 'ials', tune: { factors: [...Array(20).keys()], sweeps: [1, 2, 3, 4] } }] })).toEqual([
    'candidates.0.tune',
  ]);
});
