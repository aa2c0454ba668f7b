import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UnderstudyError } from '../models/contracts/problem.ts';
import type { SealedSegment } from './event-log.ts';
import { isErased, linesOf, recordOf } from './log-lines.ts';
import { sealedSuffix, sealOf } from './log-recovery.ts';

/** `LogReader.read` of files. */
export async function* readSealed(directory: string, segments: readonly SealedSegment[]): AsyncGenerator<unknown> {
  for (const segment of segments) {
    const path = join(directory, segment.name + sealedSuffix);
    const size = (await stat(path).catch(() => undefined))?.size;
    if (size !== segment.bytes) await refuseErased(directory, segment);
    if (size !== segment.bytes)
      throw new UnderstudyError('UND-DIGEST', `The log segment ${segment.name} has ${size ?? 'no'} bytes, its seal says ${segment.bytes}`);
    const hash = createHash('sha256');
    for await (const line of linesOf(createReadStream(path), hash)) {
      const record = recordOf(line, segment.name);
      if (!isErased(record)) yield record;
    }
    if (`sha256:${hash.digest('hex')}` === segment.digest) continue;
    await refuseErased(directory, segment);
    throw new UnderstudyError('UND-DIGEST', `The log segment ${segment.name} holds other bytes than its seal says`);
  }
}

/** A segment is pinned by what it holds. */
export const withoutHistory = ({ name, digest, records, bytes }: SealedSegment): SealedSegment => ({ name, digest, records, bytes });

/** @throws UND-ERASED where the segment was once what it is pinned as. */
async function refuseErased(directory: string, segment: SealedSegment): Promise<void> {
  const { erased = [] } = await sealOf(directory, segment.name);
  const since = erased.findIndex(({ was }) => was === segment.digest);
  if (since >= 0) throw erasedSince(segment.name, erased.slice(since));
}

function erasedSince(segment: string, erased: readonly { certificate: string }[]): UnderstudyError {
  const certificates = erased.map(({ certificate }) => certificate);
  return new UnderstudyError('UND-ERASED', `Records of the log segment ${segment} were erased by certificate ${certificates.join(', ')}`, {
    details: { certificate: certificates[0] ?? null },
  });
}
