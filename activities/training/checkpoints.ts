import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { digestBytes, digestJson } from '../../models/contracts/digest.ts';
import { type Digest, digestString, surfaceName } from '../../models/contracts/ids.ts';
import { asUnderstudyError, problems, UnderstudyError } from '../../models/contracts/problem.ts';
import { createExclusive, replaceFile } from '../../stores/durable-files.ts';
import { beginLife, isOver } from '../../stores/life.ts';
import type { PreparedRetrain } from '../api.ts';
import type { Context } from '../context.ts';
import type { Beat } from '../worker.ts';

/*
 * `<state>/checkpoints/<training>~<life>/`: what a training under way would go on from, and `training.json`, which says whose it is. Factors of people are in
 * them, so they are gone when the training ends. `<training>~job.<workflow>/` is what a worker of somebody else's trains in: it is there from one activity of its
 * workflow to another, whoever runs them, and is over when that is. A worker that was killed leaves its folder to the next attempt; where there is none, any later training, and
 * every erasure, removes it.
 */

const owner = z.strictObject({ surface: surfaceName, window: digestString, workflowId: z.string().nullable() });
type Owner = z.infer<typeof owner>;
type State = Pick<Context['state'], 'root'>;
const folderOf = (root: string) => join(root, 'checkpoints');
const ownerFile = 'training.json';

/** Heartbeats are told to the server seconds late: it may name one that is older than the last. */
const keptAtOnce = 3;

export type Checkpoints = {
  put(bytes: Uint8Array): Promise<Digest>;
  /** Of this attempt or one before it. @throws UND-NOT-FOUND, UND-DIGEST */
  get(digest: Digest): Promise<Uint8Array>;
};

const trainingOf = ({ surface, candidate, window, recipe, charter }: PreparedRetrain): string =>
  digestJson({ surface, candidate, window, recipe, charter }).slice(7, 23);

/** A folder for the checkpoints of one attempt, there from before anything is read until the training ends. What others left behind is removed. */
export async function withCheckpoints<T>(context: Context, work: PreparedRetrain, beat: Beat, train: (checkpoints: Checkpoints) => Promise<T>): Promise<T> {
  const { root } = context.state;
  const { surface, window } = work;
  const training = trainingOf(work);
  await clearCheckpoints(context, { except: training });
  const life = beginLife();
  const folder = join(folderOf(root), `${training}~${life.id}`);
  const written: Digest[] = [];
  let goesOn = false;
  try {
    await replaceFile(join(folder, ownerFile), JSON.stringify({ surface, window, workflowId: beat.workflowId ?? null } satisfies Owner));
    return await train({
      async put(bytes) {
        const digest = digestBytes(bytes);
        await createExclusive(join(folder, fileOf(digest)), bytes);
        if (!written.includes(digest)) written.push(digest);
        for (const old of written.splice(0, Math.max(0, written.length - keptAtOnce))) await rm(join(folder, fileOf(old)), { force: true });
        return digest;
      },
      get: (digest) => find({ root, training, digest }),
    });
  } catch (error) {
    goesOn = isTriedAgain(error, beat.signal);
    throw error;
  } finally {
    life.end();
    if (!goesOn) for (const one of await foldersOf({ root })) if (one.training === training && one.isOver === true) await remove(one);
  }
}

/** Name of the folder of a job, in `checkpoints/`. */
function jobName(work: PreparedRetrain, { workflowId }: Pick<Beat, 'workflowId'>): string {
  return `${trainingOf(work)}~job.${digestJson(workflowId ?? null).slice(7, 19)}`;
}

/** Where the job of a workflow is; nothing needs to be there. */
export function jobFolder({ root }: State, work: PreparedRetrain, of: Pick<Beat, 'workflowId'>): { name: string; path: string } {
  const name = jobName(work, of);
  return { name, path: join(folderOf(root), name) };
}

/** Makes it, as of this workflow. What others left behind is removed. */
export async function openJobFolder(context: Context, work: PreparedRetrain, of: Pick<Beat, 'workflowId'>): Promise<{ name: string; path: string }> {
  const { surface, window } = work;
  const folder = jobFolder(context.state, work, of);
  await clearCheckpoints(context, { except: trainingOf(work) });
  await replaceFile(join(folder.path, ownerFile), JSON.stringify({ surface, window, workflowId: of.workflowId ?? null } satisfies Owner));
  return folder;
}

const fileOf = (digest: Digest): string => digest.slice('sha256:'.length);

/** Whether there will be another attempt: where the worker goes or was too slow, and behind errors that may pass. */
export function isTriedAgain(error: unknown, signal: AbortSignal): boolean {
  if (signal.aborted) return ['WORKER_SHUTDOWN', 'TIMED_OUT', 'PAUSED', 'RESET'].includes(String((signal.reason as Error | undefined)?.message));
  return problems[asUnderstudyError(error).code].retryable;
}

async function find({ root, training, digest }: { root: string; training: string; digest: Digest }): Promise<Uint8Array> {
  for (const one of await foldersOf({ root })) {
    const bytes = one.training === training ? await readFile(join(one.path, fileOf(digest))).catch(() => undefined) : undefined;
    if (bytes === undefined) continue;
    if (digestBytes(bytes) === digest) return bytes;
    throw new UnderstudyError('UND-DIGEST', `The checkpoint ${digest} holds other bytes than its name says`);
  }
  throw new UnderstudyError('UND-NOT-FOUND', `There is no checkpoint ${digest}`);
}

type Folder = { path: string; training: string; isOver: boolean | undefined };

async function foldersOf({ root }: State): Promise<Folder[]> {
  const names = await readdir(folderOf(root)).catch(() => []);
  return names.sort().map((name) => {
    const [training = '', life = ''] = name.split('~');
    return { path: join(folderOf(root), name), training, isOver: isOver(life) };
  });
}

const remove = ({ path }: Folder): Promise<void> => rm(path, { recursive: true, force: true });

/** Undefined where the attempt died before it could say. */
async function ownerOf({ path }: Folder): Promise<Owner | undefined> {
  const text = await readFile(join(path, ownerFile), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : owner.parse(JSON.parse(text));
}

/** Will its training be taken up, or does it go on? Where Temporal does not answer, it may. */
async function isUnderWay({ isRunning }: Pick<Context, 'isRunning'>, one: Folder): Promise<boolean> {
  if (one.isOver === false) return true;
  const workflowId = (await ownerOf(one))?.workflowId ?? null;
  return workflowId !== null && isRunning(workflowId).catch(() => true);
}

/** Removes the checkpoints of trainings that have ended without doing so themselves. */
export async function clearCheckpoints(context: Pick<Context, 'isRunning'> & { state: State }, { except }: { except?: string } = {}): Promise<void> {
  for (const one of await foldersOf(context.state)) if (one.training !== except && !(await isUnderWay(context, one))) await remove(one);
}

/** Removes the checkpoints of attempts that are over; their trainings begin anew. @returns the windows that those under way have read */
export async function dropCheckpoints(context: Pick<Context, 'isRunning'> & { state: State }): Promise<Set<Digest>> {
  const windows = new Set<Digest>();
  for (const one of await foldersOf(context.state)) {
    const window = (await ownerOf(one))?.window;
    if (one.isOver === true || !(await isUnderWay(context, one))) await remove(one);
    else if (window !== undefined) windows.add(window);
  }
  return windows;
}
