import type { Report } from '../../models/contracts/report.ts';
import { percent } from '../percent.ts';
import type { Gate } from './gate.ts';

/** What groups of items are owed must be there, and may not cost more than the charter says. */
export const fairnessGate: Gate = ({ charter: { fairness }, draft }) => {
  const gate = 'fairness';
  if (fairness === undefined) return { gate, passed: true, value: null, threshold: null, reason: 'the charter owes no group anything' };
  const { ndcgCost, reached } = fairness.limits;
  const [plain, full] = [0, 1].map((scale) => draft.fairness?.points.find((point) => point.scale === scale));
  if (draft.fairness === undefined || plain === undefined || full === undefined)
    return { gate, passed: false, value: null, threshold: ndcgCost, reason: 'what fairness costs and brings was not measured' };
  const without = plain.metrics['ndcg@10']?.value ?? 0;
  const cost = without === 0 ? 0 : -(full.lift['ndcg@10']?.value ?? 0) / without;
  const price = `fairness costs ${percent(cost)} of NDCG@10`;
  const short = shortOf(draft.fairness.asked, full, reached);
  const failed = [...(cost > ndcgCost ? [`${price}, at most ${percent(ndcgCost)} may be`] : []), ...short];
  return {
    gate,
    passed: failed.length === 0,
    value: cost,
    threshold: ndcgCost,
    reason: failed.length === 0 ? `${price}; ${broughtBy(full)}` : failed.join('; '),
  };
};

type Fairness = NonNullable<Report['fairness']>;
type Point = Fairness['points'][number];

function shortOf(asked: Fairness['asked'], { exposure, fair }: Point, reached: number): string[] {
  if (fair !== undefined)
    return fair.value < reached
      ? [`${percent(fair.value)} of the slates hold as many of ${asked[0]?.name} as is asked, at least ${percent(reached)} must`]
      : [];
  return asked.flatMap(({ name, share }) => {
    const has = exposure[name]?.value ?? 0;
    return has < share * reached ? [`${name} has ${percent(has)} of the exposure, at least ${percent(share * reached)} is asked for`] : [];
  });
}

function broughtBy({ exposure, fair }: Point): string {
  if (fair !== undefined) return `${percent(fair.value)} of the slates hold as many of the group as is asked`;
  return Object.entries(exposure)
    .map(([name, { value }]) => `${name} has ${percent(value)} of the exposure`)
    .join(', ');
}
