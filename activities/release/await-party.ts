import { setTimeout as delay } from 'node:timers/promises';
import type { Context } from '../context.ts';

/** Waits while any of these workflows runs. One that was never started, failed or was terminated is not waited for. */
export async function awaitParty(
  context: Context,
  { party }: { party: string[] },
  hooks: { beat: (note: string) => void; signal: AbortSignal },
): Promise<void> {
  let running = party;
  for (;;) {
    const found = await Promise.all(running.map(async (workflowId) => ({ workflowId, runs: await context.isRunning(workflowId) })));
    running = found.filter(({ runs }) => runs).map(({ workflowId }) => workflowId);
    if (running.length === 0) return;
    hooks.beat(`${running.length} of ${party.length} still train`);
    await delay(500, undefined, { signal: hooks.signal });
  }
}
