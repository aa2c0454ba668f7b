import { z } from 'zod';

/** What makes a row no event at all; such a row can be put aside, or stop the batch, and nothing milder. */
export const contractRules = [
  'missing-item',
  'malformed-item',
  'missing-session',
  'malformed-session',
  'malformed-user',
  'malformed-device',
  'missing-event-id',
  'malformed-event-id',
  'malformed-request-id',
  'out-of-scope-code',
  'unknown-kind',
  'missing-time',
  'time-out-of-range',
  'bad-quantity',
  'bad-price',
  'missing-dwell',
  'bad-dwell',
  'missing-rating',
  'bad-rating',
  'bad-position',
] as const;
export type ContractRule = (typeof contractRules)[number];

/**
 * What makes an event hard to believe, what each does unless the charter says otherwise, and its limit where it has one:
 * - `in-the-future`: milliseconds that it may lie behind the moment at which it came in (a visitor's clock);
 * - `too-late`: milliseconds after which it may come in no more;
 * - `unknown-item`: of an item that the catalog does not have, where the source is not what the catalog is made of;
 * - `before-impression`: it answers a slate's item at a time before that item was seen;
 * - `bot-rate`: events of one visitor in one minute of the clock, purchases and returns aside; those behind the limit are meant.
 */
export const judgementRules = {
  'in-the-future': { action: 'quarantine', limit: 3_600_000 },
  'too-late': { action: 'off', limit: 30 * 86_400_000 },
  'unknown-item': { action: 'warn', limit: undefined },
  'before-impression': { action: 'warn', limit: undefined },
  'bot-rate': { action: 'warn', limit: 300 },
} as const satisfies Record<string, { action: RuleAction; limit: number | undefined }>;
export type JudgementRule = keyof typeof judgementRules;

const ruleActions = ['off', 'warn', 'quarantine', 'stop'] as const;
export type RuleAction = (typeof ruleActions)[number];

const limited = z.strictObject({ action: z.enum(ruleActions), limit: z.number().int().min(1) });
const names = Object.keys(judgementRules) as [JudgementRule, ...JudgementRule[]];

/** The charter's word on record rules: an action, or an action with a limit of its own. */
export const recordRuleChoices = z
  .strictObject(
    Object.fromEntries([
      ...contractRules.map((name) => [name, z.enum(['quarantine', 'stop']).optional()]),
      ...names.map((name) => [name, (judgementRules[name].limit === undefined ? z.enum(ruleActions) : z.union([z.enum(ruleActions), limited])).optional()]),
    ]),
  )
  .transform((choices) => choices as Partial<Record<ContractRule | JudgementRule, RuleAction | z.output<typeof limited>>>);
export type RecordRuleChoices = z.output<typeof recordRuleChoices>;
