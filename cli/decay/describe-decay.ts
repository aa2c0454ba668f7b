import type { DecayStudy } from '../../activities/decay/measure-decay.ts';
import type { Advice, Cost } from '../../experiments/decay/decay-study.ts';
import { changeText, monthsText, secondsText, weeksText } from '../../experiments/decay/recommend-refresh.ts';
import { percent } from '../../experiments/percent.ts';
import { table } from '../output.ts';
import { intervalText } from '../report/interval-text.ts';

/** A study as text for a person. */
export function describeDecay(study: DecayStudy): string {
  const { surface, candidate, algorithm, generation, metric, plan, tests, models } = study;
  const users = tests.reduce((sum, one) => sum + one.users, 0);
  const weeks = tests.map(({ from }) => from).join(', ');
  return [
    `${surface}, data generation ${generation}: ${candidate} (${algorithm}) by ${metric}, measured on ${users} users in the weeks of ${weeks}; ${models.measured} of ${models.asked} models`,
    agesText(study),
    historiesText(study),
    ...(study.warm === null ? [] : [warmText(study.warm)]),
    [
      'recommended',
      ...adviceLines('refresh', study.recommended.cadence),
      ...adviceLines('history', study.recommended.window),
      ...adviceLines('how', study.recommended.mode),
    ].join('\n'),
    ...(study.notes.length === 0 ? [] : [study.notes.map((note) => `note: ${note}`).join('\n')]),
    `The margin is the charter's gates.refreshMargin, ${percent(study.margin)}. Models whose age is measured are trained on ${plan.trainDays} days; histories of users are those that they have by the test week. What holds in these weeks need not hold in another season.`,
  ].join('\n\n');
}

const costCells = ({ rows, seconds }: Cost): string[] => [String(rows), secondsText(seconds)];

function agesText({ ages, metric }: DecayStudy): string {
  return table(
    ['age of the model', 'tests', 'users', 'events', 'training', `${metric} [95 %]`, 'against a fresh one'],
    ages.map(({ weeks, origins, users, quality, change, cost }) => [
      weeks === 0 ? 'fresh' : weeksText(weeks),
      String(origins),
      String(users),
      ...costCells(cost),
      intervalText(quality ?? undefined),
      weeks === 0 ? '' : changeText(change),
    ]),
  );
}

function historiesText({ histories, metric }: DecayStudy): string {
  if (histories.length === 0) return 'history: no length was measured';
  return table(
    ['history', 'tests', 'users', 'events', 'training', `${metric} [95 %]`, 'against the best', 'each further month adds'],
    histories.map(({ months, origins, users, quality, change, gainAMonth, cost }) => [
      monthsText(months),
      String(origins),
      String(users),
      ...costCells(cost),
      intervalText(quality ?? undefined),
      change?.low === 0 && change.high === 0 ? 'the best' : changeText(change),
      gainAMonth === null ? '-' : changeText(gainAMonth),
    ]),
  );
}

function warmText({ steps, origins, users, change, cost, cold }: NonNullable<DecayStudy['warm']>): string {
  return table(
    ['begun from', 'tests', 'users', 'events', 'training', 'against beginning anew'],
    [
      ['nothing', String(origins), String(users), ...costCells(cold), ''],
      [`the model of a week before, ${weeksText(steps)} long`, String(origins), String(users), ...costCells(cost), changeText(change)],
    ],
  );
}

function adviceLines(what: string, { verdict, says, because }: Advice<unknown>): string[] {
  const unsure = verdict === 'measured' || says.startsWith('not enough evidence') ? '' : 'not enough evidence: ';
  return [`  ${what.padEnd(8)}  ${unsure}${says}`, ...because.map((line) => `            - ${line}`)];
}
