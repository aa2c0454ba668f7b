import { z } from 'zod';
import { unitsPerDay } from '../answers.ts';
import { count, defineCheck, notMeasured } from '../check.ts';

/**
 * Users, and sessions without one, of the newest days, each once, a day: the traffic of an experiment. Those that were shown anything, where the data
 * say so.
 */
export const unitsPerDayCheck = defineCheck({
  params: z.strictObject({ days: count.default(28) }),
  measure: async (framing, { days }) => {
    const found = await unitsPerDay(framing, days);
    return found === undefined ? notMeasured('units-per-day', 'nobody was shown anything') : { value: found.value, unit: 'units-per-day', of: found.units };
  },
});
