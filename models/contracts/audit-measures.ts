import { z } from 'zod';
import { epochMs, surfaceName } from './ids.ts';
import { interval } from './verdict.ts';

const count = z.number().int().min(0);
const share = z.number().min(0).max(1);

/** `holds` and `broken` are said where the interval says so. */
export const impactVerdict = z.enum(['holds', 'broken', 'not-enough-evidence']);
export type ImpactVerdict = z.infer<typeof impactVerdict>;

/** One measure of one group of units. */
export const groupMeasure = z.strictObject({
  name: z.string(),
  /** Units of the group that have the figure. */
  units: count,
  mean: interval,
  /** To the best of the other groups; at most 1. Null where there is no other, or none has anything. */
  ratio: interval.nullable(),
  verdict: impactVerdict,
});
export type GroupMeasure = z.infer<typeof groupMeasure>;

export const impactGroup = z.strictObject({
  /** One column, or two where groups are intersections. */
  columns: z.array(z.string()).min(1).max(2),
  values: z.array(z.string()).min(1).max(2),
  units: count,
  measures: z.array(groupMeasure),
});
export type ImpactGroup = z.infer<typeof impactGroup>;

/** What `experiments/fairness/disparate-impact.ts` finds. */
export const disparateImpact = z.strictObject({
  units: count,
  minUnits: count,
  /** A group is to have this share of what the best one has: .8 is the four-fifths rule. */
  threshold: share,
  /** Probability that any interval at all is wrong, at most. */
  error: share,
  /** Each of so many intervals has the level `1 - error / intervals`. */
  intervals: count,
  groups: z.array(impactGroup),
  /** Groups that are smaller than `minUnits`: left out, and counted by their columns. */
  leftOut: z.array(z.strictObject({ columns: z.array(z.string()), groups: count, units: count })),
  /** `broken` where any group is; `holds` where all that is compared does. */
  verdict: impactVerdict,
});
export type DisparateImpact = z.infer<typeof disparateImpact>;

/** What a look at a log has seen of it. */
export const logSample = z.strictObject({
  fromMs: epochMs,
  toMs: epochMs,
  slates: count,
  units: count,
  /** Share of all units, by their hash, whose slates and events were read; below 1 where the log holds more than fits. */
  unitShare: share,
  /** Damaged segments of the log, of which only a part could be read. */
  damaged: count,
});
export type LogSample = z.infer<typeof logSample>;

export const impactReport = z.strictObject({
  kind: z.literal('disparate-impact'),
  surface: surfaceName,
  sample: logSample,
  /** What could not be measured, and why. */
  notes: z.array(z.string()),
  impact: disparateImpact,
});
export type ImpactReport = z.infer<typeof impactReport>;

/** Where demand is taken from: what exploration drew, by its propensities; or events that no slate led to. */
export const demandReference = z.enum(['exploration', 'organic']);
export type DemandReference = z.infer<typeof demandReference>;

export const feedbackVerdict = z.enum(['stable', 'amplifying', 'not-enough-evidence']);
export type FeedbackVerdict = z.infer<typeof feedbackVerdict>;

/** Figures of a generation, each with an interval of 95 %. */
export const feedbackFigures = [
  'coverage',
  'gini',
  'entropy',
  'longTailShare',
  'homogenization',
  'correlation',
  'lastSlotExamination',
  'amplification',
] as const;
export type FeedbackFigure = (typeof feedbackFigures)[number];

/** What the slates of one generation of the model did. */
export const generationFigures = z.strictObject({
  /** The artifact, or what else tells generations apart. */
  name: z.string(),
  fromMs: epochMs,
  slates: count,
  units: count,
  figures: z.record(z.enum(feedbackFigures), interval.nullable()),
  /** Events that no slate led to. */
  organicEvents: count,
  /** Engagements of equal weight that would say as much of demand as those of all explored slates. */
  exploredSampleSize: z.number(),
  /** By popularity as the first model learned it, the most popular tenth of the catalog first; null where that is not known. */
  deciles: z
    .array(z.strictObject({ exposure: share, demand: share.nullable() }))
    .length(10)
    .nullable(),
});
export type GenerationFigures = z.infer<typeof generationFigures>;

export const feedbackTrend = z.strictObject({
  figure: z.enum(feedbackFigures),
  generations: count,
  /** From the first to the last generation, along a straight line; of `amplification` of its natural logarithm. */
  change: interval,
});
export type FeedbackTrend = z.infer<typeof feedbackTrend>;

const groupExposure = z.strictObject({
  group: z.string(),
  items: count,
  exposureShare: share,
  engagementShare: share,
  rate: z.number().nullable(),
  rateWhenDrawn: z.number().nullable(),
});

/** Whether a group of items is shown for its share of what is wanted. */
export const groupDemand = z.strictObject({
  group: z.string(),
  items: count,
  exposureShare: share,
  /** Null where nothing says what is wanted. */
  demandShare: share.nullable(),
  /** Exposure by demand; intervals of all groups hold together in 95 of 100 looks. Null where the group's demand is not known well enough. */
  ratio: interval.nullable(),
});
export type GroupDemand = z.infer<typeof groupDemand>;

/** What `experiments/feedback/measure-feedback.ts` finds. */
export const feedbackMeasures = z.strictObject({
  items: count,
  /** Oldest first. */
  generations: z.array(generationFigures),
  /** Generations with too few slates. */
  leftOut: count,
  /** Spread over the catalog is measured on so many slates of each generation: more slates cover more. */
  slatesAlike: count,
  /** Null where neither says enough. */
  reference: demandReference.nullable(),
  trends: z.array(feedbackTrend),
  /** Item groups in the newest generation: exposure against engagement, and against that when drawn by exploration. */
  groups: z.array(groupExposure),
  /** Item groups in the newest generation: exposure against demand, those that are never shown included. */
  groupDemand: z.array(groupDemand),
  verdict: feedbackVerdict,
  /** Why, in a sentence. */
  says: z.string(),
  /** Probability of `amplifying` where amplification does not grow, at most. */
  falseAlarms: share,
  /** Growth (of 1) of amplification, over all generations, that the verdict allows for. */
  margin: share,
});
export type FeedbackMeasures = z.infer<typeof feedbackMeasures>;

export const feedbackReport = z.strictObject({
  kind: z.literal('feedback'),
  surface: surfaceName,
  sample: logSample,
  notes: z.array(z.string()),
  feedback: feedbackMeasures,
});
export type FeedbackReport = z.infer<typeof feedbackReport>;
