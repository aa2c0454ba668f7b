import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CatalogItem } from '../../models/contracts/catalog-item.ts';
import { scopeOf } from '../../models/slate/scope.ts';
import { rungsBelowModel, runChain } from './chain.ts';
import { modelRung } from './model.ts';
import { createPopularityCounts } from './popularity.ts';
import type { FallbackRung, RungRequest } from './rung.ts';
import { createCoVisits, sessionRung } from './session.ts';
import { staticRung } from './static.ts';

const ids = Array.from({ length: 12 }, (_, index) => `i${index}`);
const anyIds = fc.array(fc.constantFrom(...ids, 'unknown'), { maxLength: 30 });

/** Items of which some are out of stock, a past, exclusions. */
const anyRequest: fc.Arbitrary<RungRequest> = fc
  .record({ soldOut: fc.subarray(ids), history: anyIds, excluded: anyIds, depth: fc.integer({ min: 1, max: 15 }) })
  .map(({ soldOut, history, excluded, depth }) => {
    const items: CatalogItem[] = ids.map((itemId) => ({ itemId, title: itemId, inStock: !soldOut.includes(itemId) }));
    return {
      history,
      historyWeights: history.map(() => 1),
      excluded: new Set(excluded),
      scope: scopeOf({ scope: { inStockOnly: true, excludeCategories: [], excludeItems: [] }, items, vocabulary: [] }),
      depth,
    };
  });

/** Every rung with what it may have learnt: also items that are gone by now. */
const anyRungs: fc.Arbitrary<FallbackRung[]> = fc.record({ model: anyIds, visits: anyIds }).map(({ model, visits }) => {
  const counts = createPopularityCounts();
  const coVisits = createCoVisits({ maxItems: 100 });
  visits.forEach((itemId, place) => {
    counts.add(itemId, 1);
    coVisits.add({ previous: visits.slice(0, place), itemId });
  });
  return [modelRung({ items: model, scores: model.map((_, place) => -place) }), ...rungsBelowModel({ coVisits, popularity: counts })];
});

describe('the fallback chain', () => {
  it.each([0, 1, 2, 3])('shows nothing out of scope, excluded or twice when it begins at rung %i', async (from) => {
    await fc.assert(
      fc.asyncProperty(anyRungs, anyRequest, fc.integer({ min: 1, max: 15 }), async (rungs, request, size) => {
        const { items, scores, reason } = await runChain({ rungs: rungs.slice(from), request, size });
        expect(new Set(items).size).toBe(items.length);
        for (const itemId of items) expect(request.scope.allowed(itemId) && !request.excluded.has(itemId)).toBe(true);
        expect(items.length).toBeLessThanOrEqual(request.depth);
        expect(scores).toHaveLength(items.length);
        if (items.length < size) expect(reason).toEqual(expect.any(String));
      }),
    );
  });

  it('is empty only when nothing may be shown', async () => {
    await fc.assert(
      fc.asyncProperty(anyRungs, anyRequest, async (rungs, request) => {
        const left = request.scope.allowedIds.filter((itemId) => !request.excluded.has(itemId));
        const { items } = await runChain({ rungs, request, size: 5 });
        expect(items.length).toBeGreaterThanOrEqual(Math.min(5, left.length, request.depth));
      }),
    );
  });

  it('fills the slate up from the rungs below, each item once, and says so', async () => {
    const items = ids.map((itemId) => ({ itemId, title: itemId, inStock: true }));
    const scope = scopeOf({ scope: { inStockOnly: true, excludeCategories: [], excludeItems: [] }, items, vocabulary: [] });
    const request: RungRequest = { history: ['i1'], historyWeights: [1], excluded: new Set(), scope, depth: 6 };
    const one: FallbackRung = { name: 'session', rank: () => ({ items: ['i5'], scores: [3] }) };
    const two: FallbackRung = { name: 'popularity', rank: () => ({ items: ['i5', 'i4', 'i3', 'i2'], scores: [9, 8, 7, 6] }) };
    const answer = await runChain({ rungs: [modelRung({ items: [], scores: [], why: 'it crashed' }), one, two, staticRung], request, size: 4 });
    expect(answer).toEqual({
      rung: 'session',
      items: ['i5', 'i4', 'i3', 'i2'],
      scores: [3, 8, 7, 6],
      reason: 'model: it crashed; session: only 1 of 4 items could be shown; filled up from popularity',
    });
  });

  it('passes over a rung that throws, and says so', async () => {
    const broken: FallbackRung = {
      name: 'model',
      rank() {
        throw new Error('out of order');
      },
    };
    const [request] = fc.sample(
      anyRequest.filter(({ scope, excluded }) => scope.allowedIds.some((itemId) => !excluded.has(itemId))),
      1,
    ) as [RungRequest];
    const answer = await runChain({ rungs: [broken, staticRung], request, size: 1 });
    expect(answer).toMatchObject({ rung: 'static', reason: 'model: out of order' });
  });
});

describe('the session rung', () => {
  it('answers what was seen along with the visitor’s last items', () => {
    const coVisits = createCoVisits({ maxItems: 100 });
    for (let visit = 0; visit < 5; visit += 1) coVisits.add({ previous: ['i1'], itemId: 'i2' });
    coVisits.add({ previous: ['i1'], itemId: 'i3' });
    const request: RungRequest = {
      history: ['i1'],
      historyWeights: [1],
      excluded: new Set(),
      depth: 5,
      scope: { allowed: () => true, allowedIds: ids, bias: new Float32Array(), digest: '' },
    };
    expect(sessionRung(coVisits).rank(request)).toMatchObject({ items: ['i2', 'i3'] });
    expect(sessionRung(coVisits).rank({ ...request, history: [] })).toMatchObject({ items: [], why: 'a visitor without a past' });
  });

  it('keeps a bounded number of neighbours, the strongest', () => {
    const coVisits = createCoVisits({ maxItems: 100 });
    for (let other = 0; other < 1_000; other += 1) coVisits.add({ previous: ['hub'], itemId: `n${other}` });
    for (let visit = 0; visit < 3; visit += 1) coVisits.add({ previous: ['hub'], itemId: 'strong' });
    for (let other = 1_000; other < 2_000; other += 1) coVisits.add({ previous: ['hub'], itemId: `n${other}` });
    expect(coVisits.neighbours('hub').size).toBeLessThanOrEqual(128);
    expect(coVisits.neighbours('hub').get('strong')).toBe(3);
  });
});
