import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { attributeChange } from '../experiments/attribution/attribute-change.ts';
import { drawTable, type TableSettings, type Where } from '../experiments/attribution/generate-table.ts';
import type { ChangeTable } from '../experiments/attribution/leaves.ts';
import { type Peer, riskLoc } from './attribution-peers.ts';
import { squeeze } from './attribution-squeeze.ts';
import type { PageRun } from './page-run.ts';

type Setting = Omit<TableSettings, 'seed' | 'causes' | 'attributes'> & { causes: readonly number[]; attributes: readonly (readonly [number, number])[] };

/** 21,600 leaves, four in ten of them empty; one to three causes of one to three attributes, the figures of which fall by a fifth to all. */
const plain: Setting = {
  values: [10, 12, 10, 18],
  filled: 1,
  empty: 0.4,
  causes: [1, 2, 3],
  attributes: [
    [1, 1],
    [2, 2],
    [3, 3],
  ],
  alike: false,
  severity: [0.2, 1],
  unevenness: 0,
  noise: 0.03,
  kind: 'sum',
  oneDirection: true,
};
const mixed = [[1, 3]] as const;

/** By what a reader looks for. */
export const attributionSettings: Record<string, Setting> = {
  'noise 0.2 %': { ...plain, noise: 0.002 },
  'noise 1 %': { ...plain, noise: 0.01 },
  'noise 3 %': plain,
  'noise 5 %': { ...plain, noise: 0.05 },
  'noise 8 %': { ...plain, noise: 0.08 },
  'causes alike, of the same dimensions': { ...plain, alike: true },
  'rises and falls': { ...plain, oneDirection: false },
  'small changes, 5 to 20 %': { ...plain, severity: [0.05, 0.2] },
  'leaves of a cause differ, by 10 %': { ...plain, unevenness: 0.1 },
  'leaves of a cause differ, by 20 %': { ...plain, unevenness: 0.2 },
  'sparse: 24,000 of 240,000 combinations': { ...plain, values: [40, 30, 20, 10], filled: 0.1 },
  'five dimensions, noise 20 %, five causes of up to four attributes': {
    ...plain,
    values: [10, 12, 10, 8, 5],
    empty: 0.12,
    noise: 0.2,
    severity: [0.4, 1],
    unevenness: 0.05,
    causes: [5],
    attributes: [[1, 4]],
  },
  'single leaves': { ...plain, values: [10, 24, 10, 15], empty: 0.12, noise: 0.05, severity: [0.5, 1], causes: [1, 3, 5], attributes: [[4, 4]] },
  'eight causes': { ...plain, causes: [8], attributes: mixed },
  'ratios, noise 1 %': { ...plain, kind: 'ratio', noise: 0.01 },
  'ratios, noise 3 %': { ...plain, kind: 'ratio' },
  'ratios, noise 8 %': { ...plain, kind: 'ratio', noise: 0.08 },
  'a small table of 240 leaves, noise 3 %': { ...plain, values: [6, 8, 5], empty: 0, causes: [1, 2], attributes: [[1, 2]] },
};

const methods: Record<string, (table: ChangeTable) => Where[]> = {
  understudy: (table) => attributeChange(table, { atMost: 100 }).suspects.map(({ where }) => where),
  RiskLoc: named(riskLoc),
  Squeeze: named(squeeze),
};

function named(peer: Peer): (table: ChangeTable) => Where[] {
  return (table) =>
    peer(table).map((attributes) =>
      Object.fromEntries(
        attributes.map(([at, code]) => {
          const { name, values } = table.dimensions[at] as ChangeTable['dimensions'][number];
          return [name, values[code] ?? null];
        }),
      ),
    );
}

/** Counts over all tables of a setting; seconds are the median of a table. */
export type AttributionCell = { found: number; wrong: number; missed: number; seconds: number };
export type AttributionResults = { machine: string; tables: number; cells: Record<string, Record<string, AttributionCell>> };

/** F1 as the field has it (Li et al. 2019, section V): a suspect is right where it is a cause, attribute by attribute; counted over all tables of a setting. */
export const f1Of = ({ found, wrong, missed }: AttributionCell): number => (2 * found) / (2 * found + wrong + missed);

const keyOf = (where: Where): string => JSON.stringify(Object.entries(where).sort());

/** `tables` for each number of causes and of attributes. The seeds are those of no test and of no trial of thresholds. */
export function measureAttribution(
  name: string,
  { tables, of = Object.keys(methods) }: { tables: number; of?: readonly string[] },
): Record<string, AttributionCell> {
  const { causes, attributes, ...setting } = attributionSettings[name] as Setting;
  const drawn = causes.flatMap((many) =>
    attributes.flatMap((range) => Array.from({ length: tables }, (_, at) => ({ ...setting, causes: many, attributes: range, at }))),
  );
  const cells: Record<string, AttributionCell> = {};
  const seconds = new Map<string, number[]>();
  for (const [place, { at: _, ...one }] of drawn.entries()) {
    const { table, truth } = drawTable({ ...one, seed: 3_000_000_000 + place });
    const wanted = truth.map(keyOf);
    for (const method of of) {
      const startedMs = performance.now();
      const suspects = (methods[method] as (typeof methods)[string])(table).map(keyOf);
      seconds.set(method, [...(seconds.get(method) ?? []), (performance.now() - startedMs) / 1000]);
      const hits = suspects.filter((suspect) => wanted.includes(suspect)).length;
      cells[method] ??= { found: 0, wrong: 0, missed: 0, seconds: 0 };
      const cell = cells[method];
      cell.found += hits;
      cell.wrong += suspects.length - hits;
      cell.missed += wanted.length - hits;
    }
  }
  for (const [method, all] of seconds) (cells[method] as AttributionCell).seconds = Number((all.sort((a, b) => a - b)[all.length >> 1] as number).toFixed(3));
  return cells;
}

/** Seconds that one table of about so many leaves takes, the median of five. */
export function timeAttribution(values: readonly number[]): { leaves: number; seconds: number } {
  const times = [1, 2, 3, 4, 5].map((seed) => {
    const { table } = drawTable({ ...plain, empty: 0, values, causes: 3, attributes: [1, 3], seed: 2_000_000_000 + seed });
    const startedMs = performance.now();
    const { leaves } = attributeChange(table);
    return { leaves, seconds: (performance.now() - startedMs) / 1000 };
  });
  const { leaves, seconds } = times.sort((a, b) => a.seconds - b.seconds)[2] as (typeof times)[number];
  return { leaves, seconds: Number(seconds.toFixed(2)) };
}

type Timed = { leaves: number; seconds: number };
const docs = join(import.meta.dirname, '../docs');

/** Measures all; with `check` it gives the settings in which we come to something else than what is written, else it writes docs/attribution.md and docs/attribution.json. */
export function benchAttribution({ machine, check, quick, say }: PageRun): string[] {
  const written = check ? (JSON.parse(readFileSync(join(docs, 'attribution.json'), 'utf8')) as AttributionResults) : undefined;
  const results: AttributionResults & { times: Timed[] } = { machine, tables: written?.tables ?? (quick ? 1 : 6), cells: {}, times: [] };
  for (const name of Object.keys(attributionSettings)) {
    const cells = measureAttribution(name, { tables: results.tables, of: check ? ['understudy'] : Object.keys(methods) });
    results.cells[name] = cells;
    say(
      `${name}: ${Object.entries(cells)
        .map(([method, cell]) => `${method} ${f1Of(cell).toFixed(3)}`)
        .join(', ')}`,
    );
  }
  if (written !== undefined)
    return Object.entries(results.cells).flatMap(([name, { understudy }]) => (isSame(understudy, written.cells[name]?.understudy) ? [] : [name]));
  results.times = [
    [10, 12, 10, 18],
    [20, 25, 10, 20],
  ].map(timeAttribution);
  if (quick) return [];
  writeFileSync(join(docs, 'attribution.json'), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(docs, 'attribution.md'), renderAttribution(results));
  return [];
}

export const isSame = (one?: AttributionCell, other?: AttributionCell): boolean =>
  one !== undefined && other !== undefined && one.found === other.found && one.wrong === other.wrong && one.missed === other.missed;

/** `docs/attribution.md`. */
export function renderAttribution({ machine, tables, cells, times }: AttributionResults & { times: readonly Timed[] }): string {
  const names = Object.keys(methods);
  const rows = Object.entries(cells).map(([setting, own]) => [
    setting,
    ...names.map((name) => f1Of(own[name] as AttributionCell).toFixed(3)),
    ...names.map((name) => (own[name] as AttributionCell).seconds.toFixed(2)),
  ]);
  const head = ['setting', ...names.map((name) => `F1 ${name}`), ...names.map((name) => `${name}, s`)];
  const behind = Object.entries(cells).filter(([, own]) => names.some((name) => f1Of(own[name] as AttributionCell) > f1Of(own.understudy as AttributionCell)));
  const verdict =
    behind.length === 0 ? 'No setting here in which another does better.' : `Another does better in: ${behind.map(([setting]) => setting).join('; ')}.`;
  return `# How well causes of a change are found

\`npm run bench -- attribution\` writes this page; its counts are in attribution.json. \`npm run bench -- attribution --check\` draws the tables again and says where the page
is stale, as \`npm test\` does for one setting.

Tables are drawn (\`experiments/attribution/generate-table.ts\`), so that their causes are known; from seeds that no threshold was tried on. They are made as those of Li et al. 2019 and Kalander
2022 are, but they are not theirs. Where nothing else is said: 21,600 leaves in four dimensions, four in ten empty; one, two or three causes of one, two or three attributes each, ${tables} tables of
each kind; forecasts 3 % off. F1 as there: a suspect is right if it is a cause, attribute by attribute, counted over all tables of a setting. The peers are implementations of our own
after the papers, with the thresholds of their authors: RiskLoc (Kalander 2022) and Squeeze (Li et al. 2019). Nobody is told how many causes there are.

${[head, head.map(() => '---'), ...rows].map((line) => `| ${line.join(' | ')} |`).join('\n')}

${verdict} Seconds are medians of a table on ${machine}. ${times.map(({ leaves, seconds }) => `${leaves} leaves that are all there take ${seconds} s`).join(', ')}.

## What is assumed

- A cause changes all leaves under it by about the same ratio (the generalized ripple effect); two that meet multiply. Where its leaves differ by as much as the cause itself, it falls apart into them.
- Leaves err each for itself. A forecast that is off for a whole country names that country.
- The rate of false suspects is 1 % a table at most (\`experiments/attribution/false-alarms.test.ts\` counts over 500 of 360 to 1,200 leaves, of nine kinds of noise). It is higher where there is little to learn the noise from:
  up to one in five of tables of three to twenty leaves that are small counts, and one in ten of 200 leaves with errors as heavy-tailed as Student's t of three degrees.
- A combination has six attributes at most. Of more dimensions than about seven, combinations are looked for among those that deviations gather in (\`experiments/attribution/cuboids.ts\`).
`;
}
