import type { Agreement } from '../../models/contracts/agreement.ts';
import { type CanaryRecord, canaryRecord } from '../../models/contracts/canary-record.ts';
import { getDocument } from '../../stores/blobs.ts';
import { readLedger } from '../../stores/ledger.ts';
import type { Context } from '../context.ts';

/** The ledger's entries that hold what a canary saw. */
export const canaryDecided = 'canary-decided';

export type RecordedCanary = { atMs: number; outcome: string; record: CanaryRecord };

/** What each canary of a surface came to, oldest first: from its ledger. */
export async function canaryRecordsOf(context: Pick<Context, 'state'>, surface: string): Promise<RecordedCanary[]> {
  const { generations, blobs } = context.state;
  const entries = (await readLedger(generations, surface)).filter(({ action }) => action === canaryDecided);
  return Promise.all(
    entries.map(async ({ atMs, detail }) => ({
      atMs,
      outcome: String(detail.outcome),
      record: await getDocument(blobs, String(detail.record), canaryRecord),
    })),
  );
}

/** What the log foretold and what the canaries that ended until then saw, where it had an estimate. */
export async function agreementsOf(context: Pick<Context, 'state'>, surface: string, untilMs = Number.POSITIVE_INFINITY): Promise<Agreement[]> {
  return (await canaryRecordsOf(context, surface)).flatMap(({ atMs, record }) => (atMs <= untilMs ? (record.agreement ?? []) : []));
}
