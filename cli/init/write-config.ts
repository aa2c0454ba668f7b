import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ColumnMappingInput } from '../../activities/events/column-mapping.ts';
import type { CharterInput } from '../../models/contracts/charter.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));
export const configName = 'understudy.config.ts';

export type NewSurface = {
  surface: string;
  title: string;
  owner: string;
  timeZone: string;
  mapping: ColumnMappingInput;
  kinds: readonly string[];
  spanDays: number;
};

/** Test days, gap and train days out of the days that there are: a tenth to test, at most four weeks. */
export function windowFor(spanDays: number): CharterInput['window'] {
  const testDays = Math.min(28, Math.max(1, Math.round(spanDays / 10)));
  const gapDays = spanDays >= 10 ? 1 : 0;
  return { trainDays: Math.min(365, Math.max(1, spanDays - gapDays - testDays)), gapDays, testDays };
}

/** A charter to begin with: everything that has a good default is left to it. */
export function charterFor({ surface, title, owner, timeZone, kinds, spanDays }: Omit<NewSurface, 'mapping'>): CharterInput {
  const sells = kinds.includes('purchase');
  const rewarding = sells ? 'purchase' : ((['click', 'view', 'rating', 'add-to-cart'] as const).find((kind) => kinds.includes(kind)) ?? 'click');
  return {
    surface,
    title,
    owners: [owner],
    objective: sells ? 'conversion' : 'engagement',
    timeZone,
    reward: { weights: { [rewarding]: 1 }, attributionMs: 86_400_000, capPerUnit: 1 },
    confidence: sells ? { purchase: 1, 'add-to-cart': 0.5, rating: 0.5, click: 0.2, view: 0.1 } : { rating: 1, 'add-to-cart': 1, click: 1, view: 1 },
    repeatPolicy: 'allow',
    scope: { inStockOnly: false },
    window: windowFor(spanDays),
    data: { log: 'ingest', rules: [{ name: 'little-quarantine', measure: 'quarantine-share', max: 0.2, action: 'stop' }] },
    bootstrap: 'popularity',
    candidates: [
      { name: 'popularity', algorithm: 'popularity' },
      { name: 'item-knn', algorithm: 'item-knn' },
      { name: 'ials', algorithm: 'ials' },
    ],
    gates: {},
    release: { approvers: [{ name: owner, role: 'ml-lead' }], canary: { minUnits: [200, 500, 1_000, 2_000, 4_000], lookEveryMs: 60_000 } },
  };
}

/** The text of the configuration file, which imports from this checkout by a relative path. */
export function configText({ folder, file, created }: { folder: string; file: string; created: NewSurface }): string {
  const from = (path: string) => slashes(relative(folder, join(repository, path)));
  const dataFile = slashes(relative(folder, file));
  const { atFormat, ...mapping } = created.mapping;
  return `import { columnMapping } from '${relativeImport(from('activities/events/column-mapping.ts'))}';
import { defineSurface } from '${relativeImport(from('models/contracts/charter.ts'))}';

/** Where the events come from (the path is relative to this file), and which column holds what. */
export const source = {
  file: ${literal(dataFile)},
  mapping: columnMapping(${indent(literal({ ...mapping, atFormat }), 2)}),
};

// May an item be shown again to somebody who bought it? Say it in \`repeatPolicy\`: training, metrics and serving read it.
export default defineSurface(${literal(charterFor(created))});
`;
}

/** Writes the file into its folder, which is made; over another one only by `force`. @throws UND-INPUT when it is there, or cannot be written. */
export async function writeConfig({ folder, text, force }: { folder: string; text: string; force: boolean }): Promise<string> {
  const path = join(folder, configName);
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw new UnderstudyError('UND-INPUT', `The folder ${folder} cannot be made (${(cause as Error).message}): name another with --dir`, { cause });
  }
  try {
    await writeFile(path, text, { flag: force ? 'w' : 'wx' });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') throw alreadyThere(path);
    throw new UnderstudyError('UND-INPUT', `${path} cannot be written (${(cause as Error).message}): name another folder with --dir`, { cause });
  }
  return path;
}

export const alreadyThere = (path: string) =>
  new UnderstudyError('UND-INPUT', `${path} is there already and is not written over: name another folder with --dir, or say --force`);

const slashes = (path: string): string => path.split(sep).join('/');
const relativeImport = (path: string): string => (path.startsWith('.') ? path : `./${path}`);
const indent = (lines: string, by: number): string => lines.replaceAll('\n', `\n${' '.repeat(by)}`);

/** A value as TypeScript source in the style of this house. Undefined members are left out. */
function literal(value: unknown): string {
  if (typeof value === 'string') return `'${JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
  if (value === null || typeof value !== 'object') return String(value);
  if (Array.isArray(value))
    return value.every((member) => typeof member !== 'object')
      ? `[${value.map(literal).join(', ')}]`
      : `[\n${value.map((member) => `  ${indent(literal(member), 2)},`).join('\n')}\n]`;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  const written = members.map(([key, member]) => `${/^[A-Za-z_]\w*$/.test(key) ? key : literal(key)}: ${indent(literal(member), 2)}`);
  const line = `{ ${written.join(', ')} }`;
  if (members.length === 0) return '{}';
  return line.length <= 100 && !line.includes('\n') ? line : `{\n${written.map((member) => `  ${member},`).join('\n')}\n}`;
}
