import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root as ownRoot } from '../paths.mjs';
import { isForTests, lineAt, sourceFiles } from './source-files.mjs';

/** @typedef {Record<string, { status: number, exit: number, retryable: boolean, title: string, remedy: string }>} Problems */

/** docs/errors.md, from the one table. @param {Problems} problems */
export function errorsDocument(problems) {
  const rows = Object.entries(problems).map(
    ([code, { title, status, exit, retryable, remedy }]) => `| \`${code}\` | ${title} | ${status} | ${exit} | ${retryable ? 'yes' : 'no'} | ${remedy} |`,
  );
  return `# Errors

Every error that a user can meet has a code. Over HTTP it is an RFC 9457 document (\`application/problem+json\`) with \`type\`, \`title\`, \`status\`,
\`detail\`, \`code\`, \`remedy\` and, where there are several, \`mistakes\` (a JSON pointer and a message each). On the command line the code and the remedy
go to stderr and, with \`--json\`, the same document to stdout; the process ends with the exit code of the table. In Temporal the code is the
failure's type. This page is made from \`models/contracts/problem.ts\`: \`node bootstrap/checks/errors-doc.mjs --update\`.

| code | what happened | HTTP | exit | tried again by itself | what to do |
|---|---|---|---|---|---|
${rows.join('\n')}
`;
}

/** @param {string} root @param {Problems} problems @returns {string[]} */
export function checkErrors(root, problems) {
  const found = [];
  const page = join(root, 'docs', 'errors.md');
  if (!existsSync(page) || readFileSync(page, 'utf8') !== errorsDocument(problems))
    found.push('docs/errors.md differs from models/contracts/problem.ts: node bootstrap/checks/errors-doc.mjs --update');
  const used = new Set();
  for (const { path, text } of sourceFiles(root, ['.ts', '.mjs'])) {
    if (path === 'models/contracts/problem.ts' || isForTests(path)) continue;
    for (const match of text.matchAll(/['"`](UND-[A-Z]+(?:-[A-Z]+)*)\b/g)) {
      used.add(match[1]);
      if (!((match[1] ?? '') in problems))
        found.push(`${path}:${lineAt(text, match.index)} uses ${match[1]}, which the table in models/contracts/problem.ts lacks`);
    }
  }
  for (const code of Object.keys(problems)) if (!used.has(code)) found.push(`models/contracts/problem.ts has ${code}, which nothing uses`);
  return found;
}

/** @param {string} root @returns {Promise<Problems>} */
export async function readProblems(root) {
  return (await import(pathToFileURL(join(root, 'models', 'contracts', 'problem.ts')).href)).problems;
}

if (import.meta.filename === process.argv[1] && process.argv.includes('--update'))
  writeFileSync(join(ownRoot, 'docs', 'errors.md'), errorsDocument(await readProblems(ownRoot)));
