import { expect, test } from 'vitest';
import { scopeOf } from './scope.ts';

const items = [
  { itemId: '22423', title: 'Cake stand', category: 'kitchen', inStock: true },
  { itemId: '85123A', title: 'Heart holder', inStock: true },
  { itemId: '20725', title: 'Lunch bag', category: 'bags', inStock: true },
  { itemId: '47566', title: 'Bunting', category: 'party', inStock: false },
  { itemId: 'POST', title: 'Postage', inStock: true },
];
const everything = { inStockOnly: false, excludeCategories: [], excludeItems: [] };
const vocabulary = ['85123A', 'POST', '47566', 'gone', '22423'];

test('each rule takes out what it names', () => {
  const ids = (scope: Parameters<typeof scopeOf>[0]['scope']): readonly string[] => scopeOf({ scope, items, vocabulary }).allowedIds;
  expect(ids(everything)).toEqual(['20725', '22423', '47566', '85123A', 'POST']);
  expect(ids({ ...everything, inStockOnly: true })).toEqual(['20725', '22423', '85123A', 'POST']);
  expect(ids({ ...everything, itemIdPattern: '^\\d{5}' })).toEqual(['20725', '22423', '47566', '85123A']);
  expect(ids({ ...everything, excludeCategories: ['kitchen', 'bags'] })).toEqual(['47566', '85123A', 'POST']);
  expect(ids({ ...everything, excludeItems: ['85123A', 'nothing'] })).toEqual(['20725', '22423', '47566', 'POST']);
});

test('the bias follows the vocabulary, and what the catalog does not have is out', () => {
  const scope = scopeOf({ scope: { ...everything, inStockOnly: true, itemIdPattern: '^\\d{5}' }, items, vocabulary });
  expect(Array.from(scope.bias)).toEqual([0, -1e9, -1e9, -1e9, 0]);
  expect(vocabulary.map(scope.allowed)).toEqual([true, false, false, false, true]);
});

test('an id with two rows is in scope only if both are', () => {
  const twice = [...items, { itemId: '22423', title: 'Cake stand', category: 'kitchen', inStock: false }];
  for (const rows of [twice, [...twice].reverse()])
    expect(scopeOf({ scope: { ...everything, inStockOnly: true }, items: rows, vocabulary }).allowed('22423')).toBe(false);
});

test('equal scopes have equal digests, whatever the order of the catalog', () => {
  const digest = scopeOf({ scope: everything, items, vocabulary }).digest;
  expect(scopeOf({ scope: everything, items: [...items].reverse(), vocabulary: [] }).digest).toBe(digest);
  expect(scopeOf({ scope: { ...everything, inStockOnly: true }, items, vocabulary }).digest).not.toBe(digest);
});
