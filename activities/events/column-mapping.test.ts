import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { columnMapping, type ColumnMappingInput } from './column-mapping.ts';
import { ingestBatch } from './ingest-batch.ts';
import { parquetRows, testCharter, withBench } from './testing.ts';

/** What comes out of a file: accepted rows in order, reasons of the others. */
const mapped = (content: string, input: ColumnMappingInput) =>
  withBench(async ({ folder, blobs }) => {
    const path = join(folder, 'in.csv');
    await writeFile(path, content);
    const { manifest } = await ingestBatch({
      surface: 'home',
      charter: testCharter(),
      source: { path, name: 'in' },
      mapping: columnMapping(input),
      blobs,
      workDir: folder,
    });
    const rows: Record<string, string | null>[] = [];
    for (const slice of manifest.slices) rows.push(...(await parquetRows<Record<string, string | null>>({ blobs, digest: slice.digest })));
    return { rows, reasons: manifest.quarantineByReason, duplicates: manifest.counts.duplicates };
  });

describe('columnMapping', () => {
  it('reads every way to write a time as the same instant', async () => {
    const at = Date.UTC(2026, 6, 1, 9, 30);
    const ways: [string, ColumnMappingInput['atFormat'], string | undefined][] = [
      ['2026-07-01 10:30:00', 'wall', undefined],
      ['2026-07-01T10:30', undefined, undefined],
      ['01/07/2026 10:30', 'wall', '%d/%m/%Y %H:%M'],
      ['2026-07-01T09:30:00Z', 'instant', undefined],
      ['2026-07-01T11:30:00+02:00', 'instant', undefined],
      [String(at / 1000), 'epoch-s', undefined],
      [`${at / 1000}.0`, 'epoch-s', undefined],
      [String(at), 'epoch-ms', undefined],
    ];
    for (const [written, atFormat, atPattern] of ways) {
      const { rows } = await mapped(`i,t\nx,${written}\n`, { item: 'i', at: 't', constantKind: 'view', atFormat, atPattern });
      expect(
        rows.map((row) => Number(row.at_ms)),
        written,
      ).toEqual([at]);
    }
  });

  it('turns away what it cannot read, and does not stumble over infinities', async () => {
    const { rows, reasons } = await mapped(
      'i,t,q,p,r\nx,infinity,,,\nx,-infinity,,,\nx,2026-07-01,1.5,,\nx,2026-07-01,,x,\nx,2026-07-01,,,good\nx,2026-07-01,,99999999999999999,\nx,2026-07-01,3,0.005,4.5\n',
      {
        item: 'i',
        at: 't',
        quantity: 'q',
        price: 'p',
        rating: 'r',
        constantKind: 'purchase',
      },
    );
    expect(reasons).toEqual({ 'missing-time': 2, 'unreadable-quantity': 1, 'unreadable-price': 2, 'unreadable-rating': 1 });
    expect(rows).toMatchObject([{ quantity: '3', unit_price_minor: '1', rating: 4.5 }]);
  });

  it('takes a day of a user as a session where there is none, and a row where there is no user', async () => {
    const { rows, duplicates } = await mapped(
      'u,i,t\na,x,2026-07-01 10:00\na,y,2026-07-01 22:00\na,x,2026-07-02 00:10\n,x,2026-07-02 00:20\n,y,2026-07-02 00:20\n,y,2026-07-02 00:20\n',
      { user: 'u', item: 'i', at: 't', constantKind: 'view' },
    );
    expect(duplicates).toBe(1);
    expect(rows.slice(0, 3).map((row) => row.session_id)).toEqual(['day-a-2026-07-01', 'day-a-2026-07-01', 'day-a-2026-07-02']);
    expect(new Set(rows.slice(3).map((row) => row.session_id)).size).toBe(2);
  });

  it('makes a session of every user id that is one, however long', async () => {
    const users = [110, 113, 114, 128].map((length) => `${'ü'.repeat(length - 2)}-x`);
    const rows = [...users, users[3]].map((user, index) => `${user},x,2026-07-01 1${index}:00`);
    const long = await mapped(`u,i,t\n${rows.join('\n')}\n${'u'.repeat(129)},x,2026-07-01\n`, { user: 'u', item: 'i', at: 't', constantKind: 'view' });
    expect(long.reasons).toEqual({ 'malformed-user': 1 });
    expect(long.rows.map((row) => row.user_id)).toEqual([...users, users[3]]);
    const sessions = long.rows.map((row) => row.session_id);
    expect(sessions.slice(0, 2)).toEqual(users.slice(0, 2).map((user) => `day-${user}-2026-07-01`));
    expect(new Set(sessions).size).toBe(4);
    expect(sessions[4]).toBe(sessions[3]);
  });

  it('knows kinds by the names it is given, and by their own', async () => {
    const { rows, reasons } = await mapped("i,t,k\nx,2026-07-01,Buy\nx,2026-07-02,view\nx,2026-07-03,o'dd\nx,2026-07-04,\n", {
      item: 'i',
      at: 't',
      kind: 'k',
      kinds: { buy: 'purchase', "o'dd": 'skip' },
    });
    expect(rows.map((row) => row.kind)).toEqual(['purchase', 'view', 'skip']);
    expect(reasons).toEqual({ 'unknown-kind': 1 });
    const filled = await mapped('i,t,k\nx,2026-07-04,\n', { item: 'i', at: 't', kind: 'k', constantKind: 'view' });
    expect(filled.rows.map((row) => row.kind)).toEqual(['view']);
  });

  it('takes columns of any name', async () => {
    const { rows } = await mapped('"the ""item""","o\'clock"\nx,2026-07-01\n', { item: 'the "item"', at: "o'clock", constantKind: 'view' });
    expect(rows).toMatchObject([{ item_id: 'x' }]);
  });

  it('asks for a kind', () => {
    expect(() => columnMapping({ item: 'i', at: 't' })).toThrow(/kind/);
  });
});
