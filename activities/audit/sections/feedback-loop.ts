import { notMeasured } from '../../../experiments/audit/judge-claim.ts';
import { judgeTrend } from '../../../experiments/audit/judge-measures.ts';
import { feedbackPlot } from '../../../experiments/pictures/feedback-plot.ts';
import type { AuditItem } from '../../../models/contracts/audit.ts';
import type { FeedbackMeasures } from '../../../models/contracts/audit-measures.ts';
import type { SectionCheck } from '../section.ts';

/** Whether models learn from what they showed themselves, until they show little else. */
export const feedbackLoop: SectionCheck = {
  name: 'feedback-loop',
  title: 'Feedback loop',
  async examine({ measuredFeedback, surface }) {
    const { feedback } = await measuredFeedback();
    const { margin, generations } = feedback;
    // Demand may concentrate too: concentration alone is no proof.
    const grown = { feedback, worse: 'up', allowed: (first: number) => margin * first, found: 'weakened' } as const;
    const items = [
      amplification(feedback),
      judgeTrend({ id: 'feedback-loop/gini', claim: 'Exposure does not concentrate on fewer items (Gini)' }, { ...grown, figure: 'gini' }),
      judgeTrend({ id: 'feedback-loop/homogenization', claim: 'Slates of different users do not become more alike' }, { ...grown, figure: 'homogenization' }),
    ];
    const title = 'Amplification is exposure of what is most shown, by its demand. Bands: 95 % of each generation by itself';
    const svg = feedbackPlot(feedback, { surface, figures: ['amplification', 'gini', 'homogenization'] });
    return { items, pictures: generations.length === 0 ? [] : [{ title, svg }] };
  },
};

function amplification({ verdict, says, trends, margin }: FeedbackMeasures): AuditItem {
  const own = {
    id: 'feedback-loop/amplification',
    claim: 'What is shown does not move away from what is wanted, from one generation of the model to the next',
  };
  const change = trends.find(({ figure }) => figure === 'amplification')?.change;
  if (change === undefined) return notMeasured({ ...own, why: says });
  const [value, low, high] = [Math.expm1(change.value), Math.expm1(change.low), Math.expm1(change.high)];
  // It grew for sure, and perhaps by more than a season does.
  const isGrown = verdict === 'not-enough-evidence' && low > 0 && value > margin;
  if (verdict === 'not-enough-evidence' && !isGrown) return notMeasured({ ...own, why: `not enough evidence: ${says}` });
  const status = verdict === 'amplifying' ? 'broken' : verdict === 'stable' ? 'holds' : 'weakened';
  return { ...own, status, says, value, unit: 'share', interval: { low, high }, bounds: { min: null, max: margin } };
}
