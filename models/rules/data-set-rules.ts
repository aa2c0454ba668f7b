import type { DataSetRule } from '../contracts/charter.ts';
import { UnderstudyError } from '../contracts/problem.ts';
import type { IngestManifest } from '../contracts/window.ts';

/** What is measured over a batch. `freshnessDays` is undefined where nobody said which day it is; `shiftDays` were added to the timestamps. */
export type BatchMeasures = {
  input: number;
  accepted: number;
  quarantined: number;
  nullUsers: number;
  shiftDays: number;
  freshnessDays: number | undefined;
};

/**
 * Applies the charter's data-set rules: answers the warnings. `rows` counts accepted rows; `null-user-share` is a share of them;
 * `quarantine-share` is a share of the input. Data that were shifted are as old as somebody wanted: to them a freshness rule does not apply, and
 * a warning says so.
 * @throws UND-RULE-STOP naming every stop-level rule that failed; UND-INPUT when a freshness rule cannot be measured.
 */
export function applyDataSetRules({ rules, measures }: { rules: readonly DataSetRule[]; measures: BatchMeasures }): IngestManifest['warnings'] {
  const warnings: IngestManifest['warnings'] = [];
  const stops: { rule: string; message: string }[] = [];
  for (const rule of rules) {
    if (rule.measure === 'freshness-days' && measures.shiftDays !== 0) {
      warnings.push({ rule: rule.name, message: `does not apply: the timestamps were shifted by ${measures.shiftDays} days`, value: measures.shiftDays });
      continue;
    }
    const value = measure(rule, measures);
    const message = complaint(rule, value);
    if (message === undefined) continue;
    if (rule.action === 'stop') stops.push({ rule: rule.name, message });
    else warnings.push({ rule: rule.name, message, value });
  }
  if (stops.length > 0) {
    const named = stops.map((stop) => `${stop.rule}: ${stop.message}`).join('; ');
    throw new UnderstudyError('UND-RULE-STOP', `${stops.length} stop-level rule${stops.length === 1 ? '' : 's'} failed: ${named}`, {
      mistakes: stops.map((stop) => ({ path: `/data/rules/${stop.rule}`, message: stop.message })),
    });
  }
  return warnings;
}

function measure(rule: DataSetRule, measures: BatchMeasures): number {
  switch (rule.measure) {
    case 'rows':
      return measures.accepted;
    case 'null-user-share':
      return measures.accepted === 0 ? 0 : measures.nullUsers / measures.accepted;
    case 'quarantine-share':
      return measures.input === 0 ? 0 : measures.quarantined / measures.input;
    case 'freshness-days':
      if (measures.freshnessDays === undefined) throw new UnderstudyError('UND-INPUT', `Rule ${rule.name} measures freshness: say the day (asOfDay)`);
      return measures.freshnessDays;
  }
}

function complaint(rule: DataSetRule, value: number): string | undefined {
  const shown = Number.isInteger(value) ? String(value) : value.toFixed(4);
  if (rule.min !== undefined && value < rule.min) return `${rule.measure} is ${shown}, below ${rule.min}`;
  if (rule.max !== undefined && value > rule.max) return `${rule.measure} is ${shown}, above ${rule.max}`;
  return undefined;
}
