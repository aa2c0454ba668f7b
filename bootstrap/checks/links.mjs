import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { lineAt, sourceFiles } from './source-files.mjs';

/** Links from our pages to our files lead somewhere. @param {string} root @returns {string[]} */
export function checkLinks(root) {
  return sourceFiles(root, ['.md']).flatMap(({ path, text }) =>
    [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
      .filter(([, target = '']) => !/^[a-z]+:/.test(target) && !existsSync(join(root, dirname(path), target)))
      .map((match) => `${path}:${lineAt(text, match.index)} links to ${match[1]}, which is not there`),
  );
}
