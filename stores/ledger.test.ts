import { mkdtemp, readFile, rm, writeFile, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openGenerationDirectory } from './generations-directory.ts';
import { appendLedger, readLedger } from './ledger.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'understudy-ledger-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const entry = (operationId: string) => ({
  operationId,
  atMs: 1,
  surface: 'home',
  action: 'vote-approve',
  by: 'lead',
  releaseId: 'r1',
  detail: { why: operationId },
});

it('keeps every entry of writers that race, once each, in one chain', async () => {
  const writers = [1, 2, 3].map(() => openGenerationDirectory({ root }));
  await Promise.all(writers.flatMap((writer) => [0, 1, 2, 3, 4].map((number) => appendLedger(writer, entry(`op-${number}`)))));
  const entries = await readLedger(openGenerationDirectory({ root }), 'home');
  expect(entries.map((one) => one.operationId).sort()).toEqual(['op-0', 'op-1', 'op-2', 'op-3', 'op-4']);
});

it('shows an altered entry', async () => {
  const store = openGenerationDirectory({ root });
  for (const number of [1, 2, 3]) await appendLedger(store, entry(`op-${number}`));
  const path = join(root, 'ledger', 'home', '00000002.json');
  const text = await readFile(path, 'utf8');
  await chmod(path, 0o644);
  await writeFile(path, text.replace('vote-approve', 'vote-reject'));
  await expect(readLedger(openGenerationDirectory({ root }), 'home')).rejects.toMatchObject({ code: 'UND-DIGEST' });
});
