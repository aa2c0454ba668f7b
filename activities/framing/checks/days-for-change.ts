import { z } from 'zod';
import { unitsForChange } from '../../../experiments/framing/units-for-change.ts';
import { metricParams, sumMetric, unitsPerDay } from '../answers.ts';
import { defineCheck, notMeasured, share } from '../check.ts';

/** Days of this traffic in which a test of half against half, looked at once at its end, shows that a metric changed by the share `change`. */
export const daysForChange = defineCheck({
  params: z.strictObject({ ...metricParams, change: z.number().gt(0).max(10).default(0.05), alpha: share.default(0.05), power: share.default(0.8) }),
  measure: async (framing, { change, alpha, power, ...params }) => {
    const sums = await sumMetric(framing, params);
    if (typeof sums === 'string') return notMeasured('days', sums);
    const perDay = await unitsPerDay(framing, params.days);
    const units = unitsForChange(sums, { change, alpha, power });
    if (units === null || perDay === undefined) return notMeasured('days', 'the metric is nothing, or the same for everybody');
    return { value: units / perDay.value, unit: 'days', of: perDay.units };
  },
});
