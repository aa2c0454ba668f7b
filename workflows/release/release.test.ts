import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { openState } from '../../activities/context.ts';
import { agreementsOf } from '../../activities/registry/agreements.ts';
import { modelName } from '../../activities/registry/register-candidate.ts';
import { findRunRecord } from '../../activities/registry/runs.ts';
import { signVote } from '../../activities/release/record-vote.ts';
import { publishSpec } from '../../activities/release/publish-spec.ts';
import { releaseMessages, releaseWorkflowId } from '../../models/contracts/messages.ts';
import { canaryRecord } from '../../models/contracts/canary-record.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import type { Vote } from '../../models/contracts/release.ts';
import { artifactManifest } from '../../models/contracts/artifact.ts';
import { getDocument } from '../../stores/blobs.ts';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { openWorld, quickRelease, type World } from '../testing.ts';

const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed: Number(process.env.UNDERSTUDY_TEST_SEED) };

async function open(options: Partial<Parameters<typeof openWorld>[0]> = {}): Promise<World> {
  const world = await openWorld({ ...servers, ...options });
  onTestFinished(() => world.close());
  return world;
}

const key = 'a key of the lead';
const release = (over: Record<string, unknown>) => ({ release: { ...quickRelease, ...over } });

describe('a release', () => {
  it('goes from bootstrap to promotion: approval, shadow, canary; spec, registry and serving agree', async () => {
    const world = await open({ release: { ...quickRelease, rehearsal: { slates: 200, maxDurationMs: 30_000 } } });
    const first = await world.bootstrapped();
    expect(await world.champion()).toBe(first);
    await world.trade();
    const [run] = await world.retrain('item-knn');
    await world.until('approval', (now) => now.phase === 'approval');
    expect(await world.vote('lead')).toMatchObject({ accepted: true, outcome: 'approved' });
    const ended = await world.closing(run?.runId ?? '');
    expect(ended).toMatchObject({ action: 'release-promoted', detail: { disagreement: null, champion: run?.artifact } });
    expect((await world.context.mlflow.getByAlias({ model: modelName(world.surface), alias: 'champion' }))?.artifact).toBe(run?.artifact);
    expect(await world.context.mlflow.getByAlias({ model: modelName(world.surface), alias: 'challenger' })).toBeUndefined();
    const kinds = (await world.ledger())
      .filter((entry) => entry.action === 'spec-published' && entry.releaseId === ended.releaseId)
      .map((entry) => (entry.detail.change as { kind: string }).kind);
    expect([...new Set(kinds)]).toEqual(['register-challenger', 'shadow', 'split', 'promote']);
    // Who is in the data is known from the first request on.
    await fetch(`${world.servingUrl}/v1/recommend`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ surface: world.surface, userId: 'u1' }),
    });
    const slateOf = async (unit: string) =>
      ((await world.state.logReader(world.surface, 'slates').tail({})).records as SlateRecord[]).find((slate) => slate.unit === unit);
    await expect.poll(async () => (await slateOf('u:u1'))?.history.length ?? 0).toBeGreaterThan(5);
    // Back again with no release under way: the registry follows.
    await world.until('idle', (now) => now.phase === 'idle');
    // What the log foretold stands beside what the canary saw, with pictures in the run's folder.
    const [agreement] = await agreementsOf(world.context, world.surface);
    expect(agreement).toMatchObject({ releaseId: ended.releaseId, observed: { verdict: 'better' } });
    const decided = (await world.ledger()).find(({ action }) => action === 'canary-decided');
    const { points, decision } = await getDocument(world.state.blobs, String(decided?.detail.record), canaryRecord);
    expect(decision.action).toBe('promote');
    expect(points.at(-1)).toMatchObject({ challenger: decision.challenger.ripe, champion: decision.champion.ripe, lift: decision.lift });
    expect(points[0]?.challenger).toBeLessThan(points.at(-1)?.challenger ?? 0);
    const inFolder = async (name: string) => {
      const record = await findRunRecord(world.context, run?.runId ?? '');
      return Buffer.from(await world.context.mlflow.downloadArtifact({ runId: record?.mlflowRunId ?? '', path: `release/${name}` })).toString('utf8');
    };
    expect(await inFolder('canary.svg')).toMatch(/^<svg .*canary of/s);
    expect(JSON.parse(await inFolder('report.json')).counterfactual.slates).toBeGreaterThan(100);
    await world.override('rollback');
    await expect
      .poll(async () => (await world.ledger()).at(-1), { timeout: 20_000 })
      .toMatchObject({ action: 'reconciled', detail: { champion: first, disagreement: null } });
    expect((await world.context.mlflow.getByAlias({ model: modelName(world.surface), alias: 'champion' }))?.artifact).toBe(first);
    // What is done is not done again.
    const [again] = await world.retrain('item-knn');
    expect(again).toEqual(run);
  });

  it('takes votes only from approvers, signed where they have a key, on the evidence that is shown, once each; all of it is recorded', async () => {
    const world = await open({ ...release({ fourEyes: true }), approverKeys: { lead: key, second: `${key} two` } });
    await world.bootstrapped();
    await world.retrain('item-knn');
    const { evidence } = await world.until('approval', (now) => now.phase === 'approval');
    const stale = `sha256:${'0'.repeat(64)}`;
    await expect(world.vote('lead', { key, evidence: stale })).rejects.toMatchObject({ cause: { type: 'UND-STALE-EVIDENCE' } });
    await expect(world.vote('mallory')).rejects.toMatchObject({ cause: { type: 'UND-NOT-APPROVER' } });
    await expect(world.vote('lead')).rejects.toMatchObject({ cause: { type: expect.stringMatching(/^UND-/) } });
    await expect(world.vote('lead', { key: 'another key' })).rejects.toMatchObject({ cause: { type: expect.stringMatching(/^UND-/) } });
    expect(await world.vote('lead', { key })).toMatchObject({ accepted: true, outcome: 'waiting' });
    await expect(world.vote('lead', { key })).rejects.toMatchObject({ cause: { type: 'UND-ALREADY-VOTED' } });
    // By signal, as Temporal's own UI would send it: through the same code, refused and taken alike.
    const handle = world.client.workflow.getHandle(releaseWorkflowId(world.surface));
    const ballot: Vote = { decision: 'approve', by: 'nobody', evidence: evidence ?? '', why: '', proof: { kind: 'unauthenticated' } };
    await handle.signal(releaseMessages.decide, ballot);
    await handle.signal(releaseMessages.decide, { ...ballot, by: 'second' });
    const { releaseId } = await world.until('the release', (now) => now.releaseId !== null);
    const signature = signVote(`${key} two`, { ...ballot, releaseId: releaseId ?? '', by: 'second' });
    await handle.signal(releaseMessages.decide, { ...ballot, by: 'second', proof: { kind: 'hmac-sha256', signature } });
    await world.until('past approval', (now) => now.phase !== 'approval');
    const votes = (await world.ledger())
      .filter((entry) => entry.action.startsWith('vote-'))
      .map((entry) => [entry.by, entry.action, entry.detail.code ?? null]);
    expect(votes).toHaveLength(9);
    expect(votes.filter(([, , code]) => code === null).map(([by]) => by)).toEqual(['lead', 'second']);
  });

  it('ends by itself when nobody decides: reminder, escalation, expiry; and by a no', async () => {
    const world = await open(release({ remindAfterMs: 300, escalateAfterMs: 600, expireAfterMs: 1_000 }));
    await world.bootstrapped();
    const [expired] = await world.retrain('item-knn');
    expect(await world.closing(expired?.runId ?? '')).toMatchObject({ action: 'release-expired' });
    const told = (await world.ledger()).map(({ action }) => action).filter((action) => action.startsWith('approval-'));
    expect(told).toEqual(['approval-opened', 'approval-reminder', 'approval-escalation']);
    const [rejected] = await world.retrain('ials');
    await world.until('approval', (now) => now.phase === 'approval');
    await world.vote('second', { decision: 'reject' });
    expect(await world.closing(rejected?.runId ?? '')).toMatchObject({ action: 'release-rejected' });
    expect((await world.deployment())?.challenger).toBeNull();
  });

  it('a newer candidate supersedes one that waits for approval, and waits behind a running canary', async () => {
    const world = await open({ canary: { minUnits: [10, 100_000], maxDurationMs: 6_000 } });
    await world.bootstrapped();
    const [older] = await world.retrain('item-knn');
    await world.until('approval', (now) => now.phase === 'approval' && now.candidate === 'item-knn');
    const [newer] = await world.retrain('ials');
    expect(await world.closing(older?.runId ?? '')).toMatchObject({ action: 'release-superseded', detail: { why: 'ials is newer' } });
    await world.until('approval of the newer', (now) => now.phase === 'approval' && now.candidate === 'ials');
    await world.trade();
    await world.vote('lead');
    await world.until('canary', (now) => now.phase === 'canary' && now.share !== null);
    await world.context.submit({
      surface: world.surface,
      runId: older?.runId ?? '',
      candidate: 'item-knn',
      artifact: older?.artifact ?? '',
      report: older?.report ?? '',
    });
    expect(await world.until('waiting', (now) => now.waiting === 'item-knn')).toMatchObject({ phase: 'canary', candidate: 'ials' });
    expect(await world.closing(newer?.runId ?? '')).toMatchObject({ action: 'release-rolled-back' });
    await world.until('its turn', (now) => now.candidate === 'item-knn' && now.phase === 'approval');
  });
});

describe('an override', () => {
  it('abort wins over an approval that arrives in the same moment, and the ledger says so', async () => {
    const world = await open();
    const champion = await world.bootstrapped();
    const [run] = await world.retrain('item-knn');
    await world.until('approval', (now) => now.phase === 'approval');
    const [aborted] = await Promise.all([world.override('abort'), world.vote('lead').catch(() => undefined)]);
    expect(aborted.fencedRelease).not.toBeNull();
    expect(await world.closing(run?.runId ?? '')).toMatchObject({ action: 'release-aborted', detail: { disagreement: null } });
    expect(await world.champion()).toBe(champion);
    expect((await world.ledger()).find((entry) => entry.action === 'abort')).toMatchObject({ by: 'sre', releaseId: aborted.fencedRelease });
  });

  it('abort in a race with promotion leaves the champion from before', async () => {
    const world = await open();
    const champion = await world.bootstrapped();
    await world.trade();
    const [run] = await world.retrain('item-knn');
    await world.until('approval', (now) => now.phase === 'approval');
    await world.vote('lead');
    await world.until('the promotion', (now) => now.phase === 'promoting' || now.phase === 'closing' || now.phase === 'idle');
    await world.override((await world.status())?.phase === 'idle' ? 'rollback' : 'abort');
    await world.until('the end', (now) => now.phase === 'idle');
    await expect.poll(() => world.champion()).toBe(champion);
    expect((await world.ledger()).some((entry) => ['abort', 'rollback'].includes(entry.action) && entry.detail.champion === champion)).toBe(true);
    expect(run?.artifact).not.toBe(champion);
  });

  it('written while Temporal cannot be reached, it fences the next write of the workflow; a late writer changes nothing', async () => {
    const world = await open({ canary: { minUnits: [10, 100_000] } });
    const champion = await world.bootstrapped();
    await world.trade();
    const [run] = await world.retrain('item-knn');
    await world.until('approval', (now) => now.phase === 'approval');
    await world.vote('lead');
    const { generation, releaseId } = await world.until('canary', (now) => now.phase === 'canary' && now.share !== null);
    const nowhere = { ...world.command, env: { ...world.command.env, TEMPORAL_ADDRESS: '127.0.0.1:9' } };
    expect(await world.override('abort', nowhere)).toMatchObject({ told: false, fencedRelease: releaseId });
    expect(await world.closing(run?.runId ?? '')).toMatchObject({ action: 'release-aborted', detail: { disagreement: null } });
    expect(await world.champion()).toBe(champion);

    const before = await world.deployment();
    const zombie = await publishSpec(
      { ...world.context, state: openState(world.stateDir) },
      {
        surface: world.surface,
        releaseId: releaseId ?? '',
        expectedGeneration: generation,
        step: '9-promote',
        reason: 'late',
        artifact: run?.artifact ?? '',
        charter: before?.charter ?? '',
        change: { kind: 'promote', charter: before?.charter ?? '', catalog: before?.catalog ?? '' },
      },
    );
    expect(zombie.status).toBe('fenced');
    expect(await world.deployment()).toEqual(before);
    expect((await world.ledger()).map(({ action }) => action)).toContain('spec-fenced');
  });

  it('pause holds a canary where it is, resume lets it go on', async () => {
    const world = await open();
    await world.bootstrapped();
    await world.trade();
    const [run] = await world.retrain('item-knn');
    await world.until('approval', (now) => now.phase === 'approval');
    // One that is over before anything is written changes nothing for the release.
    await world.override('pause');
    await world.override('resume');
    const paused = await world.override('pause');
    await world.vote('lead');
    await world.until('the pause', (now) => now.why.includes('paused'));
    expect((await world.deployment())?.generation).toBe(paused.generation);
    expect((await world.ledger()).map(({ action }) => action)).toContain('spec-paused');
    await world.override('resume');
    expect(await world.closing(run?.runId ?? '')).toMatchObject({ action: 'release-promoted' });
  });
});

describe('the charter and the artifact', () => {
  it('a freeze window holds traffic back and not an abort; a loosened gate needs a second person', async () => {
    const world = await open();
    const champion = await world.bootstrapped();
    await world.trade();
    await world.changeCharter((charter) => ({
      ...charter,
      gates: { minUsers: 10 },
      release: { ...(charter.release as object), freezeWindows: [{ fromMs: Date.now() - 1_000, toMs: Date.now() + 3_600_000, reason: 'the sales' }] },
    }));
    const [run] = await world.retrain('item-knn');
    expect(await world.until('approval', (now) => now.phase === 'approval')).toMatchObject({ policy: { votesNeeded: 2 } });
    await expect(world.vote('lead')).rejects.toMatchObject({ cause: { type: 'UND-LOOSENED', message: expect.stringContaining('/gates/minUsers') } });
    expect(await world.vote('lead', { acceptsLoosened: true })).toMatchObject({ accepted: true, outcome: 'waiting' });
    await world.vote('second', { acceptsLoosened: true });
    await world.until('the freeze', (now) => now.why.includes('frozen: the sales'));
    await world.override('abort');
    expect(await world.closing(run?.runId ?? '')).toMatchObject({ action: 'release-aborted' });
    expect(await world.champion()).toBe(champion);
  });

  it('a corrupt artifact is refused by the replica; the champion stays', async () => {
    const world = await open();
    const champion = await world.bootstrapped();
    // Held back until its bytes are broken: a replica that has loaded them would not read them again.
    await world.override('pause');
    const [run] = await world.retrain('item-knn');
    await world.until('the pause', (now) => now.why.includes('paused'));
    const manifest = await getDocument(world.state.blobs, run?.artifact ?? '', artifactManifest);
    const digest = (manifest.files['recommend.onnx'] ?? '').slice('sha256:'.length);
    await truncate(join(world.stateDir, 'blobs', 'sha256', digest.slice(0, 2), digest), 1_000);
    await world.override('resume');
    const ended = await world.closing(run?.runId ?? '');
    expect(ended).toMatchObject({ action: 'release-rolled-back', detail: { disagreement: null } });
    expect(String(ended.detail.why)).toContain('UND-DIGEST');
    expect(await world.champion()).toBe(champion);
    expect((await world.context.mlflow.getByAlias({ model: modelName(world.surface), alias: 'champion' }))?.artifact).toBe(champion);
    const answer = await fetch(`${world.servingUrl}/v1/recommend`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ surface: world.surface, sessionId: 'one' }),
    });
    expect(await answer.json()).toMatchObject({ artifact: champion, rung: 'model' });
  });
});
