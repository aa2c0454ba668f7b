import { setTimeout as delay } from 'node:timers/promises';
import { removeFiled, waitingReports } from '../../stores/report-inbox.ts';
import { latestReport } from '../../stores/reports.ts';
import type { Context } from '../context.ts';

const everyMs = 500;
/** Whatever keeps a workflow from taking its report up: it is said, and tried again. */
const againAfterMs = 30_000;
const startsAtOnce = 16;

/**
 * Starts the workflow of each report that was filed, within a second, for as long as a control worker runs. Several workers may find the same one: its workflow's id
 * is its own. While Temporal is down reports wait.
 */
export function watchInbox({ state, startReport, now, log }: Pick<Context, 'state' | 'startReport' | 'now' | 'log'>): { close(): Promise<void> } {
  const ending = new AbortController();
  const begunAt = new Map<string, number>();
  let trouble = '';

  async function look(): Promise<void> {
    const waiting = await waitingReports(state.root);
    const ids = new Set(waiting.map(({ id }) => id));
    for (const id of begunAt.keys()) if (!ids.has(id)) begunAt.delete(id);
    const due = waiting.filter(({ id }) => now() - (begunAt.get(id) ?? Number.NEGATIVE_INFINITY) >= againAfterMs);
    for (let from = 0; from < due.length && !ending.signal.aborted; from += startsAtOnce)
      await Promise.all(
        due.slice(from, from + startsAtOnce).map(async (of) => {
          // Filed again in the moment in which it was taken up.
          if ((await latestReport(state.generations, of)) !== undefined) return removeFiled(state.root, of);
          if (begunAt.has(of.id)) log(`${of.surface} report ${of.id} is not taken up by its workflow: look at it in Temporal`);
          await startReport(of);
          begunAt.set(of.id, now());
        }),
      );
  }

  async function watch(): Promise<void> {
    while (!ending.signal.aborted) {
      const found = await look().then(
        () => '',
        (error: unknown) => `Reports wait: ${error instanceof Error ? error.message : error}`,
      );
      // Once, however long it lasts.
      if (found !== trouble && found !== '') log(found);
      trouble = found;
      await delay(everyMs, undefined, { signal: ending.signal }).catch(() => undefined);
    }
  }

  const watching = watch();
  return {
    close: () => {
      ending.abort();
      return watching;
    },
  };
}
