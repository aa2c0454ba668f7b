import { access } from 'node:fs/promises';
import { text, withDuck } from '../../activities/events/duckdb.ts';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { plainName, roleOf } from './columns.ts';

/** What columns of items are called in files, without case, spaces, dashes and underscores. */
const names = {
  title: /^(title|(item|product)?(name|title|description))$/,
  category: /^(main|sub|product|item)?(category|genre|department|cat)(name|id)?s?$/,
  brand: /^(brand|manufacturer|maker|author|artist|store|vendor)(name)?$/,
  price: /^(unit|list|retail)?price$/,
} as const;
type Field = keyof typeof names;

/**
 * Reads what is known of items from CSV (with a header; plain, .gz or .zst) or Parquet: the item's id, and whichever of title, category, brand and price there are. Of
 * an item that stands twice the first row counts.
 * @param say is told which columns were taken as what
 * @throws UND-FILE where the file cannot be read; UND-INPUT where it has no column of ids, or nothing besides
 */
export async function readItems(path: string, say: (line: string) => void): Promise<CatalogItem[]> {
  await access(path).catch((cause) => {
    throw new UnderstudyError('UND-FILE', `${path} does not exist`, { cause });
  });
  try {
    return await withDuck({ workDir: undefined }, async (duck) => {
      const from = /\.parquet$/i.test(path) ? `read_parquet(${text(path)})` : `read_csv(${text(path)}, header = true, all_varchar = true)`;
      const columns = (await duck.rows<{ column_name: string }>(`DESCRIBE SELECT * FROM ${from}`)).map(({ column_name: column }) => column);
      const item = columns.find((column) => roleOf(column) === 'item') ?? columns.find((column) => /^(id|item|product)$/.test(plainName(column)));
      if (item === undefined) throw new UnderstudyError('UND-INPUT', `${path} has no column of item ids; it has ${columns.join(', ')}`);
      const found = (Object.keys(names) as Field[]).flatMap((field) => {
        const column = columns.find((one) => one !== item && names[field].test(plainName(one)));
        return column === undefined ? [] : [[field, column] as const];
      });
      if (found.length === 0)
        throw new UnderstudyError('UND-INPUT', `${path} has no title, category, brand or price beside "${item}"; it has ${columns.join(', ')}`);
      say(`item "${item}", ${found.map(([field, column]) => `${field} "${column}"`).join(', ')}`);
      const value = (column: string) => `nullif(trim(CAST("${column.replaceAll('"', '""')}" AS VARCHAR)), '')`;
      const rows = await duck.rows<{ item: string | null } & Partial<Record<Field, string | null>>>(
        `SELECT ${value(item)} AS item${found.map(([field, column]) => `, ${value(column)} AS ${field}`).join('')} FROM ${from}`,
      );
      const items = new Map<string, CatalogItem>();
      for (const row of rows) if (row.item !== null && !items.has(row.item)) items.set(row.item, itemOf(row.item, row));
      return [...items.values()];
    });
  } catch (error) {
    if (error instanceof UnderstudyError) throw error;
    throw new UnderstudyError('UND-FILE', `${path} cannot be read: ${(error as Error).message.split('\n')[0]}`, { cause: error });
  }
}

const asWords = (value: string | null | undefined, most: number): string | undefined => value?.replaceAll(/\s+/g, ' ').slice(0, most);

function itemOf(itemId: string, { title, category, brand, price }: Partial<Record<Field, string | null>>): CatalogItem {
  // "$ 1.50" is a price; what has no number in it is none.
  const amount = Number.parseFloat((price ?? '').replaceAll(/[^0-9.]/g, ''));
  return {
    itemId,
    title: asWords(title, 500) ?? '',
    inStock: true,
    ...(category ? { category: asWords(category, 200) } : {}),
    ...(brand ? { brand: asWords(brand, 200) } : {}),
    ...(Number.isFinite(amount) ? { priceMinor: Math.round(100 * amount) } : {}),
  };
}
