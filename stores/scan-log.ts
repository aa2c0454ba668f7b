import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asUnderstudyError, UnderstudyError } from '../models/contracts/problem.ts';
import type { LogCursor, LogScan } from './event-log.ts';
import { isErased, linesOf, notARecord, tryRecord } from './log-lines.ts';
import { sealedSuffix, sealOf, segmentFiles } from './log-recovery.ts';

type Scan = LogScan & { directory: string };
type Found = { file: string; name: string; open: boolean; writtenMs: number; bytes: number };

/** What an event or a slate takes, where a segment does not say how many it holds. */
const guessedRecordBytes = 500;

/** `LogReader.scan` of files: one segment after the other. Open segments are read up to their last whole line. */
export async function scanLog({
  directory,
  take,
  onDamaged,
  atLeast = Number.POSITIVE_INFINITY,
  writtenSinceMs = 0,
  containing = '',
}: Scan): Promise<LogCursor> {
  const found: Found[] = [];
  for (const segment of await segmentFiles(directory)) {
    const { mtimeMs, size } = await stat(join(directory, segment.file)).catch(() => ({ mtimeMs: Date.now(), size: 0 }));
    found.push({ ...segment, writtenMs: segment.open ? Number.POSITIVE_INFINITY : mtimeMs, bytes: size });
  }
  found.sort((a, b) => a.writtenMs - b.writtenMs || (a.name < b.name ? -1 : 1));
  const wanted: Found[] = [];
  const cursor: Record<string, number> = {};
  let records = 0;
  for (const segment of found.reverse()) {
    cursor[segment.name + sealedSuffix] = segment.open ? 0 : segment.bytes;
    if (records >= atLeast || segment.writtenMs < writtenSinceMs) continue;
    wanted.push(segment);
    records += segment.open
      ? segment.bytes / guessedRecordBytes
      : await sealOf(directory, segment.name).then(
          (seal) => seal.records,
          () => segment.bytes / guessedRecordBytes,
        );
  }
  for (const segment of wanted.reverse()) {
    try {
      cursor[segment.name + sealedSuffix] = await scanSegment({ directory, segment, containing, take });
    } catch (error) {
      onDamaged({ segment: segment.name, error: asUnderstudyError(error) });
    }
  }
  return cursor;
}

/** @returns the bytes that were read. @throws UND-DIGEST, behind all records that could be read. */
async function scanSegment({
  directory,
  segment,
  containing,
  take,
}: Pick<Scan, 'directory' | 'take'> & { segment: Found; containing: string }): Promise<number> {
  const { file, name, open } = segment;
  const hash = createHash('sha256');
  let bytes = 0;
  let damage: UnderstudyError | undefined;
  for await (const line of linesOf(createReadStream(join(directory, file)), hash)) {
    const record = line.includes(containing) ? tryRecord(line) : null;
    // A hole behind what was acknowledged, which recovery will cut.
    if (record === undefined && open) return bytes;
    bytes += Buffer.byteLength(line) + 1;
    if (record === undefined) damage = notARecord(name);
    else if (record !== null && !isErased(record)) take(record);
  }
  if (damage !== undefined) throw damage;
  if (open) return bytes;
  const seal = await sealOf(directory, name);
  if (`sha256:${hash.digest('hex')}` !== seal.digest) throw new UnderstudyError('UND-DIGEST', `The log segment ${name} holds other bytes than its seal says`);
  return bytes;
}
