import { z } from 'zod';
import { withoutFalseDiscoveries } from '../../experiments/drift/false-discoveries.ts';
import { changeOfDays, movedSegments } from '../../experiments/drift/moved-items.ts';
import { catalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { type DriftAnswer, type DriftModel, type DriftReport, driftQuestions, driftReport } from '../../models/contracts/drift.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { DataState } from '../../models/contracts/window.ts';
import { createRandom } from '../../models/random.ts';
import { getDocument } from '../../stores/blobs.ts';
import { inScratch, readLatest, type State } from '../context.ts';
import { type Days, type Framing, withFraming } from '../framing/open-framing.ts';
import { daysBetween } from '../windows/days.ts';
import { answersChanged } from './ask-models.ts';
import { checkPeriods, lengthOf, scoredPeriods } from './choose-periods.ts';
import { compareFeatures, compareLabels, type DayDrift } from './compare-days.ts';
import { type Asked, compareModels, type ModelDrift, type Unasked } from './compare-models.ts';
import { compareScores, noScores } from './compare-scores.ts';
import { type Periods, readItemRewards, readPeriods, readRates, readUserRates } from './read-periods.ts';
import { type Origin, originOf, retrainedVectors, vectorsOfArtifact } from './retrained-vectors.ts';

export const driftAlpha = 0.05;
/** Rows of the lists of a report. */
const listedAtMost = 20;
/** Algorithms whose trainings differ by a turn of their vectors. */
const turned: readonly string[] = ['ials', 'gf-cf'];

export type DriftInput = {
  surface: string;
  charter: Charter;
  data: DataState;
  /** Artifacts; null: no two are there to compare. */
  models: { from: string; to: string } | null;
  /** Null: the days do not suffice. */
  periods: Periods | null;
  /** Trainings of the older model's window, to be made where they are not kept. 0: those that are kept. */
  retrain: number;
  seed: number;
  now: () => number;
  onStep: (note: string) => void;
  signal?: AbortSignal | undefined;
};
type Draft = Omit<DriftReport, 'generation'>;

/** Retrainings that are looked for where none are asked for: beside so many, 5 % holds whatever they are distributed like. */
const keptAtMost = 19;

/**
 * What moved between two models, beyond what retraining moves, and between two stretches of days; which items and segments, and what became of their reward.
 * The same seed, models and days give the same answers.
 * @throws UND-INPUT for days of different lengths; UND-NOT-FOUND or UND-ERASED for a model whose window or vectors are gone
 */
export async function measureDrift(state: State, input: DriftInput): Promise<Draft> {
  const { surface, data, models, periods, seed, onStep } = input;
  if (periods !== null) checkPeriods(periods);
  const origins = models === null ? null : { from: await originOf(state, models.from), to: await originOf(state, models.to) };
  const found = origins === null ? undefined : await driftOfModels(state, input, origins);
  const catalog = await getDocument(state.blobs, data.catalog, z.array(catalogItem));
  const categoryOf = new Map(catalog.flatMap(({ itemId, category }) => (category === undefined ? [] : [[itemId, category] as const])));
  if (periods !== null) onStep('reading the days');
  const days = periods === null ? undefined : await driftOfDays(state, input, { periods, origins, categoryOf });
  const segmentOf = (row: number) => categoryOf.get(found?.drift.itemIds[row] ?? '') ?? 'without a category';
  const moved = found?.drift.moved ?? [];
  const rewardOf = (itemIds: ReadonlySet<string> | null) => days?.rewardOf(itemIds) ?? null;
  const itemsOf = (segment: string) => new Set(moved.flatMap(({ row }) => (segmentOf(row) === segment ? [found?.drift.itemIds[row] as string] : [])));
  const items = moved.slice(0, listedAtMost).flatMap(({ row, beyond, share }) => {
    const itemId = found?.drift.itemIds[row] as string;
    return beyond > 0 ? [{ itemId, beyond, share, reward: rewardOf(new Set([itemId])) }] : [];
  });
  return {
    ...{ kind: 'drift', surface, atMs: input.now(), seed, alpha: driftAlpha },
    models:
      found === undefined
        ? null
        : { ...found.models, retrainings: found.retrainings, items: found.drift.itemIds.length, answersChanged: days?.answersChanged ?? null },
    days: periods === null ? null : { ...periods, generation: data.generation },
    answers: [...adjusted(found?.drift.asked ?? []), ...adjusted(days?.drift.asked ?? [])],
    notMeasured: [
      ...(found?.drift.notMeasured ?? notAsked('models', 'no model has served before this one: name two runs')),
      ...(days?.drift.notMeasured ?? notAsked('days', 'there are too few days of data')),
    ],
    columns: days?.drift.columns ?? [],
    items,
    segments: movedSegments(moved, segmentOf)
      .slice(0, listedAtMost)
      .map((one) => ({ ...one, reward: rewardOf(itemsOf(one.segment)) })),
    cost: { listed: rewardOf(new Set(items.map(({ itemId }) => itemId))), all: rewardOf(null) },
  };
}

/** The same, kept as the next generation of `drift/<surface>`. */
export async function recordDrift(state: State, input: DriftInput): Promise<DriftReport> {
  const draft = await measureDrift(state, input);
  for (;;) {
    const generation = ((await state.generations.latest(`drift/${input.surface}`))?.generation ?? 0) + 1;
    const report = driftReport.parse({ ...draft, generation });
    try {
      await state.generations.create(`drift/${input.surface}`, generation, report);
      return report;
    } catch (error) {
      // Somebody else measured at the same time.
      if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
    }
  }
}

export const newestDrift = async ({ generations }: Pick<State, 'generations'>, surface: string): Promise<DriftReport | undefined> =>
  (await readLatest(generations, `drift/${surface}`, driftReport))?.document;

const notAsked = (about: 'models' | 'days', why: string): Unasked[] =>
  Object.entries(driftQuestions).flatMap(([what, of]) => (of === about ? [{ what: what as Unasked['what'], why }] : []));

/** For all that were asked of the same: at most `driftAlpha` of what is said to have moved has not, on average. */
function adjusted(asked: readonly Asked[]): DriftAnswer[] {
  const values = withoutFalseDiscoveries(asked.map(({ p }) => p));
  return asked.map((one, place) => ({ ...one, adjusted: values[place] as number, moved: (values[place] as number) <= driftAlpha }));
}

type Origins = { from: Origin; to: Origin };

async function driftOfModels(
  state: State,
  { charter, retrain, seed, onStep, signal }: DriftInput,
  { from, to }: Origins,
): Promise<{ models: { from: DriftModel; to: DriftModel }; retrainings: number; drift: ModelDrift }> {
  const about = ({ artifact, recipe, window }: Origin): DriftModel => ({
    artifact,
    candidate: recipe.candidate,
    algorithm: recipe.algorithm,
    trainedOn: window.train,
  });
  const models = { from: about(from), to: about(to) };
  const [before, after] = [await vectorsOfArtifact(state, from.artifact), await vectorsOfArtifact(state, to.artifact)];
  if (before === undefined || after === undefined) {
    const drift = {
      asked: [],
      notMeasured: notAsked('models', 'a model without item vectors of its own is compared by its answers alone'),
      itemIds: [],
      moved: [],
    };
    return { models, retrainings: 0, drift };
  }
  const onTraining = (number: number) => onStep(`retraining ${number} of ${retrain}`);
  const asked = { origin: from, charter, count: retrain === 0 ? keptAtMost : retrain, onlyKept: retrain === 0, onTraining, signal };
  const retrainings = await retrainedVectors(state, asked);
  onStep('comparing the models');
  const isTurned = from.recipe.algorithm === to.recipe.algorithm && turned.includes(from.recipe.algorithm);
  return { models, retrainings: retrainings.length, drift: compareModels({ from: before, to: after, retrainings, isTurned, random: createRandom(seed) }) };
}

type OfDays = {
  drift: DayDrift;
  answersChanged: number | null /** Null: of all items. */;
  rewardOf: (itemIds: ReadonlySet<string> | null) => ReturnType<typeof changeOfDays>;
};
type DaysInput = { periods: Periods; origins: Origins | null; categoryOf: ReadonlyMap<string, string> };

async function driftOfDays(state: State, input: DriftInput, { periods, origins, categoryOf }: DaysInput): Promise<OfDays> {
  const { charter, data, seed, signal, onStep } = input;
  const opened = <T>(days: Days, use: (framing: Framing) => Promise<T>) =>
    inScratch(state, 'drift', (workDir) => withFraming({ data, days, settings: charter, blobs: state.blobs, workDir, signal }, use));
  const span = (of: Periods): Days => ({ from: of.from.from, to: of.to.to });
  const read = await opened(span(periods), async (framing) => ({
    people: await readPeriods(framing, periods, seed),
    users: await readUserRates(framing, periods, seed),
    days: [await readRates(framing, periods.from), await readRates(framing, periods.to)] as const,
    rewards: await readItemRewards(framing, span(periods)),
  }));
  onStep('comparing the days');
  const fair = origins === null ? null : scoredPeriods(origins, periods, data);
  const scores = async (): Promise<DayDrift> => {
    if (origins === null) return noScores('there are no two models');
    if (fair === null) return noScores('each model was trained on some of these days and not on others: its scores of those are higher for that alone');
    const people = fair.periods === periods ? read.people : await opened(span(fair.periods), (framing) => readPeriods(framing, fair.periods, seed));
    return compareScores(state, { artifact: fair.model.artifact, people, periods: fair.periods, seed: seed + 4 });
  };
  const parts = [compareFeatures(read.people, { categoryOf, seed }), await scores(), compareLabels({ users: read.users, days: read.days, seed: seed + 3 })];
  return {
    drift: {
      asked: parts.flatMap(({ asked }) => asked),
      columns: parts.flatMap(({ columns }) => columns),
      notMeasured: parts.flatMap(({ notMeasured }) => notMeasured),
    },
    answersChanged: origins === null ? null : await answersChanged(state, { from: origins.from.artifact, to: origins.to.artifact, users: read.people.to }),
    rewardOf: rewardsBy(read.rewards, periods),
  };
}

/** Change of the reward a day of some items, or of all. */
const rewardsBy =
  (rewards: Awaited<ReturnType<typeof readItemRewards>>, periods: Periods): OfDays['rewardOf'] =>
  (itemIds) => {
    const length = lengthOf(periods.to);
    const sides = [new Array<number>(length).fill(0), new Array<number>(length).fill(0)] as const;
    for (const { itemId, day, reward } of rewards) {
      if (itemIds?.has(itemId) === false) continue;
      const side = day <= periods.from.to ? 0 : 1;
      const place = daysBetween(side === 0 ? periods.from.from : periods.to.from, day);
      if (place >= 0 && place < length) (sides[side] as number[])[place] = (sides[side]?.[place] as number) + reward;
    }
    return changeOfDays(...sides);
  };
