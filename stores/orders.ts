import { randomBytes } from 'node:crypto';
import { chmod, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { digestJson } from '../models/contracts/digest.ts';
import { type FiledOrder, filedOrder, type Order, type OrderAnswer, orderAnswer, orderId } from '../models/contracts/order.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import { createExclusive, makeDirectory } from './durable-files.ts';

/*
 * `<state>/orders/<id>.json`: what somebody asked for over HTTP, and `<id>.done.json`: what came of it. So whoever serves needs no Temporal, and what was accepted is on
 * disk. Answers go after a while.
 */

const folderOf = (root: string) => join(root, 'orders');
const pathOf = (root: string, id: string) => join(folderOf(root), `${orderId.parse(id)}.json`);
const donePathOf = (root: string, id: string) => join(folderOf(root), `${orderId.parse(id)}.done.json`);
const waitingAtMost = 1_000;

/**
 * Takes in an order: it is durable once this has resolved. The same order with the same `operationId` is the same one.
 * @throws UND-OVERLOADED while too many wait
 */
export async function fileOrder(
  root: string,
  { order, operationId, nowMs }: { order: Order; operationId?: string | undefined; nowMs: number },
): Promise<string> {
  const id = `o-${operationId === undefined ? randomBytes(16).toString('hex') : digestJson({ operationId, order }).slice(7, 39)}`;
  if ((await answerOfOrder(root, id)) !== undefined) return id;
  await makeDirectory(folderOf(root));
  await chmod(folderOf(root), 0o700);
  if ((await waitingOrders(root)).length >= waitingAtMost) throw new UnderstudyError('UND-OVERLOADED', `${waitingAtMost} orders wait for a worker`);
  await createExclusive(pathOf(root, id), JSON.stringify(filedOrder.parse({ kind: 'order', id, order, filedAtMs: nowMs })));
  return id;
}

const readIfThere = (path: string): Promise<string | undefined> =>
  readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });

/** How it stands; undefined where there is no such order, or its answer has gone. */
export async function answerOfOrder(root: string, id: string): Promise<OrderAnswer | undefined> {
  const done = async () => {
    const text = await readIfThere(donePathOf(root, id));
    return text === undefined ? undefined : orderAnswer.parse(JSON.parse(text));
  };
  const known = await done();
  if (known !== undefined) return known;
  // Between the two it may be answered.
  return (await readIfThere(pathOf(root, id))) === undefined ? done() : { id, state: 'waiting' };
}

/** Ids of orders that wait for a worker. */
export async function waitingOrders(root: string): Promise<string[]> {
  const files = await readdir(folderOf(root)).catch(() => []);
  return files.flatMap((file) => (/^o-[0-9a-f]{32}\.json$/.test(file) ? [file.slice(0, -'.json'.length)] : []));
}

/** Undefined where another worker has answered it. */
export async function readOrder(root: string, id: string): Promise<FiledOrder | undefined> {
  const text = await readIfThere(pathOf(root, id));
  return text === undefined ? undefined : filedOrder.parse(JSON.parse(text));
}

/** The first answer stays. */
export async function answerOrder(root: string, answer: OrderAnswer): Promise<void> {
  await createExclusive(donePathOf(root, answer.id), JSON.stringify(orderAnswer.parse(answer)));
  await rm(pathOf(root, answer.id), { force: true });
}

/** Takes away the answers that were given before then. */
export async function forgetAnswers(root: string, beforeMs: number): Promise<void> {
  for (const file of await readdir(folderOf(root)).catch(() => [])) {
    if (!file.endsWith('.done.json')) continue;
    const path = join(folderOf(root), file);
    if (((await stat(path).catch(() => undefined))?.mtimeMs ?? Number.POSITIVE_INFINITY) < beforeMs) await rm(path, { force: true });
  }
}
