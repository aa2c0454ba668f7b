import { graphDigest, graphSize } from '../graph-files.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Ranked, ScoreRequest } from '../../algorithms/algorithm.ts';
import { rankScores } from '../../algorithms/rank.ts';
import type { RetrievalWay } from '../../contracts/artifact.ts';
import { digestBytes } from '../../contracts/digest.ts';
import { createRandom } from '../../random.ts';
import { OnnxBuilder } from '../onnx-builder.ts';
import { declareInputs, disallowedScore } from '../recommend-interface.ts';
import { openRecommendGraph } from '../session.ts';
import { cutIntoCells } from './cells.ts';
import { declareRetrieval } from './declare-retrieval.ts';
import { type ItemVectors, itemTable, roundVectors } from './item-table.ts';
import { productGraph } from './product-graph.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);

type Items = ItemVectors & { itemCount: number; prior: Float32Array };
type Way = { way: RetrievalWay; codes: boolean; recallAtLeast: number };
const inFloat: Omit<Way, 'codes'>[] = [
  { way: { way: 'exact' }, recallAtLeast: 1 },
  { way: { way: 'exact-8bit', rerank: 2 }, recallAtLeast: 0.999 },
  { way: { way: 'exact-4bit', rerank: 5 }, recallAtLeast: 0.99 },
  { way: { way: 'inverted-lists', cellItems: 24, probes: 60, seed: 3 }, recallAtLeast: 0.95 },
];
/** Of items that a graph holds as codes, against the same in float32. */
const ways: Way[] = [...inFloat.map((one) => ({ ...one, codes: false })), ...inFloat.slice(1).map((one) => ({ ...one, codes: true }))];
const asHeld = (items: Items, codes: boolean): Items => (codes ? { ...items, ...roundVectors(items) } : items);
const seesAll = ({ way }: RetrievalWay) => way !== 'inverted-lists';

/** The promise, reckoned without any graph. */
function bestOf({ itemCount, width, vectors, prior }: Items, request: ScoreRequest): Ranked {
  const query = new Float64Array(width);
  for (const [place, item] of request.history.entries())
    for (let f = 0; f < width; f += 1)
      query[f] = (query[f] as number) + Math.fround(request.historyWeight[place] as number) * (vectors[item * width + f] as number);
  const scores = Float32Array.from(prior, (start, item) => query.reduce((sum, value, f) => sum + value * (vectors[item * width + f] as number), start));
  return rankScores({ scores, itemCount, request });
}

async function withWay<T>(items: Items, retrieval: RetrievalWay, use: (ask: (request: ScoreRequest) => Promise<Ranked>) => Promise<T>): Promise<T> {
  const graph = await openRecommendGraph({ ...productGraph({ ...items, retrieval }), itemCount: items.itemCount, maxHistory: 50 });
  try {
    return await use((request) => graph.recommend(request));
  } finally {
    await graph.close();
  }
}

/** Whole numbers, of which sums are exact in whatever order they are made, and equal scores are many. */
const anyItems = fc
  .record({ itemCount: fc.integer({ min: 1, max: 150 }), width: fc.integer({ min: 1, max: 70 }), drawn: fc.nat() })
  .map((of) => {
    const random = createRandom(of.drawn);
    const { itemCount, width } = of;
    const vectors = Float32Array.from({ length: (itemCount + 1) * width }, (_, place) => (place < itemCount * width ? random.below(7) - 3 : 0));
    const prior = Float32Array.from({ length: itemCount + 1 }, (_, item) => (item < itemCount ? random.below(3) : 0));
    return { itemCount, width, vectors, prior };
  })
  // Where a block has a number of 127, 8 bits hold whole numbers as they are.
  .map((items): Items => {
    for (let row = 0; row < items.itemCount; row += 1)
      for (let f = 0; f < items.width; f += 64) items.vectors[row * items.width + f] = row % 2 === 0 ? 127 : -127;
    return items;
  });
const anyCase = anyItems.chain((items) =>
  fc.record({
    items: fc.constant(items),
    request: fc.record({
      entries: fc.array(fc.record({ item: fc.nat(items.itemCount), weight: fc.nat(4) }), { maxLength: 6 }),
      exclude: fc.array(fc.nat(items.itemCount), { maxLength: 60 }),
      scope: fc.oneof(fc.constant(1), fc.constant(0), fc.double({ min: 0, max: 1, noNaN: true })),
      drawn: fc.nat(),
      count: fc.integer({ min: 1, max: items.itemCount + 5 }),
    }),
  }),
);

function requestOf({ itemCount }: Items, { entries, exclude, scope, drawn, count }: Drawn): ScoreRequest {
  const random = createRandom(drawn);
  return {
    history: entries.map(({ item }) => item),
    historyWeight: entries.map(({ weight }) => weight),
    exclude,
    scopeBias: scope === 1 ? undefined : Float32Array.from({ length: itemCount }, () => (random.float() < scope ? 0 : disallowedScore)),
    count,
  };
}
type Drawn = { entries: { item: number; weight: number }[]; exclude: number[]; scope: number; drawn: number; count: number };

/** Items as training leaves them: around points that themselves lie around others, some sought after more than others. */
function clustered({ itemCount, width, drawn }: { itemCount: number; width: number; drawn: number }): Items {
  const random = createRandom(drawn);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float());
  const centers = Float64Array.from({ length: 40 * width }, normal);
  const vectors = new Float32Array((itemCount + 1) * width);
  for (let item = 0; item < itemCount; item += 1) {
    const center = random.below(40) * width;
    const length = (0.5 + random.float()) / Math.sqrt(width);
    for (let f = 0; f < width; f += 1) vectors[item * width + f] = length * ((centers[center + f] as number) + 0.5 * normal());
  }
  return { itemCount, width, vectors, prior: new Float32Array(itemCount + 1) };
}

describe.each(ways)('$way.way, codes: $codes', ({ way, codes, recallAtLeast }) => {
  test('answers what is allowed, so many, best first, ties to the lower index; and all that there is where it looks at everything', () =>
    fc.assert(
      fc.asyncProperty(anyCase, async ({ items, request: drawn }) => {
        const request = requestOf(items, drawn);
        const best = bestOf(items, request);
        const answer = await withWay(asHeld(items, codes), way, (ask) => ask(request));
        if (seesAll(way)) {
          expect(answer).toEqual(best);
          return;
        }
        // Scores are its own whichever items are looked at: each is what the exact answer gives the item.
        const everything = bestOf(items, { ...request, count: items.itemCount });
        const scoreOf = new Map(everything.items.map((item, place) => [item, everything.scores[place]]));
        expect(answer.items).toHaveLength(best.items.length);
        expect(answer.scores).toEqual(answer.items.map((item) => scoreOf.get(item)));
        const inOrder = answer.items.toSorted((a, b) => (scoreOf.get(b) as number) - (scoreOf.get(a) as number) || a - b);
        expect(answer.items).toEqual(inOrder);
      }),
      { seed, numRuns: 60 },
    ));

  test.each([64, 50, 24])(`finds at least ${recallAtLeast} of the best 100 among vectors of %i`, async (width) => {
    const items = asHeld(clustered({ itemCount: 6000, width, drawn: seed }), codes);
    const random = createRandom(seed + 1);
    await withWay(items, way, async (ask) => {
      let found = 0;
      for (let number = 0; number < 40; number += 1) {
        const history = Array.from({ length: 1 + random.below(4) }, () => random.below(items.itemCount));
        const request = { history, historyWeight: history.map(() => 1 + random.float()), exclude: history, count: 100 };
        const best = new Set(bestOf(items, request).items);
        found += (await ask(request)).items.filter((item) => best.has(item)).length / 100;
      }
      expect(found / 40).toBeGreaterThanOrEqual(recallAtLeast);
    });
  });

  test('has the full answer in the narrowest scope, and where nothing is asked for that could tell items apart', async () => {
    const items = asHeld(clustered({ itemCount: 3000, width: 20, drawn: seed }), codes);
    const random = createRandom(seed + 2);
    await withWay(items, way, async (ask) => {
      const scopeBias = new Float32Array(items.itemCount).fill(disallowedScore);
      for (let number = 0; number < 40; number += 1) scopeBias[random.below(items.itemCount)] = 0;
      const inScope = [...scopeBias.keys()].filter((item) => scopeBias[item] === 0);
      const narrow = { history: [1, 2], historyWeight: [1, 1], exclude: inScope.slice(0, 3), scopeBias, count: 20 };
      const answer = await ask(narrow);
      expect(answer.items).toHaveLength(20);
      for (const item of answer.items) expect(inScope.slice(3)).toContain(item);
      const best = bestOf(items, narrow);
      for (const [place, score] of answer.scores.entries()) expect(score).toBeCloseTo(best.scores[place] as number, 4);
      // The query is 0, and all scores are equal.
      expect((await ask({ history: [], historyWeight: [], exclude: [2], count: 4 })).items).toEqual([0, 1, 3, 4]);
    });
  });

  test('of items that are alike the lower comes first, however many there are', async () => {
    const one = clustered({ itemCount: 5, width: 30, drawn: seed });
    const itemCount = 2000;
    const vectors = new Float32Array((itemCount + 1) * one.width);
    for (let item = 0; item < itemCount; item += 1)
      vectors.set(one.vectors.subarray((item % 5) * one.width, (item % 5) * one.width + one.width), item * one.width);
    const items = asHeld({ ...one, itemCount, vectors, prior: new Float32Array(itemCount + 1) }, codes);
    const answer = await withWay(items, way, (ask) => ask({ history: [0], historyWeight: [1], exclude: [], count: 50 }));
    expect(answer.items).toEqual(answer.items.toSorted((a, b) => a - b));
    expect(new Set(answer.items.map((item) => item % 5)).size).toBe(1);
    if (seesAll(way)) expect(answer.items).toEqual(Array.from({ length: 50 }, (_, place) => place * 5 + ((answer.items[0] as number) % 5)));
  });

  test('gives the same bytes for the same items', () => {
    const items = asHeld(clustered({ itemCount: 700, width: 33, drawn: seed }), codes);
    const [first, second] = [1, 2].map(() => graphDigest(productGraph({ ...structuredClone(items), retrieval: way })));
    expect(first).toBe(second);
  });
});

test('items as codes are a quarter of float32, however they are found, and there is no float32 of them to look at', () => {
  const items = clustered({ itemCount: 5000, width: 64, drawn: seed });
  const whole = graphSize(productGraph({ ...items, retrieval: { way: 'exact' } }));
  const rounded = { ...items, ...roundVectors(items) };
  expect(graphSize(productGraph({ ...rounded }))).toBeLessThan(0.3 * whole);
  expect(graphSize(productGraph({ ...rounded, retrieval: { way: 'inverted-lists', cellItems: 128, probes: 4, seed: 1 } }))).toBeLessThan(0.35 * whole);
  expect(() => productGraph({ ...rounded, retrieval: { way: 'exact' } })).toThrow(expect.objectContaining({ code: 'UND-INPUT' }));
});

test('vectors that 8 bits hold are half a step from the others at most, of whatever width', () =>
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 140 }), fc.constantFrom(1e-3, 1e6), fc.nat(), (width, size, drawn) => {
      const random = createRandom(drawn);
      const vectors = Float32Array.from({ length: 6 * width }, (_, place) => (place < width ? 0 : size * (2 * random.float() - 1)));
      const { vectors: rounded, codes } = roundVectors({ vectors, width });
      for (const [place, number] of rounded.entries()) {
        const row = Math.floor(place / width);
        const scale = codes?.scales[row * codes.blocks + Math.floor((place % width) / codes.blockSize)] as number;
        expect(Math.abs(number - (vectors[place] as number))).toBeLessThanOrEqual(0.5001 * scale);
      }
    }),
    { seed, numRuns: 60 },
  ));

test('the bytes of a graph that looks at everything in float32 are what they were', () => {
  const vectors = Float32Array.from({ length: 40 }, (_, place) => (place < 36 ? ((place * 7) % 11) - 5 : 0));
  const { bytes } = productGraph({ vectors, width: 4, prior: new Float32Array(10), retrieval: { way: 'exact' } });
  expect(digestBytes(bytes)).toBe('sha256:b9f891ef0640ae486f1345a3b970b7779d35aa36ff548a02c1091ba092f24b2a');
});

test('lists look into as many cells as they are told, and no further', async () => {
  const items = clustered({ itemCount: 2000, width: 20, drawn: seed });
  const { members, count } = cutIntoCells({ ...items, rows: items.itemCount, cellItems: 40, padding: items.itemCount, seed: 9 });
  const cellOf = new Map(Array.from(members, (item, place) => [item, Math.floor(place / 40)]));
  for (const probes of [1, 3, count + 5])
    await withWay(items, { way: 'inverted-lists', cellItems: 40, probes, seed: 9 }, async (ask) => {
      const random = createRandom(seed);
      const looked: number[] = [];
      for (let number = 0; number < 20; number += 1) {
        const request = { history: [random.below(items.itemCount)], historyWeight: [1], exclude: [], count: 6 };
        const found = await ask(request);
        looked.push(new Set(found.items.map((item) => cellOf.get(item))).size);
        if (probes > count) for (const [place, score] of bestOf(items, request).scores.entries()) expect(found.scores[place]).toBeCloseTo(score, 4);
      }
      // Where a cell holds less than is asked for, everything is looked at instead.
      expect(looked.toSorted((a, b) => a - b)[10]).toBeLessThanOrEqual(probes);
    });
});

test('lists are refused where it is not the products that decide', () => {
  const graph = new OnnxBuilder({ name: 'lifted' });
  const inputs = declareInputs(graph, 3);
  const vectors = new Float32Array(8);
  const table = itemTable(graph, { vectors, width: 2, name: 'item_vectors' });
  const query = graph.constant(Float32Array.of(1, 1), [2, 1]);
  const items = { graph, inputs, itemCount: 3, table, query, productsDecide: false, scoresOf: () => query };
  expect(() => declareRetrieval(items, { way: 'inverted-lists', cellItems: 2, probes: 1, seed: 1 })).toThrow(/products of vectors/);
});
