import { availableParallelism } from 'node:os';
import { type Evaluation, evaluate } from '../cli/evaluate/evaluate.ts';
import { algorithms } from '../models/algorithms/registry.ts';
import type { Interval } from '../models/contracts/verdict.ts';
import { qualityData } from './quality-data.ts';

const measures = ['ndcg@10', 'recall@20', 'hit-rate@10'] as const;
export type QualityCell = {
  rows: number;
  items: number;
  lists: number;
  /** By name; 95 %. */
  intervals: Record<(typeof measures)[number], Interval>;
  /** Share of the catalog in the first 10 of any list. */
  coverage: number;
  trainSeconds: number;
  graphBytes: number;
};
/** Data → algorithm → what it came to. */
export type QualityResults = { machine: string; cells: Record<string, Record<string, QualityCell>> };

/** All but those that are made over another's vectors, and what the data leave out. */
export const measuredOn = (data: string): string[] =>
  Object.values(algorithms).flatMap(({ name, embeddings }) => (embeddings === 'given' || qualityData[data]?.leftOut?.[name] !== undefined ? [] : [name]));

/** Every algorithm of the registry by its defaults on one of the data; the seed is 1. */
export async function measureQuality(data: string, names: readonly string[] = measuredOn(data)): Promise<Record<string, QualityCell>> {
  const loaded = await qualityData[data]?.load();
  if (loaded === undefined) throw new Error(`There are no data '${data}'`);
  const cells: Record<string, QualityCell> = {};
  for (const model of names) {
    const settings = {
      model,
      params: {},
      cutoffs: [10, 20],
      seed: 1,
      threads: availableParallelism(),
      nowMs: () => performance.now(),
      report: () => undefined,
    };
    const found = await evaluate({ ...loaded, ...settings });
    cells[model] = cellOf(found, { rows: loaded.train.users.length, items: loaded.train.itemIds.length });
  }
  return cells;
}

function cellOf({ users, metrics, intervals, trainSeconds, graphBytes }: Evaluation, size: { rows: number; items: number }): QualityCell {
  const rounded = (value: number): number => Number(value.toFixed(4));
  const interval = ({ value, low, high }: Interval): Interval => ({ value: rounded(value), low: rounded(low), high: rounded(high) });
  return {
    ...size,
    lists: users,
    intervals: Object.fromEntries(measures.map((name) => [name, interval(intervals[name] as Interval)])) as QualityCell['intervals'],
    coverage: rounded(metrics['coverage@10'] ?? 0),
    trainSeconds: Number(trainSeconds.toFixed(1)),
    graphBytes,
  };
}

/** What of a cell does not depend on the machine that trained it. */
export function withoutTime({ trainSeconds: _, ...rest }: QualityCell): Omit<QualityCell, 'trainSeconds'> {
  return rest;
}

export const formatQuality = (results: QualityResults): string => `${JSON.stringify(results, null, 2)}\n`;

/** `docs/quality.md`. */
export function renderQuality({ machine, cells }: QualityResults): string {
  const head = ['algorithm', 'NDCG@10', 'recall@20', 'hit rate@10', 'coverage@10', 'training, s', 'graph, MB'];
  const parts = Object.entries(qualityData).map(([id, { what, protocol, leftOut = {} }]) => {
    const own = cells[id] ?? {};
    const [any] = Object.values(own);
    const rows = Object.entries(own).map(([name, cell]) => [
      name,
      ...measures.map((measure) => spread(cell.intervals[measure])),
      cell.coverage.toFixed(3),
      cell.trainSeconds.toFixed(1),
      (cell.graphBytes / 1e6).toFixed(1),
    ]);
    const size = any === undefined ? '' : `${any.rows} rows to train on, ${any.items} items, ${any.lists} lists.`;
    const reasons = Object.entries(leftOut).map(([name, why]) => `\n\nNot measured here: ${name}; ${why}.`);
    return `## ${id}\n\n${sentence(what)} ${size} ${sentence(protocol)}\n\n${[head, head.map(() => '---'), ...rows].map((line) => `| ${line.join(' | ')} |`).join('\n')}${reasons.join('')}`;
  });
  return `# How good the algorithms are, on the data that come with the project

\`npm run bench -- quality\` writes this page; its figures are in quality.json. Every algorithm of the registry that needs no other's vectors, by its defaults:
nothing was tuned, so this says where each begins and not how far it gets. \`npm run bench -- quality --check\` trains all again and says where the page is stale,
as \`npm test\` does for some.

Full catalog, ties to the lower id; in brackets intervals of 95 % by bootstrap over the lists. Coverage is the share of the catalog in the first ten of any
list; the size is that of the exported graph. Trained on ${machine}.

${parts.join('\n\n')}
`;
}

const sentence = (said: string): string => `${said.charAt(0).toUpperCase()}${said.slice(1)}.`;
const spread = ({ value, low, high }: Interval): string => `${value.toFixed(4)} (${low.toFixed(4)} to ${high.toFixed(4)})`;
