import { z } from 'zod';
import { interval } from './verdict.ts';

const ranker = z.strictObject({
  /** Numbers that were learned. */
  parameters: z.number().int(),
  /** Of the graph. */
  bytes: z.number().int(),
  /** In the mean of the users that were held out; null where none were. */
  ndcgAt10: z.number().nullable(),
});

/**
 * `distillation.json`, of a model that a heavier one taught: what that saves, and what it costs on users that neither was trained on; they did
 * say when each was to stop.
 */
export const distillation = z.strictObject({
  kind: z.literal('distillation'),
  teacher: ranker,
  /** The one that the artifact holds. */
  student: ranker,
  users: z.number().int(),
  /** NDCG@10 of the student less the teacher's, paired by user, 95 % by bootstrap. */
  difference: interval.nullable(),
  /** Of the teacher's best 20, the share that is among the student's. */
  agreementAt20: z.number().nullable(),
});
export type DistillationStatement = z.infer<typeof distillation>;
