import { z } from 'zod';
import { dayRange } from './window.ts';
import { machineName } from './ids.ts';

/**
 * What can be measured of the data behind a choice. Shares of people are counted over people, and intervals allow for what one does having much to do
 * with what the same one did before; what `activities/framing/checks` says of a name is its definition.
 */
export const checkNames = [
  'arrival-delay',
  'attributed-share',
  'attribution-delay',
  'cold-item-share',
  'cold-user-share',
  'days-for-change',
  'density',
  'event-count',
  'funnel-rate',
  'history-length',
  'item-count',
  'item-support',
  'known-history-share',
  'known-user-share',
  'metadata-coverage',
  'metric-mean',
  'null-user-share',
  'ordered-share',
  'popular-slate-share',
  'repeat-purchase-share',
  'returning-share',
  'session-context-share',
  'session-length',
  'several-items-share',
  'test-users',
  'top-items-share',
  'unit-count',
  'units-per-day',
] as const;
export type CheckName = (typeof checkNames)[number];

/** `minor`: minor units of the surface's currency. `units`: users, and sessions of which no user is known. */
export const checkUnits = ['share', 'events', 'items', 'units', 'users', 'units-per-day', 'ms', 'days', 'minor'] as const;
export type CheckUnit = (typeof checkUnits)[number];

export const checkParams = z.record(z.string(), z.json());
export type CheckParams = z.infer<typeof checkParams>;

/** 95 %, where the value is a statistic of people who could have been others; absent where all that there is was counted. */
const interval = z.strictObject({ low: z.number(), high: z.number() });
const claim = z.string().min(1).max(500);

/** What a check found. Null: it cannot be measured, and `why` not. `of`: how many people or things were asked, or what was counted. */
export type Measured = { value: number | null; unit: CheckUnit; interval?: z.infer<typeof interval>; of: number; why?: string };
export type CheckRequest = { check: CheckName; params: CheckParams };
export type Measurement = Measured & CheckRequest;

const bounds = { min: z.number().optional(), max: z.number().optional() };

/** A claim behind a choice of the charter, with the check that measured it: whoever runs the check on later data knows whether the choice still stands. */
export const assumption = z
  .strictObject({
    claim,
    check: z.enum(checkNames),
    params: checkParams.default({}),
    /** What the check measured when the choice was made. */
    value: z.number(),
    unit: z.enum(checkUnits),
    interval: interval.optional(),
    /** Within these the choice stands. */
    ...bounds,
    /** The choice, as a JSON pointer into the charter: `/objective`. */
    supports: z.string().regex(/^\/[A-Za-z]/, 'a path in the charter, such as /objective'),
    /** The generation of `data/<surface>`, and the days of it that were looked at: the same again give the same value. */
    measuredAt: z.strictObject({ generation: z.number().int().min(1), ...dayRange.shape }),
  })
  .superRefine(({ min, max }, context) => {
    if (min === undefined && max === undefined)
      context.addIssue({ code: 'custom', path: ['max'], message: 'needs a min, a max or both: it would always hold' });
    if (min !== undefined && max !== undefined && min > max)
      context.addIssue({ code: 'custom', path: ['max'], message: `min ${min} is above max ${max}: it would never hold` });
  });
export type Assumption = z.infer<typeof assumption>;

/** As charters were written by hand: a claim, and what should be measured. Where `measure` is the name of a check, it is run as it is by itself. */
const writtenAssumption = z.strictObject({ claim: z.string(), check: z.undefined().optional(), measure: machineName, ...bounds });

/** What a charter's `assumptions` may hold. */
export const charterAssumption = z.discriminatedUnion('check', [assumption, writtenAssumption]);
export type CharterAssumption = z.infer<typeof charterAssumption>;

/** What an audit runs for an assumption of either kind; undefined where nobody has said how to measure it. */
export function checkBehind(one: CharterAssumption): CheckRequest | undefined {
  if (one.check !== undefined) return { check: one.check, params: one.params };
  const known = checkNames.find((name) => name === one.measure);
  return known === undefined ? undefined : { check: known, params: {} };
}
