import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { digestBytes } from '../../models/contracts/digest.ts';
import { firstDifference, largestDifference } from './differences.ts';
import { digestTest, digestTrain } from './digest-parts.ts';
import { readSources, readVersions } from './read-sources.ts';

async function folderWith(files: Record<string, string>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'understudy-sources-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

describe('the code that takes part', () => {
  const files = {
    'a/entry.ts': `import type { T } from './types.ts';\nimport { type A, type B } from './only-types.ts';\nimport { type C, d } from '../b/d.ts';\nimport 'side';`,
    'b/d.ts': `export { e } from './e.ts';\nimport {\n  long,\n} from '@scope/lib/deep.js';\nimport { x } from 'node:fs';`,
    'b/e.ts': `const late = await import('./late.ts');\nimport { d } from './d.ts';`,
    'b/late.ts': 'export const words = "import something from nowhere";\nimport { no } from "./aside.ts"',
    'b/aside.ts': "import './only-aside.ts';",
    'b/only-aside.ts': '',
    'a/types.ts': '',
    'a/only-types.ts': '',
    'a/unused.ts': '',
  };

  it('is the entry and what it imports, as values, however and in a circle', async () => {
    const root = await folderWith(files);
    const found = await readSources({ root, entries: ['a/entry.ts'], without: ['b/aside.ts'] });
    expect(Object.keys(found.files).sort()).toEqual(['a/entry.ts', 'b/d.ts', 'b/e.ts', 'b/late.ts']);
    expect(found.files['b/e.ts']).toBe(digestBytes(files['b/e.ts']));
    expect(found.packages).toEqual(['@scope/lib', 'side']);
  });

  it('has the versions of the packages that it would find, and of theirs', async () => {
    const manifest = (version: string, dependencies = {}) => JSON.stringify({ version, dependencies });
    const root = await folderWith({
      'node_modules/side/package.json': manifest('1.0.0', { deep: '*', '@scope/lib': '*' }),
      'node_modules/side/node_modules/deep/package.json': manifest('2.5.0'),
      'node_modules/deep/package.json': manifest('2.0.0', { side: '*' }),
      'node_modules/@scope/lib/package.json': manifest('3.1.4', { deep: '*', 'not-installed': '*' }),
      'node_modules/other/package.json': manifest('9.9.9'),
    });
    expect(await readVersions({ root, packages: ['side'] })).toEqual({ '@scope/lib': '3.1.4', deep: '2.0.0, 2.5.0', side: '1.0.0' });
  });
});

describe('differences of documents', () => {
  it('the first in order, by names and places; the largest of the numbers', () => {
    const first = { b: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], a: { x: 'same' }, c: null };
    const again = { a: { x: 'same' }, b: [1, 2, 3.5, 4, 5, 6, 7, 8, 9, 10, 11, 2], c: 7 };
    expect(firstDifference(first, again)).toBe('/b/2: 3 became 3.5');
    expect(largestDifference(first, again)).toEqual({ largest: { path: '/b/11', first: 12, again: 2, difference: 10 }, differ: 2, of: 12 });
    expect(firstDifference([1], [1, 2])).toBe('/1: nothing became 2');
  });

  it('there is one exactly where the documents are not the same', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        expect(firstDifference(one, structuredClone(one))).toBeUndefined();
        const text = (value: unknown) => JSON.stringify(value, (_, member) => (Object.is(member, -0) ? '-0' : member));
        const sorted = (value: unknown): unknown =>
          Array.isArray(value)
            ? value.map(sorted)
            : typeof value === 'object' && value !== null
              ? Object.entries(value)
                  .sort(([a], [b]) => (a < b ? -1 : 1))
                  .map(([key, member]) => [key, sorted(member)])
              : value;
        if (Array.isArray(one) || Array.isArray(other) || typeof one !== 'object' || typeof other !== 'object') return;
        expect(firstDifference(one, other) === undefined).toBe(text(sorted(one)) === text(sorted(other)));
      }),
    );
  });
});

describe('digests of what training and evaluation see', () => {
  const interactions = {
    ...{ userCount: 2, itemCount: 2, indptr: Uint32Array.of(0, 1, 2), items: Uint32Array.of(0, 1) },
    ...{ weights: Float32Array.of(1, 0.5), atMs: Float64Array.of(5, 6) },
  };
  const train = { interactions, vocabulary: ['a', 'b'] };

  it('tell the least change of an array or of a name apart', () => {
    const changed = [
      train,
      { ...train, vocabulary: ['b', 'a'] },
      { interactions: { ...interactions, indptr: Uint32Array.of(0, 2, 2) }, vocabulary: train.vocabulary },
      { interactions: { ...interactions, items: Uint32Array.of(1, 0) }, vocabulary: train.vocabulary },
      { interactions: { ...interactions, weights: Float32Array.of(1, 0.5000001) }, vocabulary: train.vocabulary },
      { interactions: { ...interactions, atMs: Float64Array.of(5, 6.000000001) }, vocabulary: train.vocabulary },
    ];
    expect(new Set(changed.map(digestTrain)).size).toBe(changed.length);
    expect(digestTrain(structuredClone(train))).toBe(digestTrain(train));
  });

  it('of the test part, do not depend on the order in which the catalog was read', () => {
    const user = { userIndex: 0, unit: 'u:a', history: [0], historyWeight: [1], exclude: [], relevant: [1], relevantNew: [1] };
    const left = { coldUsers: 0, sessions: 0, outOfVocabulary: 0, outOfScope: 0, repeats: 0, usersWithoutRelevant: 0 };
    const lastSeen: [string, number][] = [
      ['a', 1],
      ['b', 2],
    ];
    const test = { users: [user], newUsers: [], scopeBias: Float32Array.of(0, 0), lastSeenMs: new Map(lastSeen), firstMs: 9, left };
    expect(digestTest({ ...test, lastSeenMs: new Map(lastSeen.toReversed()) })).toBe(digestTest(test));
    const changed = [
      test,
      { ...test, users: [], newUsers: [user] },
      { ...test, users: [{ ...user, relevant: [0] }] },
      { ...test, scopeBias: Float32Array.of(0, -1e9) },
      { ...test, lastSeenMs: new Map([['a', 2]]) },
      { ...test, left: { ...left, repeats: 1 } },
    ];
    expect(new Set(changed.map(digestTest)).size).toBe(changed.length);
  });
});
