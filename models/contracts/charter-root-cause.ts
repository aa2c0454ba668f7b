import { z } from 'zod';
import { epochMs } from './ids.ts';
import { mendActions } from './root-cause.ts';

/** What may be done about a diagnosis, and how long it is waited for. */
export const rootCauseRules = z.strictObject({
  /** Mends that are done without anybody being asked. */
  automatic: z.array(z.enum(mendActions)).default([]),
  /** A mend that nobody has decided on by then is not done. */
  decideWithinHours: z
    .number()
    .positive()
    .max(24 * 30)
    .default(24),
  /** By then after a mend the trouble must be gone, else it is looked at again. */
  recoverWithinMinutes: z
    .number()
    .positive()
    .max(7 * 24 * 60)
    .default(60),
  /** Times of which it is known that people buy otherwise: their days are no measure for others, nor others for theirs. */
  promotions: z
    .array(z.strictObject({ fromMs: epochMs, toMs: epochMs, what: z.string().min(1).max(200) }))
    .max(500)
    .default([]),
});
export type RootCauseRules = z.output<typeof rootCauseRules>;
