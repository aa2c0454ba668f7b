import type { Assumption } from '../../models/contracts/assumption.ts';
import type { Reason } from './reason.ts';
import type { Recommended } from './recommend.ts';

/** Every reason behind what goes into the charter, as an assumption that can be measured again. The same reason for one choice stands once. */
export function assumptionsOf(recommended: Recommended, measuredAt: Assumption['measuredAt']): Assumption[] {
  const { recommender, objective, weights, attribution, encoder, families, repeats, window } = recommended;
  const ofFamilies = recommender.choice ? families.filter(({ verdict }) => verdict !== 'when-available').flatMap(({ reasons }) => reasons) : [];
  const ofCandidates = [...recommender.reasons, ...ofFamilies, ...(recommender.choice ? encoder.reasons : [])];
  const found = [objective, weights, attribution, repeats, window].flatMap(({ path, reasons }) => reasons.map((reason) => assume(path, reason, measuredAt)));
  const all = [...found, ...ofCandidates.map((reason) => assume('/candidates', reason, measuredAt))];
  const keyOf = ({ check, params, supports, min, max }: Assumption) => JSON.stringify([check, params, supports, min, max]);
  const first = new Map<string, Assumption>();
  for (const one of all) if (!first.has(keyOf(one))) first.set(keyOf(one), one);
  return [...first.values()];
}

function assume(supports: string, { claim, measured, min, max }: Reason, measuredAt: Assumption['measuredAt']): Assumption {
  const { check, params, value, unit, interval } = measured;
  if (value === null) throw new RangeError(`assumptionsOf: ${check} was not measured`);
  return {
    ...{ claim, check, params, value, unit },
    ...(interval === undefined ? {} : { interval }),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...{ supports, measuredAt },
  };
}
