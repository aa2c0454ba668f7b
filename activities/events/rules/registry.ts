import { idRules } from './ids.ts';
import { unknownKind } from './kind.ts';
import { numberRules } from './numbers.ts';
import type { RecordRule, RuleContext, RuleRow } from './record-rule.ts';
import { outOfScopeCode } from './scope.ts';
import { missingTime, timeOutOfRange } from './time.ts';

/** In the order in which they are asked: a row is quarantined for the first one that it breaks. */
export const recordRules: readonly RecordRule[] = [...idRules, outOfScopeCode, unknownKind, missingTime, timeOutOfRange, ...numberRules];

/** The first rule that the row breaks, in TypeScript. */
export function firstBroken(row: RuleRow, context: RuleContext): string | null {
  return recordRules.find((rule) => rule.breaks(row, context))?.name ?? null;
}

/** The first rule that the row breaks, as a SQL expression; NULL where it breaks none. */
export function firstBrokenSql(): string {
  return `CASE ${recordRules.map((rule) => `WHEN ${rule.breaksSql} THEN '${rule.name}'`).join(' ')} END`;
}
