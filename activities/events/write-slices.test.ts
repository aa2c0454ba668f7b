import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withDuck } from './duckdb.ts';
import { eventColumns, rowTextSql, slicesSql } from './event-columns.ts';
import { withBench } from './testing.ts';
import { daySql, writeSlices } from './write-slices.ts';

/** Zones with days that begin or end oddly, and moments at which they do. */
const oddTimes: [timeZone: string, atMs: number][] = [
  ['Europe/London', Date.UTC(2026, 2, 29, 1)],
  // The clock goes back from a minute past midnight, into the day before.
  ['America/St_Johns', Date.UTC(2006, 9, 29, 2, 31)],
  ['Asia/Kathmandu', Date.UTC(2026, 0, 1, 18, 15)],
  // Until 1972 it was 44 minutes and 30 seconds behind.
  ['Africa/Monrovia', Date.UTC(1972, 0, 7, 0, 44, 30)],
  // There was no 30 December 2011.
  ['Pacific/Apia', Date.UTC(2011, 11, 30, 10)],
];

describe('writeSlices', () => {
  it('puts each row into the file of its day, in order, with the digest of its rows, wherever a day begins', async () => {
    await withBench(async ({ blobs, folder }) => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...oddTimes),
          fc.array(fc.integer({ min: -180_000, max: 180_000 }), { minLength: 1, maxLength: 60 }),
          fc.constantFrom(1_000, 1, 600),
          async ([timeZone, oddMs], seconds, scale) => {
            const times = seconds.map((second) => Math.max(0, oddMs + second * scale));
            await withDuck({ workDir: folder }, async (duck) => {
              await duck.run(`CREATE TABLE rows (${eventColumns.map(({ column, type }) => `${column} ${type}`).join(', ')})`);
              const values = times.map((atMs, nth) => `('e${(nth * 7) % 60}-${nth}', 'view', 's', 'i', ${atMs})`);
              await duck.run(`INSERT INTO rows (event_id, kind, session_id, item_id, at_ms) VALUES ${values.join(', ')}`);
              const slices = await writeSlices({ duck, table: 'rows', timeZone, source: 'events', blobs, onSlice: () => undefined });
              expect(slices.reduce((sum, { rows }) => sum + rows, 0)).toBe(times.length);
              const expected = await duck.rows<{ day: string; hash: string }>(
                `SELECT ${daySql(timeZone)} AS day, sha256(string_agg(${rowTextSql} || chr(30), '' ORDER BY at_ms, event_id)) AS hash FROM rows GROUP BY day ORDER BY day`,
              );
              expect(slices.map(({ day, logicalDigest }) => ({ day, hash: logicalDigest }))).toEqual(
                expected.map(({ day, hash }) => ({ day, hash: `sha256:${hash}` })),
              );
              for (const { day, digest } of slices) {
                const rows = await duck.rows<{ at_ms: string; event_id: string; day: string }>(
                  `SELECT at_ms, event_id, ${daySql(timeZone)} AS day FROM ${slicesSql([await blobs.localPath(digest)])}`,
                );
                expect(new Set(rows.map((row) => row.day))).toEqual(new Set([day]));
                const keys = rows.map((row) => `${row.at_ms.padStart(16, '0')} ${row.event_id}`);
                expect(keys).toEqual(keys.toSorted());
              }
            });
          },
        ),
        { numRuns: 25 },
      );
    });
  });

  it('has the same files for the same rows, in whatever order they stand', async () => {
    await withBench(async ({ blobs, folder }) => {
      const rows = (order: string) => `
        SELECT 'e' || range AS event_id, 'view' AS kind, 'u' || range % 50 AS user_id, 's' AS session_id, 'i' AS item_id, 1767600000000 + range * 20000 AS at_ms,
          ${eventColumns
            .slice(6)
            .map(({ column, type }) => `NULL::${type} AS ${column}`)
            .join(', ')}
        FROM range(20000) ORDER BY ${order}`;
      const written = await Promise.all(
        ['range', 'hash(range)'].map((order) =>
          withDuck({ workDir: folder }, async (duck) => {
            await duck.run(`CREATE TABLE rows AS ${rows(order)}`);
            return writeSlices({ duck, table: 'rows', timeZone: 'UTC', source: 'events', blobs, onSlice: () => undefined });
          }),
        ),
      );
      expect(written[0]).toHaveLength(5);
      expect(written[1]).toEqual(written[0]);
    });
  });

  it('has one digest of all rows of a day, of however many row groups its file is', async () => {
    await withBench(async ({ blobs, folder }) => {
      await withDuck({ workDir: folder }, async (duck) => {
        await duck.run(`CREATE TABLE rows (${eventColumns.map(({ column, type }) => `${column} ${type}`).join(', ')})`);
        await duck.run(
          `INSERT INTO rows (event_id, kind, session_id, item_id, at_ms) SELECT 'e' || range, 'view', 's', 'i', 1767600000000 + hash(range) % 50000000 FROM range(250000)`,
        );
        const slices = await writeSlices({ duck, table: 'rows', timeZone: 'UTC', source: 'events', blobs, onSlice: () => undefined });
        const [expected] = await duck.rows<{ hash: string }>(
          `SELECT sha256(string_agg(${rowTextSql} || chr(30), '' ORDER BY at_ms, event_id)) AS hash FROM rows`,
        );
        expect(slices).toMatchObject([{ rows: 250_000, logicalDigest: `sha256:${expected?.hash}` }]);
      });
    });
  });
});
