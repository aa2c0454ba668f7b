import { notMeasured } from '../../../experiments/audit/judge-claim.ts';
import { judgeImpact, judgeRatios } from '../../../experiments/audit/judge-measures.ts';
import { impactPlot } from '../../../experiments/pictures/impact-plot.ts';
import { rangePlot } from '../../../experiments/pictures/range-plot.ts';
import type { AuditItem, AuditSection } from '../../../models/contracts/audit.ts';
import type { Charter } from '../../../models/contracts/charter.ts';
import type { FairnessRules } from '../../../models/contracts/fairness.ts';
import { measureDisparateImpact } from '../measure-disparate-impact.ts';
import { recentLog } from '../measure-log.ts';
import { measureOwedExposure, type OwedMeasures } from '../measure-owed-exposure.ts';
import type { SectionCheck } from '../section.ts';

const measures = { reward: 'Reward of a slate', ndcg: 'Quality (NDCG)', diversity: 'Diversity', longTailShare: 'Access to the long tail' } as const;

/** Whether groups of users get from the surface what the best one gets, and groups of items what the charter owes them. */
export const fairness: SectionCheck = {
  name: 'fairness',
  title: 'Fairness to groups of users and of items',
  async examine({ context, surface, charter, signal }) {
    const log = recentLog({ surface, charter, signal, nowMs: context.now() });
    const { impact, notes } = await measureDisparateImpact(context, log);
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
    const { fairness: rules } = charter;
    if (rules === undefined) return { items, pictures };
    const owed = await measureOwedExposure(context, { ...log, rules });
    return { items: [...items, judgeOwed(owed, { rules, charter })], pictures: [...pictures, ...pictureOf(owed, rules)] };
  },
};

export function judgeOwed(
  { groups, sinceMs, slates, measured, units }: OwedMeasures,
  { rules, charter }: { rules: FairnessRules; charter: Charter },
): AuditItem {
  const own = { id: 'fairness/owed', claim: 'Slates give each group of items what the charter owes it' };
  const since = new Date(sinceMs).toISOString().slice(0, 10);
  const made = `${measured} of the model's ${slates} slates were made by these rules, which the charter has since ${since}`;
  if (groups.length === 0) return notMeasured({ ...own, why: `${made}: for ${units} users; it takes ${charter.evaluation.minSegmentUsers}` });
  const compared = groups.map(({ group, ratio }) => ({ label: group, ratio }));
  const of = rules.method === 'fa-ir' ? 'the slates as it is owed' : 'the share of exposure that it is owed';
  return judgeRatios(own, { compared, of: `${of}, explored places included`, least: rules.limits.reached });
}

/** Of slates that are fair or not there is one figure, which the item says. */
function pictureOf({ groups }: OwedMeasures, { method, limits: { reached } }: FairnessRules): AuditSection['pictures'] {
  if (method !== 'exposure' || groups.length === 0) return [];
  const rows = groups.map(({ group, ratio: { value, low, high } }) => {
    const status = high < reached ? ('broken' as const) : low >= reached ? ('holds' as const) : ('not-measured' as const);
    return { label: group, value, interval: { low, high }, bounds: { min: reached, max: null }, status };
  });
  const title = 'Share of exposure by the share that the charter owes, of groups of items; grey: what it asks for. Intervals that hold together';
  return [{ title, svg: rangePlot({ title: 'Exposure by what is owed', rows, alike: true }) }];
}

/** By what a slate tells of its user. */
function columnsOf({ evaluation }: Charter): string[] {
  const told = evaluation.segments.map(({ by }) => by).filter((by) => by === 'events' || by === 'category');
  return ['country', 'device', 'segment', ...new Set(told)];
}
