import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { text, withDuck } from '../activities/events/duckdb.ts';
import { columnMapping } from '../activities/events/column-mapping.ts';

/**
 * Events as a shop's log has them: sessions in the order of time, a few users and items with most of the events, and in every hundred rows about one that
 * is there twice and one that is wrong. The same number of rows gives the same file on the same DuckDB.
 */
const startMs = Date.UTC(2026, 0, 5);
export const generatedDays = 60;

export const generatedMapping = columnMapping({
  eventId: 'event_id',
  user: 'user_id',
  session: 'session_id',
  item: 'item_id',
  kind: 'kind',
  at: 'at_ms',
  atFormat: 'epoch-ms',
  quantity: 'quantity',
  price: 'price',
});

type Generate = { rows: number /** Of which days; the first is day 0. */; fromDay?: number; days?: number; folder: string };

/** Writes a Parquet file of about so many rows below the folder, and answers its path. */
export async function generateEvents({ rows, fromDay = 0, days = generatedDays, folder }: Generate): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'generated.parquet');
  const users = Math.ceil(((rows / days) * generatedDays) / 20);
  const perSession = 5;
  const sessions = Math.ceil(rows / perSession);
  const spanMs = days * 86_400_000;
  const draw = (salt: number, of = 'one') => `(hash(${of}, ${salt}, ${fromDay}) % 1000000007 / 1000000007.0)`;
  const kind = `CASE WHEN ${draw(5)} < 0.82 THEN 'view' WHEN ${draw(5)} < 0.95 THEN 'add-to-cart' ELSE 'purchase' END`;
  await withDuck({ workDir: folder }, async (duck) => {
    await duck.run('SET preserve_insertion_order = true');
    await duck.run(`
      COPY (
        WITH numbers AS (SELECT range AS one, range // ${perSession} AS session, range % ${perSession} AS place FROM range(${rows})),
        events AS (
          SELECT one, 'e' || lpad(to_hex(hash(one, ${fromDay})), 16, '0') AS event_id,
            CASE WHEN ${draw(2, 'session')} < 0.92 THEN 'u' || CAST(floor(${users} * pow(${draw(3, 'session')}, 1.6)) AS BIGINT) END AS user_id,
            's${fromDay}-' || session AS session_id, 'i' || CAST(floor(${users / 5} * pow(${draw(4)}, 2.5)) AS BIGINT) AS item_id, ${kind} AS kind,
            CAST(${startMs + fromDay * 86_400_000} + session * ${spanMs / sessions} + place * (10000 + floor(90000 * ${draw(6)})) + CASE WHEN ${draw(7)} < 0.02 THEN 2400000 ELSE 0 END AS BIGINT) AS at_ms
          FROM numbers)
        SELECT CASE WHEN ${draw(8)} < 0.001 THEN NULL ELSE event_id END AS event_id, user_id, session_id,
          CASE WHEN ${draw(8)} BETWEEN 0.001 AND 0.003 THEN ' ' ELSE item_id END AS item_id,
          CASE WHEN ${draw(8)} BETWEEN 0.003 AND 0.005 THEN 'hover' ELSE kind END AS kind,
          CASE WHEN ${draw(8)} BETWEEN 0.005 AND 0.006 THEN -at_ms ELSE at_ms END AS at_ms,
          CASE WHEN kind = 'purchase' THEN CASE WHEN ${draw(9)} < 0.02 THEN 0 ELSE 1 + one % 3 END END AS quantity,
          CASE WHEN kind <> 'view' THEN CAST(5 + one % 95 + 0.99 AS DECIMAL(9, 2)) END AS price
        FROM (FROM events UNION ALL
          -- Sent again a little later, and a few with the same id and other contents.
          SELECT * REPLACE (CASE WHEN ${draw(11)} < 0.05 THEN 'i0' ELSE item_id END AS item_id) FROM events WHERE ${draw(10)} < 0.01)
        ORDER BY at_ms, event_id, one) TO ${text(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)`);
  });
  return path;
}
