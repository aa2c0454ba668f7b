import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Finding } from '../../models/contracts/audit.ts';
import { silenceAlert } from '../../stores/alerts.ts';
import { putMarks } from '../../stores/flags.ts';
import { followFinding } from '../audit/follow-up.ts';
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

const audited = { atMs: 2, by: 'audit', what: 'it could not be measured: no rows' };
const finding: Finding = {
  ...{ id: 'density', claim: 'as dense as it was', status: 'broken', says: 'it is not', state: 'open', owner: 'ann', openedAtMs: 1, dueAtMs: 80 },
  ...{ escalations: 0, followUp: [], acceptedUntilMs: null },
};

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

it('does the same for silences, for what is done about findings, and for flags', async () => {
  const { root, keyed, keyless, ledger } = await open();
  const began = (await ledger()).length;
  await silenceAlert(
    keyless.generations,
    { surface: 'home', signal: 'reward', part: 'all', direction: 'down' },
    { by: 'sre', why: 'a test', untilMs: 9, nowMs: 3 },
  );
  await keyless.generations.create('findings/home', 1, { kind: 'findings', surface: 'home', generation: 1, findings: [{ ...finding, followUp: [audited] }] });
  const context = { state: keyless, now: () => 5, log: () => undefined };
  await followFinding(context, { surface: 'home', id: finding.id, by: 'ann', what: 'the mapping is mended', owner: 'ben' });
  await followFinding({ ...context, now: () => 6 }, { surface: 'home', id: finding.id, by: 'ben', what: 'as it is', acceptUntilMs: 90 });
  const mark = { itemId: 'i1', scores: {}, flags: ['recall'] };
  const said = { surface: 'home', source: 'hand', by: 'kim', why: 'a broken blade', mode: 'add' as const, marks: [mark], operationId: 'f1', nowMs: 7 };
  await putMarks(keyless, said);
  expect(await recordDecisionsIfPossible(keyless, 'home')).toBe(false);
  expect(await ledger()).toHaveLength(began);

  await recordDecisions(keyed, 'home');
  await recordDecisions(keyed, 'home');
  expect((await ledger()).slice(began)).toMatchObject([
    { action: 'alert-silenced', by: 'sre', atMs: 3, detail: { signal: 'reward', why: 'a test', untilMs: 9 } },
    { action: 'items-flagged', by: 'kim', atMs: 7, detail: { message: 'hand: add 1 item: a broken blade', generation: 1 } },
    { action: 'finding-followed', by: 'ann', atMs: 5, detail: { owner: 'ben', acceptUntilMs: null } },
    { action: 'finding-accepted', by: 'ben', atMs: 6, detail: { acceptUntilMs: 90 } },
  ]);
  expect(verifyLedger(await ledgerInState({ stateDir: root, surface: 'home' }))).toMatchObject({ ok: true, signedFrom: 1 });
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
