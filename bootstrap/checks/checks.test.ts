import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { problems } from '../../models/contracts/problem.ts';
import { checkDirections } from './directions.mjs';
import { checkErrors, errorsDocument } from './errors-doc.mjs';
import { checkLinks } from './links.mjs';
import { checkPurity } from './purity.mjs';
import { checkSizes } from './ratchet.mjs';

/** A tree of these files. */
function tree(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'understudy-checks-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

describe('directions', () => {
  const cases: [what: string, path: string, text: string, message: RegExp | null][] = [
    ['a store below activities', 'stores/a.ts', "import { x } from '../activities/b.ts';", /stores\/a\.ts:1 imports activities\/b\.ts.*activities to say/],
    ['serving beside activities', 'serving/a.ts', "\nimport {\n  x,\n} from '../activities/b.ts';", /serving\/a\.ts:4 imports/],
    ['a workflow that computes', 'workflows/a.ts', "import { x } from '../experiments/b.ts';", /branch on what it returned/],
    ['a workflow with a schema by value', 'workflows/a.ts', "import { x } from '../models/contracts/b.ts';", /workflows may import/],
    ['a workflow with a schema as type', 'workflows/a.ts', "import type { X } from '../models/contracts/b.ts';", null],
    ['a workflow with a package', 'workflows/a.ts', "import { readFile } from 'node:fs';", /imports node:fs/],
    ['a dynamic import', 'models/a.ts', "const x = await import('../stores/b.ts');", /models\/a\.ts:1 imports stores\/b\.ts/],
    ['a test that looks anywhere', 'models/a.test.ts', "import { x } from '../serving/b.ts';", null],
    ['code that uses what is for tests', 'stores/a.ts', "import { x } from './testing.ts';", /which is for tests/],
    ['a barrel', 'models/index.ts', "/** All. */\nexport * from './a.ts';\nexport { b } from './b.ts';\n", /only re-exports/],
    ['what is allowed', 'activities/a.ts', "import { x } from '../stores/b.ts';\nexport const y = x;", null],
  ];
  it.each(cases)('%s', (_, path, text, message) => {
    const found = checkDirections(tree({ [path]: text }));
    if (message === null) expect(found).toEqual([]);
    else expect(found).toEqual([expect.stringMatching(message)]);
  });

  it('cycles of values, not of types', () => {
    const cycle = { 'models/a.ts': "import { b } from './b.ts';\nexport const a = b;", 'models/b.ts': "import { a } from './a.ts';\nexport const b = a;" };
    expect(checkDirections(tree(cycle))).toEqual([expect.stringContaining('models/a.ts -> models/b.ts -> models/a.ts is a cycle')]);
    expect(checkDirections(tree({ ...cycle, 'models/b.ts': "import type { a } from './a.ts';\nexport const b = 1;" }))).toEqual([]);
  });
});

it('purity: clock, randomness, files and the environment are passed in', () => {
  const found = checkPurity(
    tree({
      'models/a.ts': 'export const now = Date.now();',
      'experiments/b.ts': "import { readFile } from 'node:fs/promises';",
      'stores/c.ts': 'const x = process.env.HOME;',
      'activities/d.test.ts': `it.${'skip'}('later', () => {});`,
      'activities/main.ts': 'const x = process.env;',
      'models/contracts/digest.ts': "import { createHash } from 'node:crypto';",
    }),
  );
  expect(found.map((line) => line.split(' ')[0])).toEqual(['activities/d.test.ts:1', 'experiments/b.ts:1', 'models/a.ts:1', 'stores/c.ts:1']);
});

it('errors: the page is the table, every code is known and used', () => {
  const table = {
    'UND-A': { status: 400, exit: 2, retryable: false, title: 'a', remedy: 'b' },
    'UND-B': { status: 400, exit: 2, retryable: false, title: 'a', remedy: 'b' },
  };
  const root = tree({ 'docs/errors.md': errorsDocument(table), 'stores/a.ts': "throw new Error('UND-A');\nthrow new Error('UND-C');" });
  expect(checkErrors(root, table)).toEqual([expect.stringContaining('stores/a.ts:2 uses UND-C'), expect.stringContaining('UND-B, which nothing uses')]);
  expect(checkErrors(root, { 'UND-A': table['UND-A'] })[0]).toContain('docs/errors.md differs');
  for (const code of Object.keys(problems)) expect(errorsDocument(problems)).toContain(`\`${code}\``);
});

it('links lead to files; files do not grow without end', () => {
  const root = tree({ 'README.md': '[a](docs/a.md) [b](docs/b.md#part) [c](https://example.com)', 'docs/a.md': 'a', 'models/long.ts': 'x;\n'.repeat(301) });
  expect(checkLinks(root)).toEqual(['README.md:1 links to docs/b.md, which is not there']);
  expect(checkSizes(root)).toEqual([expect.stringContaining('models/long.ts has 301 lines, 300 at most')]);
});
