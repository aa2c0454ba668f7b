import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type CommandContext, readEnvironment } from '../environment.ts';
import { ingestCommand } from './ingest.ts';

const context: CommandContext = { env: readEnvironment({}), cwd: tmpdir(), now: Date.now };
const run = (...args: string[]) => ingestCommand(context).parseAsync([...args, '--state', join(tmpdir(), 'understudy-nowhere')], { from: 'user' });

it.each([
  [['--log'], 'UND-INPUT', /SURFACE --log/],
  [['home', '--log', '--config', 'a.ts'], 'UND-INPUT', /--config is for a file/],
  [['home', '--log', '--ends-at', '2026-03-02'], 'UND-INPUT', /--ends-at is for a file/],
  [['home'], 'UND-INPUT', /--config FILE, or SURFACE --log/],
  [['--config', 'a.ts', '--ends-at', 'today'], 'UND-INPUT', /YYYY-MM-DD/],
  [['--config', 'nowhere.ts'], 'UND-FILE', /nowhere\.ts/],
  [['home', '--log'], 'UND-UNKNOWN-SURFACE', /no surface home/],
])('ingest %j says %s', async (args, code, message) => {
  await expect(run(...args)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
});
