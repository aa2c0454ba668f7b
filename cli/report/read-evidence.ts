import { z } from 'zod';
import type { State } from '../../activities/context.ts';
import { lineup } from '../../models/contracts/lineup.ts';
import { type Report, report } from '../../models/contracts/report.ts';
import { getDocument } from '../../stores/blobs.ts';

const evidence = z.discriminatedUnion('kind', [report, lineup]);
export type Evidence = { digest: string; report: Report };

/** What can be voted on: one report, or those of all challengers that share a release. */
export async function readEvidence({ blobs }: Pick<State, 'blobs'>, digest: string): Promise<Evidence[]> {
  const document = await getDocument(blobs, digest, evidence);
  if (document.kind === 'report') return [{ digest, report: document }];
  return Promise.all(document.contenders.map(async (one) => ({ digest: one.report, report: await getDocument(blobs, one.report, report) })));
}
