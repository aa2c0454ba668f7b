import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A directory to build in, beside the place where the result goes, so that it can be moved there in one step. What an interrupted
 * build left is removed first: call it under the lock.
 * @template T
 * @param {string} parent
 * @param {(directory: string) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function building(parent, work) {
  mkdirSync(parent, { recursive: true });
  for (const name of readdirSync(parent)) if (name.startsWith('building.')) rmSync(join(parent, name), { recursive: true, force: true });
  const directory = join(parent, `building.${process.pid}`);
  mkdirSync(directory);
  try {
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
