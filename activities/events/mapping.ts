import { z } from 'zod';
import { machineName } from '../../models/contracts/ids.ts';

/**
 * How the rows of a source become events: plain data, so that it can be stored and named by its digest. The file is there as the table
 * `raw`: its columns, all VARCHAR, and `raw_line` (1 is the first row after the header). `sql` selects from it, one row a line, any of:
 * - `raw_line` (required), and the columns of `eventColumns` (missing ones are NULL);
 * - `wall_time` TIMESTAMP instead of `at_ms`: the clock on the wall in the surface's time zone;
 * - `reason` VARCHAR: why this row does not fit; it is asked before the record rules;
 * - `title`, `category`, `brand` VARCHAR: what the row says of its item.
 */
export const mapping = z.strictObject({
  name: machineName,
  /** Columns that the file must have. */
  requires: z.array(z.string().min(1)).default([]),
  sql: z.string().min(1),
  /** An item of which the last so many days of the data hold no accepted row counts as out of stock. Absent: always in stock. */
  inStockDays: z.number().int().min(1).optional(),
  /** Gives `item_id` and `category` from the table `catalog(item_id, title, category, brand, price_minor)`, where the rows carry no category of use. */
  categorySql: z.string().min(1).optional(),
});
export type Mapping = z.output<typeof mapping>;

/** Columns that a mapping may give beside those of `eventColumns`. */
export const extraColumns = [
  { column: 'wall_time', type: 'TIMESTAMP' },
  { column: 'reason', type: 'VARCHAR' },
  { column: 'title', type: 'VARCHAR' },
  { column: 'category', type: 'VARCHAR' },
  { column: 'brand', type: 'VARCHAR' },
] as const;
