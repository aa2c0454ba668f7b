import { notMeasured } from '../../../experiments/audit/judge-claim.ts';
import { judgeRatios, judgeTrend } from '../../../experiments/audit/judge-measures.ts';
import { percent } from '../../../experiments/percent.ts';
import { attentionAt } from '../../../experiments/feedback/shown-slate.ts';
import { type RangeRow, rangePlot } from '../../../experiments/pictures/range-plot.ts';
import type { AuditItem } from '../../../models/contracts/audit.ts';
import type { FeedbackMeasures } from '../../../models/contracts/audit-measures.ts';
import type { SectionCheck } from '../section.ts';

const fourFifths = 0.8;
/** Share of the catalog in groups of which nothing can be said. */
const unknownAllowed = 0.2;
/** Of a rank correlation. */
const correlationAllowed = 0.1;
/** The last place may be looked at so many times as often as is taken, or as seldom. */
const lookedAtAllowed = 2;

/** Whether items are shown for what they are wanted, and what is engaged with says what is wanted. */
export const exposureBias: SectionCheck = {
  name: 'exposure-bias',
  title: 'Exposure bias',
  async examine({ measuredFeedback, charter }) {
    const { feedback } = await measuredFeedback();
    const trend = judgeTrend(
      { id: 'exposure-bias/items', claim: 'What is engaged with does not follow what is shown more closely than it did' },
      { feedback, figure: 'correlation', worse: 'up', allowed: () => correlationAllowed, found: 'weakened' },
    );
    const rows = feedback.groupDemand.flatMap(({ group, ratio }): RangeRow[] => {
      if (ratio === null) return [];
      const { value, low, high } = ratio;
      const status = high < fourFifths ? 'broken' : low >= fourFifths ? 'holds' : 'not-measured';
      return [{ label: group, value, interval: { low, high }, bounds: { min: fourFifths, max: null }, status }];
    });
    const title = 'Share of exposure by share of demand, of groups of items; grey: four fifths and more. Intervals that hold together';
    return {
      items: [groups(feedback), trend, position(feedback, charter.slate.size)],
      pictures: rows.length === 0 ? [] : [{ title, svg: rangePlot({ title: 'Exposure by demand', rows, alike: true }) }],
    };
  },
};

function groups({ groupDemand, reference }: FeedbackMeasures): AuditItem {
  const own = { id: 'exposure-bias/groups', claim: 'Each group of items is shown for four fifths of its share of what is wanted' };
  const compared = groupDemand.flatMap(({ group, ratio }) => (ratio === null ? [] : [{ label: group, ratio }]));
  if (reference === null) return notMeasured({ ...own, why: 'nothing says what is wanted: neither exploration nor events without a slate are enough' });
  if (groupDemand.length < 2 || compared.length === 0)
    return notMeasured({ ...own, why: `of ${groupDemand.length} groups ${compared.length} are wanted often enough` });
  const judged = judgeRatios(own, { compared, of: 'the exposure that its demand asks for' });
  const items = groupDemand.reduce((sum, one) => sum + one.items, 0);
  const unknown = groupDemand.reduce((sum, one) => sum + (one.ratio === null ? one.items : 0), 0) / items;
  // What is hidden may be what nothing is known of.
  if (judged.status === 'holds' && unknown > unknownAllowed)
    return notMeasured({ ...own, why: `of groups with ${percent(unknown, 0)} of the items too little is known` });
  return judged;
}

/** Exposure is counted by the discount of DCG, in fairness rules and in all that is said here. */
function position({ generations }: FeedbackMeasures, size: number): AuditItem {
  const own = { id: 'exposure-bias/position', claim: 'The last place of a slate is looked at about as often as its exposure is counted, 1 / log2(rank + 1)' };
  const found = generations.at(-1)?.figures.lastSlotExamination;
  if (found == null || size < 2) return notMeasured({ ...own, why: 'exploration drew too little that was engaged with, in the newest generation' });
  const taken = attentionAt(size - 1);
  const [min, max] = [taken / lookedAtAllowed, Math.min(1, taken * lookedAtAllowed)];
  const { value, low, high } = found;
  const says = `it is looked at ${value.toFixed(2)} times as often as the first one (${low.toFixed(2)} to ${high.toFixed(2)}), and counted ${taken.toFixed(2)}`;
  const isOutside = high < min || low > max;
  if (!isOutside && (low < min || high > max)) return notMeasured({ ...own, why: `not enough evidence: ${says}` });
  // Nobody is done wrong by it: figures are off.
  return { ...own, status: isOutside ? 'weakened' : 'holds', says, value, unit: 'share', interval: { low, high }, bounds: { min, max } };
}
