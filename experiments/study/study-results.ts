import { percent } from '../percent.ts';
import type { DiagnosticLimits } from '../counterfactual/single-slot/limits.ts';
import type { DecisionWorld } from '../simulator/decision-world.ts';
import type { SlateWorld } from '../simulator/slate-world.ts';
import { type CanaryResult, canaryCells, canaryFailures } from './canary-cells.ts';
import { decisionCells, type Mark } from './decision-cells.ts';
import type { DecisionTally } from './run-decision-cell.ts';
import { type SlateTally, slateCells } from './slate-cells.ts';
import { coverageOf, type Misses } from './tally.ts';

/** What a study came to, by the cells' names; a study of some cells lacks the others. */
export type StudyResults = {
  seed: number;
  /** Logs of each cell of single decisions; the others say how many they have. */
  replications: number;
  limits: DiagnosticLimits;
  /** `digest` names what the first logs came to: see digestDecisionCell. */
  decisions: Record<string, { truth: DecisionWorld['truth']; tally: DecisionTally; digest: string }>;
  slates: Record<string, { truth: SlateWorld['truth']; tally: SlateTally; digest: string }>;
  canaries: Record<string, { tally: CanaryResult; digest: string }>;
};

export const required = {
  /** Of intervals of 95 %, given that the diagnostics do not object. */
  coverage: 0.94,
  tail: 0.04,
  /** Share of the logs with a verdict where the log can carry one, and where it cannot. */
  verdicts: 0.9,
  wrongVerdicts: 0.05,
  /** Fewer logs with a verdict say nothing of its coverage. */
  leastVerdicts: 50,
  /** Fewer than these may miss by chance: two standard errors are let pass. */
  manyVerdicts: 4_000,
} as const;

/** A sentence for each requirement that a cell does not meet; none: all hold. */
export function failuresOf(results: StudyResults): string[] {
  const decisions = decisionCells.flatMap(({ id, mark }) => {
    const tally = results.decisions[id]?.tally;
    return tally === undefined
      ? []
      : verdictFailures({ id, mark, replications: tally.replications, verdicts: tally.verdicts, interval: tally.intervals.verdict });
  });
  const slates = slateCells.flatMap(({ id, mark }) => {
    const tally = results.slates[id]?.tally;
    return tally === undefined ? [] : verdictFailures({ id, mark, replications: tally.replications, verdicts: tally.verdicts, interval: tally.interval });
  });
  const canaries = canaryCells.flatMap((cell) => {
    const tally = results.canaries[cell.id]?.tally;
    return tally === undefined ? [] : canaryFailures(cell, tally);
  });
  return [...decisions, ...slates, ...canaries];
}

type Judged = { id: string; mark: Mark; replications: number; verdicts: number; interval: Misses };

function verdictFailures({ id, mark, replications, verdicts, interval }: Judged): string[] {
  if (mark === 'blind') return [];
  const share = verdicts / replications;
  const failures: string[] = [];
  if (mark === 'supportable' && share < required.verdicts)
    failures.push(`${id}: the log can carry a verdict, and gives one in ${percent(share)} of the logs; ${percent(required.verdicts)} are required.`);
  if (mark === 'unsupportable' && share > required.wrongVerdicts)
    failures.push(`${id}: the log cannot carry a verdict, and gives one in ${percent(share)} of the logs; ${percent(required.wrongVerdicts)} at most.`);
  // The few logs that slip through where none should are counted above.
  if (mark === 'unsupportable' || interval.count < required.leastVerdicts) return failures;
  const [coverage, below, above] = [coverageOf(interval), interval.below / interval.count, interval.above / interval.count];
  const slack = (rate: number) => (interval.count < required.manyVerdicts ? 2 * Math.sqrt((rate * (1 - rate)) / interval.count) : 0);
  if (coverage + slack(required.coverage) < required.coverage)
    failures.push(`${id}: the interval holds the true lift in ${percent(coverage)} of the logs with a verdict; ${percent(required.coverage)} are required.`);
  if (Math.max(below, above) - slack(required.tail) > required.tail)
    failures.push(
      `${id}: the true lift lies below the interval in ${percent(below)} of the logs with a verdict, above it in ${percent(above)}; ${percent(required.tail)} at most.`,
    );
  return failures;
}

/** As JSON, a line a cell. */
export function formatResults(results: StudyResults): string {
  const { decisions, slates, canaries, ...rest } = results;
  const lines = Object.entries(rest).map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  const sections = Object.entries({ decisions, slates, canaries }).map(([name, cells]) => {
    const own = Object.entries(cells).map(([id, cell]) => `    ${JSON.stringify(id)}: ${JSON.stringify(cell)}`);
    return `${JSON.stringify(name)}: {${own.length === 0 ? '' : `\n${own.join(',\n')}\n  `}}`;
  });
  return `{\n  ${[...lines, ...sections].join(',\n  ')}\n}\n`;
}
