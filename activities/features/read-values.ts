import type { FeatureValue, FeatureView } from '../../models/contracts/feature.ts';
import { type Duck, name } from '../events/duckdb.ts';
import { featureColumn } from './compile-view.ts';

/** The feature columns of a view, as JavaScript reads them: whole numbers as numbers. */
const valueList = (view: FeatureView): string =>
  view.features
    .map((feature) => name(featureColumn(view, feature.name)))
    .map((column, index) => (view.features[index]?.type === 'text' ? column : `${column}::DOUBLE`))
    .join(', ');

/** Rows `from` to `to` of a table that was made by this database, as its first column (text) and the values in the order of the view's features. */
export async function readValues({
  duck,
  view,
  table,
  first,
  from,
  to,
}: {
  duck: Duck;
  view: FeatureView;
  table: string;
  first: string;
  from: number;
  to: number;
}): Promise<{ first: string; values: FeatureValue[] }[]> {
  const [firsts = [], ...columns] = await duck.columns(
    `SELECT ${first}, ${valueList(view)} FROM ${table} WHERE rowid >= ${from} AND rowid < ${to} ORDER BY rowid`,
  );
  return (firsts as string[]).map((value, row) => ({ first: value, values: columns.map((column) => column[row] as FeatureValue) }));
}
