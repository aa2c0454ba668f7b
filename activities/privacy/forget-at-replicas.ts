import type { Subjects } from '../../models/contracts/erasure.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { liveReplicas } from '../../stores/replicas.ts';
import type { Context } from '../context.ts';

/** @throws UND-SERVING while a live replica cannot be told. */
export async function forgetAtReplicas(context: Context, { surface, people }: { surface: string; people: Subjects }): Promise<void> {
  for (const replica of await liveReplicas(context.state.root, context.now())) {
    if (replica.surfaces[surface] === undefined) continue;
    const response = await fetch(new URL('/v1/admin/forget', replica.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(context.servingKey === null ? {} : { authorization: `Bearer ${context.servingKey}` }) },
      body: JSON.stringify({ surface, ...people }),
      signal: AbortSignal.timeout(20_000),
    });
    if (!response.ok)
      throw new UnderstudyError('UND-SERVING', `${replica.replica} could not forget: ${response.status} ${(await response.text()).slice(0, 300)}`);
  }
}
