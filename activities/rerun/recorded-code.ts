import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { canonicalJson, digestJson } from '../../models/contracts/digest.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { RunRecord } from '../../models/contracts/release.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { Evaluated, RunInputs, Trained } from '../api.ts';
import type { State } from '../context.ts';
import { changedFiles, few } from './find-cause.ts';
import { type Making, making, ownCode, ownRoot, readCode } from './making.ts';

const run = promisify(execFile);
const workOf = fileURLToPath(new URL('./work-of.ts', import.meta.url));

/** How the run was trained; undefined for a run of before that was recorded. */
export async function recordedMaking({ blobs }: State, { made }: RunRecord): Promise<Making | undefined> {
  return typeof made?.training === 'string' ? getDocument(blobs, made.training, making) : undefined;
}

/** What of the training code is not as it was, as a sentence; undefined where all is. */
export async function describeOtherCode({ blobs }: State, { code }: Making): Promise<string | undefined> {
  const own = await ownCode();
  if (digestJson(own.files) === code.files) return undefined;
  const files = await changedFiles(blobs, code.files, own.files);
  const commits = code.commit === own.commit ? '' : ` (commit ${short(code.commit)} then, ${short(own.commit)} now)`;
  return `made by other code${commits}: ${few(files)}`;
}

const short = (commit: string | null): string => commit?.slice(0, 12) ?? 'unknown';

type Input = { state: State; record: RunRecord; inputs: RunInputs; root?: string };

/**
 * Trains and evaluates by the code of the commit that the run's record names: from a worktree of it, in a process of its own. The packages are those
 * of this checkout, so its lock file must be the same.
 * @param root of the checkout
 * @throws UND-NOT-FOUND where the record, or the checkout, does not have that code; UND-SETUP where the packages are others, or the work failed
 */
export async function workByRecordedCode({ state, record, inputs, root = ownRoot }: Input): Promise<{ trained: Trained; evaluated: Evaluated }> {
  const { code } = (await recordedMaking(state, record)) ?? {};
  const { commit } = code ?? { commit: null };
  if (code === undefined || commit === null) throw new UnderstudyError('UND-NOT-FOUND', `${record.runId} does not say by which commit it was made`);
  const locked = await git(root, 'show', `${commit}:package-lock.json`).catch((cause) => {
    throw new UnderstudyError('UND-NOT-FOUND', `${record.runId} was made by the commit ${commit}, which this checkout does not have: git fetch`, { cause });
  });
  if (locked !== (await readFile(join(root, 'package-lock.json'), 'utf8')))
    throw new UnderstudyError(
      'UND-SETUP',
      `The commit ${commit} has other packages than are installed here: git worktree add ../then ${commit}, and there npm ci and understudy rerun with --state`,
    );
  const folder = await mkdtemp(join(tmpdir(), 'understudy-then-'));
  const then = join(folder, 'code');
  try {
    await git(root, 'worktree', 'add', '--detach', '--quiet', then, commit);
    await symlink(join(root, 'node_modules'), join(then, 'node_modules'));
    const { files } = await readCode(then);
    if (digestJson(files) !== code.files) {
      const changed = await changedFiles(state.blobs, code.files, files);
      throw new UnderstudyError('UND-NOT-FOUND', `${record.runId} was made by files that were not committed to ${commit} as they were: ${few(changed)}`);
    }
    return await workOfCheckout({ root: then, stateDir: state.root, inputs });
  } finally {
    await git(root, 'worktree', 'remove', '--force', then).catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
    await git(root, 'worktree', 'prune').catch(() => undefined);
  }
}

/** Trains and evaluates by the code that lies in a folder. @throws UND-SETUP with what it said when it failed */
export async function workOfCheckout({ root, stateDir, inputs, env }: { root: string; stateDir: string; inputs: RunInputs; env?: NodeJS.ProcessEnv }) {
  const args = [workOf, root, stateDir, canonicalJson(inputs)];
  const { stdout } = await run(process.execPath, args, { cwd: root, maxBuffer: 1e8, ...(env === undefined ? {} : { env }) }).catch((cause) => {
    throw new UnderstudyError(
      'UND-SETUP',
      `The work by the code in ${root} failed: ${String(cause.stderr ?? cause.message)
        .trim()
        .split('\n')
        .slice(-12)
        .join(' / ')}`,
      { cause },
    );
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { trained: Trained; evaluated: Evaluated };
}

async function git(root: string, ...args: string[]): Promise<string> {
  return (await run('git', ['-C', root, ...args], { maxBuffer: 1e8 })).stdout;
}
