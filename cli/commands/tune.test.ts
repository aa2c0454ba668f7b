import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import { readEnvironment } from '../environment.ts';
import { writtenBy } from '../testing.ts';
import { readInteractions } from '../evaluate/read-interactions.ts';
import { evaluate } from '../evaluate/evaluate.ts';
import { splitRows } from '../evaluate/split-rows.ts';
import { tuneCommand } from './tune.ts';
import { progressText } from './tune-output.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'understudy-tune-'));
  const purchases = drawPurchases({ users: 160, items: 80, tastes: 8, faith: 0.9, perUser: 20, days: 60, zipf: 0.3, fresh: 0, seed });
  const lines = happeningsOf(purchases, 1_700_000_000_000).map(({ user, item, atMs }) => `${user},${item},${Math.floor(atMs / 1000)}`);
  await writeFile(join(folder, 'rows.csv'), `user,item,timestamp\n${lines.join('\n')}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (...argv: string[]) =>
  writtenBy(() =>
    tuneCommand({ env: readEnvironment({}), cwd: folder, now: Date.now })
      .exitOverride()
      .parseAsync(argv, { from: 'user' }),
  );

const space = JSON.stringify({ lambda: { min: 1e-3, max: 1e6, scale: 'log' }, factors: [8, 16] });
const asked = [
  '--interactions',
  'rows.csv',
  '--model',
  'ials',
  '--params',
  '{"sweeps":4}',
  '--space',
  space,
  '--trials',
  '4',
  '--eta',
  '2',
  '--min-share',
  '0.25',
];

it('on a file: halves the trials, measures each as evaluate does, and leaves the test alone', async () => {
  const plan = JSON.parse(await run(...asked, '--dry-run', '--json')).plans[0];
  expect(plan).toMatchObject({
    candidate: 'ials',
    trainings: 7,
    wholeTrainings: 3,
    rungs: [{ share: 0.25, trials: 4 }, { share: 0.5 }, { share: 1, trials: 1 }],
  });
  const [tuned] = JSON.parse(await run(...asked, '--json')).tuned;
  expect(tuned.trials.map(({ params }: { params: unknown }) => params)).toEqual(plan.trials);
  expect(tuned.params).toEqual({ sweeps: 4, ...plan.trials[tuned.chosen] });
  expect(tuned.trials.filter(({ rung }: { rung: number }) => rung === 2)).toHaveLength(1);

  // The winner was trained on all users, on the days before those of the test.
  const rows = await readInteractions(join(folder, 'rows.csv'), { options: {}, say: () => undefined });
  const split = splitRows(rows, { origins: 2, testDays: 14, gapDays: 1 })[1];
  if (split === undefined) throw new Error('no split');
  const settings = {
    cutoffs: [10, 20],
    seed: 1,
    threads: 1,
    nowMs: () => 0,
    report: () => undefined,
    asks: 'rest' as const,
    model: 'ials',
    params: tuned.params,
  };
  const { intervals, users } = await evaluate({ ...settings, train: split.train, test: split.test });
  expect(tuned.trials[tuned.chosen]).toMatchObject({ rung: 2, users, trainUsers: split.train.userIds.length, measured: intervals['ndcg@10'] });
  // The same users are asked for on every rung.
  expect(new Set(tuned.trials.map((one: { users: number }) => one.users))).toEqual(new Set([users]));

  const text = await run(...asked);
  expect(text).toMatch(/^factors .* 3 of 3 +chosen$/m);
  expect(text).toContain(`params: ${JSON.stringify(tuned.params)} }`);
  expect(text).toContain(`understudy evaluate --interactions rows.csv --test-days 14 --gap-days 1 --model ials --params '${JSON.stringify(tuned.params)}'`);
});

it("a grid of lists is tried whole; each user's last row but one can be what is chosen on", async () => {
  const grid = ['--interactions', 'rows.csv', '--model', 'item-knn', '--space', '{"neighbours":[1,60]}', '--split', 'leave-one-out', '--metric', 'hit-rate@10'];
  const [tuned] = JSON.parse(await run(...grid, '--json')).tuned;
  expect(tuned).toMatchObject({ metric: 'hit-rate@10', rungs: [{ share: 1, trials: 2 }], chosen: 1, params: { neighbours: 60 } });
  expect(await run(...grid, '--dry-run')).toContain('item-knn: 2 trials, 2 trainings; the best by hit-rate@10');
});

it('mistakes are named before anything is read', async () => {
  const file = (model: string, text: string, ...more: string[]) => run('--interactions', 'not-there.csv', '--model', model, '--space', text, ...more);
  const refused = (message: string) => ({ code: 'UND-INPUT', message: expect.stringContaining(message) });
  await expect(run('--model', 'ials')).rejects.toMatchObject(refused('--interactions, --model and --space'));
  await expect(file('ials', '{')).rejects.toMatchObject(refused('--space is not JSON'));
  await expect(file('nobody', '{"a":[1]}')).rejects.toMatchObject(refused('nobody'));
  await expect(file('ials', '{"factors":[0]}')).rejects.toMatchObject(refused('factors'));
  await expect(file('ials', '{"lambda":{"min":0,"max":1,"scale":"log"}}', '--trials', '5')).rejects.toMatchObject(refused('log scale'));
  await expect(file('ials', '{"lambda":{"min":1,"max":2}}')).rejects.toMatchObject(refused('how many trials'));
  await expect(file('ials', '{"lambda":[1,2]}', '--trials', 'x')).rejects.toMatchObject(refused('trials'));
  await expect(file('ials', '{"lambda":[1,2]}')).rejects.toMatchObject({ code: 'UND-FILE' });
});

it('says how much time is left by what was done', () => {
  const rungs = [
    { share: 0.5, trials: 4 },
    { share: 1, trials: 2 },
  ];
  expect(progressText({ rungs, rung: 0, done: 0, elapsedMs: 5_000 })).toBe('rung 1 of 2: 0 of 4 trials');
  // A quarter of the cost is behind.
  expect(progressText({ rungs, rung: 0, done: 2, elapsedMs: 10_000 })).toBe('rung 1 of 2: 2 of 4 trials, about 30 s left');
  expect(progressText({ rungs, rung: 1, done: 1, elapsedMs: 900_000 })).toBe('rung 2 of 2: 1 of 2 trials, about 5 min left');
});
