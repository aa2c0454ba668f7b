import { z } from 'zod';
import { digestString } from './ids.ts';

/** One change of a column of quarantined rows as they came: of all of them, or of those that hold `from`; null empties the cell. */
const edit = z.strictObject({ column: z.string().min(1), from: z.string().nullable().optional(), to: z.string().nullable() });

/** What makes rows out of quarantine fit: changes of their cells, in this order, then a mapping, which is that of their source where none is named. */
export const mend = z.strictObject({
  kind: z.literal('mend'),
  edits: z.array(edit).max(100),
  mapping: digestString.nullable(),
});
export type Mend = z.infer<typeof mend>;
