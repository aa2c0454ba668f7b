import { readFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { digestBytes } from '../../models/contracts/digest.ts';
import type { Digest } from '../../models/contracts/ids.ts';

/** Source files by path below the root, with slashes; and the packages that they import. */
export type Sources = { files: Record<string, Digest>; packages: string[] };

const statement = /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:([^;'"]*?)\s+from\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

/**
 * What takes part when the entries run: they, and what they import, and so on. What is imported as a type only is gone by then.
 * @param entries paths below the root
 * @param without paths that are passed over, and what only they import
 */
export async function readSources({
  root,
  entries,
  without = [],
}: {
  root: string;
  entries: readonly string[];
  without?: readonly string[];
}): Promise<Sources> {
  const files: Record<string, Digest> = {};
  const packages = new Set<string>();
  const waiting = [...entries];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (path in files || without.includes(path)) continue;
    const text = await readFile(join(root, path), 'utf8').catch(() => undefined);
    // What is not there does not run: a word in a text may look like an import.
    if (text === undefined) continue;
    files[path] = digestBytes(text);
    for (const target of importsOf(text)) {
      if (target.startsWith('.')) waiting.push(posix.normalize(posix.join(posix.dirname(path), target)));
      else if (!target.startsWith('node:')) packages.add(packageOf(target));
    }
  }
  return { files, packages: [...packages].sort() };
}

function importsOf(text: string): string[] {
  return [...text.matchAll(statement)].flatMap(([, typeKeyword, names = '', named, dynamic]) => {
    const typesOnly = typeKeyword !== undefined || /^\{\s*type [^,]*(,\s*type [^,]*)*,?\s*\}$/.test(names.trim());
    const target = named ?? dynamic;
    return typesOnly || target === undefined ? [] : [target];
  });
}

const packageOf = (target: string): string =>
  target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');

type Package = { version?: string; dependencies?: Record<string, string> };

/** Versions of the packages as they are installed, and of all that they depend on; of a package that is there twice, both. */
export async function readVersions({ root, packages }: { root: string; packages: readonly string[] }): Promise<Record<string, string>> {
  const found = new Map<string, Set<string>>();
  const seen = new Set<string>();
  const waiting = packages.map((name) => ({ name, from: root }));
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    const at = await installed(one);
    if (at === undefined || seen.has(at.folder)) continue;
    seen.add(at.folder);
    const versions = found.get(one.name) ?? new Set();
    found.set(one.name, versions.add(at.package.version ?? 'unknown'));
    for (const name of Object.keys(at.package.dependencies ?? {})) waiting.push({ name, from: at.folder });
  }
  const byName = [...found].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(byName.map(([name, versions]) => [name, [...versions].sort().join(', ')]));
}

/** Where `from` would find it, as Node looks: in its own node_modules, then in those above. */
async function installed({ name, from }: { name: string; from: string }): Promise<{ folder: string; package: Package } | undefined> {
  for (let above = from; ; above = dirname(above)) {
    const folder = join(above, 'node_modules', name);
    const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => undefined);
    if (text !== undefined) return { folder, package: JSON.parse(text) as Package };
    if (dirname(above) === above) return undefined;
  }
}
