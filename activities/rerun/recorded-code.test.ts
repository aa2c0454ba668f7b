import { execFile } from 'node:child_process';
import { appendFile, cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import type { RunInputs } from '../api.ts';
import { compareRerun, findRunRecord, readRun } from '../registry/runs.ts';
import { making, ownRoot } from './making.ts';
import { workByRecordedCode, workOfCheckout } from './recorded-code.ts';
import { drawRows, openRuns } from './testing.ts';

const files = { 'events.csv': drawRows({ users: 60, perUser: 40, days: 34, seed: Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000 }) };

/** This code as a checkout of its own, committed. */
async function openCheckout() {
  const root = await mkdtemp(join(tmpdir(), 'understudy-checkout-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const parts = ['models', 'experiments', 'stores', 'activities', 'package.json', 'package-lock.json'];
  for (const part of parts) await cp(join(ownRoot, part), join(root, part), { recursive: true });
  await symlink(join(ownRoot, 'node_modules'), join(root, 'node_modules'));
  const git = async (...args: string[]) =>
    (await promisify(execFile)('git', ['-C', root, '-c', 'user.name=test', '-c', 'user.email=test@localhost', ...args])).stdout.trim();
  const commit = async () => {
    await git('add', ...parts);
    await git('commit', '--quiet', '--message', 'a change');
    return git('rev-parse', 'HEAD');
  };
  await git('init', '--quiet');
  /** Other numbers to begin from give other numbers in the end. */
  const changeCode = async () => {
    const path = join(root, 'models/algorithms/ials/ials.ts');
    const text = await readFile(path, 'utf8');
    const changed = text.replace('const spread = 1 / ', 'const spread = 0.5 / ');
    if (changed === text) throw new Error('there is nothing to change');
    await writeFile(path, changed);
  };
  return { root, git, commit, changeCode };
}

async function openWithRun() {
  const checkout = await openCheckout();
  const { root } = checkout;
  const runs = await openRuns({ files });
  onTestFinished(() => runs.close());
  const { stateDir, context, state } = runs;
  const byCheckout = (inputs: RunInputs) => workOfCheckout({ root, stateDir, inputs });
  const byRecorded = async (runId: string) => {
    const record = await findRunRecord({ state }, runId);
    if (record === undefined) throw new Error('no run');
    const inputs = await readRun(context, runId);
    return compareRerun(context, { runId, ...inputs, ...(await workByRecordedCode({ state, record, inputs, root })) });
  };
  return { ...checkout, runs, byCheckout, byRecorded };
}

it('a changed source file is named as the cause; by the recorded code the run is made again to the last bit', { timeout: 120_000 }, async () => {
  const { root, git, commit, changeCode, runs, byCheckout, byRecorded } = await openWithRun();
  const first = await commit();
  const runId = await runs.run(byCheckout);
  const record = await findRunRecord(runs, runId);
  const { code } = await getDocument(runs.state.blobs, record?.made?.training ?? '', making);
  expect(code.commit).toBe(first);

  await changeCode();
  await commit();
  const differs = await runs.rerun(runId, { work: byCheckout });
  expect(differs).toMatchObject({ equal: false, difference: { stage: 'artifact', cause: 'code', why: 'models/algorithms/ials/ials.ts', also: [] } });
  expect(differs.difference?.largest?.difference).toBeGreaterThan(0);
  const equal = await byRecorded(runId);
  expect(equal).toMatchObject({ equal: true, difference: null, changed: { code: '', library: '', hardware: '' } });
  expect(equal.stages.map(({ status }) => status)).toEqual(Array.from({ length: 9 }, () => 'equal'));
  // Nothing of it is left, in the checkout either.
  expect((await git('worktree', 'list')).split('\n')).toHaveLength(1);

  // Where the packages are others, the code of then would run on what it never ran on.
  await appendFile(join(root, 'package-lock.json'), '\n');
  await commit();
  await expect(byRecorded(runId)).rejects.toMatchObject({ code: 'UND-SETUP', message: expect.stringContaining('npm ci') });
});

it('says why there is no recorded code to run by', { timeout: 120_000 }, async () => {
  const { commit, changeCode, runs, byCheckout, byRecorded } = await openWithRun();
  await commit();
  await changeCode();
  const runId = await runs.run(byCheckout);
  await expect(byRecorded(runId)).rejects.toMatchObject({
    code: 'UND-NOT-FOUND',
    message: expect.stringMatching(/were not committed .*: models\/algorithms\/ials\/ials\.ts$/),
  });

  const record = await findRunRecord(runs, runId);
  if (record === undefined) throw new Error('no run');
  const { blobs, generations } = runs.state;
  const was = await getDocument(blobs, record.made?.training ?? '', making);
  const madeBy = async (generation: number, commitThen: string | null) => {
    const training = await putDocument(blobs, { ...was, code: { ...was.code, commit: commitThen } });
    const [, surface, window, recipe] = runId.split('/');
    await generations.create(`run/${surface}/${window}-${recipe}`, generation, { ...record, made: { training, evaluation: null } });
  };
  await madeBy(2, '0'.repeat(40));
  await expect(byRecorded(runId)).rejects.toMatchObject({ code: 'UND-NOT-FOUND', message: expect.stringContaining('git fetch') });
  await madeBy(3, null);
  await expect(byRecorded(runId)).rejects.toMatchObject({ code: 'UND-NOT-FOUND', message: expect.stringContaining('does not say by which commit') });
});

it('is the same in another process, folder, time zone and language, and says that they were others', { timeout: 120_000 }, async () => {
  const { root } = await openCheckout();
  const runs = await openRuns({ files });
  onTestFinished(() => runs.close());
  const env = { PATH: process.env.PATH, TZ: 'Asia/Tokyo', LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8' };
  const again = await runs.rerun(await runs.run(), { work: (inputs) => workOfCheckout({ root, stateDir: runs.stateDir, inputs, env }) });
  expect(again).toMatchObject({ equal: true, changed: { code: '', library: '' } });
  expect(again.changed?.hardware).toMatch(/locale: .* became tr-TR; timeZone: .* became Asia\/Tokyo/);
});
