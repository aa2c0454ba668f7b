import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type SlateRecord, slateRecord } from '../../models/contracts/slate.ts';
import { erasuresIn } from '../../stores/erase-log.ts';
import { directoryOf } from '../../stores/open-logs.ts';
import type { State } from '../context.ts';

/**
 * The record of what was sent for a request, out of the logs of these surfaces, sealed or open.
 * @throws UND-NOT-FOUND; UND-ERASED naming the certificates, where records were erased from these logs: then nobody can tell any more whether it was one of them
 */
export async function findSlate(state: State, { requestId, surfaces }: { requestId: string; surfaces: readonly string[] }): Promise<SlateRecord> {
  const damaged: string[] = [];
  for (const surface of surfaces) {
    const found: unknown[] = [];
    await state.logReader(surface, 'slates').scan({
      take: (record) => void found.push(record),
      onDamaged: ({ segment }) => void damaged.push(segment),
      containing: `"requestId":${JSON.stringify(requestId)}`,
    });
    const slate = found.map((record) => slateRecord.safeParse(record).data).find((record) => record?.requestId === requestId);
    if (slate !== undefined) return slate;
  }
  const where = `${surfaces.join(', ')}${damaged.length === 0 ? '' : `; ${damaged.length} damaged segments of the log may hold it`}`;
  const certificates = new Set<string>();
  if (state.logKind === 'files')
    for (const surface of surfaces)
      for (const certificate of await erasuresIn(directoryOf(state.root, { surface, stream: 'slates' }))) certificates.add(certificate);
  if (certificates.size > 0)
    throw new UnderstudyError(
      'UND-ERASED',
      `There is no slate of ${requestId} in the log of ${where}: if there was, it went with the records that were erased by ${[...certificates].join(', ')}`,
      { details: { certificates: [...certificates] } },
    );
  throw new UnderstudyError('UND-NOT-FOUND', `There is no slate of ${requestId} in the log of ${where}`);
}
