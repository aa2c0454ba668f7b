import { percent } from '../percent.ts';
import { type EstimatorName, estimatorNames } from '../counterfactual/single-slot/estimators.ts';
import { intervalKinds } from '../counterfactual/single-slot/intervals.ts';
import { canaryCells } from './canary-cells.ts';
import { type DecisionCell, decisionCells, type Mark } from './decision-cells.ts';
import { digestedReplications, slowReplications } from './run-decision-cell.ts';
import { slateCells } from './slate-cells.ts';
import { failuresOf, required, type StudyResults } from './study-results.ts';
import { biasOf, coverageOf, type Misses, rootMeanSquareOf } from './tally.ts';

const none = '';

/** The study as a page. It says nothing of when and where, so that the same seed writes the same bytes. */
export function renderStudy(results: StudyResults): string {
  const failures = failuresOf(results);
  return `${[
    '# What the statistics are worth: a study on data whose truth is known',
    `\`npm run study -- --seed ${results.seed} --replications ${results.replications}\` writes this page; its figures are in study.json. \`npm run study -- --check\` draws the first ${digestedReplications} logs of each cell again (two of slates, ten canaries) and says where the page is stale, as \`npm test\` does for some; \`--stale\` mends it.`,
    summary(results, failures),
    `## Single decisions\n\n${decisionsText(results)}`,
    `### The logs\n\n${worlds(results)}`,
    `### The verdict\n\n${verdicts(results)}`,
    `### Intervals of other kinds\n\n${kinds(results)}`,
    `### Estimators\n\n${estimators(results)}`,
    `### Why logs are refused\n\n${refusals(results)}`,
    `## Slates\n\n${slates(results)}`,
    `## Canaries\n\n${canaries(results)}`,
    `## What no log can tell\n\n${blind(results)}`,
  ].join('\n\n')}\n`;
}

function summary(results: StudyResults, failures: readonly string[]): string {
  const asked = [
    `Asked of every interval of 95 %: given that the diagnostics do not object, it holds the truth in ${percent(required.coverage, 0)} of the logs or more, and misses on either side in ${percent(required.tail, 0)} at most; two standard errors are let pass where less than ${required.manyVerdicts} logs have a verdict.`,
    `A log that can carry a verdict must give one in ${percent(required.verdicts, 0)} of its draws, so that refusing everything fails; one that cannot, in ${percent(required.wrongVerdicts, 0)} at most.`,
    'A canary of a variant against itself is rolled back in 1 % of the canaries at most, and promoted in 1 % at most.',
  ];
  const count = Object.keys({ ...results.decisions, ...results.slates, ...results.canaries }).length;
  const outcome =
    failures.length === 0
      ? `**All of it holds in all ${count} cells.**`
      : `**It does not hold everywhere (${count} cells):**\n\n${failures.map((one) => `- ${one}`).join('\n')}`;
  return `${asked.join(' ')}\n\n${outcome}`;
}

function decisionsText({ replications, limits }: StudyResults): string {
  const { minEss, minEssRewarded, minEssLift, maxWeightShare, maxTailIndex, minMeanWeightP, maxUnsupportedMass, minDriftP } = limits;
  return [
    `${replications} logs of each cell are drawn from a world of items with Zipf popularity, three segments of users with tastes of their own and three slots that are looked at less and less, and evaluated as \`understudy ope\` does it.`,
    'The true value of both policies is computed from the tables that the logs are drawn from.',
    `The verdict reads the lift (target minus logging policy; SNDR, or SNIPS where there is no reward model) by its empirical likelihood interval, Student's quantile for as many degrees of freedom as rewards carry the difference.`,
    `It is given where the effective sample size is ${minEss} or more, ${minEssRewarded} of the rewarded rows, ${minEssLift} of what the policies do differently, no row has more than ${percent(maxWeightShare, 0)} of all weight, the tail index is ${maxTailIndex} or less, E[w] = 1 is not rejected at ${minMeanWeightP}, ${percent(maxUnsupportedMass, 0)} of the target's mass or less is without support, and the mean weight does not drift (${minDriftP}).`,
  ].join(' ');
}

function eachDecision(results: StudyResults, marks: readonly Mark[] = ['supportable', 'borderline', 'unsupportable', 'blind']) {
  return decisionCells.flatMap((cell) => {
    const found = results.decisions[cell.id];
    return found === undefined || !marks.includes(cell.mark) ? [] : [{ cell, ...found }];
  });
}

function worlds(results: StudyResults): string {
  const rows = eachDecision(results).map(({ cell: { id, what, settings }, truth, tally }) => [
    id,
    what,
    String(settings.rows),
    String(settings.rate),
    loggingOf(settings.temperature),
    settings.distance.toFixed(2),
    modelOf(settings.modelError),
    percent(truth.lift / truth.logging, 0),
    percent(truth.essShare),
    truth.maxWeight < 1e4 ? truth.maxWeight.toFixed(1) : truth.maxWeight.toExponential(1),
    (tally.essLift / tally.replications).toFixed(1),
  ]);
  const head = [
    'cell',
    'what',
    'rows',
    'rewards a row',
    'logging policy',
    'distance',
    'reward model',
    'true lift',
    'effective rows',
    'largest weight',
    'rewards behind the lift',
  ];
  return `${markdown(head, rows)}\n\nThe logging policy is a softmax at the temperature given. Distance: total variation between the policies. Reward model: standard deviation of the logarithm of its error. Rewards behind the lift: mean over logs of the effective number that the diagnostics see.`;
}

const loggingOf = (temperature: number) => (Number.isFinite(temperature) ? `softmax(${temperature})` : 'uniform');
const modelOf = (error: DecisionCell['settings']['modelError']) => (error === null ? 'none' : String(error).replace('same-log', 'same log'));

function verdicts(results: StudyResults): string {
  const rows = eachDecision(results, ['supportable', 'borderline', 'unsupportable']).map(({ cell: { id, mark }, truth, tally }) => {
    const relative = (value: number) => (value / truth.logging).toFixed(3);
    const has = tally.verdicts > 0;
    return [
      id,
      mark,
      percent(tally.verdicts / tally.replications),
      ...missCells(tally.intervals.verdict),
      has ? relative(biasOf(tally.lift)) : none,
      has ? relative(rootMeanSquareOf(tally.lift)) : none,
      has ? relative(tally.intervals.verdict.width / tally.intervals.verdict.count / 2) : none,
      percent(tally.better / tally.replications),
      percent(tally.worse / tally.replications),
    ];
  });
  const head = ['cell', 'the log is', 'verdicts', 'coverage', 'truth below', 'truth above', 'bias', 'RMSE', 'half-width', 'better', 'worse'];
  return `${markdown(head, rows)}\n\nCoverage and what follows are of the logs with a verdict; bias, root mean square error and half-width as parts of what the logging policy earns; better and worse of all logs: power where the true lift is not 0, false alarms where it is.`;
}

function missCells(misses: Misses): string[] {
  return misses.count === 0 ? [none, none, none] : [percent(coverageOf(misses)), percent(misses.below / misses.count), percent(misses.above / misses.count)];
}

function kinds(results: StudyResults): string {
  const shown = ['verdict', ...intervalKinds] as const;
  const rows = eachDecision(results, ['supportable', 'borderline']).map(({ cell: { id }, tally }) => [
    id,
    ...shown.map((kind) => {
      const misses = tally.intervals[kind];
      return misses.count === 0
        ? none
        : `${percent(coverageOf(misses))} (${(misses.width / misses.count / (tally.intervals.verdict.width / tally.intervals.verdict.count)).toFixed(2)})`;
    }),
  ]);
  const failing = intervalKinds.map((kind) => {
    const cells = eachDecision(results, ['supportable', 'borderline']).filter(({ tally: { intervals } }) => intervals[kind].count > 0);
    const failed = cells.filter(({ tally: { intervals } }) => {
      const { count, below, above } = intervals[kind];
      return coverageOf(intervals[kind]) < required.coverage || Math.max(below, above) / count > required.tail;
    });
    return `${kind} in ${failed.length} of ${cells.length}`;
  });
  return `Coverage of the lift by each kind on the same logs, and its width against the verdict's; bootstrap and betting on the first ${slowReplications} logs of a cell only.\n\n${markdown(['cell', ...shown.map((kind) => (kind === 'verdict' ? "the verdict's" : kind))], rows)}\n\nCells in which a kind does not hold what is asked of the verdict: ${failing.join(', ')}. Empirical Bernstein and betting take the largest and the smallest score that they see for the bounds that they need, which is not what their theorems ask for; they are wide enough to make up for it.`;
}

function estimators(results: StudyResults): string {
  const rows = eachDecision(results, ['supportable', 'borderline', 'unsupportable']).map(({ cell: { id }, truth, tally }) => [
    id,
    ...estimatorNames.map((name: EstimatorName) => {
      const found = tally.estimators[name];
      if (found === undefined) return none;
      const relative = (value: number) => ((100 * value) / truth.target).toFixed(1);
      return `${relative(biasOf(found.value))} / ${relative(rootMeanSquareOf(found.value))} / ${(100 * coverageOf(found.interval)).toFixed(1)}`;
    }),
  ]);
  return `The value of the target by each estimator, of all logs, whether they can carry it or not: bias / RMSE (per cent of the true value) / coverage of the normal interval (per cent). Caps and shrinkage are chosen from each log.\n\n${markdown(['cell', ...estimatorNames], rows)}`;
}

function refusals(results: StudyResults): string {
  const rows = eachDecision(results, ['borderline', 'unsupportable']).map(({ cell: { id, what }, tally }) => [
    id,
    what,
    Object.entries(tally.refusals)
      .sort(([, a], [, b]) => b - a)
      .map(([limit, count]) => `${limit} ${percent(count / tally.replications, 0)}`)
      .join(', '),
  ]);
  return markdown(['cell', 'what', 'limits that are broken, and in how many of the logs'], rows);
}

function slates(results: StudyResults): string {
  const rows = slateCells.flatMap(({ id, what, mark, settings }) => {
    const found = results.slates[id];
    if (found === undefined) return [];
    const { truth, tally } = found;
    const relative = (value: number) => (value / truth.champion).toFixed(3);
    const has = tally.verdicts > 0;
    return [
      [
        id,
        what,
        mark,
        String(settings.slates),
        String(settings.rate),
        percent(truth.lift / truth.champion, 0),
        String(tally.replications),
        percent(tally.verdicts / tally.replications),
        ...missCells(tally.interval),
        has ? relative(biasOf(tally.lift)) : none,
        has ? relative(rootMeanSquareOf(tally.lift)) : none,
        has ? relative(tally.interval.width / tally.interval.count / 2) : none,
        percent(tally.better / tally.replications),
        percent(tally.worse / tally.replications),
      ],
    ];
  });
  const head = [
    'cell',
    'what',
    'the log is',
    'slates',
    'rewards a slate',
    'true lift',
    'logs',
    'verdicts',
    'coverage',
    'truth below',
    'truth above',
    'bias',
    'RMSE',
    'half-width',
    'better',
    'worse',
  ];
  return `Slates of ten of which exploration draws one slot, by the charter's defaults, and the lift of candidate over champion as the gate estimates it: item-position DR, its draws by empirical likelihood with Student's quantile where eight rewards of equal weight or more carry the lift and by a bet where not, with what is not known of examination and the worst case of what has no support.\n\n${markdown(head, rows)}`;
}

function canaries(results: StudyResults): string {
  const rows = canaryCells.flatMap(({ id, what, champion, challenger, intent, shareCap, users }) => {
    const found = results.canaries[id]?.tally;
    if (found === undefined) return [];
    const spread = (value: { median: number; p95: number } | null) => (value === null ? none : `${value.median} (${value.p95})`);
    const share = (count: number) => percent(count / found.runs);
    return [
      [
        id,
        what,
        intent,
        `${champion} / ${challenger}`,
        percent(shareCap, 0),
        String(users),
        String(found.runs),
        share(found.promoted),
        share(found.rolledBack),
        share(found.inconclusive),
        spread(found.challengerUsersToDecision),
        spread(found.usersInAll),
      ],
    ];
  });
  const head = [
    'cell',
    'the challenger is',
    'intent',
    'rates',
    'share at most',
    'users at most',
    'canaries',
    'promoted',
    'rolled back',
    'no verdict',
    "challenger's users to a verdict",
    'users in all',
  ];
  return `Canaries with the decisions of the real one, each error at 1 %. Users: median (95 %); to a verdict, of the canaries that had one.\n\n${markdown(head, rows)}`;
}

function blind(results: StudyResults): string {
  const rows = eachDecision(results, ['blind']).map(({ cell: { id, what }, tally }) => [
    id,
    what,
    percent(tally.verdicts / tally.replications),
    ...missCells(tally.intervals.verdict),
  ]);
  return `Diagnostics see weights, propensities and rewards that are there. These logs are wrong in a way that no column shows, and nothing is asked of their verdicts.\n\n${markdown(['cell', 'what', 'verdicts', 'coverage', 'truth below', 'truth above'], rows)}`;
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
