import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { columnMapping } from '../../activities/events/column-mapping.ts';
import { ingestSource } from '../../activities/events/ingest-source.ts';
import { benchContext, quietBeat, testCharter, withBench } from '../../activities/events/testing.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import { addDays } from '../../activities/windows/days.ts';
import { type CharterInput, parseCharter } from '../../models/contracts/charter.ts';
import { digestBytes } from '../../models/contracts/digest.ts';
import { putDocument } from '../../stores/blobs.ts';
import { readEnvironment } from '../environment.ts';
import { rulesCommand } from './command.ts';

const mapping = columnMapping({ user: 'who', item: 'item', at: 'at', price: 'price', kind: 'kind' });

/** Ten weeks: 20 to 24 rows a day, half as many on Sundays, a price on most. */
function rowsOf(days: number, crazy: (nth: number) => boolean = () => false): string[] {
  return Array.from({ length: days }, (_, nth) => nth).flatMap((nth) => {
    const day = addDays('2026-01-05', nth);
    const rows = crazy(nth) ? 200 : (20 + (nth % 5)) / (new Date(day).getUTCDay() === 0 ? 2 : 1);
    return Array.from(
      { length: Math.floor(rows) },
      (_, row) =>
        `u${row},i${row % 7},${day} 10:${String(row % 60).padStart(2, '0')}:${String(row % 50).padStart(2, '0')},${row % 9 === 0 ? '' : `${row % 10}.50`},${row % 4 === 0 ? 'purchase' : 'view'}`,
    );
  });
}

async function withSurface(
  rows: readonly string[],
  change: Partial<CharterInput>,
  use: (ask: (...argv: string[]) => Promise<string>) => Promise<void>,
): Promise<void> {
  await withBench(async ({ folder }) => {
    const context = benchContext(join(folder, 'state'));
    const path = join(folder, 'events.csv');
    const content = `who,item,at,price,kind\n${rows.join('\n')}\n`;
    await writeFile(path, content);
    const { blobs } = context.state;
    const { digest: charter } = await registerCharter(context.state, { ...testCharter(change) }, 1);
    await ingestSource(
      context,
      {
        surface: 'home',
        charter,
        mapping: await putDocument(blobs, mapping),
        source: { path, name: basename(path), digest: digestBytes(content) },
        endsAt: null,
      },
      quietBeat,
    );
    await use(async (...argv) => {
      const written: string[] = [];
      const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
        written.push(String(text));
        return true;
      });
      try {
        const command = { env: readEnvironment({}), cwd: folder, now: context.now };
        await rulesCommand(command).parseAsync([...argv, '--state', join(folder, 'state')], { from: 'user' });
      } finally {
        spy.mockRestore();
      }
      return written.join('');
    });
  });
}

describe('understudy rules', () => {
  it(
    'proposes thresholds which the past meets, and which a charter takes as they are',
    () =>
      withSurface([...rowsOf(70), ',,,,'], {}, async (ask) => {
        const { rules, recordRules, reasons } = JSON.parse(await ask('suggest', 'home', '--json')) as {
          rules: { name: string; min?: number; max?: number }[];
          recordRules: object;
          reasons: string[];
        };
        expect(rules.map(({ name }) => name)).toEqual([
          'usual-volume',
          'user-id-there',
          'unit-price-minor-there',
          'kind-as-before',
          'hour-as-before',
          'unit-price-minor-as-before',
          'quantity-as-before',
          'fresh',
          'little-quarantine',
          'few-duplicates',
        ]);
        expect(rules[0]).toEqual({ name: 'usual-volume', measure: 'weekday-volume', min: 0.69, max: 1.43, action: 'warn' });
        expect(rules.find(({ name }) => name === 'fresh')?.max).toBe(2);
        expect(recordRules).toEqual({ 'bot-rate': { action: 'quarantine', limit: 30 } });
        expect(reasons.length).toBe(rules.length + 1);
        const charter = testCharter({ data: { rules: rules as never, recordRules: recordRules as never } });
        expect(parseCharter(charter).data.rules).toEqual(rules);
        const text = await ask('suggest', 'home');
        expect(text).toContain("    { name: 'fresh', measure: 'freshness-days', max: 2, action: 'warn' },");
        expect(text).toContain("    'bot-rate': { action: 'quarantine', limit: 30 },");
        // The same data again pass all of them; a day that is ten times as busy does not.
        await withSurface([...rowsOf(70), ',,,,'], { data: { rules: rules as never, recordRules: recordRules as never } }, async (again) => {
          const found = (JSON.parse(await again('list', 'home', '--json')) as { rules: { rule: string; found: string }[] }).rules.filter(
            (one) => one.found !== '',
          );
          expect(found.map(({ rule, found: what }) => [rule, what])).toEqual([
            ['missing-item', '1 put aside'],
            ['fresh', 'freshness-days is 5, above 2'],
          ]);
        });
        await withSurface(
          rowsOf(70, (nth) => nth === 65),
          { data: { rules: rules as never } },
          async (again) => {
            expect(await again('list', 'home')).toMatch(
              /usual-volume +warn +weekday-volume >= 0.69 <= 1.43 +weekday-volume on 2026-03-11 is \d+\.\d+ \(200 rows, usually 2\d/,
            );
          },
        );
      }),
    60_000,
  );

  it('proposes next to nothing from a week', () =>
    withSurface(rowsOf(7), {}, async (ask) => {
      const { rules } = JSON.parse(await ask('suggest', 'home', '--json')) as { rules: { name: string }[] };
      expect(rules.map(({ name }) => name)).toEqual(['little-quarantine', 'few-duplicates']);
    }));

  it('says which sources there are when asked for another', () =>
    withSurface(rowsOf(2), {}, async (ask) => {
      await expect(ask('list', 'home', '--source', 'log')).rejects.toMatchObject({ code: 'UND-NOT-FOUND', message: expect.stringContaining('events.csv') });
    }));
});
