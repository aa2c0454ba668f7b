import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

const passedOver = new Set(['node_modules', '.git', '.understudy', '.cache', 'coverage', 'histories', 'fixtures', 'data']);

/** @typedef {{ path: string, text: string }} SourceFile `path` relative to the root, with slashes */

/** @param {string} root @param {readonly string[]} endings @returns {SourceFile[]} sorted by path */
export function sourceFiles(root, endings) {
  /** @type {SourceFile[]} */
  const found = [];
  const walk = (/** @type {string} */ directory) => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (passedOver.has(entry.name)) continue;
      const full = join(directory, entry.name);
      if (entry.isDirectory()) walk(full);
      else if (endings.some((ending) => entry.name.endsWith(ending)))
        found.push({ path: relative(root, full).split(sep).join('/'), text: readFileSync(full, 'utf8') });
    }
  };
  walk(root);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Line of a place in a text, from 1. @param {string} text @param {number} index */
export const lineAt = (text, index) => text.slice(0, index).split('\n').length;

/** Tests, and what only they and benchmarks use, look at whatever they need. @param {string} path */
export const isForTests = (path) =>
  /\.test\.ts$|(^|\/)testing[a-z-]*\.(ts|mjs)$|^test\/|^bench\/|^workflows\/record-[a-z]+\.ts$|^vitest\.config\.ts$/.test(path);
