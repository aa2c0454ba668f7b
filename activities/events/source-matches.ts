import { readdir, stat } from 'node:fs/promises';
import { basename, join, matchesGlob, sep } from 'node:path';
import { UnderstudyError } from '../../models/contracts/problem.ts';

/** The files of a source, in code-unit order of `name`: the path relative to the glob's root, with `/`. */
export type Matches = {
  /** What the source is called: the file's or folder's own name; a glob from its root on, such as `data/*.csv`. */
  name: string;
  files: { path: string; name: string }[];
};

const magic = /[*?[{]/;
/** What writers of folders put beside the data: `_SUCCESS`, `.crc` files, `.tmp`. */
const besideData = /^[._]/;
const hidden = /^\./;

/**
 * Finds the files that a path means: the file of that very name, all files in the folder and below it whose names begin with neither `.` nor
 * `_`, or what the glob matches (`*`, `?`, `[ab]`, `{a,b}` within a name, `**` for folders of any depth). Links are followed.
 * @throws UND-FILE when there is none; and the file system's own error for what cannot be looked into, so that nothing is left out silently.
 */
export async function findMatches(path: string): Promise<Matches> {
  const there = await stat(path).catch((error) => {
    if (!magic.test(path)) throw error;
    return undefined;
  });
  if (there?.isFile()) return { name: basename(path), files: [{ path, name: basename(path) }] };
  if (there !== undefined && !there.isDirectory()) throw notAFile(path);
  const { root, segments } = there === undefined ? splitGlob(path) : { root: path, segments: ['**', '*'] };
  const names = new Set<string>();
  if ((await ifThere(root, '/')).length > 0)
    await walk({ root, name: '', segments, skipped: there === undefined ? hidden : besideData, above: [], found: (name) => names.add(name) });
  if (names.size === 0) throw new UnderstudyError('UND-FILE', there === undefined ? `No file matches ${path}` : `There is no file in the folder ${path}`);
  const files = [...names].sort((a, b) => (a < b ? -1 : 1)).map((name) => ({ path: join(root, name), name }));
  return { name: there === undefined ? [basename(root), ...segments].join('/') : basename(path), files };
}

/** The folder above the first segment that is a pattern, and the segments from there. */
function splitGlob(path: string): { root: string; segments: string[] } {
  const all = path.split(sep);
  const first = all.findIndex((segment) => magic.test(segment));
  const segments = all.slice(first).filter((segment) => segment !== '');
  const split = segments.find((segment) => segment.split('{').length !== segment.split('}').length);
  if (split !== undefined) throw new UnderstudyError('UND-FILE', `${path}: braces hold parts of one name, and no ${sep}: "${split}" does not close them`);
  if (segments.at(-1) === '**') segments.push('*');
  return { root: all.slice(0, first).join(sep) || (path.startsWith(sep) ? sep : '.'), segments };
}

type Walk = { root: string; name: string; segments: readonly string[]; skipped: RegExp; above: readonly string[]; found: (name: string) => void };

async function walk({ name, segments, above, ...same }: Walk): Promise<void> {
  const [segment = '', ...rest] = segments;
  const folder = join(same.root, name);
  const self = await stat(folder, { bigint: true });
  const id = `${self.dev}:${self.ino}`;
  if (above.includes(id)) throw new UnderstudyError('UND-FILE', `${folder} links to a folder that it is in`);
  const inside = { ...same, above: [...above, id] };
  if (segment === '**') await walk({ ...same, name, segments: rest, above });
  const fits = (entry: string) =>
    segment === '**' ? !same.skipped.test(entry) : matchesGlob(entry, segment) && (segment.startsWith('.') || !same.skipped.test(entry));
  const entries = magic.test(segment) ? (await readdir(folder)).filter(fits) : await ifThere(folder, segment);
  for (const entry of entries) {
    const path = join(folder, entry);
    const next = name === '' ? entry : `${name}/${entry}`;
    const kind = await stat(path);
    if (kind.isDirectory()) {
      if (segment === '**' || rest.length > 0) await walk({ ...inside, name: next, segments: segment === '**' ? segments : rest });
    } else if (segment !== '**' && rest.length === 0) {
      if (!kind.isFile()) throw notAFile(path);
      same.found(next);
    }
  }
}

async function ifThere(folder: string, entry: string): Promise<string[]> {
  return stat(join(folder, entry)).then(
    () => [entry],
    (error) => {
      if (['ENOENT', 'ENOTDIR'].includes(error.code)) return [];
      throw error;
    },
  );
}

const notAFile = (path: string) => new UnderstudyError('UND-FILE', `${path} is neither a file nor a folder`);
