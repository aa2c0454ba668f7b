import type { DecisionWorldSettings } from '../simulator/decision-world.ts';

/**
 * What a cell is expected to show: `supportable`, the log gives a verdict nearly always; `borderline`, sometimes, and it must hold when it does;
 * `unsupportable`, nearly never; `blind`, the log is wrong in a way that no column shows, so that nothing can be asked of the verdict.
 */
export type Mark = 'supportable' | 'borderline' | 'unsupportable' | 'blind';
export type DecisionCell = { id: string; what: string; mark: Mark; settings: DecisionWorldSettings };

const uniform = Number.POSITIVE_INFINITY;
const usual: DecisionWorldSettings = { rows: 5_000, rate: 0.05, temperature: uniform, distance: 0.4, lift: 0, modelError: 0.5 };
const cell =
  (mark: Mark) =>
  (id: string, what: string, over: Partial<DecisionWorldSettings>): DecisionCell => ({ id, what, mark, settings: { ...usual, ...over } });
const [supportable, borderline, unsupportable, blind] = [cell('supportable'), cell('borderline'), cell('unsupportable'), cell('blind')];

/** Around one world of 20 items with Zipf popularity, three segments and three slots; each cell says where it departs from it. */
export const decisionCells: readonly DecisionCell[] = [
  supportable('common-equal', 'uniform log, common rewards, equal values', { rows: 2_000, rate: 0.3 }),
  supportable('common-no-model', 'the same without a reward model', { rows: 2_000, rate: 0.3, modelError: null }),
  supportable('common-better', 'log of a policy with favourites, common rewards, target better by a tenth', {
    rows: 2_000,
    rate: 0.3,
    temperature: 1,
    lift: 0.1,
  }),
  supportable('common-near', 'log of a policy with favourites, target near it', { rows: 2_000, rate: 0.3, temperature: 1, distance: 0.1 }),
  supportable('few-items', 'five items, short log', { rows: 1_000, rate: 0.1, items: 5, distance: 0.2 }),
  supportable('usual-equal', 'uniform log, one reward in twenty rows, equal values', {}),
  supportable('usual-better', 'the same, target better by .3', { lift: 0.3 }),
  supportable('favourites-equal', 'log of a policy with favourites, equal values', { rows: 8_000, temperature: 1 }),
  supportable('favourites-worse', 'the same, target worse by .2', { rows: 8_000, temperature: 1, lift: -0.2 }),
  supportable('model-perfect', 'with the true reward model', { modelError: 0 }),
  supportable('model-bad', 'with a reward model that is wrong by a factor of 4 as often as not', { modelError: 1.5 }),
  supportable('model-same-log', 'with a reward model learnt from the log itself', { modelError: 'same-log' }),
  supportable('peaked-near', 'log of a peaked policy, target near it, common rewards', { rate: 0.3, temperature: 0.5, distance: 0.1 }),
  supportable('users-common', 'users of five rows each, a tenth of them keener', {
    rows: 7_000,
    rate: 0.15,
    rowsPerUser: 5,
    keen: { share: 0.1, factor: 1.5 },
  }),
  supportable('users-keen', 'users of five rows each, a tenth of them three times as keen', { rows: 16_000, rowsPerUser: 5, keen: { share: 0.1, factor: 3 } }),
  supportable('drift', 'what items are worth, and what the log shows, change in time', { rate: 0.1, drift: 0.5, temperature: 1 }),
  supportable('delay-ripe', 'rewards come late, rows that may still get one are left out', { rate: 0.1, delay: { mean: 0.05, window: 0.2, counted: 'ripe' } }),
  supportable('amounts', 'rewards of two amounts', {
    rows: 10_000,
    amounts: [
      { amount: 0.75, probability: 0.8 },
      { amount: 2, probability: 0.2 },
    ],
  }),
  supportable('many-items', '200 items', { rows: 10_000, rate: 0.3, items: 200, distance: 0.3 }),
  supportable('rare-equal', 'one reward in a hundred rows', { rows: 20_000, rate: 0.01 }),
  borderline('edge-usual', 'uniform log, too short for most', { rows: 2_600 }),
  borderline('edge-better', 'the same, target better by .4', { rows: 2_600, lift: 0.4 }),
  borderline('edge-users', 'users of five rows each, too few of them for most', { rows: 10_000, rowsPerUser: 5, keen: { share: 0.1, factor: 3 } }),
  unsupportable('short', 'a log of 500 rows', { rows: 500 }),
  unsupportable('rare', 'one reward in 200 rows, 34 items: as the Open Bandit log of men', { rows: 10_000, rate: 0.005, items: 34 }),
  unsupportable('amounts-heavy', 'a hundredth of the rewards brings half of what is earned', {
    rate: 0.1,
    amounts: [
      { amount: 0.5 / 0.99, probability: 0.99 },
      { amount: 50, probability: 0.01 },
    ],
  }),
  unsupportable('peaked', 'log of a peaked policy', { temperature: 0.5 }),
  unsupportable('nearly-deterministic', 'log of a nearly deterministic policy, common rewards', { rate: 0.3, temperature: 0.3 }),
  unsupportable('deterministic', 'log of a policy that shows the rest once in a million', { rate: 0.3, temperature: 0.12 }),
  unsupportable('missing-actions', 'the two items that the target likes best are never logged', { rate: 0.1, neverLogged: 2 }),
  unsupportable('missing-one', 'one item that the target likes is never logged: a fiftieth of what it does', { rate: 0.1, distance: 0.05, neverLogged: 1 }),
  unsupportable('wrong-propensities', 'the recorded propensities are those of a policy with weaker favourites', {
    rate: 0.1,
    temperature: 1,
    recordedTemperature: 1.5,
  }),
  blind('unripe', 'rewards come late, and rows that may still get one count as unrewarded', {
    rate: 0.1,
    drift: 1,
    lift: 0.3,
    delay: { mean: 0.2, window: 0.5, counted: 'all' },
  }),
];
