import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPseudonyms } from '../../models/contracts/pseudonyms.ts';
import { columnMapping } from './column-mapping.ts';
import { withDuck } from './duckdb.ts';
import { ingestLog } from './ingest-log.ts';
import { pseudonymRows } from './pseudonym-rows.ts';
import { ingestFile, parquetRows, testCharter, withBench } from './testing.ts';
import { putDocument } from '../../stores/blobs.ts';

const key = 'a key of at least thirty-two characters';

describe('pseudonyms', () => {
  it('are the HMAC of RFC 4231, case 2', () => {
    // Key "Jefe", data "what do ya want for nothing?": 5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843
    const expected = Buffer.from('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843', 'hex').toString('base64url').slice(0, 22);
    expect(createPseudonyms('Jefe').of('what do ya want for nothing?')).toBe(`p_${expected}`);
  });

  it('are the same in SQL and in TypeScript, for any key and id', async () => {
    const anyId = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 }), fc.uniqueArray(anyId, { minLength: 1, maxLength: 20 }), (anyKey, ids) =>
        withBench(({ folder }) =>
          withDuck({ workDir: folder }, async (duck) => {
            const path = join(folder, 'ids.jsonl');
            await writeFile(path, ids.map((id) => JSON.stringify({ id })).join('\n'));
            await duck.run(
              `CREATE TABLE people AS SELECT id AS user_id, id AS session_id, NULL::VARCHAR AS device_id, NULL AS reason FROM read_json('${path}', columns = {id: 'VARCHAR'})`,
            );
            const pseudonyms = createPseudonyms(anyKey);
            await pseudonymRows({ duck, table: 'people', pseudonyms });
            const [users, sessions] = await duck.columns('SELECT user_id, session_id FROM people');
            expect([...(users ?? [])].sort()).toEqual(ids.map((id) => pseudonyms.of(id)).sort());
            expect(sessions).toEqual(users);
          }),
        ),
      ),
      { numRuns: 15 },
    );
  }, 30_000);

  it('stand in everything that a file becomes, quarantine included, and the ids nowhere', () =>
    withBench(async (bench) => {
      const path = join(bench.folder, 'events.csv');
      const rows = [
        'customer-77,i1,2026-03-02 10:00,1',
        'customer-77,,2026-03-02 11:00,1',
        'customer-78,i2,2026-03-02 12:00,0',
        'customer-77,i2',
        'customer-79,i1,2026-03-03 10:00,2',
      ];
      await writeFile(path, `who,item,at,quantity\n${rows.join('\n')}\n`);
      const mapping = columnMapping({ user: 'who', item: 'item', at: 'at', quantity: 'quantity', constantKind: 'purchase' });
      const pseudonyms = createPseudonyms(key);
      const { manifest } = await ingestFile(bench, { path, mapping, pseudonyms });
      expect(manifest.counts).toEqual({ input: 5, accepted: 2, quarantined: 3, duplicates: 0 });
      const accepted = await parquetRows<{ user_id: string; session_id: string }>({ blobs: bench.blobs, digest: manifest.slices[0]?.digest ?? '' });
      expect(accepted).toMatchObject([{ user_id: pseudonyms.of('customer-77'), session_id: pseudonyms.of('day-customer-77-2026-03-02') }]);
      const aside = await parquetRows<{ line: string; reason: string; raw: string }>({ blobs: bench.blobs, digest: manifest.quarantine ?? '' });
      expect(aside.map(({ reason, raw }) => [reason, raw === '' ? null : JSON.parse(raw).who])).toEqual([
        ['missing-item', pseudonyms.of('customer-77')],
        ['bad-quantity', pseudonyms.of('customer-78')],
        ['malformed-row', null],
      ]);
      await expectNowhere(join(bench.folder, 'blobs'), 'customer-7');
    }));

  it('that come by the log are left as they are, and what it holds from before becomes one', () =>
    withBench(async (bench) => {
      const pseudonyms = createPseudonyms(key);
      const event = (eventId: string, userId: string) => ({
        schemaVersion: 1,
        eventId,
        kind: 'view',
        surface: 'home',
        userId,
        sessionId: pseudonyms.of('s'),
        itemId: 'i',
        atMs: Date.UTC(2026, 2, 2),
      });
      const { manifest } = await ingestLog({
        surface: 'home',
        charter: testCharter(),
        sourceName: 'log',
        events: (async function* () {
          yield* [event('e1', 'customer-77'), event('e2', pseudonyms.of('customer-77'))];
        })(),
        previous: { slices: [] },
        catalog: await putDocument(bench.blobs, []),
        blobs: bench.blobs,
        workDir: join(bench.folder, 'work'),
        nowMs: Date.UTC(2026, 2, 3),
        pseudonyms,
      });
      const rows = await parquetRows<{ user_id: string; session_id: string }>({ blobs: bench.blobs, digest: manifest.slices[0]?.digest ?? '' });
      expect(rows.map(({ user_id, session_id }) => [user_id, session_id])).toEqual(Array(2).fill([pseudonyms.of('customer-77'), pseudonyms.of('s')]));
    }));
});

/** Parquet compresses: each file is read as rows too. */
async function expectNowhere(folder: string, needle: string): Promise<void> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  expect(files.length).toBeGreaterThan(3);
  for (const file of files) {
    const path = join(file.parentPath, file.name);
    const bytes = await readFile(path);
    expect(bytes.includes(needle)).toBe(false);
    if (bytes.subarray(0, 4).toString() !== 'PAR1') continue;
    const rows = await withDuck({ workDir: undefined }, (duck) => duck.rows(`SELECT * FROM read_parquet('${path}')`));
    expect(JSON.stringify(rows)).not.toContain(needle);
  }
}
