import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { slate } from '../../experiments/canary/testing-log.ts';
import type { ImpactReport } from '../../models/contracts/audit-measures.ts';
import type { Event } from '../../models/contracts/event.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { createRandom } from '../../models/random.ts';
import { openLogWriter } from '../../stores/event-log-files.ts';
import { openState } from '../context.ts';
import { testCharter, withBench } from '../events/testing.ts';
import { measureDisparateImpact } from './measure-disparate-impact.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 5);
const dayMs = 86_400_000;

type Visitor = { country: string; visits: number };

/** Whoever comes buys from one slate in three, whoever they are; what they bought stands in their history. */
const measured = (visitors: readonly Visitor[]): Promise<ImpactReport> =>
  withBench(async ({ folder }) => {
    const random = createRandom(seed);
    const [slates, events]: [SlateRecord[], Event[]] = [[], []];
    for (const [user, { country, visits }] of visitors.entries()) {
      const history: string[] = [];
      for (let visit = 0; visit < visits; visit += 1) {
        const requestId = `q${user}-${visit}`;
        const atMs = startMs + visit * dayMs + user * 1000;
        const segment = history.length === 0 ? 'new' : 'known';
        const items = [`i${visit}`, `j${visit}`];
        slates.push(
          slate({ unit: `u:${user}`, atMs, requestId, items, history: [...history], historyWeights: history.map(() => 1), segment, context: { country } }),
        );
        if (random.float() > 1 / 3) continue;
        const itemId = items[0] as string;
        history.push(itemId);
        const who = { surface: 'home', userId: `${user}`, sessionId: `s${user}`, requestId };
        events.push({ schemaVersion: 1, eventId: `e${user}-${visit}`, kind: 'purchase', itemId, atMs: atMs + 1000, ...who });
      }
    }
    for (const [stream, records] of Object.entries({ slates, events })) {
      const writer = await openLogWriter({ directory: join(folder, 'log', 'home', stream), writer: 'a' });
      await writer.append(records);
      await writer.close();
    }
    const charter = testCharter({
      reward: { weights: { purchase: 1 }, attributionMs: 3_600_000, capPerUnit: 2 },
      evaluation: { segments: [{ by: 'events', bounds: [1, 2] }], minSegmentUsers: 100 },
    });
    const input = { surface: 'home', charter, fromMs: startMs, toMs: startMs + 30 * dayMs, signal: new AbortController().signal };
    return measureDisparateImpact({ state: openState(folder) }, input);
  });

const rewards = ({ impact }: ImpactReport, column: string) =>
  impact.groups
    .filter(({ columns }) => columns.join() === column)
    .map(({ values, units, measures }) => ({ value: values[0], units, ...measures.find(({ name }) => name === 'reward') }));

describe('groups of users', () => {
  it('are told apart by what they were before the slates, not by what came of them', async () => {
    const report = await measured(Array.from({ length: 900 }, () => ({ country: 'at', visits: 4 })));
    // By their last slates, whoever bought nothing would be a group of its own, which got nothing.
    expect(rewards(report, 'segment').map(({ value, units }) => [value, units])).toEqual([['new', 900]]);
    expect(rewards(report, 'events')).toHaveLength(1);
    expect(report.impact.verdict).toBe('not-enough-evidence');
  });

  it('get what a slate brings, so that whoever comes less often gets no less for that', { timeout: 60_000 }, async () => {
    const report = await measured(Array.from({ length: 6000 }, (_, user) => (user % 2 === 0 ? { country: 'at', visits: 6 } : { country: 'it', visits: 2 })));
    const [at, it] = rewards(report, 'country');
    expect([at?.value, it?.value]).toEqual(['at', 'it']);
    for (const one of [at, it]) {
      expect(one?.mean?.low).toBeLessThan(1 / 3);
      expect(one?.mean?.high).toBeGreaterThan(1 / 3);
      expect(one?.verdict).toBe('holds');
    }
  });
});
