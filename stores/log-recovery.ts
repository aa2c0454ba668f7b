import { createHash } from 'node:crypto';
import { open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile, syncDirectory } from './durable-files.ts';
import type { SealedSegment } from './event-log.ts';

export const openSuffix = '.jsonl.open';
export const sealedSuffix = '.jsonl';

export type TornTail = { segment: string; bytes: number };

/** Writes what the segment holds, then takes `.open` from its name. It can be repeated at whatever point it failed. */
export async function sealFile(directory: string, sealed: SealedSegment): Promise<SealedSegment> {
  await replaceFile(join(directory, `${sealed.name}.seal`), JSON.stringify(sealed));
  await rename(join(directory, sealed.name + openSuffix), join(directory, sealed.name + sealedSuffix));
  // A rename that a power cut takes back leaves an open segment, which recovery seals with the same digest.
  await syncDirectory(directory).catch(() => undefined);
  return sealed;
}

/** Cuts and seals what this writer left open when it died. */
export async function recoverSegments(input: { directory: string; writer: string; onTornTail?: ((torn: TornTail) => void) | undefined }): Promise<void> {
  const { directory, writer, onTornTail } = input;
  // Writer `a` must not take what writer `a-b` is writing: behind the name only the sequence may stand.
  for (const file of (await readdir(directory)).filter((one) => one.endsWith(openSuffix) && one.replace(/-\d{8}\.jsonl\.open$/, '') === writer).sort()) {
    const path = join(directory, file);
    const name = file.slice(0, -openSuffix.length);
    const bytes = await readFile(path);
    const { length, records } = wholeRecords(bytes);
    const handle = await open(path, 'r+');
    try {
      const cut = bytes.subarray(length);
      if (cut.length > 0) {
        // A torn line was never acknowledged. Whole lines behind a broken one may be more than that: they are kept aside for a person to look at.
        if (cut.includes(0x0a)) await replaceFile(join(directory, `${name}.cut`), cut);
        await handle.truncate(length);
        onTornTail?.({ segment: name, bytes: cut.length });
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    const digest = createHash('sha256').update(bytes.subarray(0, length)).digest('hex');
    await sealFile(directory, { name, records, bytes: length, digest: `sha256:${digest}` });
  }
}

/**
 * The lines up to the first that is no record. After a power cut a hole may stand before bytes that did arrive: all of it belongs to the one write
 * that was not synced yet, and so was not acknowledged.
 */
function wholeRecords(bytes: Buffer): { length: number; records: number } {
  let length = 0;
  let records = 0;
  for (;;) {
    const end = bytes.indexOf(0x0a, length);
    if (end < 0 || !isJson(bytes.toString('utf8', length, end))) return { length, records };
    length = end + 1;
    records += 1;
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
  const numbers = (await readdir(directory)).flatMap((file) => {
    const match = file.startsWith(`${writer}-`) ? /^(\d{8})\.jsonl/.exec(file.slice(writer.length + 1)) : null;
    return match === null ? [] : [Number(match[1])];
  });
  return Math.max(0, ...numbers);
}
