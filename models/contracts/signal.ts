import { z } from 'zod';
import { epochMs } from './ids.ts';

/** How a signal is counted, which says what its noise is made of. */
export type SignalFamily =
  /** `total` things in an hour. */
  | 'count'
  /** `total` out of `of`. */
  | 'share'
  /** `total` over `of`, each of which may give any amount; `squares` is the sum of what was given, squared. */
  | 'rate'
  /** `total` is the value itself, positive, and rests on `of` observations. */
  | 'level'
  /** `total` is a deviation with mean 0 and variance 1 where nothing is wrong: no history is needed. */
  | 'score';

/** `directions`: what is trouble. `part`: what the signal is taken apart by. */
type SignalRow = { family: SignalFamily; directions: readonly ('up' | 'down')[]; part: string | null; unit: string; says: string };

/** What a surface is watched by, an hour at a time. */
export const signals = {
  slates: { family: 'count', directions: ['down', 'up'], part: null, unit: 'slates', says: 'slates sent' },
  events: { family: 'count', directions: ['down', 'up'], part: 'kind', unit: 'events', says: 'events that came in' },
  /** Of what a client shows, how much is heard of: a client whose events are lost is seen here. */
  heard: { family: 'share', directions: ['down'], part: 'client', unit: 'of slates', says: 'slates of which an event came' },
  freshness: { family: 'level', directions: ['up'], part: null, unit: 's', says: '95th percentile of the age of events when they came in' },
  fallback: { family: 'share', directions: ['up'], part: 'rung', unit: 'of slates', says: 'slates that a lower rung answered' },
  p99: { family: 'level', directions: ['up'], part: 'stage', unit: 'ms', says: '99th percentile of the time of an answer' },
  reward: { family: 'rate', directions: ['down'], part: 'segment', unit: 'a slate', says: 'reward that came, over the slates sent' },
  'catalog-coverage': { family: 'count', directions: ['down'], part: null, unit: 'items', says: 'different items shown' },
  'user-coverage': { family: 'share', directions: ['down'], part: null, unit: 'of slates', says: 'slates that the model made by what it knows of the visitor' },
  concentration: { family: 'share', directions: ['up'], part: null, unit: 'of places', says: 'places that the ten most shown items had' },
  'sample-ratio': { family: 'score', directions: ['up', 'down'], part: null, unit: 'sd', says: "challengers' share of new users against what the canary says" },
  /** Of the newest measurement of it, which stands until the next. */
  drift: { family: 'score', directions: ['up'], part: 'of', unit: 'sd', says: 'what moved beyond chance' },
} as const satisfies Record<string, SignalRow>;
export type SignalName = keyof typeof signals;
export const signalName = z.enum(Object.keys(signals) as [SignalName, ...SignalName[]]);

/** What alerts are about: these signals, and what is no measure of an hour. */
export const alertSignals = {
  ...signals,
  audit: { family: 'level', directions: ['up'], part: null, unit: 'days', says: 'time since the surface was last audited' },
} as const satisfies Record<string, SignalRow>;
export type AlertSignal = keyof typeof alertSignals;
export const alertSignal = z.enum(Object.keys(alertSignals) as [AlertSignal, ...AlertSignal[]]);

/** One signal in one hour. `part`: the rung, the segment, the stage …; empty for all together. */
export const measure = z.strictObject({
  signal: signalName,
  part: z.string(),
  total: z.number(),
  of: z.number().min(0),
  squares: z.number().min(0).optional(),
});
export type Measure = z.infer<typeof measure>;

/** All of one hour; `atMs` is its begin. A signal that could not be measured is not there. */
export const measuredHour = z.strictObject({ atMs: epochMs, measures: z.array(measure) });
export type MeasuredHour = z.infer<typeof measuredHour>;

/** Which signal, of which part, in which direction: what is judged by itself. */
export const detectorKey = (signal: SignalName, part: string, direction: 'up' | 'down'): string => `${signal}/${part}/${direction}`;

/** Where one detector stands (`experiments/watch/detector.ts`). */
export const detectorState = z.strictObject({
  key: z.string(),
  /** Of each cumulative sum: 0 where nothing speaks against the expectation, and since when it has not been 0. */
  sums: z.array(z.strictObject({ sum: z.number(), sinceMs: epochMs })),
  /** Deviation of the hour before, in standard deviations; null where it is not known. */
  last: z.number().nullable(),
  lastMs: epochMs.nullable(),
  /** While an alert is open: its id, since when, the size of what it found over so many hours, and the sum that speaks for its end. */
  open: z.strictObject({ alert: z.string(), sinceMs: epochMs, size: z.number(), hours: z.number().int(), sum: z.number() }).nullable(),
});
export type DetectorState = z.infer<typeof detectorState>;

/** What a signal's own past says of it: kept for a day, then made anew. */
export const signalFit = z.strictObject({
  signal: signalName,
  part: z.string(),
  /** Of noise: counting's own, and what is beyond it, in proportion to the expectation. */
  counting: z.number(),
  beyond: z.number(),
  /** How much an hour's deviation says of the next one's. */
  carry: z.number(),
  /** The sums at which an alert opens, by direction. */
  thresholds: z.strictObject({ up: z.array(z.number()), down: z.array(z.number()) }),
});
export type SignalFit = z.infer<typeof signalFit>;

/** Why a signal is not judged. */
export const unjudged = z.strictObject({ signal: signalName, part: z.string(), why: z.string() });
export type Unjudged = z.infer<typeof unjudged>;
