import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type AttributionResults, attributionSettings, isSame, measureAttribution, renderAttribution } from './attribution.ts';

const docs = join(import.meta.dirname, '../docs');
const results = JSON.parse(readFileSync(join(docs, 'attribution.json'), 'utf8')) as AttributionResults & { times: [] };

it('the page is what its figures come to, for every setting', () => {
  expect(Object.keys(results.cells)).toEqual(Object.keys(attributionSettings));
  expect(readFileSync(join(docs, 'attribution.md'), 'utf8')).toBe(renderAttribution(results));
});

it('small tables come to what is written', () => {
  const name = 'a small table of 240 leaves, noise 3 %';
  const { understudy, RiskLoc } = measureAttribution(name, { tables: results.tables, of: ['understudy', 'RiskLoc'] });
  expect([understudy, results.cells[name]?.understudy]).toSatisfy(([now, written]) => isSame(now, written));
  expect([RiskLoc, results.cells[name]?.RiskLoc]).toSatisfy(([now, written]) => isSame(now, written));
});
