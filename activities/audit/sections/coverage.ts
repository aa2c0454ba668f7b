import { notMeasured } from '../../../experiments/audit/judge-claim.ts';
import { judgeTrend } from '../../../experiments/audit/judge-measures.ts';
import { wilsonInterval } from '../../../experiments/binomial.ts';
import { percent } from '../../../experiments/percent.ts';
import { feedbackPlot } from '../../../experiments/pictures/feedback-plot.ts';
import type { AuditItem } from '../../../models/contracts/audit.ts';
import type { Charter } from '../../../models/contracts/charter.ts';
import { type CoverageMeasures, measureCoverage } from '../measure-coverage.ts';
import { recentLog } from '../measure-log.ts';
import type { SectionCheck } from '../section.ts';

/** How much of the catalog the slates show, and whom the model reaches. */
export const coverage: SectionCheck = {
  name: 'coverage',
  title: 'Coverage of catalog and users',
  async examine({ context, surface, charter, signal, measuredFeedback }) {
    const measured = await measureCoverage(context, recentLog({ surface, charter, signal, nowMs: context.now() }));
    const { feedback } = await measuredFeedback();
    const trend = judgeTrend(
      { id: 'coverage/catalog', claim: 'From one generation of the model to the next, slates show as much of the catalog' },
      { feedback, figure: 'coverage', worse: 'down', allowed: (first) => feedback.margin * first, found: 'broken' },
    );
    const title = `On ${feedback.slatesAlike} slates of each generation. Bands: 95 % of each generation by itself`;
    const svg = feedbackPlot(feedback, { surface, figures: ['coverage', 'entropy', 'longTailShare'] });
    return {
      items: [trend, ...promised(measured, charter), users(measured, charter)],
      pictures: feedback.generations.length === 0 ? [] : [{ title, svg }],
    };
  },
};

/** What a gate asks of each candidate's lists is asked of the slates. */
function promised({ items, shown, slates, unitShare }: CoverageMeasures, { gates }: Charter): AuditItem[] {
  const { minCoverage, minUsers } = gates;
  if (minCoverage === 0) return [];
  const own = { id: 'coverage/promised', claim: `Slates show ${percent(minCoverage)} of the catalog, which the charter asks of every model` };
  if (items === 0 || slates < minUsers)
    return [notMeasured({ ...own, why: `${slates} slates and ${items} items: less than the ${minUsers} that the charter judges by` })];
  const value = shown / items;
  const says = `${shown} of ${items} items that may be shown were, in ${slates} slates`;
  if (value < minCoverage && unitShare < 1) return [notMeasured({ ...own, why: `${says} of a sample of users: all of them show more` })];
  const status = value >= minCoverage ? 'holds' : 'broken';
  return [{ ...own, status, says, value, unit: 'share', interval: null, bounds: { min: minCoverage, max: null } }];
}

function users({ units, reached }: CoverageMeasures, { slo, evaluation }: Charter): AuditItem {
  const min = 1 - slo.fallbackShare;
  const own = { id: 'coverage/users', claim: `The model reaches ${percent(min)} of the users, and no fallback alone` };
  if (units < evaluation.minSegmentUsers) return notMeasured({ ...own, why: `there were ${units} users; it takes ${evaluation.minSegmentUsers}` });
  const value = reached / units;
  const [low, high] = wilsonInterval({ count: reached, of: units });
  const says = `${reached} of ${units} users had a slate of the model: ${percent(value)} (${percent(low)} to ${percent(high)})`;
  if (value >= min && low < min) return notMeasured({ ...own, why: `not enough evidence: ${says}` });
  const status = high < min ? 'broken' : value < min ? 'weakened' : 'holds';
  return { ...own, status, says, value, unit: 'share', interval: { low, high }, bounds: { min, max: null } };
}
