import { z } from 'zod';
import { eventKinds } from './event.ts';

const days = z.number().int().min(1).max(36_500);

/** How many days what happened is kept, today included; older is erased, a day at a time. */
export const retentionRules = z.strictObject({
  days,
  /** Kinds that are kept for less long, or for longer. */
  daysOf: z.partialRecord(z.enum(eventKinds), days).default({}),
  /** Records of slates. */
  slateDays: days.default(90),
  /** Rows that are put aside, from when they were. */
  quarantineDays: days.default(30),
  /** What reporters said, and who they are, from when their report was closed. How it went stays. */
  reportDays: days.default(365),
});
