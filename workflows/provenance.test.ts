import { generateKeyPairSync } from 'node:crypto';
import { cp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { expect, inject, it, onTestFinished, vi } from 'vitest';
import type { Explanation } from '../activities/provenance/explain-request.ts';
import { publishedCheckpoints } from '../activities/provenance/publish-checkpoints.ts';
import { cardCommand } from '../cli/card/command.ts';
import { explainCommand } from '../cli/explain/command.ts';
import { ledgerCommand } from '../cli/ledger/command.ts';
import { isIncluded, leafHash } from '../stores/merkle.ts';
import { ledgerInState } from '../stores/ledger-copies.ts';
import { openWorld, type World } from './testing.ts';

const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed: Number(process.env.UNDERSTUDY_TEST_SEED) };
const signingKey = generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');

/** What a command prints for a program, and how it failed. */
async function ask(command: Command, ...argv: string[]): Promise<{ document: unknown; failure: unknown }> {
  const written: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  try {
    const failure = await command.parseAsync([...argv, '--json'], { from: 'user' }).then(
      () => undefined,
      (error: unknown) => error,
    );
    return { document: JSON.parse(written.join('') || 'null'), failure };
  } finally {
    spy.mockRestore();
  }
}

async function recommend(world: World, userId: string): Promise<{ requestId: string; items: { itemId: string }[]; variant: string; artifact: string }> {
  const response = await fetch(new URL('/v1/recommend', world.servingUrl), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ surface: world.surface, userId }),
  });
  return (await response.json()) as Awaited<ReturnType<typeof recommend>>;
}

it('every decision of a release has its signed line; a slate leads back to who approved it; MLflow holds what nobody can cut off', async () => {
  const world = await openWorld({ ...servers, signingKey });
  onTestFinished(() => world.close());
  const { stateDir, surface, command } = world;
  await world.bootstrapped();
  await expect.poll(async () => (await fetch(new URL('/readyz', world.servingUrl))).status, { timeout: 20_000 }).toBe(200);

  // A slate of the bootstrap's: nobody was asked for it.
  const first = await recommend(world, 'u1');
  const slateOf = (requestId: string, ...more: string[]) => ask(explainCommand(command), requestId, '--state', stateDir, ...more);
  await expect.poll(async () => (await slateOf(first.requestId)).failure, { timeout: 10_000 }).toBeUndefined();
  const bootstrap = (await slateOf(first.requestId)).document as Explanation;
  expect(bootstrap).toMatchObject({
    surface,
    slate: { variant: 'champion', artifact: first.artifact },
    release: { isBootstrap: true, approvals: [] },
    ledger: { ok: true, signedFrom: 2 },
  });

  const [run] = await world.retrain('item-knn');
  await world.until('the approval', (now) => now.phase === 'approval' && now.candidate === 'item-knn');
  const evidence = (await world.status())?.evidence;
  expect(await world.vote('lead', { evidence: evidence ?? '' })).toMatchObject({ accepted: true });
  await world.trade();
  expect(await world.closing(run?.runId ?? '')).toMatchObject({ action: 'release-promoted' });
  await expect.poll(async () => (await recommend(world, 'u2')).artifact, { timeout: 20_000 }).toBe(run?.artifact);

  const shown = await recommend(world, 'u2');
  // The end of a release is held by a checkpoint a moment after, and with it its approval.
  const proven = async () => ((await slateOf(shown.requestId)).document as Partial<Explanation>).proofs?.map(({ sequence }) => sequence) ?? [];
  const approval = (await world.ledger()).find(({ action }) => action === 'vote-approve')?.sequence;
  await expect.poll(proven, { timeout: 30_000 }).toContain(approval);
  const html = join(stateDir, 'run', 'explained.html');
  const explained = (await slateOf(shown.requestId, '--html', html)).document as Explanation;
  expect(explained.shown.map(({ itemId }) => itemId)).toEqual(shown.items.map(({ itemId }) => itemId));
  expect(explained).toMatchObject({
    slate: { rung: 'model', variant: 'champion', artifact: run?.artifact },
    rules: { registered: { action: 'charter-registered' } },
    model: { run: { runId: run?.runId }, manifest: { algorithm: 'item-knn' }, making: { libraries: { node: process.versions.node } }, erased: [] },
    release: { isBootstrap: false, approvals: [{ action: 'vote-approve', by: 'lead', evidence }] },
    ledger: { ok: true, fault: null },
  });
  expect(explained.model?.window.trainSlices.length).toBeGreaterThan(30);
  expect(await readFile(html, 'utf8')).toContain(`<dd>lead (vote-approve, record ${explained.release?.approvals[0]?.record} of the ledger`);
  expect((await slateOf('no-such-request')).failure).toMatchObject({ code: 'UND-NOT-FOUND' });

  // A person with no key orders: it holds at once, and who has the key writes its line.
  expect(await world.override('rollback')).toMatchObject({ written: true, told: true, note: expect.stringContaining('signed and added by the workers') });
  await expect.poll(async () => (await world.ledger()).map(({ action }) => action), { timeout: 60_000 }).toContain('rollback');
  const actions = new Set((await world.ledger()).map(({ action }) => action));
  for (const action of [
    'ledger-key',
    'charter-registered',
    'release-opened',
    'vote-approve',
    'spec-published',
    'release-promoted',
    'canary-decided',
    'rollback',
  ])
    expect(actions).toContain(action);

  const held = await publishedCheckpoints(world.context.mlflow, surface);
  expect(held.length).toBeGreaterThan(0);
  const { records } = await ledgerInState({ stateDir, surface });
  for (const proof of explained.proofs)
    expect(isIncluded({ ...proof, leaf: leafHash(records[proof.sequence - 1] ?? ''), index: proof.sequence - 1 })).toBe(true);
  const withMlflow = { ...command, env: { ...command.env, MLFLOW_TRACKING_URI: servers.mlflowUrl } };
  const verify = (folder: string) => ask(ledgerCommand(withMlflow), 'verify', surface, '--state', folder, '--mlflow');
  expect(await verify(stateDir)).toMatchObject({ failure: undefined, document: { ok: true, signedFrom: 2, heldOutside: expect.any(Number) } });
  // Whoever can write there cuts off what came last, the checkpoint with it.
  const copy = join(stateDir, 'run', 'copy');
  await cp(join(stateDir, 'series'), join(copy, 'series'), { recursive: true });
  const size = held[0]?.size ?? 0;
  const folder = join(copy, 'series', 'ledger', surface);
  for (const name of (await readdir(folder)).sort().slice(size - 1)) await rm(join(folder, name));
  await rm(join(copy, 'series', 'ledger-checkpoint'), { recursive: true });
  expect(await verify(copy)).toMatchObject({ failure: { code: 'UND-LEDGER' }, document: { fault: { record: size, what: 'cut-off' } } });

  // What the registry has of the version is what anybody can make again.
  const { mlflowRunId } = explained.model?.run ?? {};
  const bom = JSON.parse(Buffer.from(await world.context.mlflow.downloadArtifact({ runId: mlflowRunId ?? '', path: 'model/bom.cdx.json' })).toString('utf8'));
  expect((await ask(cardCommand(command), run?.runId ?? '', '--state', stateDir)).document).toEqual(bom);
  const card = Buffer.from(await world.context.mlflow.downloadArtifact({ runId: mlflowRunId ?? '', path: 'model/card.html' })).toString('utf8');
  expect(card).toContain(run?.artifact);
});
