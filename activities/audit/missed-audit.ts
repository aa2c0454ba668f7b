import { type Alert, type AlertTurns, alert, alertSeries } from '../../models/contracts/alert.ts';
import { auditReport } from '../../models/contracts/audit.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { charterGeneration } from '../../models/contracts/charter-generation.ts';
import { watchDefaults } from '../../models/contracts/charter-watch.ts';
import { alertSignals } from '../../models/contracts/signal.ts';
import { readAlerts } from '../../stores/alerts.ts';
import { parseGeneration } from '../../stores/generations.ts';
import { type Context, readLatest } from '../context.ts';
import { configuredReceivers } from '../watch/alert-receivers.ts';
import { changeAlert, toLedger } from '../watch/record-look.ts';

const [hourMs, dayMs] = [3_600_000, 86_400_000];
type Asked = { surface: string; charter: Charter; everyDays: number; atMs: number };
type MissedContext = Pick<Context, 'state' | 'alerts'>;

/**
 * Is an audit overdue? One day late is let pass. Of a surface that was never audited the time counts from its first charter on. A missed audit is an alert of the signal `audit`, one for each
 * time that there was none; it is over with the next audit. Asked again within the hour it names the same alerts: whoever is told is told once.
 */
export async function missedAudit(
  context: MissedContext,
  { surface, charter, everyDays, atMs }: Asked,
): Promise<{ isMissed: boolean; sinceMs: number | null; alerts: AlertTurns }> {
  const { generations } = context.state;
  const last = (await readLatest(generations, `audit/${surface}`, auditReport))?.document.atMs ?? null;
  const sinceMs = last ?? (await firstCharterMs(context, surface));
  const isMissed = atMs - sinceMs > (everyDays + 1) * dayMs;
  const due = new Date(sinceMs + everyDays * dayMs).toISOString().slice(0, 13).replaceAll(/[-T]/g, '');
  const id = `audit-up-${due}`;
  const known = (await readAlerts(generations, surface)).filter(({ signal }) => signal === 'audit');
  if (isMissed && !known.some((one) => one.id === id)) {
    const found = alertOf({ id, surface, sinceMs, last, everyDays, atMs });
    await generations.create(alertSeries(surface, id), 1, alert.parse(found));
    known.push(found);
  }
  for (const [place, one] of known.entries()) {
    if (one.state === 'open' && !(isMissed && one.id === id))
      known[place] = await changeAlert(context.state, { surface, id: one.id }, (before) => ({
        ...before,
        state: 'resolved',
        resolvedAtMs: before.resolvedAtMs ?? atMs,
      }));
  }
  const isFresh = (one: number | null): boolean => one !== null && atMs - one < hourMs;
  const opened = known.filter(({ openedAtMs }) => isFresh(openedAtMs));
  const closed = known.filter(({ resolvedAtMs }) => isFresh(resolvedAtMs));
  for (const found of opened) await toLedger(context, { found, moment: 'opened', atMs: found.openedAtMs, by: 'audit' });
  for (const found of closed) await toLedger(context, { found, moment: 'resolved', atMs: found.resolvedAtMs ?? atMs, by: 'audit' });
  const rules = charter.watch ?? watchDefaults;
  const receivers = configuredReceivers(context.alerts).filter((name) => rules.receivers.includes(name));
  return { isMissed, sinceMs: last, alerts: { opened: opened.map((one) => one.id), closed: closed.map((one) => one.id), receivers } };
}

async function firstCharterMs({ state }: MissedContext, surface: string): Promise<number> {
  const series = `charter/${surface}`;
  return parseGeneration(charterGeneration, { series, generation: 1, document: await state.generations.read(series, 1) }).atMs;
}

type Missed = { id: string; surface: string; sinceMs: number; last: number | null; everyDays: number; atMs: number };

function alertOf({ id, surface, sinceMs, last, everyDays, atMs }: Missed): Alert {
  const since = new Date(sinceMs).toISOString().slice(0, 10);
  return {
    ...{ kind: 'alert', id, surface, signal: 'audit', part: '', direction: 'up', state: 'open' },
    ...{ sinceMs: sinceMs + everyDays * dayMs, openedAtMs: atMs, resolvedAtMs: null },
    value: (atMs - sinceMs) / dayMs,
    expected: { value: everyDays, low: 0, high: everyDays + 1 },
    unit: alertSignals.audit.unit,
    says: `no audit ${last === null ? `ever, and there is a charter since ${since}` : `since ${since}`}; one is due every ${everyDays} days: \`understudy audit ${surface}\``,
    ...{ suspect: null, workflowId: null, picture: [] },
  };
}
