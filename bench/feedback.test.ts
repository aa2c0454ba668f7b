import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isWellFormed } from '../experiments/pictures/testing.ts';
import { drawFeedback, type LoopResult, playLoop, readFeedback, renderFeedback, resultOf } from './feedback.ts';

const docs = join(import.meta.dirname, '../docs');
const results = readFeedback(readFileSync(join(docs, 'feedback.json'), 'utf8'));
const of = (name: LoopResult['name']) => results.loops.filter((one) => one.name === name);
const amplification = ({ figures }: LoopResult) => figures.amplification.map(([value]) => value);

it('the page and the picture are what the loops come to', () => {
  expect(readFileSync(join(docs, 'feedback.md'), 'utf8')).toBe(renderFeedback(results));
  const svg = drawFeedback(results);
  expect(readFileSync(join(docs, 'feedback.svg'), 'utf8')).toBe(`${svg}\n`);
  expect(isWellFormed(svg)).toBe(true);
});

it('keeps its promise: a naive loop collapses and is seen, what is done about it repairs it, and no loop is hardly ever called one', () => {
  for (const one of of('naive')) {
    expect(one.figures.coverage.at(-1)?.[0]).toBeLessThan(0.6 * (one.figures.coverage[0]?.[0] ?? 0));
    expect(amplification(one).at(-1)).toBeGreaterThan(1.8 * (amplification(one)[0] ?? 0));
    expect(one.verdicts.indexOf('a')).toBeGreaterThan(0);
    expect(one.verdicts.indexOf('a')).toBeLessThan(10);
  }
  for (const one of of('mended')) {
    const seen = one.verdicts.indexOf('a');
    expect(one.verdicts.slice(seen + 1)).not.toContain('a');
    const naive = of('naive').find(({ seed }) => seed === one.seed) as LoopResult;
    expect(one.verdicts.slice(0, seen + 1)).toBe(naive.verdicts.slice(0, seen + 1));
    expect(one.figures.coverage.at(-1)?.[0]).toBeGreaterThan(0.95);
    expect(amplification(one).at(-1)).toBeLessThan(0.75 * (amplification(naive).at(-1) ?? 0));
  }
  // What one slate sells is noisy: of all seeds together.
  const late = (name: LoopResult['name']) => of(name).reduce((sum, { value }) => sum + value.slice(-3).reduce((own, one) => own + one, 0), 0);
  expect(late('mended')).toBeGreaterThan(late('naive'));
  for (const one of of('demand')) expect(one.verdicts).not.toContain('a');
});

it('the first loop comes out as is written, until it is mended', { timeout: 120_000 }, async () => {
  const written = of('mended')[0] as LoopResult;
  const generations = written.verdicts.indexOf('a') + 3;
  const played = resultOf(written.seed, 'mended', await playLoop('mended', { seed: written.seed, change: { generations } }));
  expect(played.verdicts).toBe(written.verdicts.slice(0, generations));
  expect(played.value).toEqual(written.value.slice(0, generations));
});
