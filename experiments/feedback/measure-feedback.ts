import {
  type DemandReference,
  type FeedbackMeasures,
  type FeedbackTrend,
  type FeedbackVerdict,
  feedbackFigures,
  type GenerationFigures,
  type GroupDemand,
} from '../../models/contracts/audit-measures.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { createRandom } from '../../models/random.ts';
import { exposureBias } from '../counterfactual/exposure-bias.ts';
import { percent } from '../percent.ts';
import { longTail } from '../ranking/catalog.ts';
import { figuresOf, shareOf, total } from './generation-figures.ts';
import { type GenerationSums, sumGeneration } from './generation-sums.ts';
import { groupExposure } from './group-exposure.ts';
import { attentionAt, type GenerationLog } from './shown-slate.ts';
import { generationsAtLeast, trendOf } from './trend.ts';

/** Engagements, or events, that demand must come from in every generation. */
const demandAtLeast = 50;
/** Growth of amplification that is let pass: what a season does. */
const margin = 0.1;
/** One side of the interval is wrong so often where noise is as it is taken to be. */
const error = 0.01;
/** Counted on noise with a standard deviation of up to a tenth, of which up to .6 remains from one generation to the next (trend.test.ts). */
const falseAlarms = 0.02;

type DemandSize = Pick<GenerationFigures, 'organicEvents' | 'exploredSampleSize'>;

export type FeedbackInput = {
  /** Oldest first. */
  generations: readonly GenerationLog[];
  /** All that could be shown; what is shown and not among it counts too. */
  itemIds: readonly string[];
  /** Events of each item that the first model learned from; null where that is not known. */
  popularity: ReadonlyMap<string, number> | null;
  /** Of an item. */
  group: (itemId: string) => string;
  minSlates?: number;
  seed: number;
};

/**
 * Does what is shown move away from what is wanted, from one generation of the model to the next? Where the log of a model's own slates is what the next one learns from,
 * what was shown more is learned as what is wanted more (Chaney, Stewart and Engelhardt, "How algorithmic confounding in recommendation systems increases homogeneity and
 * decreases utility", RecSys 2018; Mansoury, Abdollahpouri, Pechenizkiy, Mobasher and Burke, "Feedback loop and bias amplification in recommender systems", CIKM 2020).
 * Concentration alone is no proof, for demand may concentrate: amplification holds exposure against demand that no model had a hand in. The verdict is about the trend of its
 * logarithm: `amplifying` where the interval lies above `margin`, `stable` where below.
 */
export function measureFeedback(input: FeedbackInput): FeedbackMeasures {
  const steps = feedbackSteps(input);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same in steps of a second or less, for whoever must do something else between them. Sums are held of one generation at a time. */
export function* feedbackSteps({
  generations: given,
  itemIds,
  popularity,
  group,
  minSlates = 200,
  seed,
}: FeedbackInput): Generator<void, FeedbackMeasures, void> {
  const logs = given.filter(({ slates }) => slates.length >= Math.max(1, minSlates));
  const indexOf = new Map<string, number>();
  const shown = logs.flatMap(({ slates }) => slates.map(({ items }) => items));
  for (const ids of [itemIds, ...shown]) for (const itemId of ids) if (!indexOf.has(itemId)) indexOf.set(itemId, indexOf.size);
  const counts = Float64Array.from(indexOf.keys(), (itemId) => popularity?.get(itemId) ?? 0);
  const slatesAlike = logs.reduce((least, { slates }) => Math.min(least, slates.length), Number.POSITIVE_INFINITY);
  const random = createRandom(seed);
  const drawn = logs.map((log) => {
    const chosen = new Set(draw(log.slates.length, slatesAlike, () => random.float()));
    return { log, slatesSeed: random.uint32(), compared: (slate: number) => chosen.has(slate) };
  });
  const sizes: DemandSize[] = [];
  for (const { log, compared } of drawn) {
    const { organic, exploredSampleSize } = sumGeneration({ log, indexOf, compared });
    sizes.push({ organicEvents: total(organic.whole), exploredSampleSize });
    yield;
  }
  const reference = referenceOf(sizes);
  const tail = longTail(counts);
  const decile = popularity === null ? null : decileOf(counts);
  const generations: GenerationFigures[] = [];
  let groupDemand: GroupDemand[] = [];
  for (const { log, compared, slatesSeed } of drawn) {
    const sums = sumGeneration({ log, indexOf, compared });
    const figures = yield* figuresOf({ log, sums, tail, reference, slatesSeed });
    if (popularity === null) figures.longTailShare = null;
    generations.push({
      name: log.name,
      fromMs: log.fromMs,
      slates: log.slates.length,
      units: sums.units,
      figures,
      ...(sizes[generations.length] as DemandSize),
      deciles: decile && decilesOf({ sums, decile, reference }),
    });
    if (generations.length === logs.length) groupDemand = yield* groupExposure({ sums, reference, itemIds: [...indexOf.keys()], group });
  }
  const trends = feedbackFigures.flatMap((figure): FeedbackTrend[] => {
    const values = generations.flatMap((one) => one.figures[figure]?.value ?? []);
    const change =
      values.length < generations.length ? null : trendOf({ values: figure === 'amplification' ? values.map(Math.log) : values, level: 1 - 2 * error });
    return change === null ? [] : [{ figure, generations: values.length, change }];
  });
  const newest = logs.at(-1);
  return {
    items: indexOf.size,
    generations,
    leftOut: given.length - logs.length,
    slatesAlike: logs.length === 0 ? 0 : slatesAlike,
    reference,
    trends,
    groups: newest === undefined ? [] : groupsOf(newest, group),
    groupDemand,
    ...judge({ generations: logs.length, reference, change: trends.find(({ figure }) => figure === 'amplification')?.change }),
    falseAlarms,
    margin,
  };
}

/** `count` of so many, each as likely; all where that is as many. */
function draw(of: number, count: number, next: () => number): number[] {
  const all = Array.from({ length: of }, (_, place) => ({ place, at: next() }));
  return all
    .sort((a, b) => a.at - b.at)
    .slice(0, count)
    .map(({ place }) => place);
}

/** Exploration is free of all models; organic events may be of what people saw in a slate before. So these come second. */
function referenceOf(all: readonly DemandSize[]): DemandReference | null {
  const least = (of: (one: DemandSize) => number) => all.reduce((low, one) => Math.min(low, of(one)), Number.POSITIVE_INFINITY);
  if (all.length === 0) return null;
  if (least(({ exploredSampleSize }) => exploredSampleSize) >= demandAtLeast) return 'exploration';
  return least(({ organicEvents }) => organicEvents) >= demandAtLeast ? 'organic' : null;
}

/** [items] 0 for the most popular tenth of the catalog, 9 for the least. */
function decileOf(counts: Float64Array): Uint8Array {
  const found = new Uint8Array(counts.length);
  const order = Array.from(counts.keys()).sort((a, b) => (counts[b] as number) - (counts[a] as number) || a - b);
  for (const [place, item] of order.entries()) found[item] = Math.floor((10 * place) / counts.length);
  return found;
}

function decilesOf({ sums, decile, reference }: { sums: GenerationSums; decile: Uint8Array; reference: DemandReference | null }) {
  const demand = reference === null ? null : reference === 'organic' ? sums.organic.whole : sums.explored.whole;
  return Array.from({ length: 10 }, (_, number) => ({
    exposure: shareOf(sums.shown.whole, (item) => decile[item] === number),
    demand: demand && shareOf(demand, (item) => decile[item] === number),
  }));
}

function groupsOf({ slates }: GenerationLog, group: (itemId: string) => string): FeedbackMeasures['groups'] {
  const size = slates.reduce((most, { items }) => Math.max(most, items.length), 0);
  return exposureBias({ log: slates, examination: Float64Array.from({ length: size }, (_, slot) => attentionAt(slot)), group }).groups;
}

type Judged = { generations: number; reference: DemandReference | null; change: Interval | undefined };

function judge({ generations, reference, change }: Judged): { verdict: FeedbackVerdict; says: string } {
  if (generations < generationsAtLeast)
    return { verdict: 'not-enough-evidence', says: `${generations} generations of the model have slates enough; a trend needs ${generationsAtLeast}` };
  if (reference === null || change === undefined)
    return {
      verdict: 'not-enough-evidence',
      says: `nothing says what is wanted: in some generation there are fewer than ${demandAtLeast} engagements with what exploration drew, and fewer such events without a slate`,
    };
  const grown = (end: number) => percent(Math.expm1(end), 0);
  const from = reference === 'exploration' ? 'what exploration drew' : 'events that no slate led to';
  const figures = `exposure of what is most shown, by its demand (from ${from}), changed by ${grown(change.value)} over ${generations} generations (${grown(change.low)} to ${grown(change.high)})`;
  const limit = Math.log1p(margin);
  if (change.low > limit) return { verdict: 'amplifying', says: figures };
  return change.high < limit
    ? { verdict: 'stable', says: figures }
    : { verdict: 'not-enough-evidence', says: `${figures}, which may be more than ${percent(margin, 0)} and may not` };
}
