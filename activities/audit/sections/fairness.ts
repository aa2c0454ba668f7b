import { judgeImpact } from '../../../experiments/audit/judge-measures.ts';
import { impactPlot } from '../../../experiments/pictures/impact-plot.ts';
import type { Charter } from '../../../models/contracts/charter.ts';
import { measureDisparateImpact } from '../measure-disparate-impact.ts';
import { recentLog } from '../measure-log.ts';
import type { SectionCheck } from '../section.ts';

const measures = { reward: 'Reward of a slate', ndcg: 'Quality (NDCG)', diversity: 'Diversity', longTailShare: 'Access to the long tail' } as const;

/** Whether groups of users get from the surface what the best one gets. */
export const fairness: SectionCheck = {
  name: 'fairness',
  title: 'Fairness to groups of users',
  async examine({ context, surface, charter, signal }) {
    const { impact, notes } = await measureDisparateImpact(context, recentLog({ surface, charter, signal, nowMs: context.now() }));
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
    return { items, pictures };
  },
};

/** By what a slate tells of its user. */
function columnsOf({ evaluation }: Charter): string[] {
  const told = evaluation.segments.map(({ by }) => by).filter((by) => by === 'events' || by === 'category');
  return ['country', 'device', 'segment', ...new Set(told)];
}
