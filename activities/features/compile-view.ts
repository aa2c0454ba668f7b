import type { FeatureCondition, FeatureEntity, FeatureField, FeatureView } from '../../models/contracts/feature.ts';
import { name, text } from '../events/duckdb.ts';

/** The column of a slice that holds a field; what is computed or scaled is in `fieldSql`. */
const columns: Record<Exclude<FeatureField, 'spendMinor'>, string> = {
  kind: 'kind',
  userId: 'user_id',
  sessionId: 'session_id',
  itemId: 'item_id',
  requestId: 'request_id',
  position: 'position',
  quantity: 'quantity',
  unitPriceMinor: 'unit_price_minor',
  dwellMs: 'dwell_ms',
  rating: 'rating',
};

/** A field as SQL over a row of a slice; NULL where the event has none. */
export const fieldSql = (field: FeatureField): string => (field === 'spendMinor' ? '(unit_price_minor * coalesce(quantity, 1))' : columns[field]);

/** What is summed of a field: a whole number, so that a sum is the same in any order. */
const scaledSql = (field: FeatureField): string => (field === 'rating' ? 'CAST(round(rating * 1e6) AS BIGINT)' : fieldSql(field));
const unscaled = (field: FeatureField, sql: string): string => (field === 'rating' ? `${sql} / 1e6` : sql);

export const entityColumn: Record<FeatureEntity, string> = { user: 'user_id', item: 'item_id', session: 'session_id' };

/** True or false and never NULL: an event without the field meets no condition on it. */
export function whereSql(conditions: readonly FeatureCondition[] | undefined): string {
  const parts = (conditions ?? []).map((condition) => {
    const field = fieldSql(condition.field);
    if ('in' in condition) return `${field} IN (${condition.in.map(text).join(', ')})`;
    // As text, because a literal with a point would be a decimal of so many digits.
    return `${field} BETWEEN '${condition.min ?? '-inf'}'::DOUBLE AND '${condition.max ?? 'inf'}'::DOUBLE`;
  });
  return parts.length === 0 ? 'true' : `coalesce(${parts.join(' AND ')}, false)`;
}

/** The events of a view's source, as a condition on a row of a slice. */
export const sourceSql = ({ source, entity }: FeatureView): string =>
  `${entityColumn[entity]} IS NOT NULL AND kind IN (${source.kinds.map(text).join(', ')}) AND ${whereSql(source.where)}`;

/**
 * What has to be gathered of the events so that every feature of a view can be said. `value` is SQL over a row of a slice, NULL where the event
 * adds nothing. `count`, `sum` and `distinct` lose what leaves the window again; `latest` and `last` keep the latest, whose age then decides.
 */
export type Part = { column: string; gather: 'count' | 'sum' | 'latest' | 'last' | 'distinct'; value: string; windowMs: number | 'all' };

/** A feature as SQL over the columns of the parts. */
export type CompiledFeature = { name: string; sql: string };
export type CompiledView = { parts: Part[]; features: CompiledFeature[] };

/** SQL types of what a feature is stored as. */
export const sqlType = { integer: 'BIGINT', number: 'DOUBLE', text: 'VARCHAR' } as const;

/**
 * The parts and the features of a view; equal parts are gathered once. `asOf` is SQL for the moment. `last` gives a struct of `at`, `id`, `value`.
 * Column `seen` counts all events of the source ever known: none means that the entity is missing.
 */
export function compileView(view: FeatureView, asOf: string): CompiledView {
  const parts: Part[] = [{ column: 'seen', gather: 'count', value: '1', windowMs: 'all' }];
  const part = (wanted: Omit<Part, 'column'>): string => {
    const same = parts.find((one) => one.gather === wanted.gather && one.value === wanted.value && one.windowMs === wanted.windowMs);
    if (same !== undefined) return same.column;
    const column = `part_${parts.length}`;
    parts.push({ column, ...wanted });
    return column;
  };
  const features = view.features.map(({ name: feature, expression, windowMs, type }) => {
    const met = (value: string) => (expression.where === undefined ? value : `CASE WHEN ${whereSql(expression.where)} THEN ${value} END`);
    const count = (value: string) => part({ gather: 'count', value, windowMs });
    const within = (at: string, value: string) => (windowMs === 'all' ? value : `CASE WHEN ${at} >= ${asOf} - ${windowMs} THEN ${value} END`);
    const sql = (): string => {
      switch (expression.aggregate) {
        case 'count':
          return count(met('1'));
        case 'share':
          return `CAST(${count(met('1'))} AS DOUBLE) / nullif(${count('1')}, 0)`;
        case 'distinct':
          return part({ gather: 'distinct', value: met(fieldSql(expression.of)), windowMs });
        case 'time-since-last': {
          const at = part({ gather: 'latest', value: met('at_ms'), windowMs: 'all' });
          return within(at, `${asOf} - ${at}`);
        }
        case 'last': {
          // Of an event without the field nothing is gathered, so that the one before it counts.
          const last = part({ gather: 'last', value: met(fieldSql(expression.of)), windowMs: 'all' });
          return within(`${last}.at`, `${last}.value`);
        }
        case 'sum':
        case 'mean': {
          const sum = `CAST(coalesce(${part({ gather: 'sum', value: met(scaledSql(expression.of)), windowMs })}, 0) AS DOUBLE)`;
          if (expression.aggregate === 'sum') return unscaled(expression.of, sum);
          return unscaled(expression.of, `${sum} / nullif(${count(met(fieldSql(expression.of)))}, 0)`);
        }
      }
    };
    return { name: feature, sql: `CAST(${sql()} AS ${sqlType[type]})` };
  });
  return { parts, features };
}

/** The column of a feature in a training table. */
export const featureColumn = (view: Pick<FeatureView, 'name'>, feature: string): string => `${view.name}__${feature}`.replaceAll('-', '_');

/** `expression AS "column"`, for each feature of a view. */
export const featureList = (view: FeatureView, { features }: CompiledView): string =>
  features.map(({ name: feature, sql }) => `CASE WHEN seen > 0 THEN ${sql} END AS ${name(featureColumn(view, feature))}`).join(', ');
