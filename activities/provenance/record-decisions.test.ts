import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createDeployment, overrideDeployment } from '../../stores/deployments.ts';
import { readLedger, requireLedgerKeys } from '../../stores/ledger.ts';
import { ledgerInState } from '../../stores/ledger-copies.ts';
import { verifyLedger } from '../../stores/verify-ledger.ts';
import { openState } from '../context.ts';
import { testCharter } from '../events/testing.ts';
import { registerCharter } from '../registry/charters.ts';
import { recordDecisions, recordDecisionsIfPossible } from './record-decisions.ts';

const newKey = () => generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');
const digestOf = (letter: string) => `sha256:${letter.repeat(64)}`;

async function open() {
  const root = await mkdtemp(join(tmpdir(), 'understudy-decisions-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const key = newKey();
  const [keyed, keyless] = [openState(root, undefined, [key]), openState(root)];
  const { digest: charter } = await registerCharter(keyed, testCharter(), 1);
  await createDeployment(keyed.generations, {
    ...{ kind: 'deployment', surface: 'home', generation: 1, replaces: 0, operationId: 'r1/promote', champion: digestOf('a'), championRelease: 'r1' },
    ...{ previousChampion: digestOf('b'), canary: null, challenger: null, charter, catalog: digestOf('c'), fencedReleases: [], paused: false },
    ...{ author: { kind: 'bootstrap', name: 'r1', reason: 'first' }, createdAtMs: 2 },
  });
  return { root, keyed, keyless, ledger: () => readLedger(keyed.generations, 'home') };
}

it('gives what was decided without a key its line once somebody has one, each once, and signed', async () => {
  const { root, keyed, keyless, ledger } = await open();
  const { gates } = testCharter();
  const loosened = testCharter({ gates: { ...gates, minUsers: 1 } });
  await registerCharter(keyless, loosened, 3);
  for (const [action, nowMs] of [
    ['rollback', 4],
    ['pause', 5],
  ] as const)
    await overrideDeployment(
      keyless.generations,
      { action, surface: 'home', by: 'sre', why: 'it got worse', operationId: `override-${action}`, nowMs },
      { releaseId: null },
    );
  expect((await ledger()).map(({ action }) => action)).toEqual(['ledger-key', 'charter-registered']);
  expect(await recordDecisionsIfPossible(keyless, 'home')).toBe(false);
  await expect(recordDecisions(keyless, 'home')).rejects.toMatchObject({ code: 'UND-SIGNING-KEY' });

  await Promise.all([recordDecisions(keyed, 'home'), recordDecisions(keyed, 'home')]);
  await recordDecisions(keyed, 'home');
  expect((await ledger()).slice(2)).toMatchObject([
    { action: 'charter-registered', atMs: 3, detail: { message: 'changed: /gates/minUsers (loosens)', changes: [{ path: '/gates/minUsers', loosens: true }] } },
    { action: 'rollback', atMs: 4, by: 'sre', releaseId: 'r1', detail: { why: 'it got worse', generation: 2, champion: digestOf('b') } },
    { action: 'pause', atMs: 5, by: 'sre', releaseId: null, detail: { why: 'it got worse', generation: 3 } },
  ]);
  expect(verifyLedger(await ledgerInState({ stateDir: root, surface: 'home' }))).toMatchObject({ ok: true, signedFrom: 1, records: 5 });
  expect(await recordDecisionsIfPossible(keyless, 'home')).toBe(true);
});

it('tells a process at its start that it lacks the key of a ledger', async () => {
  const { root, keyed, keyless } = await open();
  await requireLedgerKeys(keyed.generations);
  await expect(requireLedgerKeys(keyless.generations)).rejects.toMatchObject({
    code: 'UND-SIGNING-KEY',
    message: expect.stringContaining('this process has no key'),
  });
  await expect(requireLedgerKeys(openState(root, undefined, [newKey()]).generations)).rejects.toMatchObject({ code: 'UND-SIGNING-KEY' });
});
