import type { Subjects } from '../../models/contracts/erasure.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { liveReplicas } from '../../stores/replicas.ts';
import type { Context } from '../context.ts';

/** @throws UND-SERVING while a live replica cannot be told. */
export async function forgetAtReplicas(context: Context, { surface, people }: { surface: string; people: Subjects }): Promise<void> {
  for (const replica of await liveReplicas(context.state.root, context.now())) {
    if (replica.surfaces[surface] === undefined) continue;
    for (const page of pagesOf(people)) {
      const response = await fetch(new URL('/v1/admin/forget', replica.url), {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(context.servingKey === null ? {} : { authorization: `Bearer ${context.servingKey}` }) },
        body: JSON.stringify({ surface, ...page }),
        signal: AbortSignal.timeout(20_000),
      });
      if (!response.ok)
        throw new UnderstudyError('UND-SERVING', `${replica.replica} could not forget: ${response.status} ${(await response.text()).slice(0, 300)}`);
    }
  }
}

/** So many ids a request at most: a body has its limit. */
const idsPerPage = 4_000;

function pagesOf(people: Subjects): Subjects[] {
  const pages: Subjects[] = [];
  for (const [kind, ids] of Object.entries(people) as [keyof Subjects, string[]][])
    for (let from = 0; from < ids.length; from += idsPerPage)
      pages.push({ userIds: [], sessionIds: [], deviceIds: [], [kind]: ids.slice(from, from + idsPerPage) });
  return pages;
}
