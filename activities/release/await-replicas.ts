import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { ReplicasReport } from '../api.ts';
import type { Context } from '../context.ts';

const replicaReport = z.object({
  replica: z.string(),
  url: z.string(),
  pid: z.number().int(),
  atMs: z.number(),
  surfaces: z.record(
    z.string(),
    z.object({ generation: z.number().int(), refused: z.object({ generation: z.number().int(), problem: z.unknown() }).nullish() }),
  ),
});
export type Replica = z.infer<typeof replicaReport>;

/** A replica whose report is older than this is dead: it writes one every second or so. */
const staleAfterMs = 10_000;

/** The replicas that report themselves alive. */
export async function liveReplicas(context: Pick<Context, 'state' | 'now'>): Promise<Replica[]> {
  const directory = join(context.state.root, 'run', 'replicas');
  const names = await readdir(directory).catch(() => []);
  const replicas: Replica[] = [];
  for (const name of names.filter((one) => one.endsWith('.json')).sort()) {
    const parsed = await readFile(join(directory, name), 'utf8')
      .then((text) => replicaReport.safeParse(JSON.parse(text)))
      .catch(() => null);
    if (parsed?.success && context.now() - parsed.data.atMs < staleAfterMs && isAlive(parsed.data.pid)) replicas.push(parsed.data);
  }
  return replicas;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Waits until every live replica serves the generation, or one of them refuses it. With no replica it waits for one. */
export async function awaitReplicas(
  context: Context,
  input: { surface: string; generation: number },
  hooks: { beat: (note: string) => void; signal: AbortSignal },
): Promise<ReplicasReport> {
  for (;;) {
    const replicas = await liveReplicas(context);
    const reports = replicas.map((replica) => ({ replica: replica.replica, ...replica.surfaces[input.surface] }));
    const refused = reports.find((report) => report.refused?.generation === input.generation);
    if (refused !== undefined) return { status: 'refused', why: `${refused.replica}: ${JSON.stringify(refused.refused?.problem)}`, replicas: replicas.length };
    if (reports.length > 0 && reports.every((report) => (report.generation ?? 0) >= input.generation))
      return { status: 'ready', why: `${reports.length} serve generation ${input.generation}`, replicas: replicas.length };
    hooks.beat(`${reports.length} replicas, waiting for generation ${input.generation}`);
    await delay(100, undefined, { signal: hooks.signal });
  }
}
