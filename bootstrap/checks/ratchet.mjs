import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root as ownRoot } from '../paths.mjs';
import { sourceFiles } from './source-files.mjs';

const largestLines = 300;
const listPath = 'bootstrap/checks/ratchet.json';

/** @param {string} root @returns {Record<string, number>} files above the limit, and their lines */
function largeFiles(root) {
  const lines = sourceFiles(root, ['.ts', '.mjs']).map(({ path, text }) => /** @type {const} */ ([path, text.split('\n').length - 1]));
  return Object.fromEntries(lines.filter(([, count]) => count > largestLines));
}

/** Files have 300 lines at most; those that were larger when this began may shrink and not grow. @param {string} root @returns {string[]} */
export function checkSizes(root) {
  const listed = existsSync(join(root, listPath)) ? JSON.parse(readFileSync(join(root, listPath), 'utf8')) : {};
  const found = largeFiles(root);
  return [
    ...Object.entries(found)
      .filter(([path, lines]) => lines > (listed[path] ?? largestLines))
      .map(([path, lines]) => `${path} has ${lines} lines, ${listed[path] ?? largestLines} at most: part it by what it does`),
    ...Object.entries(listed)
      .filter(([path, lines]) => (found[path] ?? 0) < lines)
      .map(([path]) => `${path} has shrunk, well done: node bootstrap/checks/ratchet.mjs --update`),
  ];
}

if (import.meta.filename === process.argv[1] && process.argv.includes('--update'))
  writeFileSync(join(ownRoot, listPath), `${JSON.stringify(largeFiles(ownRoot), null, 2)}\n`);
