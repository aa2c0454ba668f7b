import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SessionEvent, sessionRules } from '../../models/contracts/session.ts';
import { createRandom } from '../../models/random.ts';
import type { SessionDefinition } from '../../models/sessions/cut-between.ts';
import { type CutSession, sessionize } from '../../models/sessions/sessionize.ts';
import { cases, eventAt } from '../../models/sessions/testing.ts';
import { type Duck, text, withDuck } from '../events/duckdb.ts';
import { sessionizeInDuck } from './sessionize-sql.ts';

const minuteMs = 60_000;

async function bySql(duck: Duck, events: readonly SessionEvent[], definition: SessionDefinition): Promise<CutSession[]> {
  await duck.run('CREATE OR REPLACE TABLE events (unit VARCHAR, event_id VARCHAR, kind VARCHAR, session_id VARCHAR, at_ms BIGINT)');
  const rows = events.map(({ unit, eventId, kind, sessionId, atMs }) => `(${[unit, eventId, kind, sessionId].map(text).join(', ')}, ${atMs})`);
  if (rows.length > 0) await duck.run(`INSERT INTO events VALUES ${rows.join(', ')}`);
  await duck.run('DROP TABLE IF EXISTS sessions');
  await sessionizeInDuck({ duck, relation: 'events', into: 'sessions', ...definition });
  return duck.rows<CutSession>(`
    SELECT unit, id, from_ms::DOUBLE AS "fromMs", to_ms::DOUBLE AS "toMs", events::DOUBLE AS events, true AS closed, begun_by AS "begunBy" FROM sessions`);
}

const inOrder = (sessions: readonly CutSession[]) => sessions.toSorted((a, b) => (a.id < b.id ? -1 : 1));

describe('sessionizeInDuck', () => {
  it('cuts as the definition does, whatever the rules, on odd days in many zones', () =>
    withDuck({ workDir: undefined }, (duck) =>
      fc.assert(
        fc.asyncProperty(cases, async ({ events, ...definition }) => {
          expect(inOrder(await bySql(duck, events, definition))).toEqual(inOrder(sessionize(events, definition)));
        }),
        { numRuns: 150 },
      ),
    ));

  it('follows a run of hundreds of sessions among many of other units', () =>
    withDuck({ workDir: undefined }, async (duck) => {
      const random = createRandom(3);
      const definition = { rules: sessionRules.parse({ gapMs: 10 * minuteMs, maxMs: 30 * minuteMs }), timeZone: 'UTC' };
      const events = Array.from({ length: 6_000 }, (_, index) => {
        const unit = index % 2 === 0 ? 'u:always' : `u:${random.below(100)}`;
        return eventAt(0, { unit, eventId: `e${index}`, atMs: eventAt(0).atMs + random.below(6_000) * minuteMs });
      });
      const sessions = inOrder(await bySql(duck, events, definition));
      expect(sessions).toEqual(inOrder(sessionize(events, definition)));
      expect(sessions.filter(({ unit, begunBy }) => unit === 'u:always' && begunBy === 'maximum').length).toBeGreaterThan(150);
    }));

  it('leaves nothing behind but its table', () =>
    withDuck({ workDir: undefined }, async (duck) => {
      const definition = { rules: sessionRules.parse({ maxMs: minuteMs }), timeZone: 'UTC' };
      await bySql(duck, [eventAt(0), eventAt(5)], definition);
      expect(await duck.rows('SELECT table_name FROM duckdb_tables() ORDER BY table_name')).toEqual([{ table_name: 'events' }, { table_name: 'sessions' }]);
    }));
});
