import { expect, it } from 'vitest';
import { type SlateRecord, slateRecord } from '../../models/contracts/slate.ts';
import { exploreSlate } from '../../models/slate/explore.ts';
import { siftSlates } from './sift-slates.ts';

const ids = Array.from({ length: 30 }, (_, index) => `i${index}`);
const charter = { reward: { weights: { purchase: 1 }, attributionMs: 1_000, capPerUnit: 1 }, slate: { size: 4, diversity: { weight: 0, depth: 50 } } };

function recordOf(number: number, over: Partial<SlateRecord> = {}): SlateRecord {
  const { items, propensities, conditionalPropensities, exploration } = exploreSlate({
    baseItems: ids.slice(0, 4),
    nextItems: ids.slice(4, 20),
    challengerRankings: [],
    scope: { allowed: () => true, allowedIds: ids },
    excluded: new Set(),
    settings: { slots: 1, poolDepth: 20, rankOffset: 5, challengerDepth: 0, floor: 0.02 },
    slateSize: 4,
    seed: number,
    drawId: `draw-${number}`,
  });
  return slateRecord.parse({
    schemaVersion: 1,
    requestId: `r${number}`,
    surface: 'home',
    unit: `u:${number}`,
    atMs: 10_000 + number,
    replica: 'r1',
    generation: 1,
    releaseId: null,
    stage: null,
    variant: 'champion',
    enrolment: null,
    artifact: null,
    rung: 'model',
    rulesDigest: `sha256:${'0'.repeat(64)}`,
    history: [],
    historyWeights: [],
    excluded: [],
    items,
    scores: items.map(() => 0),
    propensities,
    conditionalPropensities,
    exploration,
    latencyMs: 1,
    ...over,
  });
}
/** So that the outcome of all others is known. */
const last = recordOf(99, { atMs: 1_000_000 });
const sift = (records: SlateRecord[], trainedUntilMs = 0) => {
  const { usable, voidedBy } = siftSlates([...records, last], { charter, trainedUntilMs });
  const { 'what it earns is not known yet': _last, ...others } = voidedBy;
  return { usable: usable.map(({ record }) => record.requestId), others };
};

it('uses what says how it was drawn', () => {
  expect(sift([recordOf(1), recordOf(2)])).toEqual({ usable: ['r1', 'r2'], others: {} });
});

it.each<[string, (record: SlateRecord) => Partial<SlateRecord>]>([
  ['propensities void: a rule took an item out', () => ({ propensities: null, propensityVoid: 'a rule took an item out' })],
  ['propensities void: the slate was changed after it was drawn', () => ({ propensities: null })],
  ['nothing was explored', () => ({ exploration: null })],
  ['shorter or longer than the surface shows', (one) => ({ items: one.items.slice(0, 3), propensities: one.propensities?.slice(0, 3) ?? null })],
  [
    'propensities do not sum to one',
    (one) => ({
      exploration: one.exploration && { ...one.exploration, poolProbabilities: one.exploration.poolProbabilities.map((p) => p / 2), floorProbability: 0 },
    }),
  ],
  ['recorded propensities are not those of the recorded draw', (one) => ({ propensities: one.propensities?.map((p) => p * 0.99) ?? null })],
  ['a draw that is counted already', (one) => ({ exploration: one.exploration && { ...one.exploration, drawId: 'draw-1' } })],
])('leaves out and says: %s', (reason, change) => {
  const other = recordOf(2);
  expect(sift([recordOf(1), { ...other, ...change(other) }])).toEqual({ usable: ['r1'], others: { [reason]: 1 } });
});

it('leaves out what was sent before the training data ended', () => {
  expect(sift([recordOf(1), recordOf(2)], 10_002)).toEqual({ usable: ['r2'], others: { 'candidate or champion was trained on what followed': 1 } });
});
