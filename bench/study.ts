import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { say } from '../cli/output.ts';
import { canaryCells } from '../experiments/study/canary-cells.ts';
import { decisionCells } from '../experiments/study/decision-cells.ts';
import { renderStudy } from '../experiments/study/render-study.ts';
import { slateCells } from '../experiments/study/slate-cells.ts';
import { failuresOf, formatResults, type StudyResults } from '../experiments/study/study-results.ts';
import { addSums } from '../experiments/study/tally.ts';
import { defaultLimits } from '../experiments/counterfactual/single-slot/limits.ts';
import { runJobs } from './study-jobs.ts';
import { digestOf } from './study-rules.ts';
import type { StudyJob } from './study-worker.ts';

const help = `npm run study [-- options]
  Draws logs whose truth is known, evaluates them, and writes docs/study.md and docs/study.json. About a quarter of an hour on two cores; goes on where it was
  interrupted. Ends with 1 where a requirement does not hold.

  --cells a,b          only these cells, and no page: their part of it is printed
  --replications n     logs of each cell of single decisions (10000); of slates and canaries no more than this
  --seed n             (1)
  --workers n          threads (${availableParallelism()})
  --check              only whether the first draws of each cell come to what they came to
  --stale              only the cells where they do not, and writes the page
  --json               the results as one JSON document on stdout`;

const root = join(import.meta.dirname, '..');
const docs = join(root, 'docs');
const parts = { decision: 500, slate: 10 };
const { values } = parseArgs({
  options: {
    cells: { type: 'string' },
    replications: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: String(availableParallelism()) },
    check: { type: 'boolean', default: false },
    stale: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

function wholeNumber(name: 'replications' | 'seed' | 'workers'): number {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value > 0) return value;
  return refuse(`--${name} must be a whole number above 0, not ${values[name]}`);
}

function refuse(why: string): never {
  say(`${why}\n\n${help}`);
  process.exit(2);
}

function partsOf(cell: string, { count, size, seed }: { count: number; size: number; seed: number }): StudyJob[] {
  return Array.from({ length: Math.ceil(count / size) }, (_, part) => ({ cell, seed, from: part * size, to: Math.min(count, (part + 1) * size) }));
}

async function study(wanted: (id: string) => boolean, { seed, replications }: Pick<StudyResults, 'seed' | 'replications'>): Promise<StudyResults> {
  const own = (count: number) => Math.min(count, replications);
  // A canary's cell is one job: the long ones first.
  const jobs = [
    ...canaryCells.flatMap(({ id, runs }) => partsOf(id, { count: own(runs), size: runs, seed })),
    ...slateCells.flatMap((cell) => partsOf(cell.id, { count: own(cell.replications), size: parts.slate, seed })),
    ...decisionCells.flatMap(({ id }) => partsOf(id, { count: replications, size: parts.decision, seed })),
  ].filter(({ cell }) => wanted(cell));
  const left = new Map<string, number>();
  for (const { cell } of jobs) left.set(cell, (left.get(cell) ?? 0) + 1);
  const startedMs = performance.now();
  let done = 0;
  let ofCpu = 0;
  const results = await runJobs({
    root,
    jobs,
    workers: wholeNumber('workers'),
    onDone: ({ job: { cell }, cpuSeconds }) => {
      done += 1;
      ofCpu += cpuSeconds;
      left.set(cell, (left.get(cell) as number) - 1);
      if (left.get(cell) === 0)
        say(
          `${cell}: done; ${((100 * done) / jobs.length).toFixed(0)} % of all after ${((performance.now() - startedMs) / 1000).toFixed(0)} s, ${ofCpu.toFixed(0)} s of processor time`,
        );
    },
  });
  const cellsOf = <T>(cells: readonly { id: string }[]): Record<string, T> =>
    Object.fromEntries(
      cells.flatMap(({ id }) => {
        const own = results.filter((_, place) => jobs[place]?.cell === id) as { tally: object }[];
        const [first] = own;
        return first === undefined ? [] : [[id, { ...first, tally: own.slice(1).reduce((sum, { tally }) => addSums(sum, tally), first.tally) } as T]];
      }),
    );
  const [decisions, slates, canaries] = [
    cellsOf<StudyResults['decisions'][string]>(decisionCells),
    cellsOf<StudyResults['slates'][string]>(slateCells),
    cellsOf<StudyResults['canaries'][string]>(canaryCells),
  ];
  return { seed, replications, limits: defaultLimits, decisions, slates, canaries };
}

const readResults = () => JSON.parse(readFileSync(join(docs, 'study.json'), 'utf8')) as StudyResults;
const known = [...decisionCells, ...slateCells, ...canaryCells].map(({ id }) => id);

/** The cells whose first draws come to something else than the page says, or that are to have other numbers of them. */
async function staleCells(): Promise<string[]> {
  const page = readResults();
  const cells: Record<string, { digest: string }> = { ...page.decisions, ...page.slates, ...page.canaries };
  const isShort = (id: string): boolean => {
    const slate = slateCells.find((cell) => cell.id === id);
    if (slate !== undefined) return page.slates[id]?.tally.replications !== Math.min(slate.replications, page.replications);
    const canary = canaryCells.find((cell) => cell.id === id);
    if (canary !== undefined) return page.canaries[id]?.tally.runs !== Math.min(canary.runs, page.replications);
    return page.decisions[id]?.tally.replications !== page.replications;
  };
  const stale: string[] = [];
  for (const id of known) if (isShort(id) || cells[id]?.digest !== (await digestOf(id, page.seed))) stale.push(id);
  return stale;
}

/** In the order of the cells; those that are no more are left out. */
function merged(before: StudyResults, after: StudyResults): StudyResults {
  const inOrder = <T>(one: Record<string, T>, other: Record<string, T>) => {
    const all = { ...one, ...other };
    return Object.fromEntries(known.flatMap((id) => (all[id] === undefined ? [] : [[id, all[id]]]))) as Record<string, T>;
  };
  const both = { decisions: inOrder(before.decisions, after.decisions), slates: inOrder(before.slates, after.slates) };
  return { ...after, ...both, canaries: inOrder(before.canaries, after.canaries) };
}

function write(results: StudyResults): void {
  mkdirSync(docs, { recursive: true });
  writeFileSync(join(docs, 'study.json'), formatResults(results));
  writeFileSync(join(docs, 'study.md'), renderStudy(results));
  say('docs/study.md and docs/study.json are written');
}

async function main(): Promise<void> {
  if (values.help) return void process.stdout.write(`${help}\n`);
  if (values.check) {
    const stale = await staleCells();
    say(stale.length === 0 ? 'The page is what the code comes to.' : `The page is stale in ${stale.join(', ')}: npm run study -- --stale`);
    process.exitCode = stale.length === 0 ? 0 : 1;
    return;
  }
  const named = values.stale ? await staleCells() : values.cells?.split(',');
  const unknown = named?.filter((id) => !known.includes(id)) ?? [];
  if (unknown.length > 0) refuse(`There is no cell ${unknown.join(', ')}; there are ${known.join(', ')}`);
  const of = values.stale ? readResults() : { seed: wholeNumber('seed'), replications: wholeNumber('replications') };
  const found = await study((id) => named === undefined || named.includes(id), of);
  const results = values.stale ? merged(readResults(), found) : found;
  if (values.stale || named === undefined) write(results);
  if (values.json) process.stdout.write(formatResults(results));
  else if (values.cells !== undefined) process.stdout.write(renderStudy(results));
  const failures = failuresOf(results);
  for (const failure of failures) say(failure);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

await main();
