import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';

const client = '@platformatic/kafka';
const at = (path: string) => new URL(path, import.meta.url).href;
/** Says on stderr when the client of Kafka is loaded. */
const watch = `import { registerHooks } from 'node:module';
registerHooks({ resolve(name, context, next) { if (name === '${client}') process.stderr.write('loaded '); return next(name, context); } });`;

/** A process of its own that loads what serving and the pipeline load, opens logs, writes, reads, and ends by itself. */
async function use(kafka: string): Promise<{ stdout: string; loaded: boolean }> {
  const stateDir = mkdtempSync(join(tmpdir(), 'understudy-open-logs-'));
  onTestFinished(() => rmSync(stateDir, { recursive: true, force: true }));
  const code = `await import('${at('../serving/server.ts')}');
await import('${at('../activities/worker.ts')}');
const { openState } = await import('${at('../activities/context.ts')}');
const { openLogs } = await import('${at('./open-logs.ts')}');
const { beginLife } = await import('${at('./life.ts')}');
const of = { surface: 'home', stream: 'events' };
const state = openState(${JSON.stringify(stateDir)}, ${kafka});
const logs = openLogs({ stateDir: state.root, kafka: ${kafka} });
const outcome = async () => {
  const log = await logs.openWriter({ ...of, writer: 'r1', life: beginLife() });
  await log.append([{ id: 1 }]);
  await log.close();
  return (await state.logReader('home', 'events').tail({})).records;
};
const said = await outcome().catch((error) => error.code);
await logs.close();
await state.close();
process.stdout.write(JSON.stringify([state.logKind, said]));`;
  const node = promisify(execFile);
  const { stdout, stderr } = await node(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(watch)}`, '--input-type=module', '--eval', code],
    { timeout: 60_000 },
  );
  return { stdout, loaded: stderr.includes('loaded') };
}

it('without a Kafka, logs are files and its client is never loaded', async () => {
  expect(await use('undefined')).toEqual({ stdout: '["files",[{"id":1}]]', loaded: false });
});

it('with one that does not answer, its client is loaded, calls say so, and the process ends all the same', async () => {
  expect(await use('{ brokers: ["127.0.0.1:1"], partitions: 1, replicas: 1 }')).toEqual({ stdout: '["kafka","UND-LOG-UNAVAILABLE"]', loaded: true });
});
