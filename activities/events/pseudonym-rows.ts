import type { Pseudonyms } from '../../models/contracts/pseudonyms.ts';
import type { Duck } from './duckdb.ts';

const ids = ['user_id', 'session_id', 'device_id'] as const;

/** What is a pseudonym already: from the door, or from a row that comes back out of quarantine. */
const isPseudonymSql = "regexp_full_match(id, 'p_[A-Za-z0-9_-]{22}')";

/**
 * Fills `pseudonyms(id, pseudonym)` for the ids in `table`, and replaces them in the rows that `where` names. Empty and without effect where there are no
 * pseudonyms to be. The key goes into a table of its own, so that no statement that may fail says it.
 */
export async function pseudonymRows({ duck, table, pseudonyms }: { duck: Duck; table: string; pseudonyms: Pseudonyms | null }): Promise<void> {
  if (pseudonyms === null) {
    await duck.run('CREATE TABLE pseudonyms (id VARCHAR, pseudonym VARCHAR)');
    return;
  }
  const { inner, outer } = pseudonyms.pads;
  await duck.run(`CREATE TABLE pads AS SELECT unhex('${inner}') AS inner_pad, unhex('${outer}') AS outer_pad`);
  const hmac = 'sha256((SELECT outer_pad FROM pads) || unhex(sha256((SELECT inner_pad FROM pads) || encode(id))))';
  await duck.run(`
    CREATE TABLE pseudonyms AS
    SELECT id, CASE WHEN ${isPseudonymSql} THEN id ELSE 'p_' || left(translate(to_base64(unhex(${hmac})), '+/', '-_'), 22) END AS pseudonym
    FROM (${ids.map((id) => `SELECT ${id} AS id FROM ${table}`).join(' UNION ')}) WHERE id IS NOT NULL`);
  await duck.run('DROP TABLE pads');
  const joins = ids.map((id) => `LEFT JOIN pseudonyms AS of_${id} ON of_${id}.id = one.${id}`);
  await duck.run(`
    CREATE OR REPLACE TABLE ${table} AS
    SELECT one.* REPLACE (${ids.map((id) => `coalesce(of_${id}.pseudonym, one.${id}) AS ${id}`).join(', ')}) FROM ${table} AS one ${joins.join(' ')}`);
}
