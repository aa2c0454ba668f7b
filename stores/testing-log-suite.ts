import { fork } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LogCursor, LogReader, SealedSegment } from './event-log.ts';
import type { KafkaSettings } from './kafka/kafka-settings.ts';
import { type Logs, openLogs } from './open-logs.ts';
import { beginLife } from './life.ts';

/** How another process opens the same logs. */
export type LogPlace = { stateDir: string; kafka: KafkaSettings | undefined };
export type WriterProcess = { where: LogPlace; surface: string; writer: string; from: number };
type Numbered = { writer: string; number: number };

/** JSON as it may come in, with the characters that some take for the end of a line. */
const anyValue = fc.oneof(fc.jsonValue(), fc.string({ unit: fc.constantFrom('a', '\u2028', '\u2029', '\u0085', '\r', '\n', 'é', '🎩') }));
const writerProgram = join(import.meta.dirname, 'testing-log-writer.ts');

export type StartLogs = () => Promise<{ where: LogPlace; stop: () => Promise<void> }>;

/** Logs for the tests of a `describe`: `fresh` gives a stream that nobody else has. */
export function useLogs(start: StartLogs) {
  let where: LogPlace;
  let logs: Logs;
  let stop: () => Promise<void>;
  beforeAll(async () => {
    ({ where, stop } = await start());
    logs = openLogs(where);
  });
  afterAll(async () => {
    await logs.close();
    await stop();
  });
  return {
    place: () => where,
    fresh() {
      const of = { surface: `s-${randomUUID()}`, stream: 'events' as const };
      return {
        surface: of.surface,
        open: (writer = 'r1', life = beginLife()) => logs.openWriter({ ...of, writer, life }),
        reader: () => logs.reader(of),
      };
    },
  };
}

/** What every event log must do. `numRuns`: of what is drawn at random. */
export function eventLogSuite(kind: string, numRuns: number, start: StartLogs): void {
  describe(`the event log on ${kind}`, () => {
    const { place, fresh } = useLogs(start);

    it('gives back what was acknowledged, in order, through seals and a new life', async () => {
      const step = fc.oneof(fc.constant('seal' as const), fc.constant('reopen' as const), fc.array(anyValue, { maxLength: 5 }));
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
          const { open, reader } = fresh();
          const follower = reader();
          let log = await open();
          let cursor: LogCursor = {};
          const expected: unknown[] = [];
          const followed: unknown[] = [];
          for (const step of steps) {
            if (step === 'seal') await log.seal();
            else if (step === 'reopen') {
              await log.close();
              log = await open();
            } else {
              const records = step.map((value, index) => ({ index, value: JSON.parse(JSON.stringify(value)) }));
              await log.append(records);
              expected.push(...records);
            }
            const tailed = await follower.tail(JSON.parse(JSON.stringify(cursor)));
            cursor = tailed.cursor;
            followed.push(...tailed.records);
          }
          await log.close();
          expect(await everythingSealed(reader())).toEqual(expected);
          expect(followed).toEqual(expected);
          expect((await reader().tail({})).records).toEqual(expected);
        }),
        { numRuns },
      );
    });

    it('has what was acknowledged after its writer was killed, and nothing half', async () => {
      const { surface, open, reader } = fresh();
      let from = 0;
      for (let killed = 0; killed < 3; killed += 1) {
        const acknowledged = await writeUntilKilled({ where: place(), surface, writer: 'r1', from }, 40);
        // Open segments of the dead are read as well.
        const numbers = ((await reader().tail({})).records as Numbered[]).map(({ number }) => number);
        expect(numbers.length).toBeGreaterThanOrEqual(acknowledged);
        expect(numbers).toEqual(numbers.map((_, place) => place));
        from = numbers.length;
      }
      const heir = await open();
      await heir.append([{ writer: 'r1', number: from }]);
      await heir.close();
      const kept = (await everythingSealed(reader())) as Numbered[];
      expect(kept.map(({ number }) => number)).toEqual(Array.from({ length: from + 1 }, (_, number) => number));
    });

    it('pins with a seal what reads the same for ever, by the digest of its lines', async () => {
      const { open, reader } = fresh();
      const log = await open();
      const records = [{ id: 1, text: 'é\u2028' }, { id: 2 }];
      await log.append(records);
      const sealed = await log.seal();
      const lines = records.map((record) => `${JSON.stringify(record)}\n`).join('');
      const digest = `sha256:${createHash('sha256').update(lines).digest('hex')}`;
      expect(sealed).toEqual({ name: expect.stringMatching(/^r1-00000001~/), digest, records: 2, bytes: Buffer.byteLength(lines) });
      expect(await reader().sealed()).toEqual([sealed]);
      await log.append([{ id: 3 }]);
      await log.seal();
      await log.append([{ id: 4 }]);
      const [first, second] = await reader().sealed();
      expect(first).toEqual(sealed);
      expect(await read(reader(), [sealed as SealedSegment])).toEqual(records);
      expect(await read(reader(), [second as SealedSegment])).toEqual([{ id: 3 }]);
      await log.close();
      expect(await read(reader(), [sealed as SealedSegment])).toEqual(records);
    });

    it('refuses a segment that is not what its seal says, behind its records, and one that is not there', async () => {
      const { open, reader } = fresh();
      const log = await open();
      await log.append([{ id: 1 }]);
      const sealed = (await log.seal()) as SealedSegment;
      await log.close();
      const records: unknown[] = [];
      const altered = async () => {
        for await (const record of reader().read([{ ...sealed, digest: `sha256:${'0'.repeat(64)}` }])) records.push(record);
      };
      await expect(altered()).rejects.toMatchObject({ code: 'UND-DIGEST' });
      expect(records).toEqual([{ id: 1 }]);
      await expect(read(reader(), [{ ...sealed, name: sealed.name.replace('00000001', '00000009') }])).rejects.toMatchObject({ code: 'UND-DIGEST' });
    });

    it('gives a reader that follows two writers everything, each in order, and nothing twice', async () => {
      const { open, reader } = fresh();
      const follower = reader();
      const total = 120;
      const write = async (writer: string) => {
        const log = await open(writer);
        for (let number = 0; number < total; number += 3) {
          await log.append([0, 1, 2].map((place) => ({ writer, number: number + place })));
          if (number % 30 === 0) await log.seal();
        }
        return log;
      };
      let done = false;
      const writing = Promise.all([write('r1'), write('r1-b')]).finally(() => {
        done = true;
      });
      const seen: Numbered[] = [];
      let cursor: LogCursor = {};
      for (let last = false; !last; ) {
        last = done;
        const tailed = await follower.tail(cursor);
        cursor = tailed.cursor;
        seen.push(...(tailed.records as Numbered[]));
      }
      for (const log of await writing) await log.close();
      const everyNumber = Array.from({ length: total }, (_, number) => number);
      for (const writer of ['r1', 'r1-b']) expect(seen.filter((one) => one.writer === writer).map(({ number }) => number)).toEqual(everyNumber);
      expect(seen).toHaveLength(2 * total);
      for (const segment of await reader().sealed()) {
        const writers = new Set(((await read(reader(), [segment])) as Numbered[]).map((one) => one.writer));
        expect([...writers]).toEqual([segment.name.replace(/-\d{8}~.*$/, '')]);
      }
      expect(await everythingSealed(reader())).toHaveLength(2 * total);
    });

    it('gives two lives of one writer segments of their own, each in the order of its numbers', async () => {
      const { open, reader } = fresh();
      const first = await open();
      await first.append([{ id: 'a1' }]);
      const second = await open();
      await Promise.all([first.append([{ id: 'a2' }]), second.append([{ id: 'b1' }])]);
      await second.seal();
      await first.append([{ id: 'a3' }]);
      await first.seal();
      await second.append([{ id: 'b2' }]);
      await first.append([{ id: 'a4' }]);
      await Promise.all([first.close(), second.close()]);
      const ids = ((await everythingSealed(reader())) as { id: string }[]).map(({ id }) => id);
      expect([...ids].sort()).toEqual(['a1', 'a2', 'a3', 'a4', 'b1', 'b2']);
      const names = (await reader().sealed()).map(({ name }) => name);
      for (const life of new Set(names.map((name) => name.replace(/^.*~/, '')))) {
        const own = names.filter((name) => name.endsWith(`~${life}`));
        expect(own).toEqual([...own].sort());
      }
    });

    it('lets one that slept acknowledge nothing that only it can see, and go on in another segment', async () => {
      const { open, reader } = fresh();
      const life = beginLife();
      const sleeper = await open('r1', life);
      await sleeper.append([{ id: 1 }]);
      // Taken for dead, as a process on another machine is that is silent for long.
      life.end();
      const heir = await open();
      expect(await everythingSealed(reader())).toEqual([{ id: 1 }]);
      await expect(sleeper.append([{ id: 'lost' }])).rejects.toMatchObject({ code: 'UND-LOG-UNAVAILABLE' });
      await sleeper.append([{ id: 2 }]);
      await heir.append([{ id: 3 }]);
      await Promise.all([sleeper.close(), heir.close()]);
      const ids = ((await everythingSealed(reader())) as { id: number }[]).map(({ id }) => id);
      expect(ids.sort()).toEqual([1, 2, 3]);
      expect((await reader().tail({})).records).toHaveLength(3);
    });

    it('takes many appends at once, in their order', async () => {
      const { open, reader } = fresh();
      const log = await open();
      const records = Array.from({ length: 1_000 }, (_, id) => ({ id, text: 'x'.repeat(3_000) }));
      await Promise.all(records.map((record) => log.append([record])));
      expect(log.waitingMs()).toBe(0);
      expect((await reader().tail({})).records).toEqual(records);
      await log.close();
      expect(await everythingSealed(reader())).toEqual(records);
    });

    it('passes over records that do not hold what is looked for, and all of those written before a time', async () => {
      const { open, reader } = fresh();
      const log = await open();
      await log.append([
        { id: 1, release: 'a' },
        { id: 2, release: 'b' },
      ]);
      await log.append([{ id: 3, release: 'a' }]);
      expect((await reader().tail({}, { containing: '"release":"a"' })).records).toEqual([
        expect.objectContaining({ id: 1 }),
        expect.objectContaining({ id: 3 }),
      ]);
      const later = await reader().tail({}, { writtenSinceMs: Date.now() + 3_600_000 });
      expect(later.records).toEqual([]);
      expect((await reader().tail({}, { writtenSinceMs: Date.now() - 3_600_000 })).records).toHaveLength(3);
      await log.close();
    });

    it('is empty before anybody has written, seals nothing where nothing is, and acknowledges nothing once it is closed', async () => {
      const { open, reader } = fresh();
      expect(await reader().sealed()).toEqual([]);
      expect((await reader().tail({})).records).toEqual([]);
      await expect(open('../r1')).rejects.toMatchObject({ code: 'UND-INPUT' });
      const log = await open();
      await log.append([]);
      expect(await log.seal()).toBeUndefined();
      await log.close();
      await expect(log.append([{ id: 1 }])).rejects.toMatchObject({ code: 'UND-LOG-UNAVAILABLE' });
      expect(await reader().sealed()).toEqual([]);
    });
  });
}

async function read(reader: LogReader, segments: readonly SealedSegment[]): Promise<unknown[]> {
  const records: unknown[] = [];
  for await (const record of reader.read(segments)) records.push(record);
  return records;
}

export const everythingSealed = async (reader: LogReader): Promise<unknown[]> => read(reader, await reader.sealed());

/** Kills it in the middle of an append, most likely. @returns how many records it had acknowledged, at least */
async function writeUntilKilled(what: WriterProcess, atLeast: number): Promise<number> {
  const child = fork(writerProgram, [JSON.stringify(what)]);
  const ended = once(child, 'exit');
  let acknowledged = what.from;
  child.on('message', (message) => {
    acknowledged = (message as { acknowledged: number }).acknowledged;
    if (acknowledged >= what.from + atLeast) child.kill('SIGKILL');
  });
  const [, signal] = await ended;
  expect(signal).toBe('SIGKILL');
  return acknowledged;
}
