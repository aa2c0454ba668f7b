import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogCursor, LogScan, LogWriter } from './event-log.ts';
import { beginLife } from './life.ts';
import { type StartLogs, useLogs } from './testing-log-suite.ts';

type Of = { id: number | string };
const idsOf = (records: readonly unknown[]) => (records as Of[]).map(({ id }) => id);

/** What a serving replica needs of every event log: what was written before it began, and what others write while it runs. */
export function logReadingSuite(kind: string, numRuns: number, start: StartLogs): void {
  describe(`the event log on ${kind}, read by a replica`, () => {
    const { fresh: stream } = useLogs(start);

    const fresh = () => {
      const { open, reader } = stream();
      return {
        open,
        reader,
        async scan(options: Partial<LogScan> = {}): Promise<{ ids: Of['id'][]; cursor: LogCursor; damaged: string[] }> {
          const taken: unknown[] = [];
          const damaged: string[] = [];
          const cursor = await reader().scan({ take: (record) => taken.push(record), onDamaged: ({ segment }) => damaged.push(segment), ...options });
          return { ids: idsOf(taken), cursor: JSON.parse(JSON.stringify(cursor)), damaged };
        },
      };
    };
    const appendAll = async (log: LogWriter, ...ids: Of['id'][]) => log.append(ids.map((id) => ({ id })));

    it('gives the newest part of what was written, oldest first, and where to go on', async () => {
      const { open, scan, reader } = fresh();
      expect(await scan()).toMatchObject({ ids: [], damaged: [] });
      const log = await open();
      await appendAll(log, 1, 2, 3);
      await log.seal();
      await appendAll(log, 4, 5, 6);
      await log.seal();
      await appendAll(log, 7);
      // What is acknowledged is known at the latest a moment later.
      await expect.poll(async () => (await scan()).ids, { timeout: 10_000 }).toEqual([1, 2, 3, 4, 5, 6, 7]);
      const newest = await scan({ atLeast: 3 });
      expect(newest).toMatchObject({ ids: [4, 5, 6, 7], damaged: [] });
      await appendAll(log, 8);
      await log.seal();
      await appendAll(log, 9);
      expect(idsOf((await reader().tail(newest.cursor)).records)).toEqual([8, 9]);
      expect((await scan({ writtenSinceMs: Date.now() - 3_600_000 })).ids.slice(0, 8)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
      await log.close();
      expect((await scan({ writtenSinceMs: Date.now() + 3_600_000 })).ids).toEqual([]);
      expect((await scan({ containing: '"id":4' })).ids).toEqual([4]);
    });

    it('gives, before and behind its cursor together, everything once, whenever it is read and by however many it is written', async () => {
      const step = fc.record({ writer: fc.nat(2), what: fc.constantFrom('append', 'append', 'append', 'seal', 'reopen') });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 14 }), fc.nat(14), async (steps, scanAt) => {
          const { open, scan, reader } = fresh();
          const writers = await Promise.all(['r1', 'r2', 'r3'].map((name) => open(name)));
          const written: string[][] = [[], [], []];
          let before: Awaited<ReturnType<typeof scan>> | undefined;
          for (const [at, { writer, what }] of steps.entries()) {
            if (at === scanAt) before = await scan();
            const log = writers[writer] as LogWriter;
            if (what === 'seal') await log.seal();
            else if (what === 'reopen') {
              await log.close();
              writers[writer] = await open(`r${writer + 1}`);
            } else {
              const ids = [`${writer}/${at}/a`, `${writer}/${at}/b`];
              await appendAll(log, ...ids);
              written[writer]?.push(...ids);
            }
          }
          const { ids, cursor } = before ?? (await scan());
          const followed: unknown[] = [];
          const mine = beginLife();
          const follower = reader().follow({ cursor, life: mine });
          await follower.look((text) => followed.push(JSON.parse(text)));
          for (const log of writers) await log.close();
          await follower.look((text) => followed.push(JSON.parse(text)));
          mine.end();
          const seen = [...ids, ...idsOf(followed)];
          for (const [writer, expected] of written.entries()) expect(seen.filter((id) => String(id).startsWith(`${writer}/`))).toEqual(expected);
          expect(seen).toHaveLength(written.flat().length);
        }),
        { numRuns },
      );
    });

    it('follows what other lives write, over seals, soon after it is acknowledged, and never what it has read or its own', async () => {
      const { open, reader } = fresh();
      const [mine, theirs] = [beginLife(), beginLife()];
      const own = await open('r1', mine);
      const other = await open('r2', theirs);
      await Promise.all([appendAll(own, 'own'), appendAll(other, 1)]);
      const follower = reader().follow({ cursor: {}, life: mine });
      const seen: unknown[] = [];
      const look = async () => {
        await follower.look((text) => seen.push(JSON.parse(text).id));
        return seen;
      };
      await expect.poll(look, { timeout: 10_000 }).toEqual([1]);
      await appendAll(other, 2);
      await other.seal();
      expect(await look()).toEqual([1, 2]);
      await appendAll(other, 3, 4, 5);
      await own.seal();
      await appendAll(other, 6);
      await expect.poll(look, { timeout: 10_000 }).toEqual([1, 2, 3, 4, 5, 6]);
      await Promise.all([own.close(), other.close()]);
      expect(await look()).toEqual([1, 2, 3, 4, 5, 6]);
    });
  });
}
