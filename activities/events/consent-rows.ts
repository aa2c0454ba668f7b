import { type ConsentPurpose, consentPurposes } from '../../models/contracts/change-event.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { ConsentWord } from '../../models/consent.ts';
import { type Duck, text, withDuck } from './duckdb.ts';

/*
 * `models/consent.ts` in SQL, and tested against it: the last word on each purpose of each subject, from the slices of changes.
 */

/** Makes `consent_words(subject, purpose, allowed, from_ms)`. @param paths of slices of changes. @param fresh a table of changes beside them */
export async function openConsents({ duck, paths, fresh }: { duck: Duck; paths: readonly string[]; fresh?: string }): Promise<void> {
  const sources = [
    'SELECT NULL::VARCHAR AS subject, NULL::VARCHAR AS kind, NULL::BIGINT AS at_ms, NULL::VARCHAR AS body WHERE false',
    ...(paths.length === 0 ? [] : [`SELECT subject, kind, at_ms, body FROM read_parquet([${paths.map(text).join(', ')}])`]),
    ...(fresh === undefined ? [] : [`SELECT subject, kind, at_ms, body FROM ${fresh}`]),
  ];
  const said = consentPurposes.map(
    (purpose) =>
      `SELECT subject, ${text(purpose)} AS purpose, CAST(json_extract_string(body, '$.purposes.${purpose}') AS BOOLEAN) AS allowed, at_ms FROM consents`,
  );
  await duck.run(`
    CREATE TABLE consent_words AS
    WITH consents AS (FROM (${sources.join(' UNION ALL ')}) WHERE kind = 'consent'), said AS (${said.join(' UNION ALL ')})
    SELECT subject, purpose, arg_min(allowed, (-at_ms, allowed)) AS allowed, max(at_ms) AS from_ms FROM said WHERE allowed IS NOT NULL GROUP BY subject, purpose`);
}

type Asked = {
  purpose: ConsentPurpose;
  charter: Pick<Charter, 'consent'> /** Words count from when they were said; always where it is left out. */;
  atMs?: string;
};

/** Whether a row with `user_id`, `device_id` and `session_id` may not be used for the purpose, as SQL. */
export function forbiddenSql({ purpose, charter, atMs }: Asked): string {
  const since = atMs === undefined ? '' : ` AND word.from_ms <= ${atMs}`;
  const said = (allowed: boolean) =>
    ["'u:' || user_id", "'d:' || device_id", "'s:' || session_id"]
      .map(
        (subject) =>
          `EXISTS (FROM consent_words word WHERE word.purpose = ${text(purpose)} AND word.allowed = ${allowed} AND word.subject = ${subject}${since})`,
      )
      .join(' OR ');
  return (charter.consent?.whenUnknown ?? 'allow') === 'allow' ? `(${said(false)})` : `(${said(false)} OR NOT (${said(true)}))`;
}

/** Has anybody said anything, or is silence no consent? Where neither, nothing needs to be looked at. */
export async function mustAskConsent({ duck, charter }: { duck: Duck; charter: Pick<Charter, 'consent'> }): Promise<boolean> {
  if (charter.consent?.whenUnknown === 'deny') return true;
  const [row] = await duck.rows<{ any: boolean }>('SELECT EXISTS (FROM consent_words WHERE NOT allowed) AS any');
  return row?.any === true;
}

/** The last word on each purpose of each subject, in the order of their names. */
export async function readConsents({ paths, signal }: { paths: readonly string[]; signal?: AbortSignal | undefined }): Promise<ConsentWord[]> {
  if (paths.length === 0) return [];
  return withDuck({ workDir: undefined, signal }, async (duck) => {
    await openConsents({ duck, paths });
    const [subjects = [], purposes = [], allowed = [], fromMs = []] = await duck.columns(
      'SELECT subject, purpose, allowed, from_ms::DOUBLE FROM consent_words ORDER BY subject, purpose',
    );
    return subjects.map((subject, nth) => [subject as string, purposes[nth] as ConsentPurpose, allowed[nth] as boolean, fromMs[nth] as number]);
  });
}
