import { randomBytes } from 'node:crypto';
import { chmod, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digestBytes } from '../../models/contracts/digest.ts';
import { type ErasureRequest, erasureId, erasureRequest, type Subjects } from '../../models/contracts/erasure.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { makeDirectory, replaceFile } from '../../stores/durable-files.ts';

/*
 * `<state>/erasures/<id>.json`: whom an erasure is about. Not in the workflow, whose history stays, and not in a series, which stays too.
 */

const folderOf = (root: string) => join(root, 'erasures');
function pathOf(root: string, id: string): string {
  if (!erasureId.safeParse(id).success) throw new UnderstudyError('UND-NOT-FOUND', `${JSON.stringify(id)} is not the id of an erasure`);
  return join(folderOf(root), `${id}.json`);
}

export type Asked = Pick<ErasureRequest, 'people' | 'by' | 'why' | 'reference' | 'models' | 'requestedAtMs'>;

/**
 * A receipt for each of the people goes back to whoever asks, and is kept nowhere.
 * @param given their ids as they are known outside
 */
export async function openRequest(
  root: string,
  { given, ...asked }: Asked & { given: readonly string[] },
): Promise<{ id: string; receipts: { id: string; receipt: string }[] }> {
  const id = `er-${randomBytes(12).toString('hex')}`;
  const receipts = given.map((one) => ({ id: one, receipt: randomBytes(32).toString('base64url') }));
  const request: ErasureRequest = {
    kind: 'erasure-request',
    id,
    ...asked,
    whole: null,
    commitments: receipts.map((one) => commitmentOf(one)),
    surfaces: [],
    removed: {},
    slices: [],
    blobs: [],
  };
  await writeRequest(root, erasureRequest.parse(request));
  return { id, receipts };
}

export const commitmentOf = ({ receipt, id }: { receipt: string; id: string }) => digestBytes(`${receipt}\n${id}`);

export async function writeRequest(root: string, request: ErasureRequest): Promise<void> {
  await makeDirectory(folderOf(root));
  await chmod(folderOf(root), 0o700);
  await replaceFile(pathOf(root, request.id), JSON.stringify(request));
  await chmod(pathOf(root, request.id), 0o600);
}

/** Undefined when the erasure is over: then nothing of it is left but its certificate. */
export async function readRequest(root: string, id: string): Promise<ErasureRequest | undefined> {
  const text = await readFile(pathOf(root, id), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return text === undefined ? undefined : erasureRequest.parse(JSON.parse(text));
}

/** Erasures that have begun and are not over. */
export async function pendingRequests(root: string): Promise<ErasureRequest[]> {
  const files = await readdir(folderOf(root)).catch(() => []);
  const found = await Promise.all(files.filter((file) => file.endsWith('.json')).map((file) => readRequest(root, file.slice(0, -'.json'.length))));
  return found.filter((request) => request !== undefined).sort((a, b) => a.requestedAtMs - b.requestedAtMs);
}

export const removeRequest = (root: string, id: string): Promise<void> => rm(pathOf(root, id), { force: true });

export const idsOf = ({ userIds, sessionIds, deviceIds }: Subjects): string[] => [...userIds, ...sessionIds, ...deviceIds];
