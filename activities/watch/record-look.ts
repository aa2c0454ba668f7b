import { type Alert, type AlertMoment, alert, alertSeries, type ReceiverName, type WatchLook, type WatchRequest } from '../../models/contracts/alert.ts';
import { watchDefaults } from '../../models/contracts/charter-watch.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { WatchState } from '../../models/contracts/watch-state.ts';
import { putDocument } from '../../stores/blobs.ts';
import { appendLedger } from '../../stores/ledger.ts';
import { type Context, readCharter, readLatest, type State } from '../context.ts';
import { recordDecisionsIfPossible } from '../provenance/record-decisions.ts';
import { configuredReceivers } from './alert-receivers.ts';
import { lookAtSurface } from './watch-surface.ts';
import { latestWatch, watchSeries } from './watch-history.ts';

/**
 * One look at a surface, recorded: the next generation of `watch/<surface>`, each alert that opened or closed, and the ledger's word on it. Asked again for the same
 * look it answers the same, and finishes what a killed one left.
 */
export async function watchSurface(context: Context, { surface, look }: WatchRequest, hooks: { signal?: AbortSignal } = {}): Promise<WatchLook> {
  const { state } = context;
  const last = await latestWatch(state.generations, surface);
  // Alerts follow from the generation that names them: whoever died between the two is made up for here.
  if (last !== undefined) await recordAlerts(context, last);
  // What was ordered without a key has its line within the hour.
  await recordDecisionsIfPossible(state, surface);
  if (last?.look === look) return lookOf(context, last);
  const looked = await lookAtSurface(state, { surface, look, atMs: context.now(), ...hooks });
  if (looked === undefined) return { generation: last?.generation ?? 0, measuredToMs: last?.measuredToMs ?? 0, opened: [], closed: [], receivers: [] };
  const next: WatchState = { ...looked.state, fits: looked.fits === null ? null : await putDocument(state.blobs, looked.fits) };
  try {
    await state.generations.create(watchSeries(surface), next.generation, next);
  } catch (error) {
    // Another look was there first, and has measured these hours.
    if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
    return { generation: next.generation, measuredToMs: next.measuredToMs, opened: [], closed: [], receivers: [] };
  }
  await recordAlerts(context, next);
  return lookOf(context, next);
}

async function lookOf(context: Context, { generation, measuredToMs, opened, closed, charter }: WatchState): Promise<WatchLook> {
  const rules = (await readCharter(context.state.blobs, charter)).watch ?? watchDefaults;
  const there: ReceiverName[] = configuredReceivers(context.alerts).filter((name) => rules.receivers.includes(name));
  return {
    generation,
    measuredToMs,
    opened: opened.map(({ id, signal, sinceMs, openedAtMs }) => ({ alert: id, signal, fromMs: sinceMs, toMs: openedAtMs })),
    closed: closed.map((one) => one.alert),
    receivers: there,
  };
}

async function recordAlerts(context: Context, { surface, opened, closed }: WatchState): Promise<void> {
  const { generations } = context.state;
  for (const one of opened) {
    await generations.create(alertSeries(surface, one.id), 1, one);
    await toLedger(context, { found: one, moment: 'opened', atMs: one.openedAtMs });
  }
  for (const { alert: id, atMs } of closed) {
    const found = await changeAlert(context.state, { surface, id }, (before) => ({ ...before, state: 'resolved', resolvedAtMs: before.resolvedAtMs ?? atMs }));
    await toLedger(context, { found, moment: 'resolved', atMs });
  }
}

/** Writes the alert's next number; none where nothing changes. @throws UND-NOT-FOUND */
export async function changeAlert(
  { generations }: Pick<State, 'generations'>,
  of: { surface: string; id: string },
  change: (before: Alert) => Alert,
): Promise<Alert> {
  const series = alertSeries(of.surface, of.id);
  for (;;) {
    const latest = await readLatest(generations, series, alert);
    if (latest === undefined) throw new UnderstudyError('UND-NOT-FOUND', `${of.surface} has no alert ${of.id}`);
    const next = change(latest.document);
    if (JSON.stringify(next) === JSON.stringify(latest.document)) return next;
    try {
      await generations.create(series, latest.generation + 1, next);
      return next;
    } catch (error) {
      if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
    }
  }
}

/** The ledger's word on an alert, by whoever saw it. */
export async function toLedger(
  { state }: { state: Pick<State, 'generations'> },
  { found, moment, atMs, by = 'watch' }: { found: Alert; moment: AlertMoment; atMs: number; by?: string },
): Promise<void> {
  const { id, surface, signal, part, says, value, expected, suspect } = found;
  await appendLedger(state.generations, {
    operationId: `alert/${id}/${moment}`,
    atMs,
    surface,
    action: `alert-${moment}`,
    by,
    releaseId: null,
    detail: { alert: id, signal, part, says, value, expected: expected.value, suspect: suspect?.what ?? null },
  });
}
