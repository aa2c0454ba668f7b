import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { drawPurchases } from '../../experiments/ranking/testing-purchases.ts';
import { runEvaluate } from './testing.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 1);
const dayMs = 86_400_000;
const days = 30;

let directory: string;
/** Rows as lines of a CSV, and the day of each. */
let rows: { day: number; line: string }[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'evaluate-origins-'));
  const purchases = drawPurchases({ users: 60, items: 40, tastes: 4, faith: 0.7, perUser: 15, days, zipf: 0.7, fresh: 0.3, seed });
  const line = (user: number, item: number, day: number) => ({
    day: Math.floor(day),
    line: `u${user},i${item},${new Date(startMs + Math.floor(day * dayMs)).toISOString()}`,
  });
  // The first and the last day are there whatever was drawn.
  rows = [line(0, 0, 0), ...purchases.map(({ user, item, day }) => line(user, item, day)), line(0, 1, days - 0.001)];
  await file('all.csv', () => true);
});
afterAll(() => rm(directory, { recursive: true }));

async function file(name: string, isIn: (day: number) => boolean): Promise<void> {
  const lines = rows.filter(({ day }) => isIn(day)).map(({ line }) => line);
  await writeFile(join(directory, name), `user,item,at\n${lines.join('\n')}\n`);
}

const run = async (...args: string[]) => (await runEvaluate(directory, [...args, '--model', 'item-knn'])).stdout;

test('each origin is what two files cut by hand give, and the pool is their mean', async () => {
  const settings = ['--interactions', 'all.csv', '--test-days', '5', '--gap-days', '2', '--train-days', '10', '--origins', '3'];
  const { origins, pooled, model } = JSON.parse(await run(...settings, '--json'));
  expect([model, origins.length]).toEqual(['item-knn', 3]);
  for (const [number, origin] of origins.entries()) {
    const testTo = days - 1 - 5 * number;
    await file('train.csv', (day) => day > testTo - 17 && day <= testTo - 7);
    await file('test.csv', (day) => day > testTo - 5 && day <= testTo);
    const { users, metrics } = JSON.parse(await run('--train', 'train.csv', '--test', 'test.csv', '--json'));
    expect(origin).toMatchObject({ users, metrics });
    const dayText = (day: number) => new Date(startMs + day * dayMs).toISOString().slice(0, 10);
    expect([origin.train, origin.test]).toEqual([
      { from: dayText(testTo - 16), to: dayText(testTo - 7) },
      { from: dayText(testTo - 4), to: dayText(testTo) },
    ]);
  }
  const values = origins.map((origin: { metrics: Record<string, number> }) => origin.metrics['ndcg@10']);
  expect(pooled['ndcg@10']).toMatchObject({
    mean: expect.closeTo((values[0] + values[1] + values[2]) / 3, 12),
    lowest: Math.min(...values),
    highest: Math.max(...values),
  });
  const text = await run(...settings);
  expect(text).toMatch(/2026-01-14 to 2026-01-23 +2026-01-26 to 2026-01-30 +\d+ +0\.\d{4}/);
  expect(text).toMatch(/mean +0\.\d{4}/);
});

test('trains on all days before, where no number is said', async () => {
  const { origins } = JSON.parse(await run('--interactions', 'all.csv', '--json'));
  expect(origins).toMatchObject([{ train: { from: '2026-01-01', to: '2026-01-15' }, test: { from: '2026-01-17', to: '2026-01-30' } }]);
});

test.each([
  [['--train', 'all.csv'], 'UND-INPUT', /--train and --test, or one file by --interactions/],
  [['--interactions', 'all.csv', '--test', 'all.csv'], 'UND-INPUT', /instead of --train and --test/],
  [['--train', 'all.csv', '--test', 'all.csv', '--origins', '2', '--gap-days', '0'], 'UND-INPUT', /--origins, --gap-days: only with --interactions/],
  [['--interactions', 'all.csv', '--origins', '0'], 'UND-INPUT', /--origins must be a whole number/],
  [['--interactions', 'all.csv', '--origins', '4'], 'UND-NO-DATA', /58 days are needed .* and the file has 30/],
  [['--interactions', 'all.csv', '--time', ''], 'UND-INPUT', /no timestamps/],
])('refuses %j', async (args, code, message) => {
  await expect(run(...args)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});
