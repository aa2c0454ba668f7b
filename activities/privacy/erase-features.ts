import type { Subjects } from '../../models/contracts/erasure.ts';
import { hasFeatures, openFeatures, scrubFeatures } from '../../stores/features/open-features.ts';
import type { Context } from '../context.ts';
import { listSurfaces } from '../registry/charters.ts';

/** Out of the online feature store, on every surface. The slices come first: what is made of them from now on holds nothing of theirs. @returns rows */
export async function eraseFeatures(context: Context, people: Subjects): Promise<number> {
  const where = { stateDir: context.state.root, url: context.featuresUrl ?? undefined };
  if (!(await hasFeatures(where))) return 0;
  const store = await openFeatures(where);
  let rows = 0;
  try {
    for (const surface of await listSurfaces(context.state)) {
      for (const id of people.userIds) rows += await store.erase({ surface, entity: 'user', id, atMs: context.now() });
      for (const id of people.sessionIds) rows += await store.erase({ surface, entity: 'session', id, atMs: context.now() });
    }
  } finally {
    await store.close();
  }
  await scrubFeatures(where);
  return rows;
}
