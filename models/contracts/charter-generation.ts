import { z } from 'zod';
import { digestString, epochMs } from './ids.ts';

/** A generation of `charter/<surface>`: the charter that holds from then on. */
export const charterGeneration = z.strictObject({ kind: z.literal('charter'), charter: digestString, atMs: epochMs });
