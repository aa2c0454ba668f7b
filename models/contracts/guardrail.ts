import { z } from 'zod';
import { machineName } from './ids.ts';

/** Of a visitor, youngest first. Whoever says nothing of it counts as the first. */
export const maturities = ['child', 'teen', 'adult'] as const;
export const maturity = z.enum(maturities);
export type Maturity = z.infer<typeof maturity>;

/** Marks that people set by hand; this source needs no line in a charter. */
export const byHand = 'by-hand';

/** As a request gives it in `context.country`; upper and lower case are one. */
const region = z.string().min(1).max(64);

/** Whom a rule holds for: those in one of the regions, and below the maturity. Who does not say where they are may be anywhere. */
const audience = { regions: z.array(region).min(1).max(300).optional(), below: z.enum(['teen', 'adult']).optional() };

/** What a surface does not show, whatever a model thinks of it. A policy flag that no line of `flags` names holds for everybody, also without any of this. */
export const guardrailRules = z.strictObject({
  /** Who judges items: a classifier, a moderation team. Marks of other sources are not taken in. */
  sources: z
    .array(
      z.strictObject({
        name: machineName.refine((name) => name !== byHand, `${byHand} is a source of its own`),
        /** A judgement holds for so long. */
        staleAfterMinutes: z.number().int().min(1).max(527_040),
        /** Only what it has judged, and not longer ago than that, is shown at all. */
        required: z.boolean().default(true),
      }),
    )
    .max(20)
    .default([]),
  /** An item with such a score, of any source, is not shown to these. */
  thresholds: z
    .array(z.strictObject({ kind: machineName, atLeast: z.number().gt(0).max(1), ...audience }))
    .max(100)
    .default([]),
  /** A policy flag that holds for these only. */
  flags: z
    .array(z.strictObject({ flag: machineName, ...audience }))
    .max(100)
    .default([]),
});
export type GuardrailRules = z.output<typeof guardrailRules>;
