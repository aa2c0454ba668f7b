import { evaluateCommandIn } from './command.ts';

/** Runs `understudy evaluate` in a folder, with a clock that moves a quarter of a second a look. */
export async function runEvaluate(cwd: string, args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const written: Record<'stdout' | 'stderr', string[]> = { stdout: [], stderr: [] };
  let clockMs = 0;
  const command = evaluateCommandIn({
    cwd,
    stdout: (text) => void written.stdout.push(text),
    stderr: (text) => void written.stderr.push(text),
    isTerminal: false,
    nowMs: () => {
      clockMs += 250;
      return clockMs;
    },
  });
  await command.exitOverride().parseAsync([...args], { from: 'user' });
  return { stdout: written.stdout.join(''), stderr: written.stderr.join('') };
}
