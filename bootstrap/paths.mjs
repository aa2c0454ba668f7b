import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Where everything lies that is had once for all clones: UNDERSTUDY_CACHE, or `understudy` in the user's cache.
 * @param {NodeJS.ProcessEnv} env
 */
export function cacheDirectory(env) {
  if (env.UNDERSTUDY_CACHE) return resolve(env.UNDERSTUDY_CACHE);
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'understudy');
}

/** Every place on PATH that has the program, first one first. @param {string} program @param {NodeJS.ProcessEnv} env */
export function onPath(program, env) {
  const directories = (env.PATH ?? '').split(delimiter).filter((directory) => directory !== '');
  return directories.map((directory) => join(directory, program)).filter(isExecutable);
}

/** @param {string} path */
export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
