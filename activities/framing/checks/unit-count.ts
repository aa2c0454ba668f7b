import { z } from 'zod';
import { defineCheck, inKinds, kinds, measureCount } from '../check.ts';

/** Users, and sessions without one, of whom there are such events; with `known`, users alone. */
export const unitCount = defineCheck({
  params: z.strictObject({ kinds, known: z.boolean().optional() }),
  measure: (framing, params) => {
    const known = params.known === true ? "AND unit[1] = 'u'" : '';
    const sql = `SELECT count(DISTINCT unit) FROM merged WHERE kind IN ${inKinds(framing.settings, params.kinds)} ${known}`;
    return measureCount(framing, { sql, unit: params.known === true ? 'users' : 'units' });
  },
});
