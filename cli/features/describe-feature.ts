import type { FeatureCondition, FeatureExpression } from '../../models/contracts/feature.ts';

const units: [number, string][] = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1_000, 'second'],
  [1, 'millisecond'],
];

/** `7 days`, in the largest unit that it is whole in. */
export function windowText(windowMs: number | 'all'): string {
  if (windowMs === 'all') return 'all time';
  const [unitMs, unit] = units.find(([ms]) => windowMs % ms === 0) ?? [1, 'millisecond'];
  return `${windowMs / unitMs} ${unit}${windowMs === unitMs ? '' : 's'}`;
}

/** `sum of spendMinor where kind is purchase`. */
export function expressionText(expression: FeatureExpression): string {
  const of = 'of' in expression ? ` of ${expression.of}` : '';
  const where = (expression.where ?? []).map(conditionText).join(' and ');
  return `${expression.aggregate}${of}${where === '' ? '' : ` where ${where}`}`;
}

function conditionText(condition: FeatureCondition): string {
  if ('in' in condition) return `${condition.field} is ${condition.in.join(' or ')}`;
  const { field, min, max } = condition;
  return [min === undefined ? '' : `${field} >= ${min}`, max === undefined ? '' : `${field} <= ${max}`].filter((one) => one !== '').join(' and ');
}
