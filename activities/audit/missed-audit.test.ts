import { describe, expect, it } from 'vitest';
import { writtenBy } from '../../cli/testing.ts';
import { readEnvironment } from '../../cli/environment.ts';
import { alertsCommand } from '../../cli/watch/alerts-command.ts';
import { readAlerts } from '../../stores/alerts.ts';
import { readLedger } from '../../stores/ledger.ts';
import type { Context } from '../context.ts';
import { benchContext, testCharter, withBench } from '../events/testing.ts';
import { registerCharter } from '../registry/charters.ts';
import { slackMessage } from '../watch/tell-receiver.ts';
import { followUpFindings } from './follow-up.ts';
import { runAudit } from './run-audit.ts';

const [minuteMs, dayMs] = [60_000, 86_400_000];
const startMs = Date.UTC(2026, 2, 20, 12);

type World = { context: Context; root: string; follow: (days: number) => ReturnType<typeof followUpFindings>; audit: (days: number) => Promise<unknown> };

/** A surface that is to be audited each week, since `startMs`. */
const withSurface = (use: (world: World) => Promise<void>) =>
  withBench(async ({ folder }) => {
    const alerts = { webhook: 'http://127.0.0.1:9/', alertmanager: null };
    const at = (days: number) => benchContext(folder, { now: () => startMs + days * dayMs, alerts });
    await registerCharter(at(0).state, testCharter({ audit: { everyDays: 7 } }), startMs);
    await use({
      context: at(0),
      root: folder,
      follow: (days) => followUpFindings(at(days), { surface: 'home' }),
      audit: (days) =>
        runAudit(at(days), { surface: 'home', by: 'ann', operationId: `audit/${days}` }, { signal: new AbortController().signal, onSection: () => undefined }),
    });
  });

describe('a missed audit', () => {
  it('is an alert, told once, which is over with the next audit', () =>
    withSurface(async ({ context, root, follow, audit }) => {
      const none = { opened: [], closed: [], receivers: ['webhook'] };
      await audit(0);
      expect((await follow(7)).alerts).toEqual(none);
      const { alerts, missed } = await follow(8.5);
      const id = 'audit-up-2026032712';
      expect([alerts, missed]).toEqual([
        { ...none, opened: [id] },
        { sinceMs: startMs, everyDays: 7 },
      ]);
      // Tried again: the same, and nothing new is written.
      expect((await follow(8.5 + minuteMs / dayMs)).alerts?.opened).toEqual([id]);
      expect((await follow(9.5)).alerts).toEqual(none);
      const [found] = await readAlerts(context.state.generations, 'home');
      expect(found).toMatchObject({
        id,
        state: 'open',
        signal: 'audit',
        value: 8.5,
        expected: { value: 7 },
        says: expect.stringContaining('no audit since 2026-03-20'),
      });
      const listed = await writtenBy(() =>
        alertsCommand({ env: readEnvironment({}), cwd: root, now: () => startMs }).parseAsync(['home', '--state', root], { from: 'user' }),
      );
      expect(listed).toContain('no audit since 2026-03-20');
      expect(listed).not.toContain('suspect');
      expect(JSON.stringify(slackMessage(found as NonNullable<typeof found>, 'opened'))).not.toContain('suspect');

      await audit(10);
      expect((await follow(10.5)).alerts).toEqual({ ...none, closed: [id] });
      expect((await follow(11.5)).alerts).toEqual(none);
      expect((await readAlerts(context.state.generations, 'home')).map(({ state }) => state)).toEqual(['resolved']);
      // And the next one that is missed is another.
      expect((await follow(18.5)).alerts?.opened).toEqual(['audit-up-2026040612']);
      const said = (await readLedger(context.state.generations, 'home')).filter(({ action }) => action.startsWith('alert-'));
      expect(said.map(({ action, by }) => [action, by])).toEqual([
        ['alert-opened', 'audit'],
        ['alert-resolved', 'audit'],
        ['alert-opened', 'audit'],
      ]);
    }));

  it('of a surface that was never audited counts from its first charter on', () =>
    withSurface(async ({ context, follow }) => {
      expect((await follow(1)).missed).toBeNull();
      expect(await follow(8.5)).toMatchObject({ missed: { sinceMs: null }, alerts: { opened: ['audit-up-2026032712'] } });
      expect((await readAlerts(context.state.generations, 'home'))[0]?.says).toContain('no audit ever');
    }));
});
