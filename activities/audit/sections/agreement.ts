import { trackRecordOf } from '../../../experiments/counterfactual/agreement.ts';
import { wilsonInterval } from '../../../experiments/binomial.ts';
import { judgeClaim, notMeasured } from '../../../experiments/audit/judge-claim.ts';
import { percent } from '../../../experiments/percent.ts';
import { agreementsOf } from '../../registry/agreements.ts';
import type { SectionCheck } from '../section.ts';

/** Intervals of 95 % that are right are compatible with what is seen nearly always; less than this is no such interval. */
const leastCompatible = 0.8;

/** What the log foretold of each canary, and what it then saw. */
export const agreement: SectionCheck = {
  name: 'agreement',
  title: 'What was foretold, and what was seen',
  async examine({ context, surface }) {
    const claim = 'What the log foretells of a candidate is what its canary sees';
    const id = 'agreement/compatible';
    const record = trackRecordOf(await agreementsOf(context, surface));
    if (record === undefined || record.canaries === 0)
      return { items: [notMeasured({ id, claim, why: 'no canary has ended of which something was foretold' })] };
    const [low, high] = wilsonInterval({ count: record.compatible, of: record.canaries });
    const value = record.compatible / record.canaries;
    // One canary that disagrees is one; the interval says whether it is a habit.
    const status = high < leastCompatible ? 'broken' : value < leastCompatible ? 'weakened' : judgeClaim({ value, min: leastCompatible });
    const says = `${record.sentence}; ${percent(value)} compatible (${percent(low)} to ${percent(high)})`;
    return { items: [{ id, claim, status, says, value, unit: 'share', interval: { low, high }, bounds: { min: leastCompatible, max: null } }] };
  },
};
