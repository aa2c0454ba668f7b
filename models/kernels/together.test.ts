import { expect, onTestFinished, test } from 'vitest';
import { createRandom } from '../random.ts';
import { panelItems } from './softmax-jobs.ts';
import { Layout } from './team.ts';
import { Together } from './together.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const width = 16;
const [mostRows, mostPanels] = [90, 12];

/** Shares, vectors and gradients of items, in a memory of their own, where so many threads work. */
function open(threads: number) {
  const layout = new Layout();
  const sizes = [mostPanels * panelItems * mostRows, mostRows * width, mostPanels * panelItems * width];
  const places = sizes.map((size) => layout.reserve(4 * size));
  const memory = layout.memory();
  const together = new Together({ memory, threads });
  onTestFinished(() => together.close());
  return { together, places, arrays: sizes.map((size, index) => new Float32Array(memory.buffer, places[index], size)) };
}

test('jobs done by several threads, one after the other and some very small, are those of one thread to the bit', () => {
  const random = createRandom(seed);
  const [alone, several] = [open(1), open(3)];
  for (const { arrays } of [alone, several]) {
    const same = createRandom(seed + 1);
    for (const array of arrays) for (let place = 0; place < array.length; place += 1) array[place] = same.float() - 0.5;
  }
  for (let job = 0; job < 2_000; job += 1) {
    const [rows, panels] = [1 + random.below(mostRows), 1 + random.below(mostPanels)];
    for (const { together, places } of [alone, several]) together.run('softmaxItems', { rows: panels, own: [...places, rows, width] });
    if (job % 100 === 0) expect(several.arrays[2]).toEqual(alone.arrays[2]);
  }
  expect(several.arrays[2]).toEqual(alone.arrays[2]);
  expect(several.arrays[2]?.every(Number.isFinite)).toBe(true);
});

test('a job beyond the memory fails, and nobody waits for it', () => {
  const { together, places } = open(3);
  expect(() => together.run('softmaxItems', { rows: 12, own: [places[0] ?? 0, places[1] ?? 0, 2 ** 32 - 65_536, 8, width] })).toThrow();
});
