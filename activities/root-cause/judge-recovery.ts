import type { Diagnosis, RootCauseFacts } from '../../models/contracts/root-cause.ts';

/** Fewer slates since a mend tell nothing. */
const slatesAtLeast = 50;
/** A reward a slate that is lower than expected by less than this is no trouble. */
const deviationsAllowed = 3;

/**
 * Is it over? The cause that the mend was for is no suspect any more, none of serving has come with the mend, and slates are worth what is expected of them. Where the incident had traffic there must
 * be some again.
 */
export function judgeRecovery({ before, after, facts }: { before: Diagnosis; after: Diagnosis; facts: RootCauseFacts }): { recovered: boolean; why: string } {
  const [was] = before.suspects;
  const slates = facts.traffic.reduce((sum, row) => sum + (facts.units[row.unit]?.now === true ? row.slates : 0), 0);
  if (slates < slatesAtLeast) return { recovered: false, why: `${slates} slates since the mend are too few to tell` };
  if (after.change === null && before.change !== null) return { recovered: false, why: 'too little is known of the same time of other days' };
  const still = after.suspects.find(({ cause }) => cause === was?.cause);
  if (still !== undefined) return { recovered: false, why: `${still.cause} is still a suspect (${still.score.toFixed(2)})` };
  // A mend may do harm of its own, which slates of a fallback need not show in their reward.
  const fresh = after.suspects.find(({ cause, layer }) => layer === 'serving' && !before.suspects.some((one) => one.cause === cause));
  if (fresh !== undefined) return { recovered: false, why: `${fresh.cause} is a suspect now, and was none before the mend (${fresh.score.toFixed(2)})` };
  const { deviations, actual, expected } = after.change ?? { deviations: 0, actual: 0, expected: 0 };
  if (deviations < -deviationsAllowed)
    return { recovered: false, why: `a slate is worth ${actual.toPrecision(3)} instead of ${expected.toPrecision(3)}, and nobody knows why` };
  return { recovered: true, why: `${was?.cause ?? 'the cause'} is no suspect any more, on ${slates} slates` };
}
