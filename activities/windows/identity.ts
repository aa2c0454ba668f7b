import type { ConsentPurpose } from '../../models/contracts/change-event.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { DataState, SliceReference, WindowManifest } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { forbiddenSql, mustAskConsent, openConsents } from '../events/consent-rows.ts';
import { type Duck, text } from '../events/duckdb.ts';
import { slicesSql } from '../events/event-columns.ts';

/** What tells who somebody is, and what they allow. */
export type Identity = {
  merge: NonNullable<Charter['identity']>['merge'];
  slices: readonly SliceReference[];
  logins: readonly SliceReference[];
  charter: Pick<Charter, 'consent'>;
  /** Slices with all that is known of what people allow, of whenever. */
  consents: readonly SliceReference[];
};

/** Who somebody is as of the end of a part of the window: a login after the split tells nothing before it. */
export function identityAsOf(
  part: 'train' | 'test',
  {
    window,
    charter,
  }: { window: Pick<WindowManifest, 'changes' | 'train' | 'test' | 'trainSlices' | 'testSlices'>; charter: Pick<Charter, 'identity' | 'consent'> },
): Identity {
  return {
    merge: charter.identity?.merge ?? 'session',
    slices: part === 'train' ? window.trainSlices : [...window.trainSlices, ...window.testSlices],
    logins: (window.changes ?? []).filter(({ day }) => day <= window[part].to),
    consents: window.changes ?? [],
    charter,
  };
}

/** Who somebody is by all that is known. */
export function identityOfAll({ data, charter }: { data: Pick<DataState, 'slices' | 'changes'>; charter: Pick<Charter, 'identity' | 'consent'> }): Identity {
  return { merge: charter.identity?.merge ?? 'session', slices: data.slices, logins: data.changes ?? [], consents: data.changes ?? [], charter };
}

/**
 * In the table `events(unit, session_id, device_id, …)`: gives what came without a user to the one user whose session, or device, it is. What links them
 * are events of any kind and logins; a session or a device of several users is nobody's.
 */
export async function mergeIdentities({ duck, identity, blobs }: { duck: Duck; identity: Identity; blobs: BlobStore }): Promise<void> {
  const { merge, slices, logins } = identity;
  const [anonymous] = await duck.rows<{ any: boolean }>("SELECT EXISTS (FROM events WHERE starts_with(unit, 's:')) AS any");
  if (merge === 'none' || anonymous?.any !== true) return;
  const from = slicesSql(await Promise.all(slices.map(({ digest }) => blobs.localPath(digest))));
  const paths = await Promise.all(logins.map(({ digest }) => blobs.localPath(digest)));
  for (const id of merge === 'device' ? ['session', 'device'] : ['session']) {
    const fromLogins =
      paths.length === 0
        ? ''
        : `UNION ALL SELECT json_extract_string(body, '$.${id}Id'), json_extract_string(body, '$.userId') FROM read_parquet([${paths.map(text).join(', ')}]) WHERE kind = 'login' AND json_extract_string(body, '$.${id}Id') IS NOT NULL`;
    await duck.run(`
      UPDATE events SET unit = 'u:' || owners.user_id
      FROM (
        SELECT id, min(user_id) AS user_id FROM (
          SELECT ${id}_id AS id, user_id FROM ${from} WHERE user_id IS NOT NULL AND ${id}_id IN (SELECT ${id}_id FROM events WHERE starts_with(unit, 's:')) ${fromLogins})
        GROUP BY id HAVING count(DISTINCT user_id) = 1) owners
      WHERE starts_with(unit, 's:') AND ${id}_id = owners.id`);
  }
}

/** From the table `events(unit, session_id, device_id, …)`: takes those of people who do not allow the purpose, by whichever of their ids. */
export async function keepAllowed({
  duck,
  identity,
  blobs,
  purpose,
}: {
  duck: Duck;
  identity: Identity;
  blobs: BlobStore;
  purpose: ConsentPurpose;
}): Promise<void> {
  const { charter, consents } = identity;
  await openConsents({ duck, paths: await Promise.all(consents.map(({ digest }) => blobs.localPath(digest))) });
  if (!(await mustAskConsent({ duck, charter }))) return;
  const rows = "(SELECT *, CASE WHEN starts_with(unit, 'u:') THEN substr(unit, 3) END AS user_id FROM events)";
  await duck.run(`CREATE OR REPLACE TABLE events AS SELECT * EXCLUDE (user_id) FROM ${rows} WHERE NOT ${forbiddenSql({ purpose, charter })}`);
}
