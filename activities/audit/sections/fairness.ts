import { notMeasured } from '../../../experiments/audit/judge-claim.ts';
import { judgeImpact, judgeRatios } from '../../../experiments/audit/judge-measures.ts';
import { impactPlot } from '../../../experiments/pictures/impact-plot.ts';
import { type RangeRow, rangePlot } from '../../../experiments/pictures/range-plot.ts';
import type { AuditItem } from '../../../models/contracts/audit.ts';
import type { Charter } from '../../../models/contracts/charter.ts';
import { measureDisparateImpact } from '../measure-disparate-impact.ts';
import { recentLog } from '../measure-log.ts';
import { measureOwedExposure, type OwedExposure } from '../measure-owed-exposure.ts';
import type { SectionCheck } from '../section.ts';

const measures = { reward: 'Reward of a slate', ndcg: 'Quality (NDCG)', diversity: 'Diversity', longTailShare: 'Access to the long tail' } as const;

/** Whether groups of users get from the surface what the best one gets, and groups of items what the charter owes them. */
export const fairness: SectionCheck = {
  name: 'fairness',
  title: 'Fairness to groups of users and of items',
  async examine({ context, surface, charter, signal }) {
    const log = recentLog({ surface, charter, signal, nowMs: context.now() });
    const { impact, notes } = await measureDisparateImpact(context, log);
    const owed = await measureOwedExposure(context, log);
    const names = Object.entries(measures);
    const items = names.flatMap(([measure, title]) =>
      // Always the same ones: an item that is there no more closes its finding.
      [...columnsOf(charter), null].map((column) => {
        const by = column ?? 'two together';
        const id = `fairness/${measure}-by-${column ?? 'two'}`;
        const item = judgeImpact({ id, claim: `${title} by ${by}: each group has four fifths of what the best one has` }, { impact, measure, column });
        return measure === 'longTailShare' && item.status === 'not-measured' && notes.length > 0 ? { ...item, says: notes.join('; ') } : item;
      }),
    );
    const pictures = names.flatMap(([measure, title]) => {
      const svg = impactPlot(impact, { measure, title });
      return svg === undefined ? [] : [{ title: `${title}, of what the best group has; grey: four fifths and more`, svg }];
    });
    return owed === undefined ? { items, pictures } : { items: [...items, owedItem(owed, charter)], pictures: [...pictures, ...owedPicture(owed, charter)] };
  },
};

const asked = {
  exposure: 'Slates give each group of items the share of exposure that the charter owes it',
  'fa-ir': 'Slates hold as many of the group of items as the charter asks (FA*IR)',
};

/** What a gate asks of each candidate's lists is asked of the slates. */
function owedItem({ units, slates, groups, sinceMs }: OwedExposure, { fairness: rules, evaluation }: Charter): AuditItem {
  const { method, limits } = rules as NonNullable<typeof rules>;
  const own = { id: 'fairness/owed', claim: asked[method] };
  if (units < evaluation.minSegmentUsers)
    return notMeasured({ ...own, why: `${units} users had a slate of the model since the charter owes it; it takes ${evaluation.minSegmentUsers}` });
  const of = method === 'fa-ir' ? 'the slates with as many places as it is owed' : 'what it is owed';
  const judged = judgeRatios(own, { compared: groups.map(({ name, ratio }) => ({ label: name, ratio })), of, least: limits.reached });
  const since = new Date(sinceMs).toISOString().slice(0, 10);
  return { ...judged, says: `${judged.says}; ${slates} slates since ${since}, explored places included` };
}

function owedPicture({ groups, units }: OwedExposure, { fairness: rules, evaluation }: Charter): { title: string; svg: string }[] {
  if (rules === undefined || units < evaluation.minSegmentUsers) return [];
  const min = rules.limits.reached;
  const rows = groups.map(({ name, ratio: { value, low, high } }): RangeRow => {
    const status = high < min ? 'broken' : low >= min ? 'holds' : 'not-measured';
    return { label: name, value, interval: { low, high }, bounds: { min, max: null }, status };
  });
  const title = 'What groups of items had in slates, of what the charter owes them; grey: enough. Intervals that hold together';
  return [{ title, svg: rangePlot({ title: 'Owed exposure', rows, alike: true }) }];
}

/** By what a slate tells of its user. */
function columnsOf({ evaluation }: Charter): string[] {
  const told = evaluation.segments.map(({ by }) => by).filter((by) => by === 'events' || by === 'category');
  return ['country', 'device', 'segment', ...new Set(told)];
}
