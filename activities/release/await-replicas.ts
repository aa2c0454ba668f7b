import { setTimeout as delay } from 'node:timers/promises';
import { liveReplicas } from '../../stores/replicas.ts';
import type { ReplicasReport } from '../api.ts';
import type { Context } from '../context.ts';

/** Waits until every live replica serves the generation, or one of them refuses it. With no replica it waits for one. */
export async function awaitReplicas(
  context: Context,
  input: { surface: string; generation: number },
  hooks: { beat: (note: string) => void; signal: AbortSignal },
): Promise<ReplicasReport> {
  for (;;) {
    const replicas = await liveReplicas(context.state.root, context.now());
    const reports = replicas.map((replica) => ({ replica: replica.replica, ...replica.surfaces[input.surface] }));
    const refused = reports.find((report) => report.refused?.generation === input.generation);
    if (refused !== undefined) return { status: 'refused', why: `${refused.replica}: ${JSON.stringify(refused.refused?.problem)}`, replicas: replicas.length };
    if (reports.length > 0 && reports.every((report) => (report.generation ?? 0) >= input.generation))
      return { status: 'ready', why: `${reports.length} serve generation ${input.generation}`, replicas: replicas.length };
    hooks.beat(`${reports.length} replicas, waiting for generation ${input.generation}`);
    await delay(100, undefined, { signal: hooks.signal });
  }
}
