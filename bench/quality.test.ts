import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { formatQuality, measuredOn, measureQuality, type QualityResults, renderQuality, withoutTime } from './quality.ts';
import { qualityData } from './quality-data.ts';

const docs = (name: string) => readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8');
const results = JSON.parse(docs('quality.json')) as QualityResults;

it('the page is what the command writes of its results, of all algorithms on all data (else: npm run bench -- quality)', () => {
  expect(docs('quality.md')).toBe(renderQuality(results));
  expect(docs('quality.json')).toBe(formatQuality(results));
  expect(Object.keys(results.cells)).toEqual(Object.keys(qualityData));
  for (const [data, cells] of Object.entries(results.cells)) expect(Object.keys(cells)).toEqual(measuredOn(data));
});

it('the page is not stale where that is quick to see (else: npm run bench -- quality)', async () => {
  const now = await measureQuality('sessions', ['popularity', 'session-knn']);
  for (const [model, cell] of Object.entries(now)) expect(withoutTime(cell)).toEqual(withoutTime(results.cells.sessions?.[model] ?? cell));
  const drawn = await measureQuality('drawn', ['item-knn']);
  expect(Object.values(drawn).map(withoutTime)).toEqual([results.cells.drawn?.['item-knn']].map((cell) => cell && withoutTime(cell)));
});

it('what follows in a session is best foretold by sessions, and neighbours beat the popular on all data', () => {
  const ndcg = (data: string, model: string) => results.cells[data]?.[model]?.intervals['ndcg@10'] ?? { value: 0, low: 0, high: 0 };
  for (const model of ['item-knn', 'ials']) expect(ndcg('sessions', 'session-knn').low).toBeGreaterThan(ndcg('sessions', model).high);
  for (const data of Object.keys(qualityData)) expect(ndcg(data, 'item-knn').low).toBeGreaterThan(ndcg(data, 'popularity').high);
});
