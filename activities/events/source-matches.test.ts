import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findMatches } from './source-matches.ts';
import { withBench } from './testing.ts';

async function put(folder: string, ...names: string[]): Promise<void> {
  for (const name of names) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), name);
  }
}

const names = async (path: string) => (await findMatches(path)).files.map(({ name }) => name);

describe('findMatches', () => {
  it('takes a file, a folder or a glob, in code-unit order of the names', () =>
    withBench(async ({ folder }) => {
      const root = join(folder, 'data');
      await put(root, 'é/p.csv', 'a/Z.csv', 'a/b.csv', 'a/a10.csv', 'a/a9.csv', 'b/a1.csv', 'b/deep/er/c.csv', 'b/.hidden.csv', 'b/_SUCCESS', '.git/x.csv');
      const cases: [string, string[]][] = [
        ['data/a/b.csv', ['b.csv']],
        ['data/a/*.csv', ['Z.csv', 'a10.csv', 'a9.csv', 'b.csv']],
        ['data/{a,b}/a?.csv', ['a/a9.csv', 'b/a1.csv']],
        ['data/*/[!a]*.csv', ['a/Z.csv', 'a/b.csv', 'é/p.csv']],
        ['data/b/**', ['_SUCCESS', 'a1.csv', 'deep/er/c.csv']],
        ['data/**/*.csv', ['a/Z.csv', 'a/a10.csv', 'a/a9.csv', 'a/b.csv', 'b/a1.csv', 'b/deep/er/c.csv', 'é/p.csv']],
        ['data/**/er/**/c.csv', ['b/deep/er/c.csv']],
        ['data/b/.h*', ['.hidden.csv']],
        ['data/b', ['a1.csv', 'deep/er/c.csv']],
      ];
      for (const [path, expected] of cases) expect(await names(join(folder, path)), path).toEqual(expected);
      expect((await findMatches(join(folder, 'data/*/a*.csv'))).name).toBe('data/*/a*.csv');
      expect((await findMatches(join(folder, 'data/a'))).name).toBe('a');
    }));

  it('takes a file whose name is a pattern for itself', () =>
    withBench(async ({ folder }) => {
      await put(folder, 'a*.csv', 'ab.csv', 'x[1].csv', 'x1.csv');
      expect(await names(join(folder, 'a*.csv'))).toEqual(['a*.csv']);
      expect(await names(join(folder, 'x[1].csv'))).toEqual(['x[1].csv']);
    }));

  it('follows links, but neither in circles nor into nothing', () =>
    withBench(async ({ folder }) => {
      await put(folder, 'real/a.csv', 'far/b.csv');
      await symlink('../far', join(folder, 'real/far'));
      expect(await names(join(folder, 'real'))).toEqual(['a.csv', 'far/b.csv']);
      await symlink('../real', join(folder, 'far/back'));
      await expect(names(join(folder, 'real'))).rejects.toMatchObject({ code: 'UND-FILE', message: expect.stringMatching(/links to a folder that it is in/) });
      expect(await names(join(folder, 'real/*.csv'))).toEqual(['a.csv']);
      await symlink('self.csv', join(folder, 'real/self.csv'));
      await expect(names(join(folder, 'real/*.csv'))).rejects.toMatchObject({ code: 'ELOOP' });
      await put(folder, 'gone/a.csv');
      await symlink('nowhere', join(folder, 'gone/b.csv'));
      await expect(names(join(folder, 'gone/*.csv'))).rejects.toMatchObject({ code: 'ENOENT' });
    }));

  it('leaves nothing out that it may not look into', () =>
    withBench(async ({ folder }) => {
      await put(folder, 'data/a/x.csv', 'data/b/x.csv');
      await Promise.all([chmod(folder, 0o755), chmod(join(folder, 'data/b'), 0)]);
      await asNobody(async () => {
        for (const path of ['data', 'data/*/x.csv', 'data/**/*.csv', 'data/b/x.csv', 'data/b'])
          await expect(names(join(folder, path)), path).rejects.toMatchObject({ code: 'EACCES' });
        expect(await names(join(folder, 'data/a/*'))).toEqual(['x.csv']);
      });
    }));

  it('says that nothing matches', () =>
    withBench(async ({ folder }) => {
      await put(folder, 'data/a/x.csv', 'data/empty/.keep');
      const cases: [string, RegExp][] = [
        ['data/*/*.parquet', /No file matches .*parquet/],
        ['nowhere/*.csv', /No file matches/],
        ['data/a/x.csv/*.csv', /No file matches/],
        ['data/empty', /no file in the folder/],
        ['data/{a/x,b}.csv', /braces/],
      ];
      for (const [path, message] of cases)
        await expect(names(join(folder, path)), path).rejects.toMatchObject({ code: 'UND-FILE', message: expect.stringMatching(message) });
      await expect(names(join(folder, 'data/nowhere.csv'))).rejects.toMatchObject({ code: 'ENOENT' });
      await expect(names('/dev/null')).rejects.toMatchObject({ code: 'UND-FILE', message: expect.stringMatching(/neither a file nor a folder/) });
    }));
});

/** Root may look into everything: then as the user of no files. */
async function asNobody(act: () => Promise<void>): Promise<void> {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    await act();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}
