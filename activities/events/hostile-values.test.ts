import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { externalId } from '../../models/contracts/ids.ts';
import { columnMapping } from './column-mapping.ts';
import type { IngestedBatch } from './ingest-batch.ts';
import type { Mapping } from './mapping.ts';
import { type Bench, ingestFile, parquetRows, withBench } from './testing.ts';

const mapping = columnMapping({ user: 'user', item: 'item', at: 'at', constantKind: 'view', title: 'title' });

async function ingest(bench: Bench, { file, content, by = mapping }: { file: string; content: string | Uint8Array; by?: Mapping }): Promise<IngestedBatch> {
  const path = join(bench.folder, file);
  await writeFile(path, content);
  return ingestFile(bench, { path, mapping: by });
}

const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;

async function accepted<Row extends Record<string, unknown>>(bench: Bench, { manifest }: IngestedBatch): Promise<Row[]> {
  return (await Promise.all(manifest.slices.map(({ digest }) => parquetRows<Row>({ blobs: bench.blobs, digest })))).flat();
}

describe('ingestBatch, of values that nobody means well with,', () => {
  it('keeps an id as it is between the spaces around it, or turns it away', () =>
    withBench(async (bench) => {
      const ids = [
        'plain',
        'é',
        'e\u0301',
        '\u202Egpj.exe',
        'a\u200Fb',
        'a\u200Bb',
        '\u200B',
        'a\u00A0b',
        '\u00A0b',
        'a\uFEFFb',
        'a\uFEFF',
        'x'.repeat(128),
        'x'.repeat(129),
        `e${'\u0301'.repeat(127)}`,
        '😀'.repeat(128),
        '👩‍👩‍👧‍👦',
        '\u{E0001}tag',
        '\uFFFE',
        'a\u0000b',
        'a\u0001b',
        'a\u007Fb',
        'a\u0085b',
        'a\nb',
        'a\u2028b',
        '../../etc/passwd',
        '__proto__',
        '=1+1',
        '<script>alert(1)</script>',
        'NULL',
        'nan',
      ];
      // `columnMapping` takes spaces of any kind from the ends.
      const sound = ids.map((id) => id.replaceAll(/^\p{Z}+|\p{Z}+$/gu, '')).filter((id) => externalId.safeParse(id).success);
      expect(sound.length).toBeGreaterThan(15);
      expect(sound.length).toBeLessThan(ids.length - 5);
      const files: [string, string][] = [
        ['ids.csv', ['user,item,at,title', ...ids.map((id) => `u,${quoted(id)},2026-03-02,`)].map((line) => `${line}\n`).join('')],
        ['ids.jsonl', ids.map((id) => `${JSON.stringify({ user: 'u', item: id, at: '2026-03-02', title: null })}\n`).join('')],
      ];
      for (const [file, content] of files) {
        const batch = await ingest(bench, { file, content });
        const items = (await accepted<{ item_id: string }>(bench, batch)).map(({ item_id }) => item_id);
        expect(items.sort(), file).toEqual([...sound].sort());
        expect(batch.manifest.quarantineByReason, file).toEqual({ 'malformed-item': ids.length - sound.length });
      }
    }));

  it('quarantines what is no Unicode, and keeps its neighbours', () =>
    withBench(async (bench) => {
      const lines = [
        '{"user":"u","item":"a","at":"2026-03-02","title":"x"}',
        '{"user":"u","item":"\\ud800","at":"2026-03-02"}',
        '{"user":"u","item":"\\udc00\\ud800"}',
      ];
      const json = await ingest(bench, { file: 'surrogates.jsonl', content: [lines[0], lines[0]?.replace('"a"', '"b"'), ...lines.slice(1)].join('\n') });
      expect(json.manifest.quarantineByReason).toEqual({ 'malformed-row': 2 });
      const row = (bytes: number[]) => Buffer.concat([Buffer.from('u,'), Buffer.from(bytes), Buffer.from(',2026-03-02,\n')]);
      const content = Buffer.concat([
        Buffer.from('user,item,at,title\n'),
        row([0x61]),
        row([0x62]),
        row([0x63]),
        row([0xed, 0xa0, 0x80]),
        row([0xc0, 0xaf]),
        row([0xff]),
      ]);
      const csv = await ingest(bench, { file: 'surrogates.csv', content });
      expect(csv.manifest.counts).toEqual({ input: 6, accepted: 3, quarantined: 3, duplicates: 0 });
      expect(csv.manifest.quarantineByReason).toEqual({ 'malformed-row': 3 });
    }));

  it('takes times of the first and the last years, and quarantines what lies beyond', () =>
    withBench(async (bench) => {
      const times: [string, string | null][] = [
        ['1970-01-01 01:00:00', '1970-01-01'],
        ['1970-01-01 00:59:59', null],
        ['1969-12-31', null],
        ['0001-01-01', null],
        ['2100-02-28 23:59:59', '2100-02-28'],
        ['2100-02-29', null],
        ['9999-12-30 23:59:59', '9999-12-30'],
        ['9999-12-31 23:59:59', null],
        ['10000-01-01', null],
        ['290309-12-22', null],
        ['-infinity', null],
        ['epoch', null],
      ];
      const content = `user,item,at,title\n${times.map(([at], index) => `u,i${index},${at},\n`).join('')}`;
      const { manifest } = await ingest(bench, { file: 'times.csv', content });
      expect(manifest.slices.map(({ day }) => day)).toEqual(times.flatMap(([, day]) => (day === null ? [] : [day])));
      expect(manifest.counts).toMatchObject({ accepted: 3, quarantined: times.length - 3 });
    }));

  it('takes SQL in names and values for names and values', () =>
    withBench(async (bench) => {
      const attacks = ['"; DROP TABLE raw; --', "'); DROP TABLE raw; --", '" UNION SELECT * FROM malformed; --', '$(reboot)', '\\', "''", '""'];
      for (const attack of attacks) {
        const by = columnMapping({ user: `user${attack}`, item: attack, at: 'at', constantKind: 'view', title: 't\'i"tle' });
        const header = [`user${attack}`, attack, 'at', 't\'i"tle'].map(quoted).join(',');
        const content = `${header}\n${attacks.map((value) => `u,${quoted(value)},2026-03-02,${quoted(value)}\n`).join('')}`;
        const file = `${attack.replaceAll('/', '')}.csv`;
        const batch = await ingest(bench, { file, content, by });
        expect(batch.manifest.counts, attack).toEqual({ input: attacks.length, accepted: attacks.length, quarantined: 0, duplicates: 0 });
        expect((await accepted<{ item_id: string }>(bench, batch)).map(({ item_id }) => item_id).sort()).toEqual([...attacks].sort());
        const members = { [`user${attack}`]: 'u', [attack]: attack, at: '2026-03-02', 't\'i"tle': attack };
        const json = await ingest(bench, { file: `${attack.replaceAll('/', '')}.jsonl`, content: `${JSON.stringify(members)}\n`, by });
        expect((await accepted<{ item_id: string }>(bench, json)).map(({ item_id }) => item_id)).toEqual([attack]);
      }
    }));
});
