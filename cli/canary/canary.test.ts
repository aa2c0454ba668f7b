import { expect, it, vi } from 'vitest';
import { canaryCommand } from './command.ts';

async function simulate(...args: string[]): Promise<Record<string, unknown>> {
  const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    await canaryCommand().parseAsync(['simulate', ...args, '--json'], { from: 'user' });
    expect(write).toHaveBeenCalledTimes(1);
    return JSON.parse(String(write.mock.calls[0]?.[0]));
  } finally {
    write.mockRestore();
  }
}

it('an equal challenger is hardly ever promoted or rolled back, and the same seed gives the same study', async () => {
  const args = ['--champion', '.05', '--challenger', '.05', '--users', '40000', '--share-cap', '.1', '--runs', '100'];
  const study = await simulate(...args);
  console.log(`A/A at 1 %: ${JSON.stringify(study)}`);
  expect(Number(study.promoted) + Number(study.rolledBack) + Number(study.inconclusive)).toBe(100);
  // Stated: at most 1 % each; more than 5 of 100 has probability .0005.
  expect(study.promoted).toBeLessThanOrEqual(5);
  expect(study.rolledBack).toBeLessThanOrEqual(5);
  expect(study.regret).toBe(0);
  expect(await simulate(...args)).toEqual(study);
});

it('one that is half as good is rolled back after few of its users, at less loss than half and half', async () => {
  const study = await simulate('--champion', '.05', '--challenger', '.025', '--users', '60000', '--share-cap', '.1', '--runs', '60');
  console.log(`half as good: ${JSON.stringify(study)}`);
  expect(study.rolledBack).toBeGreaterThanOrEqual(57);
  expect(study.promoted).toBe(0);
  expect((study.challengerUsersToDecision as { median: number }).median).toBeLessThanOrEqual(1_200);
  expect((study.challengerUsersToDecision as { p95: number }).p95).toBeLessThanOrEqual(3_000);
  expect(study.regret).toBeLessThan(0.6 * Number(study.regretFixedSplit));
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
