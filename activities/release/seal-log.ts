import type { SealedSegment } from '../../stores/event-log.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { putDocument } from '../../stores/blobs.ts';
import { liveReplicas } from '../../stores/replicas.ts';
import type { SealedLog } from '../api.ts';
import type { Context } from '../context.ts';

export type LogSegments = { kind: 'log-segments'; surface: string; slates: SealedSegment[]; events: SealedSegment[] };

/** Asks every live replica to seal its open segments, then pins all that is sealed. */
export async function sealLog(context: Context, input: { surface: string }): Promise<SealedLog> {
  for (const replica of await liveReplicas(context.state.root, context.now())) {
    if (replica.surfaces[input.surface] === undefined) continue;
    const response = await fetch(new URL('/v1/admin/seal', replica.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(context.servingKey === null ? {} : { authorization: `Bearer ${context.servingKey}` }) },
      body: JSON.stringify({ surface: input.surface }),
      signal: AbortSignal.timeout(20_000),
    });
    if (!response.ok)
      throw new UnderstudyError('UND-SERVING', `${replica.replica} could not seal its log: ${response.status} ${(await response.text()).slice(0, 300)}`);
  }
  const [slates, events] = await Promise.all((['slates', 'events'] as const).map((stream) => context.state.logReader(input.surface, stream).sealed()));
  if (slates === undefined || events === undefined || slates.length === 0) return { segments: null, slates: 0 };
  const document: LogSegments = { kind: 'log-segments', surface: input.surface, slates, events };
  return { segments: await putDocument(context.state.blobs, document), slates: slates.reduce((sum, one) => sum + one.records, 0) };
}
