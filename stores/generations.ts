import type { z } from 'zod';
import { inputError } from '../models/contracts/problem.ts';
import type { Signer } from './signatures.ts';

/**
 * A series is a list of documents numbered 1, 2, 3 …; each number is created exclusively, once. The only mutable
 * thing in the house: deployment specs, the data state, the charter and the ledger are series.
 *
 * Names of series: `deployment/<surface>`, `data/<surface>`, `charter/<surface>`, `ledger/<surface>`, `runs/<surface>`.
 */
export interface GenerationStore {
  /** Creates number `generation`. Whoever is second gets UND-GENERATION-TAKEN, unless its document is the same (a retry). */
  create(series: string, generation: number, document: unknown): Promise<void>;
  read(series: string, generation: number): Promise<unknown>;
  /** Number and document of the newest, or undefined for an empty series. */
  latest(series: string): Promise<{ generation: number; document: unknown } | undefined>;
  /** All series that begin with the prefix. */
  series(prefix: string): Promise<string[]>;
  /** By which entries of ledgers are signed: that one of them which is in force there. Empty or absent where this process has no key. */
  readonly ledgerSigners?: readonly Signer[];
}

/** @throws UND-STATE naming the series and the number whose document is not what its schema says. */
export function parseGeneration<T>(schema: z.ZodType<T>, { series, generation, document }: { series: string; generation: number; document: unknown }): T {
  const parsed = schema.safeParse(document);
  if (!parsed.success) throw inputError('UND-STATE', `Number ${generation} of ${series}`, parsed.error.issues);
  return parsed.data;
}
