import { z } from 'zod';
import { digestString, epochMs, externalId, machineName, surfaceName } from './ids.ts';

/** What a source says of one item. Without scores and flags it says that it found nothing. */
export const itemMark = z.strictObject({
  itemId: externalId,
  /** Kind of harm → score. */
  scores: z.record(machineName, z.number().min(0).max(1)).default({}),
  /** Policy flags. */
  flags: z.array(machineName).max(50).default([]),
  /** From then on it is as if it had never been said. */
  expiresAtMs: epochMs.optional(),
});
export type ItemMark = z.infer<typeof itemMark>;

export const marksAtMost = 1_000_000;

/**
 * `replace`: all that the source said of these items before is gone. `add`: these flags and scores stand beside what it said. `clear`: these flags are gone, or
 * all that the source said of the item where none is named.
 */
export const flagMode = z.enum(['replace', 'add', 'clear']);
export type FlagMode = z.infer<typeof flagMode>;

/** One change of the marks of a surface: number `generation` of the series `flags/<surface>`. */
export const flagChange = z.strictObject({
  kind: z.literal('flags'),
  surface: surfaceName,
  generation: z.number().int().min(1),
  operationId: externalId,
  source: machineName,
  by: z.string().min(1).max(200),
  why: z.string().min(1).max(1000),
  atMs: epochMs,
  /** When the source looked at the items: never later than `atMs`. */
  asOfMs: epochMs,
  mode: flagMode,
  /** Digests of lists of marks, one behind the other, and how many marks there are. */
  marks: z.array(digestString),
  count: z.number().int().min(0),
  /** Digests of all that stands after number `through`, where a reader may begin; null before the first. */
  base: z.strictObject({ through: z.number().int().min(1), standing: z.array(digestString) }).nullable(),
});
export type FlagChange = z.infer<typeof flagChange>;

/** What stands of what a source said of an item; null: without end. */
export const standingMark = z.strictObject({
  /** Number of the change that said the last of it. */
  change: z.number().int().min(1),
  asOfMs: epochMs,
  untilMs: epochMs.nullable(),
  scores: z.record(machineName, z.tuple([z.number(), epochMs.nullable()])),
  flags: z.record(machineName, epochMs.nullable()),
});
export type StandingMark = z.infer<typeof standingMark>;

/** One list of a base: source, item, mark. */
export const standingMarks = z.array(z.tuple([machineName, externalId, standingMark]));

/** POST /v1/flags. */
export const flagsRequest = z.strictObject({
  surface: surfaceName,
  source: machineName,
  by: z.string().min(1).max(200),
  why: z.string().min(1).max(1000),
  asOfMs: epochMs.optional(),
  mode: flagMode.default('replace'),
  items: z.array(itemMark).min(1).max(10_000),
  /** A request that is sent again with the same id changes nothing more. */
  operationId: externalId.optional(),
});
export type FlagsRequest = z.infer<typeof flagsRequest>;
