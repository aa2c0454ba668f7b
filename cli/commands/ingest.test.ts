import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { testCharter } from '../../activities/events/testing.ts';
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

it('says that no file matches before anything is registered', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const source = "{ file: 'data/2026-*/part-*.csv.gz', mapping: { name: 'plain', sql: 'SELECT * FROM raw' } }";
  await writeFile(join(folder, 'understudy.config.ts'), `export default ${JSON.stringify(testCharter())};\nexport const source = ${source};\n`);
  const ingest = (...args: string[]) =>
    ingestCommand({ ...context, cwd: folder }).parseAsync(['--config', 'understudy.config.ts', '--state', 'state', ...args], { from: 'user' });
  const refused = (message: string) => ({ code: 'UND-FILE', message: expect.stringContaining(message) });
  await expect(ingest()).rejects.toMatchObject(refused(`No file matches ${join(folder, 'data/2026-*/part-*.csv.gz')}`));
  await expect(ingest('--file', 'other/*.csv')).rejects.toMatchObject(refused(`No file matches ${join(folder, 'other/*.csv')}`));
  expect(await readdir(folder)).toEqual(['understudy.config.ts']);
});
