import { createHash } from 'node:crypto';
import { readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { digestString } from '../models/contracts/ids.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { createExclusive, replaceFile, syncDirectory } from './durable-files.ts';
import type { SealedSegment } from './event-log.ts';
import { isOver, type Life } from './life.ts';

/*
 * Names: `<writer>-<sequence>~<life>.jsonl.open` while that life writes it, `.jsonl` once sealed, `.jsonl.<life>.open` while another life recovers it;
 * older segments have no `~<life>`. Whoever renames the open file has it, and everybody else finds its name gone: a writer before it acknowledges.
 */
export const openSuffix = '.jsonl.open';
export const sealedSuffix = '.jsonl';
/** A life that this machine can tell nothing of is taken for over when its segment was not written for so long: it loses nothing if it is not. */
const silentMs = 30_000;

export type TornTail = { segment: string; bytes: number };

/** A file of the log, from its name; undefined for others. `life` is the one that has it: the recovering one where there is one. */
export function parseFile(file: string): { name: string; writer: string; sequence: number; life: string | null; open: boolean } | undefined {
  const match = /^(?<name>(?<writer>.+)-(?<sequence>\d{8})(?:~(?<life>[a-z0-9.]+?))?)\.jsonl(?<open>(?:\.(?<taker>[a-z0-9.]+))?\.open)?$/.exec(file)?.groups;
  if (match === undefined) return undefined;
  const { name = '', writer = '', sequence, life, taker } = match;
  return { name, writer, sequence: Number(sequence), life: taker ?? life ?? null, open: match.open !== undefined };
}

/** The segments of a stream, each once, in the order of their names. */
export async function segmentFiles(directory: string): Promise<{ file: string; name: string; open: boolean }[]> {
  const files = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const all = new Set(files);
  return files.sort().flatMap((file) => {
    const found = parseFile(file);
    // What was taken over may stand beside the sealed file that was made of it.
    if (found === undefined || (found.open && all.has(found.name + sealedSuffix))) return [];
    return [{ file, name: found.name, open: found.open }];
  });
}

const sealDocument = z.strictObject({
  name: z.string(),
  digest: digestString,
  records: z.number().int(),
  bytes: z.number().int(),
  /** What it was before records were erased, the oldest first, and by which certificate. */
  erased: z.array(z.strictObject({ was: digestString, certificate: z.string() })).optional(),
});
export type Seal = z.infer<typeof sealDocument>;

/**
 * As it was written, or, where the writer died or its disk was full in that moment, as it must have been.
 * @throws UND-DIGEST
 */
export async function sealOf(directory: string, name: string): Promise<Seal> {
  try {
    const text = await readFile(join(directory, `${name}.seal`), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' && error.code !== 'EISDIR') throw error;
      return undefined;
    });
    return text === undefined ? await describeSegment(directory, name) : sealDocument.parse(JSON.parse(text));
  } catch (cause) {
    throw new UnderstudyError('UND-DIGEST', `The seal of the log segment ${name} cannot be read`, { cause });
  }
}

/** Takes `.open` from the name, then writes what the segment holds: where that fails, readers find it out by reading. */
export async function sealFile(directory: string, sealed: SealedSegment): Promise<SealedSegment> {
  await rename(join(directory, sealed.name + openSuffix), join(directory, sealed.name + sealedSuffix));
  await writeSeal(directory, sealed).catch(() => undefined);
  // A rename that a power cut takes back leaves an open segment, which recovery seals with the same digest.
  await syncDirectory(directory).catch(() => undefined);
  return sealed;
}

export const writeSeal = (directory: string, sealed: Seal): Promise<void> => replaceFile(join(directory, `${sealed.name}.seal`), JSON.stringify(sealed));

/** What a segment without a seal holds: nobody writes a file of this name. */
export async function describeSegment(directory: string, name: string): Promise<SealedSegment> {
  const bytes = await readFile(join(directory, name + sealedSuffix));
  const digest = createHash('sha256').update(bytes).digest('hex');
  let records = 0;
  for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, end + 1)) records += 1;
  return { name, records, bytes: bytes.length, digest: `sha256:${digest}` };
}

type Recovery = { directory: string; writer: string; life: Pick<Life, 'id'>; onTornTail?: ((torn: TornTail) => void) | undefined };

/** Cuts and seals what lives of this writer left open that are over. It can be repeated at whatever point it failed. */
export async function recoverSegments({ directory, writer, life, onTornTail }: Recovery): Promise<void> {
  const files = (await readdir(directory)).sort();
  const all = new Set(files);
  for (const file of files) {
    const found = parseFile(file);
    // Writer `a` must not take what writer `a-b` is writing.
    if (found === undefined || found.writer !== writer) continue;
    if (!found.open) {
      if (!all.has(`${found.name}.seal`)) await writeSeal(directory, await describeSegment(directory, found.name)).catch(() => undefined);
    } else if (found.life === life.id ? file !== found.name + openSuffix : await mayBeTaken(join(directory, file), found.life)) {
      const taken = join(directory, `${found.name}${sealedSuffix}.${life.id}.open`);
      if (await renamed(join(directory, file), taken)) await sealTaken({ directory, name: found.name, taken, onTornTail });
    }
  }
}

async function mayBeTaken(path: string, life: string | null): Promise<boolean> {
  const over = life === null ? true : isOver(life);
  if (over !== undefined) return over;
  const writtenMs = (await stat(path).catch(() => undefined))?.mtimeMs;
  return writtenMs !== undefined && Date.now() - writtenMs > silentMs;
}

/** Of several that would take it one does. */
async function renamed(from: string, to: string): Promise<boolean> {
  return rename(from, to).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}

/** Into a file of its own: whoever still writes into the old one, having slept for long, writes into what nobody reads. */
async function sealTaken({ directory, name, taken, onTornTail }: Pick<Recovery, 'directory' | 'onTornTail'> & { name: string; taken: string }): Promise<void> {
  const bytes = await readFile(taken);
  const { length } = wholeRecords(bytes);
  const cut = bytes.subarray(length);
  // A torn line was never acknowledged. Whole lines behind a broken one may be more than that: they are kept aside for a person to look at.
  if (cut.includes(0x0a)) await replaceFile(join(directory, `${name}.cut`), cut);
  if (cut.length > 0) onTornTail?.({ segment: name, bytes: cut.length });
  await createExclusive(join(directory, name + sealedSuffix), bytes.subarray(0, length));
  await writeSeal(directory, await describeSegment(directory, name));
  await unlink(taken);
}

/**
 * The lines up to the first that is no record. After a power cut a hole may stand before bytes that did arrive: all of it belongs to the one write
 * that was not synced yet, and so was not acknowledged.
 */
function wholeRecords(bytes: Buffer): { length: number } {
  let length = 0;
  for (;;) {
    const end = bytes.indexOf(0x0a, length);
    if (end < 0 || !isJson(bytes.toString('utf8', length, end))) return { length };
    length = end + 1;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The highest number that this writer has given a segment; 0 where there is none. */
export async function lastSequence(directory: string, writer: string): Promise<number> {
  const found = (await readdir(directory)).map((file) => parseFile(file.replace(/\.(?:seal|cut)$/, sealedSuffix)));
  return Math.max(0, ...found.flatMap((one) => (one?.writer === writer ? [one.sequence] : [])));
}
