import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What programs answered when they were asked, so that a second start need not ask again: 'ok' or why it will not do. A program that
 * has changed since is unknown again.
 *
 * @typedef {Record<string, { fingerprint: string, verdict: string }>} Verdicts
 */

/** @param {string} cache @param {string} path @returns {string | undefined} 'ok', why not, or undefined when it was never asked */
export function verdictOf(cache, path) {
  const known = read(cache)[path];
  return known !== undefined && known.fingerprint === fingerprint(path) ? known.verdict : undefined;
}

/** @param {string} cache @param {string} path @param {string} verdict */
export function remember(cache, path, verdict) {
  const known = Object.fromEntries(Object.entries(read(cache)).filter(([other, entry]) => fingerprint(other) === entry.fingerprint));
  mkdirSync(cache, { recursive: true });
  const aside = `${pathOf(cache)}.${process.pid}`;
  writeFileSync(aside, JSON.stringify({ ...known, [path]: { fingerprint: fingerprint(path), verdict } }, null, 2));
  renameSync(aside, pathOf(cache));
}

const pathOf = (/** @type {string} */ cache) => join(cache, 'verified.json');

function fingerprint(/** @type {string} */ path) {
  try {
    const { size, mtimeMs } = statSync(path);
    return `${size} ${Math.round(mtimeMs)}`;
  } catch {
    return 'gone';
  }
}

/** @returns {Verdicts} */
function read(/** @type {string} */ cache) {
  try {
    return JSON.parse(readFileSync(pathOf(cache), 'utf8'));
  } catch {
    return {};
  }
}
