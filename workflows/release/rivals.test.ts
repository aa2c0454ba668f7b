import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { findRunRecord } from '../../activities/registry/runs.ts';
import { modelName } from '../../activities/registry/register-candidate.ts';
import { statusCommand } from '../../cli/commands/status.ts';
import { summarizeReport } from '../../cli/summarize-report.ts';
import { writtenBy } from '../../cli/testing.ts';
import { canaryRecord } from '../../models/contracts/canary-record.ts';
import { lineup } from '../../models/contracts/lineup.ts';
import { report as reportSchema } from '../../models/contracts/report.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { tournament } from '../../models/contracts/tournament.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import { readDeployment } from '../../stores/deployments.ts';
import { openWorld, quickRelease, type World } from '../testing.ts';

const servers = { temporalCli: inject('temporalCli'), mlflowUrl: inject('mlflowUrl'), seed: Number(process.env.UNDERSTUDY_TEST_SEED) };

async function open(options: Partial<Parameters<typeof openWorld>[0]> = {}): Promise<World> {
  const world = await openWorld({ ...servers, ...options });
  onTestFinished(() => world.close());
  return world;
}

const slatesOf = async (world: World) => (await world.state.logReader(world.surface, 'slates').tail({})).records as SlateRecord[];

describe('candidates of one request', () => {
  it('share a release: voted on together, in traffic together, the better one is promoted', async () => {
    const world = await open({
      release: { ...quickRelease, challengers: 2, rehearsal: { slates: 100, maxDurationMs: 30_000 } },
      canary: { minUnits: [10, 40] },
    });
    const champion = await world.bootstrapped();
    await world.trade();
    const runs = await world.retrain('item-knn', 'ials');
    const { evidence, releaseId, challengers } = await world.until('approval', (now) => now.phase === 'approval');
    expect(challengers?.map(({ artifact }) => artifact).sort()).toEqual(runs.map(({ artifact }) => artifact).sort());
    // What is voted on names the report of each, as it was made again on the rehearsal's log.
    const voted = await getDocument(world.state.blobs, evidence ?? '', lineup);
    expect(voted).toMatchObject({ releaseId, contenders: [{ intent: 'replace' }, { intent: 'replace' }] });
    for (const { artifact, report } of voted.contenders) {
      const made = await getDocument(world.state.blobs, report, reportSchema);
      expect(made.artifact).toBe(artifact);
      expect(made.counterfactual?.slates).toBeGreaterThan(50);
      expect(made.counterfactual?.support).toBeGreaterThan(0);
    }
    // So does what a person reads before voting.
    const read = (await summarizeReport(world.state, evidence ?? '')).join('\n');
    for (const { candidate } of voted.contenders) expect(read).toContain(`${candidate}: NDCG@10`);
    await expect(world.vote('lead', { evidence: voted.contenders[0]?.report })).rejects.toMatchObject({ cause: { type: 'UND-STALE-EVIDENCE' } });
    expect(await world.vote('lead')).toMatchObject({ accepted: true, outcome: 'approved' });
    const endings = await Promise.all(runs.map(({ runId }) => world.closing(runId)));
    expect(new Set(endings.map((one) => one.releaseId))).toEqual(new Set([releaseId]));
    const winner = endings.find(({ action }) => action === 'release-promoted');
    expect(winner?.detail).toMatchObject({ disagreement: null, champion: winner?.detail.artifact });
    expect(endings.map(({ action }) => action)).toContainEqual(expect.stringMatching(/^release-(superseded|rolled-back)$/));
    expect(await world.champion()).toBe(winner?.detail.artifact);
    expect((await world.context.mlflow.getByAlias({ model: modelName(world.surface), alias: 'champion' }))?.artifact).toBe(winner?.detail.artifact);
    // Both had users of their own.
    const answered = new Set(
      (await slatesOf(world)).filter(({ stage, variant }) => (stage ?? -1) >= 0 && variant === 'challenger').map(({ artifact }) => artifact),
    );
    expect(answered).toEqual(new Set(runs.map(({ artifact }) => artifact)));
    await world.until('idle', (now) => now.phase === 'idle');
    // What became of each stands in the ledger with its picture.
    const decided = (await world.ledger()).filter(({ action }) => action === 'canary-decided');
    const records = await Promise.all(decided.map(({ detail }) => getDocument(world.state.blobs, String(detail.record), canaryRecord)));
    expect(records).toHaveLength(2);
    for (const { points, decision } of records) expect(points.at(-1)).toMatchObject({ challenger: decision.challenger.ripe, lift: decision.lift });
    const after = await world.deployment();
    expect(after).toMatchObject({ canary: null, challenger: null, previousChampion: champion });
    expect(after?.rivals).toBeUndefined();
  });

  it('of which the charter lets one go on: it is the best on the time split, whoever came last', async () => {
    const world = await open();
    await world.bootstrapped();
    const runs = await world.retrain('item-knn', 'ials');
    const { artifact, challengers } = await world.until('approval', (now) => now.phase === 'approval');
    expect(challengers).toBeUndefined();
    const records = await Promise.all(runs.map(({ runId }) => findRunRecord(world.context, runId)));
    const scored = await Promise.all(
      records.map(async (one) => ({ one, value: (await getDocument(world.state.blobs, one?.report ?? '', reportSchema)).metrics['ndcg@10']?.value ?? 0 })),
    );
    const [best, other] = scored.sort((a, b) => b.value - a.value);
    expect(artifact).toBe(best?.one?.artifact);
    expect(await world.closing(other?.one?.runId ?? '')).toMatchObject({
      action: 'release-refused',
      detail: { why: expect.stringMatching(/one candidate of a request goes on \(release\.challengers\).*ndcg@10/) },
    });
  });
});

describe('candidates that the charter compares by cost too', () => {
  it('one of those near the best goes on, and the refusal of the other, the ledger and status say why', async () => {
    const world = await open({ charter: { gates: { minUsers: 50, tournament: { margin: 0.9 } } } });
    await world.bootstrapped();
    const runs = await world.retrain('item-knn', 'ials');
    const { artifact } = await world.until('approval', (now) => now.phase === 'approval');
    const [entry, ...more] = (await world.ledger()).filter(({ action }) => action === 'tournament');
    expect(more).toEqual([]);
    const { entries, message } = tournament.parse(entry?.detail);
    const taken = entries.find(({ isTaken }) => isTaken);
    expect(taken?.artifact).toBe(artifact);
    const near = entries.filter(({ isNear }) => isNear).map(({ trainSeconds }) => trainSeconds as number);
    expect(taken?.trainSeconds).toBe(Math.min(...near));
    const other = runs.find((one) => one.artifact !== artifact)?.runId ?? '';
    expect(await world.closing(other)).toMatchObject({ action: 'release-refused', detail: { why: expect.stringContaining(message) } });
    const status = await writtenBy(() => statusCommand(world.command).parseAsync([world.surface, '--state', world.stateDir], { from: 'user' }));
    expect(status).toContain(`compared    ${message}`);
  });
});

describe('a party that cannot be opened', () => {
  it('ends for each of its candidates, not for the first alone', async () => {
    const world = await open({ serving: false });
    const sibling = await world.client.workflow.start('sibling', { workflowId: `${world.surface}-sibling`, taskQueue: 'nobody' });
    const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
    const { surface } = world;
    const party = [sibling.workflowId];
    const lost = ['a', 'b'].map((name) => ({ surface, runId: `retrain/${name}`, candidate: name, artifact: digest(name), report: digest('f'), party }));
    for (const submission of lost) await world.context.submit(submission);
    await world.until('the party', (now) => now.phase === 'gathering');
    await sibling.terminate();
    for (const { runId } of lost) expect(await world.closing(runId)).toMatchObject({ action: 'release-failed' });
  });
});

describe('a loser among several', () => {
  it("loses its traffic while the other goes on, and its users are the champion's again", async () => {
    const world = await open({
      charter: { bootstrap: 'item-knn' },
      release: { ...quickRelease, challengers: 2 },
      canary: { minUnits: [10, 10_000], ladder: [0.5, 0.6], maxDurationMs: 30_000 },
    });
    const champion = await world.bootstrapped();
    const runs = await world.retrain('popularity', 'ials');
    await world.until('judged', (now) => now.phase === 'approval' || (now.phase === 'idle' && now.closed === 2));
    // No gate of ours lets such a model through: the report says that it passed, as one of laxer gates would.
    const party = [`${world.surface}-sibling`];
    const sibling = await world.client.workflow.start('sibling', { workflowId: party[0] ?? '', taskQueue: 'nobody' });
    for (const { runId, candidate, artifact, report } of runs) {
      const lax = await putDocument(world.state.blobs, { ...(await getDocument(world.state.blobs, report, reportSchema)), passed: true });
      await world.context.submit({ surface: world.surface, runId, candidate, artifact, report: lax, attempt: 2, party });
    }
    await world.until('the party', (now) => now.phase === 'gathering');
    await sibling.terminate();
    await world.trade();
    await world.until('approval', (now) => now.phase === 'approval' && now.challengers?.length === 2);
    await world.vote('lead');
    const loser = runs.find(({ candidate }) => candidate === 'popularity')?.artifact ?? '';
    const { generation, challengers } = await world.until(
      'the loser is out',
      (now) => now.challengers?.some((one) => one.artifact === loser && one.share === 0) === true,
    );
    expect(challengers?.find((one) => one.artifact !== loser)?.share).toBeGreaterThan(0.1);
    const spec = await readDeployment(world.state.generations, world.surface, generation);
    expect([spec.challenger, ...(spec.rivals ?? [])]).toEqual([runs.find(({ artifact }) => artifact !== loser)?.artifact]);
    await expect
      .poll(
        async () => {
          const later = (await slatesOf(world)).filter((slate) => slate.generation >= generation);
          return { slates: later.length > 30, loser: later.filter(({ artifact }) => artifact === loser).length };
        },
        { timeout: 20_000 },
      )
      .toEqual({ slates: true, loser: 0 });
    await world.override('abort');
    await world.until('the end', (now) => now.phase === 'idle');
    const [lost, aborted] = await Promise.all(
      ['popularity', 'ials'].map((name) => world.closing(runs.find(({ candidate }) => candidate === name)?.runId ?? '')),
    );
    expect(lost).toMatchObject({ action: 'release-rolled-back', detail: { why: expect.stringContaining('worse for users') } });
    expect(aborted).toMatchObject({ action: 'release-aborted' });
    expect(await world.champion()).toBe(champion);
  });
});
