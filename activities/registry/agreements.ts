import { type Agreement, agreement } from '../../models/contracts/agreement.ts';
import { readLedger } from '../../stores/ledger.ts';
import type { Context } from '../context.ts';

/** The ledger's entries that hold what a canary saw. */
export const canaryDecided = 'canary-decided';

/** What the log foretold and what the canaries then saw, oldest first: from the surface's ledger. */
export async function agreementsOf(context: Pick<Context, 'state'>, surface: string): Promise<Agreement[]> {
  const entries = await readLedger(context.state.generations, surface);
  return entries.flatMap(({ action, detail }) => (action === canaryDecided && detail.agreement ? [agreement.parse(detail.agreement)] : []));
}
