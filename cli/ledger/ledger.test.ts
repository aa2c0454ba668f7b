import { generateKeyPairSync } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { openState } from '../../activities/context.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import example from '../../examples/online-retail/understudy.config.ts';
import { appendLedger } from '../../stores/ledger.ts';
import { readEnvironment } from '../environment.ts';
import { ledgerCommand } from './command.ts';

const newKey = () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { key: privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'), pem: publicKey.export({ format: 'pem', type: 'spki' }).toString() };
};

/** A state directory with decisions on `home`, and the command as it runs in an environment. */
async function open(keys: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-ledger-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const stateDir = join(folder, 'state');
  const state = openState(stateDir, undefined, keys);
  await registerCharter(state, example, 1);
  const decide = (number: number, by = state) =>
    appendLedger(by.generations, {
      operationId: `vote/${number}`,
      atMs: number,
      surface: 'home',
      action: 'vote-approve',
      by: 'lead',
      releaseId: 'r1',
      detail: { why: `${number}` },
    });
  for (const number of [1, 2, 3]) await decide(number);
  const run = async (args: readonly string[], variables: NodeJS.ProcessEnv = {}) => {
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    try {
      const failure = await ledgerCommand({ env: readEnvironment(variables), cwd: folder, now: () => 5 })
        .exitOverride()
        .parseAsync(args, { from: 'user' })
        .then(
          () => undefined,
          (error: unknown) => error as { code: string; message: string },
        );
      return { text: write.mock.calls.map(([text]) => String(text)).join(''), failure };
    } finally {
      write.mockRestore();
    }
  };
  return { folder, stateDir, state, decide, run };
}

it('shows who decided what, by action, by name and from a moment on', async () => {
  const { run } = await open([]);
  const { text } = await run(['show', 'home', '--state', 'state']);
  expect(text).toMatch(/#\s+when \(UTC\)\s+what\s+by\s+why/);
  expect(text).toMatch(/2\s+1970-01-01T00:00:00\s+vote-approve\s+lead\s+1\n/);
  expect(text).toContain('4 of 4 records');
  expect((await run(['show', 'home', '--state', 'state', '--action', 'vote', '--since', '1970-01-01T00:00:00.002Z'])).text).toContain('2 of 4 records');
  const { records } = JSON.parse((await run(['show', 'home', '--state', 'state', '--by', 'understudy', '--json'])).text) as { records: { action: string }[] };
  expect(records.map(({ action }) => action)).toEqual(['charter-registered']);
  expect((await run(['show', 'nowhere', '--state', 'state'])).failure).toMatchObject({ code: 'UND-UNKNOWN-SURFACE' });
});

it('is exported with its keys, and verified far away by the public key alone', async () => {
  const { key, pem } = newKey();
  const { folder, run } = await open([key]);
  expect((await run(['export', 'home', '--out', 'home.jsonl', '--state', 'state'])).text).toMatch(
    /^5 records and 0 checkpoints of home in home\.jsonl, signed by sha256:/,
  );
  await writeFile(join(folder, 'auditor.pem'), pem);
  await rm(join(folder, 'state'), { recursive: true });
  const verified = await run(['verify', 'home.jsonl', '--public-key', 'auditor.pem']);
  expect(verified).toMatchObject({ failure: undefined, text: expect.stringContaining('5 records, each follows the one before it') });
  expect(verified.text).toContain('cannot be seen without a checkpoint from elsewhere');
  await writeFile(join(folder, 'another.pem'), newKey().pem);
  expect((await run(['verify', 'home.jsonl', '--public-key', 'another.pem'])).failure).toMatchObject({
    code: 'UND-LEDGER',
    message: expect.stringContaining('no record is signed by'),
  });
  await writeFile(join(folder, 'home.jsonl'), (await readFile(join(folder, 'home.jsonl'), 'utf8')).replace('"why":"2"', '"why":"7"'));
  const altered = await run(['verify', 'home.jsonl', '--json']);
  expect(JSON.parse(altered.text)).toMatchObject({ ok: false, fault: { record: 4, what: 'altered' } });
  expect(altered.failure).toMatchObject({ code: 'UND-LEDGER', message: 'Record 4 of home: altered: it is not what was signed' });
});

it('is verified in a copy of the state directory; a cut is seen by a checkpoint that was kept', async () => {
  const { folder, run } = await open([]);
  expect((await run(['checkpoint', 'home', '--out', 'kept.json', '--state', 'state'])).text).toContain('"size":4');
  await cp(join(folder, 'state'), join(folder, 'copy'), { recursive: true });
  await rm(join(folder, 'copy', 'series', 'ledger-checkpoint'), { recursive: true });
  expect((await run(['verify', 'home', '--state', 'copy', '--checkpoint', 'kept.json'])).text).toMatch(
    /not signed.*\n.*records 1 to 4 are as checkpoints from elsewhere know them$/m,
  );
  const records = join(folder, 'copy', 'series', 'ledger', 'home');
  await rm(join(records, (await readdir(records)).sort().at(-1) ?? ''));
  expect(await run(['verify', 'home', '--state', 'copy'])).toMatchObject({
    failure: undefined,
    text: expect.stringContaining('cannot be seen without a checkpoint'),
  });
  expect((await run(['verify', 'home', '--state', 'copy', '--checkpoint', 'kept.json'])).failure).toMatchObject({
    code: 'UND-LEDGER',
    message: expect.stringContaining('Record 4 of home: cut-off'),
  });
  await rm(join(records, '00000002.json'));
  expect((await run(['verify', 'home', '--state', 'copy'])).failure).toMatchObject({ message: expect.stringContaining('Record 2 of home: removed') });
});

it('is handed over to another key', async () => {
  const [first, next] = [newKey(), newKey()];
  const { stateDir, decide, run } = await open([first.key]);
  const rotate = ['rotate', '--by', 'sre', '--why', 'a year is over', '--state', 'state'];
  expect((await run(rotate, { UNDERSTUDY_NEXT_SIGNING_KEY: next.key })).failure).toMatchObject({ code: 'UND-SIGNING-KEY' });
  expect((await run(rotate, { UNDERSTUDY_SIGNING_KEY: first.key })).failure).toMatchObject({
    message: expect.stringContaining('UNDERSTUDY_NEXT_SIGNING_KEY is not set'),
  });
  const rotated = await run([...rotate, '--json'], { UNDERSTUDY_SIGNING_KEY: first.key, UNDERSTUDY_NEXT_SIGNING_KEY: next.key });
  expect(JSON.parse(rotated.text)).toMatchObject({ rotated: [{ surface: 'home', record: 6 }] });
  await decide(4, openState(stateDir, undefined, [next.key]));
  const { keys, ok } = JSON.parse((await run(['verify', 'home', '--state', 'state', '--json'])).text);
  expect([ok, keys.length]).toEqual([true, 2]);
  const shown = await run(['key', '--state', 'state'], { UNDERSTUDY_SIGNING_KEY: next.key });
  expect(shown.text).toContain(`home: ${keys[1].key}`);
  expect(shown.text).toContain(next.pem.trim());
});

it('says what cannot be verified, and how to get a key', async () => {
  const { run, folder } = await open([]);
  expect((await run(['verify', 'nowhere', '--state', 'state'])).failure).toMatchObject({ code: 'UND-UNKNOWN-SURFACE' });
  expect((await run(['verify', 'no/such.jsonl'])).failure).toMatchObject({ code: 'UND-FILE' });
  await writeFile(join(folder, 'other.jsonl'), '{"kind":"other"}\n');
  expect((await run(['verify', 'other.jsonl'])).failure).toMatchObject({ code: 'UND-LEDGER' });
  expect((await run(['verify', 'home', '--state', 'state', '--checkpoint', 'other.jsonl'])).failure).toMatchObject({
    code: 'UND-LEDGER',
    message: expect.stringContaining('is no checkpoint'),
  });
  expect((await run(['verify', 'home', '--state', 'state', '--public-key', 'other.jsonl'])).failure).toMatchObject({ code: 'UND-INPUT' });
  expect((await run(['key', '--state', 'state'])).text).toContain('home: not signed: set UNDERSTUDY_SIGNING_KEY');
});
