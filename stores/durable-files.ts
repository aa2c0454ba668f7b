import { randomBytes } from 'node:crypto';
import { type FileHandle, link, mkdir, open, readdir, rename, rm, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { beginLife, isOver } from './life.ts';

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
 * What was there before this process may have been made by another one a moment ago, so its entry is synced once too; and what processes that were
 * killed left half written in it is removed.
 */
export async function makeDirectory(path: string): Promise<void> {
  const wanted = resolve(path);
  const first = await mkdir(wanted, { recursive: true });
  if (first === undefined && durableDirectories.has(wanted)) return;
  const topmost = first === undefined ? wanted : resolve(first);
  for (let made = wanted; made.length >= topmost.length && made !== dirname(made); made = dirname(made)) await syncDirectory(dirname(made));
  if (first === undefined) await removeLeftovers(wanted);
  durableDirectories.add(wanted);
}

const own = beginLife();
const leftover = /^\.new-(?<life>[a-z0-9.]+)-[0-9a-f]{12}$/;

/** A name for what is not whole yet, beside `target`, that nobody else uses, and that tells others whether whoever wrote it still lives. */
export const temporaryBeside = (target: string): string => join(dirname(target), `.new-${own.id}-${randomBytes(6).toString('hex')}`);

/** Removes what processes that were killed had not finished, or had not come to remove. */
export async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const life = leftover.exec(name)?.groups?.life;
    if (life !== undefined && isOver(life) === true) await rm(join(directory, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Writes and syncs bytes under such a name. */
async function writeBeside(target: string, bytes: Uint8Array | string): Promise<string> {
  const temporary = temporaryBeside(target);
  const handle: FileHandle = await open(temporary, 'wx', 0o644);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    // What fails on an open file does not say which; what cannot be written is said by its name.
    throw Object.assign(error as Error, { path: target });
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

/** Replaces a file by a whole new one, durably: after a crash it is the old or the new one, and the new one once this has resolved. */
export async function replaceFile(path: string, bytes: Uint8Array | string): Promise<void> {
  await makeDirectory(dirname(path));
  const temporary = await writeBeside(path, bytes);
  await rename(temporary, path).catch(async (error) => {
    await unlink(temporary).catch(() => undefined);
    throw error;
  });
  await syncDirectory(dirname(path));
}
