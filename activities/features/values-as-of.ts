import type { FeatureView } from '../../models/contracts/feature.ts';
import { compileView, entityColumn, featureList, type Part, sourceSql } from './compile-view.ts';

/**
 * SQL that gives `entity` and a column a feature, for each entity of a view that was known strictly before `asOfMs`, over the relation `events`
 * of `openEvents`.
 */
export function valuesAsOfSql({ view, asOfMs }: { view: FeatureView; asOfMs: number }): string {
  const compiled = compileView(view, `${asOfMs}::BIGINT`);
  const gathered = compiled.parts.map((part) => `${gatherSql(part, asOfMs)} AS ${part.column}`).join(', ');
  return `
    SELECT entity, ${featureList(view, compiled)} FROM (
      SELECT ${entityColumn[view.entity]} AS entity, ${gathered} FROM events
      WHERE ${sourceSql(view)} AND at_ms < ${asOfMs} AND known_ms < ${asOfMs} GROUP BY 1)`;
}

function gatherSql({ gather, value, windowMs }: Part, asOfMs: number): string {
  const within = windowMs === 'all' ? value : `CASE WHEN at_ms >= ${asOfMs - windowMs} THEN ${value} END`;
  if (gather === 'count') return `count(${within})`;
  if (gather === 'sum') return `sum(${within})`;
  if (gather === 'latest') return `max(${within})`;
  if (gather === 'distinct') return `count(DISTINCT ${within})`;
  return `max({'at': at_ms, 'id': event_id, 'value': ${within}}) FILTER (${within} IS NOT NULL)`;
}
