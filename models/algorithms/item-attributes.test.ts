import fc from 'fast-check';
import { expect, test } from 'vitest';
import { itemAttributes } from './item-attributes.ts';

const item = (itemId: string, others: object = {}) => ({ itemId, title: '', inStock: true, ...others });
const ofItem = (attributes: ReturnType<typeof itemAttributes>, place: number) => [
  ...attributes.attributes.subarray(attributes.indptr[place], attributes.indptr[place + 1]),
];

test('items share what the catalog says of both, field by field', () => {
  const catalog = [
    item('a', { title: 'Red mug', category: 'kitchen', brand: 'red', priceMinor: 100 }),
    item('b', { title: 'RED lamp', category: 'home', priceMinor: 100 }),
    item('c', { title: 'lamp', category: 'kitchen', priceMinor: 9000 }),
    item('x', { title: 'mug' }),
  ];
  const attributes = itemAttributes({ catalog, vocabulary: ['a', 'b', 'c', 'unknown'] });
  const [a, b, c, unknown] = [0, 1, 2, 3].map((place) => ofItem(attributes, place)) as number[][];
  const shared = (one: number[] | undefined, other: number[] | undefined) =>
    one?.filter((number) => other?.includes(number)).map((number) => attributes.fields[attributes.fieldOf[number] as number]);
  // A brand 'red' is no word 'red'; 'mug' is in one title of the vocabulary alone.
  expect(shared(a, b)).toEqual(['price', 'word']);
  expect(shared(a, c)).toEqual(['category']);
  expect(shared(b, c)).toEqual(['word']);
  expect(a).toHaveLength(4);
  expect(unknown).toEqual([]);
});

test('whatever the catalog: numbers are in range, rise within an item, and do not hang on the order of the catalog', () => {
  const text = fc.option(fc.string({ unit: 'binary', maxLength: 12 }), { nil: undefined });
  const catalogs = fc.uniqueArray(
    fc.record({
      itemId: fc.string({ minLength: 1, maxLength: 3 }),
      title: fc.string({ maxLength: 30 }),
      category: text,
      brand: text,
      priceMinor: fc.option(fc.nat(), { nil: undefined }),
      inStock: fc.boolean(),
    }),
    { selector: ({ itemId }) => itemId },
  );
  fc.assert(
    fc.property(catalogs, (catalog) => {
      const vocabulary = [...catalog.map(({ itemId }) => itemId), 'nowhere'].sort();
      const attributes = itemAttributes({ catalog, vocabulary });
      expect(itemAttributes({ catalog: catalog.toReversed(), vocabulary })).toEqual(attributes);
      expect(attributes.indptr.at(-1)).toBe(attributes.attributes.length);
      for (let place = 0; place < vocabulary.length; place += 1) {
        const own = ofItem(attributes, place);
        expect(own).toEqual([...new Set(own)].sort((one, other) => one - other));
        for (const number of own) expect(attributes.fieldOf[number]).toBeLessThan(attributes.fields.length);
      }
    }),
  );
});
