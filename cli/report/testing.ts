import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { onTestFinished, vi } from 'vitest';
import { openState, type State } from '../../activities/context.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import example from '../../examples/online-retail/understudy.config.ts';
import { type CommandContext, readEnvironment } from '../environment.ts';

/** A state directory that knows the example's surface, and a command on it: what that writes to stdout. */
export async function openSurface(
  commandOf: (context: CommandContext) => Command,
): Promise<{ folder: string; state: State; run: (...args: string[]) => Promise<string> }> {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-report-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const state = openState(folder);
  await registerCharter(state, example, 1);
  const run = async (...args: string[]) => {
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    try {
      await commandOf({ env: readEnvironment({}), cwd: folder, now: () => 1 })
        .exitOverride()
        .parseAsync([...args, '--state', folder], { from: 'user' });
      return write.mock.calls.map(([text]) => String(text)).join('');
    } finally {
      write.mockRestore();
    }
  };
  return { folder, state, run };
}
