import { createHash } from 'node:crypto';
import { readdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { createExclusive, replaceFile, syncDirectory } from './durable-files.ts';
import { beginLife, isOver } from './life.ts';
import { erasedLine, isErased, tryRecord } from './log-lines.ts';
import { parseFile, recoverSegments, type Seal, sealedSuffix, sealOf, segmentFiles, writeSeal } from './log-recovery.ts';

type Input = {
  directory: string;
  /** Lines without any of these are passed over; all are looked at where none is given. */
  mentions?: readonly string[];
  /** Whose record it is. */
  matches: (record: unknown) => boolean;
  certificate: string;
  /** What was cut off torn segments before goes with them; absent where only what it holds decides. */
  cutsBeforeMs?: number;
};

/** `cuts`: files of what was cut off; absent where there were none. */
type Erased = { records: number; segments: number; cuts?: number };

/**
 * Takes records out of the sealed segments of a stream, for good. Each is overwritten in its place by as many bytes that say nothing, so that readers who
 * stand in the middle of a segment go on; the seal says what the segment was, and by which certificate it is not any more. Segments that lives which are
 * over left open are sealed first, those that are written now are left alone. It can be repeated at whatever point it failed.
 * @returns how many records are gone now that were there before, and from how many segments.
 * @throws UND-LOG-UNAVAILABLE while somebody else erases from the same stream.
 */
export async function eraseFromLog(input: Input): Promise<Erased> {
  if ((await stat(input.directory).catch(() => undefined)) === undefined) return { records: 0, segments: 0 };
  const release = await lock(input.directory);
  try {
    return await erase(input);
  } finally {
    await release();
  }
}

/** Two that read, change and write the same file would undo each other. A lock of a life that is over is nobody's. */
async function lock(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, '.erasing');
  const life = beginLife();
  for (let attempt = 0; attempt < 2; attempt += 1) {
    if (await createExclusive(path, life.id))
      return async () => {
        await unlink(path).catch(() => undefined);
        life.end();
      };
    const holder = await readFile(path, 'utf8').catch(() => '');
    if (holder === '' || isOver(holder) === true) await unlink(path).catch(() => undefined);
  }
  life.end();
  throw new UnderstudyError('UND-LOG-UNAVAILABLE', `Somebody else erases from ${directory}`);
}

async function erase({ directory, mentions = [''], matches, certificate, cutsBeforeMs }: Input): Promise<Erased> {
  await sealWhatIsOver(directory);
  const done = { records: 0, segments: 0 };
  const needles = mentions.map((mention) => Buffer.from(JSON.stringify(mention).slice(1, -1)));
  for (const { name, open } of await segmentFiles(directory)) {
    // It is newer than what was asked for; what it holds of them is found when all is looked at, and goes in another round.
    if (open) continue;
    const path = join(directory, name + sealedSuffix);
    const bytes = await readFile(path);
    const seal = await sealAfterAttempt({ directory, name, actual: digestOf(bytes) });
    const erased = overwrite({ bytes, needles, matches });
    if (erased === 0) continue;
    // A segment of which nothing is left takes no room: those who have read it stand behind its end, and wait there.
    const left = isEmpty(bytes) ? Buffer.alloc(0) : bytes;
    const size = left.length === 0 ? { records: 0, bytes: 0 } : {};
    const next: Seal = { ...seal, ...size, digest: digestOf(left), erased: [...(seal.erased ?? []), { was: seal.digest, certificate }] };
    await replaceFile(join(directory, name + attemptSuffix), JSON.stringify(next));
    await replaceFile(path, left);
    await finish({ directory, name, seal: next });
    done.records += erased;
    done.segments += 1;
  }
  const cuts = await unlinkCuts({
    directory,
    needles: needles.filter(({ length }) => length > 0),
    matches,
    ...(cutsBeforeMs === undefined ? {} : { cutsBeforeMs }),
  });
  await syncDirectory(directory).catch(() => undefined);
  return cuts === 0 ? done : { ...done, cuts };
}

/** The seal that the bytes are to have, while they may not have them yet. */
const attemptSuffix = '.erasing';
const digestOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

async function finish({ directory, name, seal }: { directory: string; name: string; seal: Seal }): Promise<void> {
  await writeSeal(directory, seal);
  await unlink(join(directory, name + attemptSuffix)).catch(() => undefined);
}

/**
 * The seal of a segment, also where an attempt ended between its bytes and its seal.
 * @throws UND-DIGEST when the bytes are neither what the seal says nor what an attempt was to make of them: what nobody can explain is not sealed anew.
 */
async function sealAfterAttempt({ directory, name, actual }: { directory: string; name: string; actual: string }): Promise<Seal> {
  const seal = await sealOf(directory, name);
  if (seal.digest === actual) return seal;
  const attempt = await readFile(join(directory, name + attemptSuffix), 'utf8').catch(() => undefined);
  const meant = attempt === undefined ? undefined : (JSON.parse(attempt) as Seal);
  if (meant?.digest !== actual) throw new UnderstudyError('UND-DIGEST', `The log segment ${name} holds other bytes than its seal says`);
  await finish({ directory, name, seal: meant });
  return meant;
}

/** Nothing but records that were erased. */
function isEmpty(bytes: Buffer): boolean {
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(0x0a, from);
    if (!isErased(tryRecord(bytes.toString('utf8', from, end < 0 ? bytes.length : end)))) return false;
    from = end < 0 ? bytes.length : end + 1;
  }
  return true;
}

/** In place. @returns how many records it was. */
function overwrite({ bytes, needles, matches }: { bytes: Buffer; needles: readonly Buffer[]; matches: (record: unknown) => boolean }): number {
  let erased = 0;
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(0x0a, from);
    const line = bytes.subarray(from, end < 0 ? bytes.length : end);
    from += line.length + 1;
    if (!needles.some((needle) => line.includes(needle))) continue;
    const record = tryRecord(line.toString('utf8'));
    if (isErased(record) || !matches(record)) continue;
    erasedLine(line.length).copy(line);
    erased += 1;
  }
  return erased;
}

async function sealWhatIsOver(directory: string): Promise<void> {
  const files = await readdir(directory).catch(() => []);
  const writers = new Set(files.flatMap((file) => (file.endsWith('.open') ? (parseFile(file)?.writer ?? []) : [])));
  if (writers.size === 0) return;
  const life = beginLife();
  try {
    for (const writer of writers) await recoverSegments({ directory, writer, life });
  } finally {
    life.end();
  }
}

/**
 * What was cut off behind a torn record was kept for a person to look at; where it may hold what is to go, it goes as a whole: by its ids, by a whole
 * record in it, or, since of a torn one nobody can tell how old it is, by the age of the file.
 * @returns how many went
 */
async function unlinkCuts({
  directory,
  needles,
  matches,
  cutsBeforeMs = 0,
}: Pick<Input, 'directory' | 'matches' | 'cutsBeforeMs'> & { needles: readonly Buffer[] }): Promise<number> {
  let gone = 0;
  for (const file of (await readdir(directory).catch(() => [])).filter((name) => name.endsWith('.cut'))) {
    const path = join(directory, file);
    const bytes = await readFile(path);
    const records = bytes.toString('utf8').split('\n').map(tryRecord);
    const goes = needles.some((needle) => bytes.includes(needle)) || records.some((record) => typeof record === 'object' && record !== null && matches(record));
    if (!goes && (await stat(path)).mtimeMs >= cutsBeforeMs) continue;
    await unlink(path);
    gone += 1;
  }
  return gone;
}

/** By which certificates records were taken out of a stream. What they were nobody can tell any more. */
export async function erasuresIn(directory: string): Promise<string[]> {
  if ((await stat(directory).catch(() => undefined)) === undefined) return [];
  const certificates = new Set<string>();
  for (const { name, open } of await segmentFiles(directory))
    if (!open) for (const { certificate } of (await sealOf(directory, name)).erased ?? []) certificates.add(certificate);
  return [...certificates].sort();
}
