import { externalId } from '../contracts/ids.ts';
import type { ContractRule } from '../contracts/record-rules.ts';
import type { RowRule, RuleRow } from './record-rule.ts';

/** `externalId` in SQL. JavaScript's `\s` is Unicode's separators, U+FEFF and control characters; zod and DuckDB both count code points. */
function malformedSql(column: string): string {
  const edge = '[^\\p{Cc}\\p{Z}\\x{FEFF}]';
  return `(${column} IS NOT NULL AND (NOT regexp_full_match(${column}, '${edge}([^\\p{Cc}]*${edge})?') OR length(${column}) > 128))`;
}

type IdField = 'eventId' | 'userId' | 'sessionId' | 'itemId' | 'requestId' | 'deviceId';
const malformed = (name: ContractRule, column: string, field: IdField): RowRule => ({
  name,
  breaksSql: () => malformedSql(column),
  breaks: (row: RuleRow) => row[field] !== null && !externalId.safeParse(row[field]).success,
});
const missing = (name: ContractRule, column: string, field: IdField): RowRule => ({
  name,
  breaksSql: () => `(${column} IS NULL)`,
  breaks: (row: RuleRow) => row[field] === null,
});

export const idRules: RowRule[] = [
  missing('missing-item', 'item_id', 'itemId'),
  malformed('malformed-item', 'item_id', 'itemId'),
  missing('missing-session', 'session_id', 'sessionId'),
  malformed('malformed-session', 'session_id', 'sessionId'),
  malformed('malformed-user', 'user_id', 'userId'),
  malformed('malformed-device', 'device_id', 'deviceId'),
  missing('missing-event-id', 'event_id', 'eventId'),
  malformed('malformed-event-id', 'event_id', 'eventId'),
  malformed('malformed-request-id', 'request_id', 'requestId'),
];
