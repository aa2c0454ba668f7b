import { describe, expect, it } from 'vitest';
import { testCharter, withBench } from '../../activities/events/testing.ts';
import { openState } from '../../activities/context.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import { readEnvironment } from '../environment.ts';
import { feedbackCommand } from '../feedback/command.ts';
import { fairnessCommand } from './command.ts';

const nowMs = Date.UTC(2026, 0, 31);

describe.each([
  ['fairness', fairnessCommand],
  ['feedback', feedbackCommand],
] as const)('%s', (_, command) => {
  const run = (root: string, ...args: string[]) =>
    command({ env: readEnvironment({}), cwd: root, now: () => nowMs })
      .exitOverride()
      .configureOutput({ writeErr: () => undefined })
      .parseAsync([...args, '--state', root], { from: 'user' });

  it('refuses a surface that nobody knows, one where nothing was shown, and days that are no number', () =>
    withBench(async ({ folder }) => {
      await registerCharter(openState(folder), testCharter(), nowMs);
      await expect(run(folder, 'elsewhere')).rejects.toMatchObject({ code: 'UND-UNKNOWN-SURFACE' });
      await expect(run(folder, 'home', '--days', '2')).rejects.toMatchObject({
        code: 'UND-NO-DATA',
        message: expect.stringContaining('The log of home has no slate from 2026-01-2'),
      });
      await expect(run(folder, 'home', '--days', 'many')).rejects.toMatchObject({ code: 'commander.invalidArgument' });
    }));
});
