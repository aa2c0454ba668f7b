import { randomBytes } from 'node:crypto';
import { type FileHandle, link, mkdir, open, rename, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** Makes the entries of a directory durable: after a crash a linked or renamed name is still there. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const durableDirectories = new Set<string>();

/**
 * Makes a directory and those above it, so that they are still there after a crash: an entry is durable when the directory that holds it was synced.
 * What was there before this process may have been made by another one a moment ago, so its entry is synced once too.
 */
export async function makeDirectory(path: string): Promise<void> {
  const wanted = resolve(path);
  const first = await mkdir(wanted, { recursive: true });
  if (first === undefined && durableDirectories.has(wanted)) return;
  const topmost = first === undefined ? wanted : resolve(first);
  for (let made = wanted; made.length >= topmost.length && made !== dirname(made); made = dirname(made)) await syncDirectory(dirname(made));
  durableDirectories.add(wanted);
}

/** Writes and syncs bytes under a name that nobody else uses, in the directory of `target`. */
async function writeBeside(target: string, bytes: Uint8Array | string): Promise<string> {
  const temporary = join(dirname(target), `.new-${process.pid}-${randomBytes(6).toString('hex')}`);
  const handle: FileHandle = await open(temporary, 'wx', 0o644);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  } finally {
    await handle.close();
  }
  return temporary;
}

/**
 * Creates a file with its content in one step, durably: readers see all of it or nothing, and of many writers exactly one
 * gets `true`.
 */
export async function createExclusive(path: string, bytes: Uint8Array | string): Promise<boolean> {
  const directory = dirname(path);
  await makeDirectory(directory);
  const temporary = await writeBeside(path, bytes);
  try {
    // link(2) fails when the name is taken; rename(2) would overwrite.
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    // Whoever created it may not have come to this yet, and the caller goes on as if it were there for good.
    await syncDirectory(directory);
    return false;
  } finally {
    await unlink(temporary);
  }
  await syncDirectory(directory);
  return true;
}

/** Replaces a file by a whole new one. For reports of the moment, not for anything that decides. */
export async function replaceFile(path: string, bytes: Uint8Array | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = await writeBeside(path, bytes);
  await rename(temporary, path).catch(async (error) => {
    await unlink(temporary).catch(() => undefined);
    throw error;
  });
}
