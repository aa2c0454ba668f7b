import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { createRandom } from '../../models/random.ts';
import type { Evaluation } from './evaluate.ts';
import { runEvaluate } from './testing.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'understudy-items-'));
  return () => rm(folder, { recursive: true });
});

async function file(name: string, lines: readonly string[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `${lines.join('\n')}\n`);
  onTestFinished(() => rm(path, { force: true }));
  return path;
}

const run = (...args: string[]) => runEvaluate(folder, args);

test('what is said of items lets a model find those that nobody has had', async () => {
  const random = createRandom(Number(process.env.UNDERSTUDY_TEST_SEED));
  const kinds = ['cup', 'lamp', 'rug', 'clock'];
  // Items 40 to 43 are new, one of each kind; each user wants the one of the own kind.
  const items = Array.from({ length: 44 }, (_, item) => `i${item},"${kinds[item % 4]}, ${['red', 'blue'][random.below(2)]}",$ ${1 + random.below(9)}.50`);
  const train = Array.from({ length: 200 }, (_, user) =>
    Array.from({ length: 6 }, () => `u${user},i${random.float() < 0.9 ? 4 * random.below(10) + (user % 4) : random.below(40)}`),
  ).flat();
  const test = Array.from({ length: 200 }, (_, user) => `u${user},i${40 + (user % 4)}`);
  const [trainFile, testFile] = [await file('train.csv', ['user,item', ...train]), await file('test.csv', ['user,item', ...test])];
  const itemsFile = await file('items.csv', ['Product ID,Product Name,Unit Price', ...items]);
  const args = ['--train', trainFile, '--test', testFile, '--model', 'ials', '--params', '{"factors":16}'];

  const without = JSON.parse((await run(...args, '--json')).stdout) as Evaluation;
  expect(without.metrics['recall@20']).toBe(0);
  expect(without.coldItems).toBeUndefined();
  const { stdout, stderr } = await run(...args, '--items', itemsFile, '--json');
  expect(stderr).toContain('item "Product ID", title "Product Name", price "Unit Price"');
  const given = JSON.parse(stdout) as Evaluation;
  expect(given.coldItems?.users).toBe(200);
  expect(given.coldItems?.metrics['recall@20']).toBeGreaterThan(0.6);
  expect((await run(...args, '--items', itemsFile)).stdout).toContain('items that training never saw: wanted by 200 users');
});

test.each([
  { lines: ['sku', 'a'], code: 'UND-INPUT', says: /no title, category, brand or price beside "sku"/ },
  { lines: ['title,price', 'a,1'], code: 'UND-INPUT', says: /no column of item ids; it has title, price/ },
  { lines: undefined, code: 'UND-FILE', says: /does not exist/ },
])('a file of items with mistakes is named with what is wrong: $says', async ({ lines, code, says }) => {
  const path = lines === undefined ? join(folder, 'nowhere.csv') : await file('wrong.csv', lines);
  const interactions = await file('rows.csv', ['user,item,time', 'u1,a,1300000000']);
  await expect(run('--interactions', interactions, '--model', 'ials', '--items', path)).rejects.toMatchObject({ code, message: expect.stringMatching(says) });
});
