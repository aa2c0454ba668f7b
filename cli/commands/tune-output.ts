import type { TuningPlan } from '../../activities/training/tune.ts';
import { costOf } from '../../experiments/tuning/halving.ts';
import type { TrialMeasurement } from '../../models/contracts/tuning.ts';
import { table, timeLeft } from '../output.ts';
import { intervalText } from '../report/interval-text.ts';

type Params = Record<string, unknown>;
export type Planned = { candidate: string; metric: string } & TuningPlan;
/** What a tuning came to. `fixed`: what was not chosen. */
export type Tuned = {
  candidate: string;
  algorithm: string;
  metric: string;
  fixed: Params;
  rungs: TuningPlan['rungs'];
  measurements: readonly TrialMeasurement[];
  chosen: number;
};

const paramsText = (params: Params) =>
  Object.entries(params)
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
const percent = (share: number) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
const rounded = (cost: number) => Number(cost.toFixed(1));

/** What `--dry-run` says: how many trainings on how many of the users, and what they cost together. */
export function planDocument({ candidate, metric, trials, rungs }: Planned) {
  return { candidate, metric, rungs, trainings: rungs.reduce((sum, rung) => sum + rung.trials, 0), wholeTrainings: rounded(costOf(rungs)), trials };
}

export function describePlan(plan: Planned): string {
  const { candidate, metric, rungs, trials } = plan;
  const { trainings, wholeTrainings } = planDocument(plan);
  const rows = rungs.map(({ share, trials: many }, rung) => [String(rung + 1), percent(share), String(many)]);
  const costs = rungs.length === 1 ? '' : `, which together cost as much as ${wholeTrainings} on all users (all trials on all users: ${trials.length})`;
  return `${candidate}: ${trials.length} trials, ${trainings} trainings${costs}; the best by ${metric} on the validation part is chosen\n\n${table(['rung', 'users', 'trials'], rows)}`;
}

/** Each trial's last figures, in the order in which they were drawn. */
function lastOf(measurements: readonly TrialMeasurement[]): TrialMeasurement[] {
  const last = new Map<number, TrialMeasurement>();
  for (const one of measurements) if (one.rung >= (last.get(one.trial)?.rung ?? 0)) last.set(one.trial, one);
  return [...last.values()].sort((a, b) => a.trial - b.trial);
}

export function tunedDocument({ candidate, algorithm, metric, fixed, rungs, measurements, chosen }: Tuned) {
  const trials = lastOf(measurements);
  const params = { ...fixed, ...trials[chosen]?.params };
  return { candidate, algorithm, metric, users: trials[0]?.users ?? 0, rungs, trials, chosen, params };
}

export function describeTuned(tuned: Tuned): string {
  const { candidate, algorithm, metric, users, rungs, trials, chosen, params } = tunedDocument(tuned);
  // Figures of different rungs are not of the same users' training: the farther a trial came, the higher it stands.
  const best = [...trials].sort(
    (a, b) => Number(b.trial === chosen) - Number(a.trial === chosen) || b.rung - a.rung || figureOf(b) - figureOf(a) || a.trial - b.trial,
  );
  const rows = best.map(({ trial, params: own, trainUsers, measured, failed, rung }) => [
    paramsText(own),
    String(trainUsers),
    measured === null ? `failed: ${failed}` : intervalText(measured),
    `${rung + 1} of ${rungs.length}`,
    trial === chosen ? 'chosen' : '',
  ]);
  const entry = `{ name: ${JSON.stringify(candidate)}, algorithm: ${JSON.stringify(algorithm)}, params: ${JSON.stringify(params)} }`;
  return [
    `${candidate}: ${trials.length} trials, measured on ${users} users`,
    table(['parameters', 'trained on', metric, 'rung', ''], rows),
    `In the charter's candidates, instead of its tune and search:\n  ${entry}`,
  ].join('\n\n');
}

const figureOf = ({ measured }: TrialMeasurement): number => measured?.value ?? Number.NEGATIVE_INFINITY;

/** `rung 2 of 3: 4 of 9 trials, about 3 min left`; the time by what was done so far, where anything was. */
export function progressText({ rungs, rung, done, elapsedMs }: { rungs: TuningPlan['rungs']; rung: number; done: number; elapsedMs: number }): string {
  const here = rungs[rung] ?? { share: 1, trials: 0 };
  const spent = costOf(rungs.slice(0, rung)) + done * here.share;
  const leftMs = spent === 0 ? undefined : (elapsedMs * (costOf(rungs) - spent)) / spent;
  return `rung ${rung + 1} of ${rungs.length}: ${done} of ${here.trials} trials${leftMs === undefined ? '' : `, about ${timeLeft(leftMs)} left`}`;
}
