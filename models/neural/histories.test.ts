import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Panels } from './full-softmax.ts';
import { Network } from './network.ts';
import { RowTable } from './row-table.ts';
import { inWorkspace } from './workspace.ts';
import { createRandom } from '../random.ts';
import type { Interactions } from '../algorithms/algorithm.ts';
import { HeldOutRanks } from './held-out-ranks.ts';
import { Histories } from './histories.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);

/** Every entry an item of its own, so that a target tells its entry; every `tied` of a user come at the same time. */
function ownItems(lengths: readonly number[], tied = 1): Interactions {
  const indptr = new Uint32Array(lengths.length + 1);
  for (const [user, length] of lengths.entries()) indptr[user + 1] = (indptr[user] as number) + length;
  const entries = indptr.at(-1) as number;
  const userOf = lengths.flatMap((length, user) => Array<number>(length).fill(user));
  return {
    ...{ userCount: lengths.length, itemCount: Math.max(1, entries), indptr },
    items: Uint32Array.from({ length: entries }, (_, entry) => entry),
    weights: Float32Array.from({ length: entries }, (_, entry) => 1 + entry),
    atMs: Float64Array.from({ length: entries }, (_, entry) => Math.floor((entry - (indptr[userOf[entry] as number] as number)) / tied)),
  };
}

/** What each place of an epoch foretells, and from what. */
function epochOf(histories: Histories, epoch: number): { target: number; context: number[]; weight: number }[] {
  const batch = histories.emptyBatch();
  return Array.from({ length: histories.batchesPerEpoch }, (_, number) => {
    histories.fill(batch, { epoch, batch: number });
    expect(batch.rows).toBeLessThanOrEqual(histories.mostRows);
    return Array.from({ length: batch.sequences.count }, (_sequence, sequence) => {
      const [from, to] = [batch.sequences.starts[sequence] as number, batch.sequences.starts[sequence + 1] as number];
      return Array.from({ length: to - from }, (_place, place) => {
        expect(batch.positions[from + place]).toBe(place);
        const context = [...batch.items.subarray(from, from + place + 1)];
        return { target: batch.targets.items[from + place] as number, weight: batch.targets.weights[from + place] as number, context };
      });
    }).flat();
  }).flat();
}

test('in every epoch each entry is foretold once from what came before it, and what is held out never', () =>
  fc.assert(
    fc.property(
      fc.record({
        lengths: fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 120 }),
        maxHistory: fc.integer({ min: 1, max: 20 }),
        batchEntries: fc.integer({ min: 16, max: 400 }),
        heldOutShare: fc.constantFrom(0, 0.1, 0.5),
        tied: fc.integer({ min: 1, max: 4 }),
        drawn: fc.nat(),
      }),
      ({ lengths, maxHistory, batchEntries, heldOutShare, tied, drawn }) => {
        const interactions = ownItems(lengths, tied);
        const histories = new Histories({ interactions, maxHistory, seed: drawn, heldOutShare, batchEntries });
        const batch = histories.emptyBatch();
        const heldOut = new Set<number>();
        for (let next = 0; next < histories.heldOut.length; ) {
          next = histories.fillHeldOut(batch, next);
          for (let sequence = 1; sequence <= batch.sequences.count; sequence += 1)
            heldOut.add(batch.targets.items[(batch.sequences.starts[sequence] as number) - 1] as number);
        }
        expect(heldOut.size).toBe(histories.heldOut.length);
        for (const epoch of [0, 1]) {
          const foretold = epochOf(histories, epoch);
          expect(foretold.map(({ target }) => target).sort((a, b) => a - b)).toEqual([...interactions.items].filter((item) => !heldOut.has(item)));
          for (const { target, context, weight } of foretold) {
            expect(weight).toBe(1 + target);
            expect(context[0]).toBe(interactions.itemCount);
            expect(context.length).toBeLessThanOrEqual(maxHistory + 1);
            for (const before of context.slice(1)) expect(interactions.atMs[before] as number).toBeLessThanOrEqual(interactions.atMs[target] as number);
          }
        }
        // Whatever epoch was asked for before.
        const again = new Histories({ interactions, maxHistory, seed: drawn, heldOutShare, batchEntries });
        expect(epochOf(again, 1)).toEqual(epochOf(histories, 1));
      },
    ),
    { seed, numRuns: 60 },
  ));

test('of who has done much the latest counts', () => {
  const histories = new Histories({ interactions: ownItems([5000, 3]), maxHistory: 9, seed, heldOutShare: 0, batchEntries: 100 });
  const targets = epochOf(histories, 0).map(({ target }) => target);
  expect(targets.toSorted((a, b) => a - b)).toEqual([...Array.from({ length: 200 }, (_, place) => 4800 + place), 5000, 5001, 5002]);
});

test('ranks what is held out as scores written down do, and earns nothing by saying the same of all', () => {
  const interactions = ownItems(Array<number>(300).fill(3));
  const { itemCount } = interactions;
  const histories = new Histories({ interactions, maxHistory: 5, seed, heldOutShare: 0.5, batchEntries: 64 });
  const batch = histories.emptyBatch();
  const width = 8;
  const random = createRandom(seed);
  const byRow = new Float32Array(itemCount * width).map(() => random.float() - 0.5);
  const { network, table, ranks } = inWorkspace((workspace) => {
    const made = new Network({ workspace, mostRows: histories.mostRows });
    const vectors = new RowTable({ workspace, rows: Panels.rowsFor(itemCount), width });
    const from = made.flow(width);
    made.add({
      forward() {
        for (let row = 0; row < made.rows; row += 1) {
          const target = batch.targets.items[row] as number;
          from.value.set(byRow.subarray(target * width, (target + 1) * width), row * width);
        }
      },
      backward() {},
    });
    return {
      network: made,
      table: vectors,
      ranks: new HeldOutRanks({ network: made, from, table: vectors, panels: new Panels({ workspace, table: vectors, items: itemCount }) }),
    };
  });
  expect(network.mostRows).toBe(histories.mostRows);
  expect(ranks.score(histories, batch)).toBeCloseTo(1 / Math.log2(2 + (itemCount - 1) / 2), 10);
  table.value.set(new Float32Array(itemCount * width).map(() => random.float() - 0.5));
  const product = (target: number, item: number) => {
    let sum = 0;
    for (let f = 0; f < width; f += 1) sum += (byRow[target * width + f] as number) * (table.value[item * width + f] as number);
    return sum;
  };
  const expected = histories.heldOut.map(({ to }) => {
    const target = to - 1;
    const better = Array.from({ length: itemCount }, (_, item) => item).filter((item) => product(target, item) > product(target, target)).length;
    return 1 / Math.log2(2 + better);
  });
  // Two items that come close to each other may change places by rounding.
  expect(Math.abs((ranks.score(histories, batch) as number) - expected.reduce((sum, one) => sum + one, 0) / expected.length)).toBeLessThan(1e-3);
});
