import type { DisparateImpact, ImpactGroup } from '../../models/contracts/audit-measures.ts';
import { type RangeRow, rangePlot } from './range-plot.ts';

const statusOf = { holds: 'holds', broken: 'broken', 'not-enough-evidence': 'not-measured' } as const;
/** Intersections that are drawn: there may be hundreds. */
const intersectionsAtMost = 12;

export const groupName = ({ columns, values }: Pick<ImpactGroup, 'columns' | 'values'>): string =>
  columns.map((column, place) => `${column}=${values[place]}`).join(', ');

/** What groups of users have of one measure, of what the best one has; of intersections those that have least. Undefined where nothing is compared. */
export function impactPlot(impact: DisparateImpact, { measure, title }: { measure: string; title: string }): string | undefined {
  const rowsOf = (isIntersection: boolean): RangeRow[] =>
    impact.groups
      .filter(({ columns }) => columns.length > 1 === isIntersection)
      .flatMap((group) => {
        const found = group.measures.find(({ name, ratio }) => name === measure && ratio !== null);
        if (found === undefined || found.ratio === null) return [];
        const { value, low, high } = found.ratio;
        return [{ label: groupName(group), value, interval: { low, high }, bounds: { min: impact.threshold, max: null }, status: statusOf[found.verdict] }];
      });
  const rows = [
    ...rowsOf(false),
    ...rowsOf(true)
      .sort((one, other) => one.value - other.value)
      .slice(0, intersectionsAtMost),
  ];
  return rows.length === 0 ? undefined : rangePlot({ title, rows, alike: true });
}
