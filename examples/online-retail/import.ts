import type { Mapping } from '../../activities/events/mapping.ts';

/**
 * One invoice line becomes one event.
 * - Stock codes are written in upper case: 85123a and 85123A are one product.
 * - A sale is a `purchase`. A line of a cancelled invoice (C…), or with a negative quantity, is a `return`.
 * - A session is an invoice; a line without customer is a session without user.
 * - The event id is made of what the line says (invoice, code, quantity, price, time), not of where it stands: lines that agree in all
 *   of these are duplicates, and a file in another order gives the same events. Description and country do not count.
 * - Quarantined with a reason: bad-debt entries (A…), prices below one penny, stock adjustments (negative quantity without price; the notes there
 *   are for the warehouse), numbers that cannot be read. Codes that are no products (POST, M, BANK CHARGES) fall to the charter's scope rule.
 */
const eventsSql = `
  SELECT raw_line,
    concat_ws('-', 'or', invoice, code, 'q' || Quantity, 'p' || UnitPrice, 't' || regexp_replace(InvoiceDate, '[^0-9]', '', 'g')) AS event_id,
    CASE WHEN is_return THEN 'return' ELSE 'purchase' END AS kind,
    'c-' || customer AS user_id,
    'inv-' || invoice AS session_id,
    code AS item_id,
    TRY_CAST(InvoiceDate AS TIMESTAMP) AS wall_time,
    abs(units) AS quantity,
    pence AS unit_price_minor,
    nullif(trim(Description), '') AS title,
    CASE
      WHEN invoice LIKE 'A%' THEN 'bad-debt'
      WHEN units IS NULL THEN 'unreadable-quantity'
      WHEN pence IS NULL THEN 'unreadable-price'
      WHEN units = 0 THEN 'zero-quantity'
      WHEN pence < 0 THEN 'negative-price'
      WHEN pence = 0 AND units < 0 AND invoice NOT LIKE 'C%' THEN 'stock-adjustment'
      WHEN pence = 0 THEN 'zero-price'
    END AS reason
  FROM (
    SELECT *, upper(trim(InvoiceNo)) AS invoice, upper(trim(StockCode)) AS code, nullif(regexp_replace(trim(CustomerID), '[.]0$', ''), '') AS customer,
      TRY_CAST(Quantity AS INTEGER) AS units, TRY(CAST(round(TRY_CAST(UnitPrice AS DECIMAL(18, 4)) * 100) AS BIGINT)) AS pence,
      (upper(trim(InvoiceNo)) LIKE 'C%' OR TRY_CAST(Quantity AS INTEGER) < 0) AS is_return
    FROM raw)`;

/** Colours, sizes, patterns and fillers: words at the end of a description that do not say what the thing is. */
const sayingNothing = [
  'pink red blue green white black cream ivory gold silver brown yellow orange purple lilac turquoise clear pastel colour colours assorted',
  'asstd large small medium mini big tall set sets pack design designs retrospot polkadot paisley spot spots spotty stripe stripes zinc metal',
  'wood wooden glass ceramic vintage antique home garden girl boy heart hearts star stars flower flowers rose roses christmas london font',
  'spaceboy flock and with the for each pcs piece pieces new love',
].join(' ');

/**
 * The last word of the title that says what the thing is ("WHITE HANGING HEART T-LIGHT HOLDER" is a holder), in the singular, where at least
 * 8 items share it; `other` for the rest. The file has no categories: this is a guess at one, made so that scope and diversity rules have
 * something to hold.
 */
const categorySql = `
  SELECT item_id, CASE WHEN count(*) OVER (PARTITION BY noun) >= 8 THEN noun ELSE 'other' END AS category
  FROM (
    SELECT item_id, CASE
      WHEN regexp_matches(word, '(ss|us|is)$') THEN word
      WHEN regexp_matches(word, '(x|ch|sh|ss)es$') THEN word[:-3]
      WHEN word LIKE '%ies' THEN word[:-4] || 'y'
      ELSE regexp_replace(word, 's$', '') END AS noun
    FROM (
      SELECT item_id, coalesce(list_filter(regexp_extract_all(lower(title), '[a-z]{3,}'), lambda token: token NOT IN (${sayingNothing
        .split(' ')
        .map((word) => `'${word}'`)
        .join(', ')}))[-1], 'other') AS word
      FROM catalog))`;

export const mapping: Mapping = {
  name: 'online-retail',
  requires: ['InvoiceNo', 'StockCode', 'Description', 'Quantity', 'InvoiceDate', 'UnitPrice', 'CustomerID'],
  sql: eventsSql,
  inStockDays: 60,
  categorySql,
};
