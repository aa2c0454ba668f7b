import { expect, it, vi } from 'vitest';
import type { CanaryPlan } from '../../experiments/canary/plan-canary.ts';
import { canaryCommand } from './command.ts';

const simulate = (...args: string[]) => canary('simulate', ...args);

async function canary(...args: string[]): Promise<Record<string, unknown>> {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    await canaryCommand().parseAsync([...args, '--json'], { from: 'user' });
    expect(write).toHaveBeenCalledTimes(1);
    return JSON.parse(String(write.mock.calls[0]?.[0]));
  } finally {
    write.mockRestore();
  }
}

it('an equal challenger is hardly ever promoted or rolled back, and the same seed gives the same study', async () => {
  const args = ['--champion', '.05', '--challenger', '.05', '--users', '30000', '--share-cap', '.1', '--runs'];
  const study = await simulate(...args, '60');
  console.log(`A/A at 1 %: ${JSON.stringify(study)}`);
  expect(Number(study.promoted) + Number(study.rolledBack) + Number(study.inconclusive)).toBe(60);
  // Stated: at most 1 % each; more than 4 of 60 has probability .0003.
  expect(study.promoted).toBeLessThanOrEqual(4);
  expect(study.rolledBack).toBeLessThanOrEqual(4);
  expect(study.regret).toBe(0);
  expect(await simulate(...args, '5')).toEqual(await simulate(...args, '5'));
});

it('one that is half as good is rolled back after few of its users, at less loss than half and half', async () => {
  const study = await simulate('--champion', '.05', '--challenger', '.025', '--users', '60000', '--share-cap', '.1', '--runs', '40');
  console.log(`half as good: ${JSON.stringify(study)}`);
  expect(study.rolledBack).toBeGreaterThanOrEqual(38);
  expect(study.promoted).toBe(0);
  expect((study.challengerUsersToDecision as { median: number }).median).toBeLessThanOrEqual(850);
  expect((study.challengerUsersToDecision as { p95: number }).p95).toBeLessThanOrEqual(2_300);
  expect(study.regret).toBeLessThan(0.65 * Number(study.regretFixedSplit));
});

it('where the number of users is known before, a fifth less is told with fewer, and what waiting costs is said', async () => {
  const args = ['--champion', '.3', '--challenger', '.24', '--users', '40000', '--share-cap', '.1', '--runs', '30'];
  const [open, bounded] = [await simulate(...args), await simulate(...args, '--horizon-bounded')];
  const usersOf = ({ usersInAll }: Record<string, unknown>) => (usersInAll as { p95: number }).p95;
  console.log(`open: ${JSON.stringify(open)}\nbounded: ${JSON.stringify(bounded)}`);
  expect(bounded.rolledBack).toBeGreaterThanOrEqual(28);
  expect(usersOf(bounded)).toBeLessThanOrEqual(usersOf(open));
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  await canaryCommand().parseAsync(['simulate', '--champion', '.2', '--challenger', '.3', '--users', '9000', '--runs', '4'], { from: 'user' });
  const text = String(write.mock.calls[0]?.[0]);
  write.mockRestore();
  expect(text).toMatch(/conversions forgone while the better one waited, a run +\d+\.\d, \d+\.\d\d times those of half and half/);
});

it('several challengers share the traffic, and it is said what became of each', async () => {
  const study = await simulate('--champion', '.2', '--challenger', '.1', '--challenger', '.3', '--users', '40000', '--runs', '6');
  console.log(`two challengers: ${JSON.stringify(study)}`);
  expect(study).toMatchObject({ runs: 6, promoted: 6, rolledBack: 0, inconclusive: 0 });
  expect(study.challengers).toMatchObject([
    { rate: 0.1, promoted: 0 },
    { rate: 0.3, promoted: 6, eliminated: 0 },
  ]);
});

it('a plan says how many users and days each intent takes, and what to change where that is hopeless', async () => {
  const { plans } = (await canary('plan', '--rate', '.3', '--users-per-day', '5000', '--runs', '6')) as { plans: CanaryPlan[] };
  expect(plans.map(({ intent, decided, advice }) => [intent, decided, advice])).toEqual([
    ['replace', 6, null],
    ['refresh', 6, null],
  ]);
  // Ten per cent of .3 with half of the users: some thousands an arm, whatever the draw.
  for (const { usersInAll } of plans) {
    expect(usersInAll?.median).toBeGreaterThan(4_000);
    expect(usersInAll?.median).toBeLessThan(60_000);
  }
  const few = (await canary('plan', '--rate', '.02', '--users-per-day', '100', '--runs', '4')) as { plans: CanaryPlan[] };
  expect(few.plans).toMatchObject([
    { days: null, advice: expect.stringMatching(/^hopeless: a challenger that is about \d+ % better/) },
    { days: null, advice: expect.stringMatching(/^hopeless: a margin of about \d+ %/) },
  ]);
});

it.each([
  [['--champion', '5', '--challenger', '.05']],
  [['--champion', '.05']],
  [['--champion', '.05', '--challenger', '.05', '--share-cap', '.9']],
  [['--champion', '.05', '--challenger', '.05', '--runs', '0']],
])('bad input is refused: %j', async (args) => {
  const command = canaryCommand();
  for (const one of command.commands) one.exitOverride().configureOutput({ writeErr: () => undefined });
  await expect(command.exitOverride().parseAsync(['simulate', ...args], { from: 'user' })).rejects.toMatchObject({ code: /commander\./ });
});
