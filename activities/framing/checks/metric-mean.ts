import { z } from 'zod';
import { meanOf, shareOf } from '../../../experiments/framing/ratio.ts';
import { metricParams, sumMetric } from '../answers.ts';
import { defineCheck, notMeasured } from '../check.ts';

const units = { click: 'share', 'add-to-cart': 'share', purchase: 'share', dwell: 'ms', revenue: 'minor' } as const;

/** A success metric: of impressions (`click`), or of units. */
export const metricMean = defineCheck({
  params: z.strictObject(metricParams),
  measure: async (framing, params) => {
    const unit = units[params.metric];
    const sums = await sumMetric(framing, params);
    if (typeof sums === 'string') return notMeasured(unit, sums);
    const mean = unit === 'share' ? shareOf(sums) : meanOf(sums);
    if (mean === undefined) return notMeasured(unit, 'nobody was shown anything in time');
    return { value: mean.value, unit, interval: { low: mean.low, high: mean.high }, of: sums.a };
  },
});
