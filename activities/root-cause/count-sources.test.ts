import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { digestBytes } from '../../models/contracts/digest.ts';
import { putDocument } from '../../stores/blobs.ts';
import { columnMapping } from '../events/column-mapping.ts';
import { ingestSource } from '../events/ingest-source.ts';
import { benchContext, quietBeat, testCharter, withBench } from '../events/testing.ts';
import { registerCharter } from '../registry/charters.ts';
import { addDays } from '../windows/days.ts';
import { lookForCause } from './find-cause.ts';

const hourMs = 3_600_000;
const firstDay = '2026-03-02';
const days = 12;
const ordersAnHour = 20;

/** Orders of a day, as many each hour; those of `broken` say what they are in another word. */
const rowsOf = (day: string, broken = false) =>
  Array.from({ length: 24 * ordersAnHour }, (_, number) => {
    const hour = String(Math.floor(number / ordersAnHour)).padStart(2, '0');
    return `u${number % 40},i${number % 7},${day} ${hour}:${String(number % 60).padStart(2, '0')}:00,${broken && number % 2 === 0 ? 'kauf' : 'purchase'}`;
  });

/** A file a day, which comes at three in the next morning; all but the last ones as they should be. */
async function withOrders<T>(last: 'missing' | 'broken' | 'whole', use: (context: ReturnType<typeof benchContext>) => Promise<T>): Promise<T> {
  return withBench(async ({ folder }) => {
    const clock = { atMs: 0 };
    const context = benchContext(join(folder, 'state'), { now: () => clock.atMs });
    const charter = testCharter({ timeZone: 'UTC' });
    await registerCharter(context.state, charter, 0);
    const { blobs } = context.state;
    const given = { surface: 'home', charter: await putDocument(blobs, charter), endsAt: null };
    const mapping = await putDocument(blobs, columnMapping({ user: 'user', item: 'item', at: 'at', kind: 'kind', kinds: { purchase: 'purchase' } }));
    for (let number = 0; number < days; number += 1) {
      const isLast = number === days - 1;
      if (isLast && last === 'missing') break;
      const day = addDays(firstDay, number);
      const content = `user,item,at,kind\n${rowsOf(day, isLast && last === 'broken').join('\n')}\n`;
      const path = join(folder, `${day}.csv`);
      await writeFile(path, content);
      clock.atMs = Date.parse(`${day}T00:00:00Z`) + 27 * hourMs;
      await ingestSource(context, { ...given, mapping, source: { path, name: 'orders', digest: digestBytes(content) } }, quietBeat);
    }
    return use(context);
  });
}

/** Seen from the next afternoon, when the day's file has come long since; or on the day itself, when it has not. */
const look = (context: ReturnType<typeof benchContext>, seenAfterHours: number) => {
  const fromMs = Date.parse(`${addDays(firstDay, days - 1)}T09:00:00Z`);
  const toMs = fromMs + 3 * hourMs;
  return lookForCause(
    context,
    { surface: 'home', alert: null, signal: null, fromMs, toMs, atMs: toMs + seenAfterHours * hourMs, promotion: null, exact: false },
    quietBeat,
  );
};
const ordersNow = ({ facts }: Awaited<ReturnType<typeof look>>) =>
  facts.events.filter((row) => facts.units[row.unit]?.now === true).reduce((sum, { accepted }) => sum + accepted, 0);

it('a file that did not come is missing, when it should have come', async () => {
  await withOrders('missing', async (context) => {
    const found = await look(context, 27);
    expect(ordersNow(found)).toBe(0);
    expect(found.facts.events.filter((row) => row.accepted === 3 * ordersAnHour).length).toBeGreaterThanOrEqual(7);
    expect(found.diagnosis.suspects[0]).toMatchObject({ cause: 'missing-source', where: { source: 'orders', kind: 'purchase' } });
  });
});

it('a file that is not due yet is not missing: of earlier days counts what was there as early', async () => {
  await withOrders('missing', async (context) => {
    const found = await look(context, 1);
    expect(found.facts.events).toEqual([]);
    expect(found.diagnosis.suspects).toEqual([]);
  });
});

it('a file with a word that nobody knows is a change of the schema', async () => {
  await withOrders('broken', async (context) => {
    const found = await look(context, 27);
    expect(ordersNow(found)).toBe((3 * ordersAnHour) / 2);
    expect(found.diagnosis.suspects[0]).toMatchObject({ cause: 'schema', where: { source: 'orders' } });
    expect(found.diagnosis.mend?.action).toBe('replay-quarantine');
  });
});

it('a file like all others is none of it', async () => {
  await withOrders('whole', async (context) => {
    const found = await look(context, 27);
    expect(ordersNow(found)).toBe(3 * ordersAnHour);
    expect(found.diagnosis.suspects).toEqual([]);
  });
});
