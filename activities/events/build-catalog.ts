import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type CatalogItem, catalogItem } from '../../models/contracts/catalog-item.ts';
import type { Digest } from '../../models/contracts/ids.ts';
import type { SliceReference } from '../../models/contracts/window.ts';
import { inStockAt } from '../../models/slate/stock.ts';
import { type BlobStore, getDocument } from '../../stores/blobs.ts';
import { slicesThatStay } from '../windows/merge-data-state.ts';
import { asWritten, type Duck, text } from './duckdb.ts';
import type { Mapping } from './mapping.ts';

/** What the accepted rows of one batch say of an item. */
export type ItemRow = {
  item_id: string;
  from_ms: number;
  until_ms: number;
  price: number | null;
  title: string | null;
  category: string | null;
  brand: string | null;
};

/** A catalog blob: an array of items, sorted by id in code-unit order. */
export const catalogDocument = z.array(catalogItem);

/**
 * What the rows of `table` say of each item: title, category and brand are the value that most of its rows carry (then the latest, then the
 * first in the alphabet); the price is the latest one; the span goes from its first row to its last.
 */
export async function summarizeItems({ duck, table }: { duck: Duck; table: string }): Promise<ItemRow[]> {
  return duck.rows<ItemRow>(`
    WITH ${['title', 'category', 'brand'].map((column) => `${column}s AS (${mostFrequentSql(table, column)})`).join(', ')},
    spans AS (
      SELECT item_id, min(at_ms)::DOUBLE AS from_ms, max(at_ms)::DOUBLE AS until_ms,
        (arg_max(unit_price_minor, (at_ms, event_id)) FILTER (unit_price_minor IS NOT NULL AND kind <> 'return'))::DOUBLE AS price
      FROM ${table} GROUP BY item_id)
    SELECT spans.*, title, category, brand FROM spans LEFT JOIN titles USING (item_id) LEFT JOIN categorys USING (item_id) LEFT JOIN brands USING (item_id)`);
}

/** The data that a surface has before a batch. */
export type DataBefore = { catalog: Digest; slices: readonly SliceReference[]; changes?: readonly SliceReference[] | undefined };

/**
 * The catalog before a batch of this source and shift (undefined: a batch without slices): where it pushes out earlier slices of its source, the spans are those of the slices
 * that stay, and items that only the others held are gone.
 */
export async function catalogBefore({
  duck,
  blobs,
  before,
  batch,
}: {
  duck: Duck;
  blobs: BlobStore;
  before: DataBefore | undefined;
  batch: Pick<SliceReference, 'source' | 'shiftDays'> | undefined;
}): Promise<CatalogItem[]> {
  if (before === undefined) return [];
  const items = await getDocument(blobs, before.catalog, catalogDocument);
  const staying = slicesThatStay({ previous: before.slices, next: batch === undefined ? [] : [batch] });
  if (staying.length === before.slices.length) return items;
  if (staying.length === 0) return [];
  const paths = await Promise.all(staying.map(({ digest }) => blobs.localPath(digest)));
  const rows = await duck.rows<{ item_id: string; from_ms: number; until_ms: number }>(
    `SELECT item_id, min(at_ms)::DOUBLE AS from_ms, max(at_ms)::DOUBLE AS until_ms FROM read_parquet([${paths.map(text).join(', ')}]) GROUP BY item_id`,
  );
  const spans = new Map(rows.map((row) => [row.item_id, row]));
  return items.flatMap((item) => {
    const span = spans.get(item.itemId);
    return span === undefined ? [] : [{ ...item, availableFromMs: span.from_ms, availableUntilMs: span.until_ms }];
  });
}

/** The catalog behind a batch. Items of the catalog before it stay, with their span made wider; whether they are in stock is judged anew. */
export async function buildCatalog({
  duck,
  rows,
  mapping,
  previous,
}: {
  duck: Duck;
  rows: readonly ItemRow[];
  mapping: Mapping;
  previous: readonly CatalogItem[];
}): Promise<CatalogItem[]> {
  const items = new Map(previous.map((item) => [item.itemId, item]));
  for (const row of rows) items.set(row.item_id, merge({ row, before: items.get(row.item_id) }));
  const sorted = [...items.values()].sort((a, b) => (a.itemId < b.itemId ? -1 : 1));
  const stocked = judgeStock({ items: sorted, inStockDays: mapping.inStockDays });
  return mapping.categorySql === undefined ? stocked : categorize({ duck, items: stocked, categorySql: mapping.categorySql });
}

async function categorize({ duck, items, categorySql }: { duck: Duck; items: CatalogItem[]; categorySql: string }): Promise<CatalogItem[]> {
  if (items.length === 0) return items;
  const path = join(duck.scratch, 'catalog.jsonl');
  await writeFile(path, items.map((item) => JSON.stringify(item)).join('\n'));
  const columns = "{itemId: 'VARCHAR', title: 'VARCHAR', category: 'VARCHAR', brand: 'VARCHAR', priceMinor: 'BIGINT'}";
  await duck.run(
    `CREATE TABLE catalog AS SELECT itemId AS item_id, title, category, brand, priceMinor AS price_minor FROM read_json(${text(path)}, format = 'newline_delimited', columns = ${columns})`,
  );
  const [ids = [], categories = []] = await asWritten({ what: "The mapping's categories", path: '/source/mapping/categorySql' }, () =>
    duck.columns(`SELECT item_id, nullif(${tidySql('CAST(category AS VARCHAR)')}, '') FROM (${categorySql})`),
  );
  const found = new Map(ids.map((id, index) => [id, categories[index] as string | null]));
  return items.map((item) => ({ ...item, ...optional('category', found.get(item.itemId)) }));
}

/** Text as a catalog holds it: one line of at most 200 characters. */
const tidySql = (value: string): string => `left(trim(regexp_replace(${value}, '\\s+', ' ', 'g')), 200)`;

function mostFrequentSql(table: string, column: string): string {
  return `
    SELECT item_id, value AS ${column} FROM (
      SELECT item_id, ${tidySql(column)} AS value, count(*) AS times, max(at_ms) AS last_ms FROM ${table} WHERE ${column} IS NOT NULL GROUP BY 1, 2)
    WHERE value <> '' QUALIFY row_number() OVER (PARTITION BY item_id ORDER BY times DESC, last_ms DESC, value) = 1`;
}

function merge({ row, before }: { row: ItemRow; before: CatalogItem | undefined }): CatalogItem {
  return {
    itemId: row.item_id,
    title: row.title ?? before?.title ?? row.item_id,
    ...optional('category', row.category ?? before?.category),
    ...optional('brand', row.brand ?? before?.brand),
    ...optional('priceMinor', row.price ?? before?.priceMinor),
    inStock: true,
    availableFromMs: Math.min(row.from_ms, before?.availableFromMs ?? row.from_ms),
    availableUntilMs: Math.max(row.until_ms, before?.availableUntilMs ?? row.until_ms),
  };
}

function optional<Key extends string, Value>(key: Key, value: Value | null | undefined): { [K in Key]?: Value } {
  return (value === null || value === undefined ? {} : { [key]: value }) as { [K in Key]?: Value };
}

function judgeStock({ items, inStockDays }: { items: CatalogItem[]; inStockDays: number | undefined }): CatalogItem[] {
  if (inStockDays === undefined) return items;
  const lastMs = items.reduce((last, item) => Math.max(last, item.availableUntilMs ?? 0), 0);
  return items.map((item) => ({ ...item, inStock: inStockAt({ lastSeenMs: item.availableUntilMs ?? lastMs, asOfMs: lastMs, inStockDays }) }));
}
