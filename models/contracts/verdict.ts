import { z } from 'zod';

/** Three states, never two: the absence of evidence is an answer of its own. */
export const verdict = z.enum(['better', 'worse', 'not-enough-evidence']);
export type Verdict = z.infer<typeof verdict>;

export const interval = z.strictObject({ value: z.number(), low: z.number(), high: z.number() });
export type Interval = z.infer<typeof interval>;
