import type { Report, ReportPart, Spread } from '../../models/contracts/report.ts';
import { table } from '../output.ts';
import { intervalText as shown } from './interval-text.ts';

/** The metric by which parts, splits and weights are shown; the document holds all of them. */
const shownMetric = 'ndcg@10';

/** What the test part says besides the metrics as a whole. */
export function describeOffline(report: Report): string[] {
  return [...tuningOf(report), ...leakOf(report), ...partsOf(report), ...frontierOf(report), ...fairnessOf(report), ...originsOf(report)];
}

function tuningOf({ tuning }: Report): string[] {
  if (tuning === undefined) return [];
  const { metric, train, validation, users, rungs, trials, chosen } = tuning;
  const rows = trials.map(({ params, rung, failed, ...measured }, index) => [
    Object.entries(params)
      .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
      .join(', '),
    failed === undefined ? shown(measured) : `failed: ${failed}`,
    ...(rungs === undefined || rung === undefined ? [] : [`${rung + 1} of ${rungs.length}`, String(rungs[rung]?.trainUsers)]),
    index === chosen ? 'chosen' : '',
  ]);
  const title = `Parameters, trained on ${days(train)} and measured on ${days(validation)}, ${users} users; the chosen ones were trained on all of these days`;
  return [`${title}\n${table(['parameters', metric, ...(rungs === undefined ? [] : ['rung', 'trained on']), ''], rows)}`];
}

const days = ({ from, to }: { from: string; to: string }) => `${from} to ${to}`;

function leakOf({ leak }: Report): string[] {
  if (leak === undefined) return [];
  const rows = leak.map(({ check, passed, reason }) => [check, passed ? 'no' : 'YES', reason]);
  return [table(['does it know the test part?', '', 'what was found'], rows)];
}

/** Slices and segments. Each interval misses by chance one time in twenty, and whoever looks at many finds one that did. */
function partsOf({ slices = {}, segments = [] }: Report): string[] {
  const row = ({ users, tooFew, metrics, lift }: ReportPart) =>
    tooFew === true ? [String(users), 'too few', ''] : [String(users), shown(metrics[shownMetric]), shown(lift?.[shownMetric], true)];
  const rows = [
    ...Object.entries(slices).map(([name, one]) => [name, ...row(one)]),
    ...segments.map(({ by, value, ...one }) => [`${by}: ${value}`, ...row(one)]),
  ];
  if (rows.length === 0) return [];
  const counted = rows.filter(([, , figure]) => figure !== 'too few').length;
  const note = segments.length > 0 && counted > 0 ? `\nOf ${counted} intervals of 95 % about ${(counted / 20).toFixed(1)} miss by chance.` : '';
  return [`${table(['users', 'how many', shownMetric, 'lift'], rows)}${note}`];
}

function frontierOf({ frontier }: Report): string[] {
  if (frontier === undefined) return [];
  const names = [shownMetric, 'novelty@10', 'serendipity@10', 'diversity@10'];
  const rows = frontier.points.map(({ weight, metrics, lift }) => [
    `${weight}${weight === frontier.chosen ? ', the charter' : ''}`,
    ...names.map((name) => metrics[name]?.value.toFixed(4) ?? '-'),
    weight === 0 ? '-' : shown(lift[shownMetric], true),
  ]);
  const title = `What diversity costs: re-ranking the best ${frontier.depth}, on ${frontier.users} users`;
  return [`${title}\n${table(['slate.diversity.weight', ...names, `${shownMetric} against 0`], rows)}`];
}

function fairnessOf({ fairness }: Report): string[] {
  if (fairness === undefined) return [];
  const { asked, points, method, depth, users } = fairness;
  const rows = points.map(({ scale, metrics, lift, exposure, fair }) => [
    `${scale}${scale === 1 ? ', the charter' : ''}`,
    metrics[shownMetric]?.value.toFixed(4) ?? '-',
    scale === 0 ? '-' : shown(lift[shownMetric], true),
    ...asked.map(({ name }) => shown(exposure[name])),
    ...(fair === undefined ? [] : [shown(fair)]),
  ]);
  const head = ['of what is asked', shownMetric, `${shownMetric} against 0`, ...asked.map(({ name, share }) => `exposure of ${name} (asked ${share})`)];
  const title = `What fairness costs and brings: ${method} over the best ${depth}, on ${users} users`;
  return [`${title}\n${table([...head, ...(method === 'fa-ir' ? ['slates that hold as many as asked'] : [])], rows)}`];
}

function originsOf({ origins }: Report): string[] {
  if (origins === undefined) return [];
  const { splits, pooled, pooledLift, note } = origins;
  const rows = splits.map(({ train, test, users, metrics, lift }) => [
    days(train),
    days(test),
    String(users),
    shown(metrics[shownMetric]),
    shown(lift?.[shownMetric], true),
  ]);
  const pool = `Over ${splits.length} splits: ${shownMetric} ${spreadText(pooled[shownMetric])}${pooledLift === null ? '' : `, lift ${spreadText(pooledLift[shownMetric], true)}`}.`;
  return [[table(['trained on', 'tested on', 'users', shownMetric, 'lift'], rows), pool, ...(note === undefined ? [] : [`${note}.`])].join('\n')];
}

function spreadText(spread: Spread | undefined, signed = false): string {
  if (spread === undefined) return 'not measured';
  const text = (value: number) => `${signed && value >= 0 ? '+' : ''}${value.toFixed(4)}`;
  const { mean, deviation, lowest, highest } = spread;
  return deviation === null ? text(mean) : `${text(mean)} (standard deviation ${deviation.toFixed(4)}, ${text(lowest)} to ${text(highest)})`;
}
