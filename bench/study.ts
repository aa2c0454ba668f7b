import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { say } from '../cli/output.ts';
import { type CanaryResult, canaryCells } from '../experiments/study/canary-cells.ts';
import { type DecisionCell, decisionCells } from '../experiments/study/decision-cells.ts';
import { renderStudy } from '../experiments/study/render-study.ts';
import { type DecisionTally, digestDecisionCell } from '../experiments/study/run-decision-cell.ts';
import { type SlateCell, type SlateTally, slateCells } from '../experiments/study/slate-cells.ts';
import { failuresOf, formatResults, type StudyResults } from '../experiments/study/study-results.ts';
import { addSums } from '../experiments/study/tally.ts';
import { defaultLimits } from '../experiments/counterfactual/single-slot/limits.ts';
import { makeDecisionWorld } from '../experiments/simulator/decision-world.ts';
import { runJobs } from './study-jobs.ts';
import type { StudyJob } from './study-worker.ts';

const help = `npm run study [-- options]
  Draws logs whose truth is known, evaluates them, and writes docs/study.md and docs/study.json. About a quarter of an hour on two cores; goes on where it was
  interrupted. Ends with 1 where a requirement does not hold.

  --cells a,b          only these cells, and no page: their part of it is printed
  --replications n     logs of each cell of single decisions (10000); of slates and canaries no more than this
  --seed n             (1)
  --workers n          threads (${availableParallelism()})
  --check              only whether the page's digests are what the code comes to now, in seconds
  --json               the results as one JSON document on stdout`;

const root = join(import.meta.dirname, '..');
const parts = { decision: 500, slate: 10 };
const { values } = parseArgs({
  options: {
    cells: { type: 'string' },
    replications: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: String(availableParallelism()) },
    check: { type: 'boolean', default: false },
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

async function study(wanted: (id: string) => boolean): Promise<StudyResults> {
  const [replications, seed] = [wholeNumber('replications'), wholeNumber('seed')];
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
  const results = await runJobs({
    root,
    jobs,
    workers: wholeNumber('workers'),
    onDone: ({ job: { cell } }) => {
      done += 1;
      left.set(cell, (left.get(cell) as number) - 1);
      if (left.get(cell) === 0)
        say(`${cell}: done; ${((100 * done) / jobs.length).toFixed(0)} % of all after ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
    },
  });
  const resultsOf = (id: string) => results.filter((_, place) => jobs[place]?.cell === id);
  const summed = <T>(id: string): T | undefined => {
    const tallies = resultsOf(id).map((one) => (one as { tally: T }).tally);
    return tallies.length === 0 ? undefined : tallies.reduce((sum, one) => addSums(sum, one));
  };
  const entries = <C extends { id: string }, T>(cells: readonly C[], entryOf: (cell: C) => T | undefined) =>
    Object.fromEntries(cells.map((cell) => [cell.id, entryOf(cell)] as const).filter((entry): entry is [string, T & {}] => entry[1] !== undefined));
  return {
    seed,
    replications,
    limits: defaultLimits,
    decisions: entries(decisionCells, (cell: DecisionCell) => {
      const tally = summed<DecisionTally>(cell.id);
      return tally && { truth: makeDecisionWorld(cell.settings).truth, tally, digest: (resultsOf(cell.id)[0] as { digest: string }).digest };
    }),
    slates: entries(slateCells, (cell: SlateCell) => {
      const tally = summed<SlateTally>(cell.id);
      return tally && { truth: (resultsOf(cell.id)[0] as { truth: StudyResults['slates'][string]['truth'] }).truth, tally };
    }),
    canaries: entries(canaryCells, ({ id }) => resultsOf(id)[0] as CanaryResult | undefined),
  };
}

/** @returns the cells whose first logs come to something else than the page says */
function staleCells(): string[] {
  const page = JSON.parse(readFileSync(join(root, 'docs', 'study.json'), 'utf8')) as StudyResults;
  return decisionCells.filter((cell) => page.decisions[cell.id]?.digest !== digestDecisionCell({ cell, seed: page.seed })).map(({ id }) => id);
}

if (values.help) {
  process.stdout.write(`${help}\n`);
} else if (values.check) {
  const stale = staleCells();
  say(stale.length === 0 ? 'The page is what the code comes to.' : `The page is stale in ${stale.join(', ')}: npm run study`);
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  const named = values.cells?.split(',');
  const known = [...decisionCells, ...slateCells, ...canaryCells].map(({ id }) => id);
  const unknown = named?.filter((id) => !known.includes(id)) ?? [];
  if (unknown.length > 0) refuse(`There is no cell ${unknown.join(', ')}; there are ${known.join(', ')}`);
  const results = await study((id) => named === undefined || named.includes(id));
  const failures = failuresOf(results);
  if (named === undefined) {
    mkdirSync(join(root, 'docs'), { recursive: true });
    writeFileSync(join(root, 'docs', 'study.json'), formatResults(results));
    writeFileSync(join(root, 'docs', 'study.md'), renderStudy(results));
    say('docs/study.md and docs/study.json are written');
  }
  if (values.json) process.stdout.write(formatResults(results));
  else if (named !== undefined) process.stdout.write(renderStudy(results));
  for (const failure of failures) say(failure);
  process.exitCode = failures.length === 0 ? 0 : 1;
}
