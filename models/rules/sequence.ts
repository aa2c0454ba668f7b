import type { RuleRow, SequenceRule } from './record-rule.ts';

/** What a visitor does after an item of a slate was seen. */
const answers: readonly string[] = ['click', 'skip', 'dwell', 'add-to-cart', 'purchase', 'rating'];
const answersSql = answers.map((kind) => `'${kind}'`).join(', ');

/** Its time lies before the earliest impression of the same item of the same slate that had come in before it. */
export const beforeImpression: SequenceRule = {
  name: 'before-impression',
  brokenSql: () => `
    WITH seen AS (SELECT request_id, item_id, raw_line, at_ms FROM sound WHERE kind = 'impression' AND request_id IS NOT NULL)
    SELECT one.raw_line FROM sound one JOIN seen ON seen.request_id = one.request_id AND seen.item_id = one.item_id AND seen.raw_line < one.raw_line
    WHERE one.request_id IS NOT NULL AND one.kind IN (${answersSql}) GROUP BY one.raw_line, one.at_ms HAVING one.at_ms < min(seen.at_ms)`,
  begin(_limit, remember) {
    const seen = remember<number>();
    return ({ kind, requestId, itemId, atMs }) => {
      if (requestId === null || itemId === null || atMs === null) return false;
      const key = `${requestId}\u001f${itemId}`;
      const earliest = seen.get(key);
      if (kind === 'impression') seen.set(key, Math.min(earliest ?? atMs, atMs));
      return kind !== null && answers.includes(kind) && earliest !== undefined && atMs < earliest;
    };
  },
};

/** A till writes a whole basket at once: that tells nothing of who reads, looks and clicks. */
const tills: readonly string[] = ['purchase', 'return'];
const tillsSql = tills.map((kind) => `'${kind}'`).join(', ');

/** Nobody does so much in one minute of the clock: what comes in behind the limit is meant. */
export const botRate: SequenceRule = {
  name: 'bot-rate',
  // First by hashes of visitors alone, which are few and small: only of those who do so much at all the minutes are counted.
  brokenSql: (limit) => `
    WITH looked AS NOT MATERIALIZED (SELECT raw_line, coalesce('u:' || user_id, 's:' || session_id) AS unit, at_ms // 60000 AS minute FROM sound WHERE kind NOT IN (${tillsSql})),
    loud AS MATERIALIZED (FROM looked WHERE hash(unit) IN (SELECT key FROM (SELECT hash(unit) AS key FROM looked) GROUP BY key HAVING count(*) > ${limit})),
    busy AS (SELECT unit, minute FROM loud GROUP BY ALL HAVING count(*) > ${limit})
    SELECT raw_line FROM (
      SELECT raw_line, row_number() OVER (PARTITION BY unit, minute ORDER BY raw_line) AS nth FROM loud JOIN busy USING (unit, minute))
    WHERE nth > ${limit}`,
  begin(limit, remember) {
    const counts = remember<number>();
    return ({ kind, userId, sessionId, atMs }) => {
      if (kind === null || tills.includes(kind)) return false;
      const key = `${unitOfRow({ userId, sessionId })} ${Math.floor((atMs ?? 0) / 60_000)}`;
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      return count > limit;
    };
  },
};

function unitOfRow({ userId, sessionId }: Pick<RuleRow, 'userId' | 'sessionId'>): string {
  return userId === null ? `s:${sessionId}` : `u:${userId}`;
}
