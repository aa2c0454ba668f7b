import { percent } from '../../experiments/percent.ts';
import type { CounterfactualResult } from '../../models/contracts/counterfactual.ts';
import type { Report } from '../../models/contracts/report.ts';
import { table } from '../output.ts';
import { intervalText as interval } from './interval-text.ts';

/** What the replay of the log foretells, part by part; why there is nothing, where there is nothing. */
export function describeCounterfactual({ counterfactual, counterfactualAbsent, trackRecord }: Report): string[] {
  const record = trackRecord === undefined ? [] : [`Track record: ${trackRecord.sentence}.`];
  if (counterfactual === null) return [`On the log: not enough evidence, since ${counterfactualAbsent ?? 'no slate of it can tell yet'}`, ...record];
  return [
    `On the log: ${counterfactual.verdict}, since ${counterfactual.reason}\n${estimates(counterfactual)}`,
    ...record,
    ...diagnostics(counterfactual),
    ...checks(counterfactual),
    ...indicators(counterfactual),
    ...exposure(counterfactual),
  ];
}

function estimates(result: CounterfactualResult): string {
  const { widenedBy, sensitivity } = result;
  const rows: [string, string][] = [
    ['of what was logged', interval(result.logged)],
    ['of the candidate: doubly robust', interval(result.dr)],
    ['of the candidate: self-normalized (SNIPS)', interval(result.snips)],
    ['of the candidate: plain (IPS)', interval(result.ips)],
    ['of the champion: doubly robust', interval(result.champion)],
    [`lift over the champion${result.liftInterval === undefined ? '' : ` (${result.liftInterval})`}`, interval(result.lift, true)],
  ];
  if (widenedBy !== undefined)
    rows.push([
      'in its width: examination; what has no support',
      `±${widenedBy.examination.toFixed(4)}; −${widenedBy.unsupportedBelow.toFixed(4)} +${widenedBy.unsupportedAbove.toFixed(4)}`,
    ]);
  if (sensitivity !== undefined) {
    if (sensitivity.marginalized !== null) rows.push(['lift if items of one group were alike (marginalized)', interval(sensitivity.marginalized.lift, true)]);
    const { lift, sentence } = sensitivity.pseudoInverse;
    rows.push(['lift of the whole slate (pseudo-inverse)', lift === null ? sentence : `${interval(lift, true)} ${sentence}`]);
  }
  rows.push(['slates, users', `${result.slates}, ${result.users}`]);
  if (result.impressed !== undefined) rows.push(['slates that the client says were seen', percent(result.impressed, 0)]);
  for (const [reason, count] of Object.entries(result.voidedBy ?? {})) rows.push(['left out', `${count}: ${reason}`]);
  return table(['reward a slate', ''], rows);
}

function diagnostics({ diagnostics: found = [] }: CounterfactualResult): string[] {
  if (found.length === 0) return [];
  return [
    table(
      ['can the log tell?', '', ''],
      found.map(({ name, passed, sentence }) => [name, passed ? 'yes' : 'NO', sentence]),
    ),
  ];
}

function checks({ checks: found = [], examination = [] }: CounterfactualResult): string[] {
  if (found.length === 0) return [];
  const byPlace = examination.map(({ value, low, high }, slot) => `${slot + 1}: ${value.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`);
  return [
    table(
      ['does the model of places hold?', '', ''],
      found.map(({ name, passed, sentence }) => [name, passed ? 'yes' : 'NO', sentence]),
    ),
    `Examined by place, of the first: ${byPlace.join(', ')}`,
  ];
}

function indicators({ kpis = {} }: CounterfactualResult): string[] {
  const rows = Object.entries(kpis).map(([name, one]) => [name, interval(one.candidate), interval(one.champion), interval(one.lift, true)]);
  return rows.length === 0 ? [] : [table(['foretold, events a slate', 'candidate', 'champion', 'lift'], rows)];
}

function exposure({ exposure: found }: CounterfactualResult): string[] {
  if (found === undefined) return [];
  const correlation = found.rankCorrelation === null ? '-' : found.rankCorrelation.toFixed(2);
  const rate = (value: number | null) => (value === null ? '-' : value.toFixed(4));
  const rows = found.groups.map((one) => [
    one.group,
    String(one.items),
    percent(one.exposureShare, 0),
    percent(one.engagementShare, 0),
    rate(one.rate),
    rate(one.rateWhenDrawn),
  ]);
  return [
    table(['exposure bias: group', 'items', 'of exposure', 'of clicks', 'clicks an examination', 'where chance drew'], rows),
    `Over ${found.items} items, exposure and clicks have a rank correlation of ${correlation}.`,
  ];
}
