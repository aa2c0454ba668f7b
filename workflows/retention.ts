import type { RetentionResult } from '../activities/api.ts';
import { patient } from './proxies.ts';

/** Erases what a surface keeps for longer than its charter says. Its schedule starts it each day. */
export async function retention(input: { surface: string }): Promise<RetentionResult> {
  return patient.enforceRetention(input);
}
