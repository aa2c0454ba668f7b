import { removeFiled, waitingReports } from '../../stores/report-inbox.ts';
import { latestReport } from '../../stores/reports.ts';
import type { Context } from '../context.ts';
import { lookAgain, type Watching } from '../look-again.ts';

const everyMs = 500;
/** Whatever keeps a workflow from taking its report up: it is said, and tried again. */
const againAfterMs = 30_000;
const startsAtOnce = 16;

/**
 * Starts the workflow of each report that was filed, within a second, for as long as a control worker runs. Several workers may find the same one: its workflow's id
 * is its own. While Temporal is down reports wait.
 */
export function watchInbox({ state, startReport, now, log }: Pick<Context, 'state' | 'startReport' | 'now' | 'log'>): Watching {
  const begunAt = new Map<string, number>();

  async function look(signal: AbortSignal): Promise<void> {
    const waiting = await waitingReports(state.root);
    const ids = new Set(waiting.map(({ id }) => id));
    for (const id of begunAt.keys()) if (!ids.has(id)) begunAt.delete(id);
    const due = waiting.filter(({ id }) => now() - (begunAt.get(id) ?? Number.NEGATIVE_INFINITY) >= againAfterMs);
    for (let from = 0; from < due.length && !signal.aborted; from += startsAtOnce)
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

  return lookAgain(everyMs, { look, log, what: 'Reports wait' });
}
