import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { comesOutAs } from './drift.ts';
import { countOf, type DriftResults } from './drift-results.ts';
import { driftCells, replications, sizes } from './drift-cells.ts';
import { ours, renderDrift, stillCell } from './write-drift.ts';

const docs = join(import.meta.dirname, '../docs');
const results = JSON.parse(readFileSync(join(docs, 'drift.json'), 'utf8')) as DriftResults;
const alarms = (cell: string, test: string): number => {
  const { replications: of, alarms: by } = results.cells[cell] as DriftResults['cells'][string];
  return countOf(by[test] as string) / of;
};

it('the page is what its cells come to', () => {
  const cells = driftCells();
  expect(Object.fromEntries(Object.entries(results.cells).map(([name, cell]) => [name, cell.replications]))).toEqual(
    Object.fromEntries(cells.map(({ name, replications: of }) => [name, of])),
  );
  expect(readFileSync(join(docs, 'drift.md'), 'utf8')).toBe(renderDrift(results));
});

it('the first replications of the small ones come out as is written', { timeout: 120_000 }, async () => {
  for (const cell of driftCells().filter(({ name }) => /^(rows|rates|stays|retrained)\/100\//.test(name)))
    expect(await comesOutAs(results, cell, 12), cell.name).toBe(true);
});

it('keeps its promise: false alarms within 3 to 7 per cent at every size, of at least 2,000 replications', () => {
  expect(replications.level).toBeGreaterThanOrEqual(2000);
  for (const { name, of, test } of ours)
    for (const n of sizes) {
      expect(alarms(stillCell(of, n), test), `${name}, ${n}`).toBeGreaterThanOrEqual(0.03);
      expect(alarms(stillCell(of, n), test), `${name}, ${n}`).toBeLessThanOrEqual(0.07);
    }
});

it('finds each named shift of 10,000, and trainings of so many items that are not aligned are told apart always', () => {
  for (const shift of ['mean', 'scale', 'turned', 'gone'])
    expect(Math.max(...['cloud', 'classifier', 'columns'].map((test) => alarms(`rows/10000/${shift}`, test)))).toBe(1);
  for (const shift of ['popularity flip', 'moved items', 'segment gone']) expect(alarms(`retrained/10000/seeds/${shift}`, 'displaced')).toBeGreaterThan(0.9);
  // Days that share their users are no units.
  expect(alarms('stays/1000/0', 'days')).toBeGreaterThan(0.1);
  expect(alarms('retrained/1000/seeds/none', 'unaligned')).toBeGreaterThan(0.9);
  expect(alarms('retrained/10000/seeds/none', 'unaligned')).toBe(1);
});
