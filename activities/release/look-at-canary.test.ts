import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createArmTally } from '../../experiments/canary/arm-tally.ts';
import { quietAfterMs } from '../../experiments/canary/conditions.ts';
import { decideAmong } from '../../experiments/canary/decide-among.ts';
import { drawLog, type Log } from '../../experiments/canary/testing-log.ts';
import { amongDecision } from '../../models/contracts/canary.ts';
import type { CanarySpec } from '../../models/contracts/deployment.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { putDocument } from '../../stores/blobs.ts';
import { createDeployment } from '../../stores/deployments.ts';
import { openLogWriter } from '../../stores/event-log-files.ts';
import { readLedger } from '../../stores/ledger.ts';
import type { LookAmongRequest, LookRequest } from '../api.ts';
import type { Context } from '../context.ts';
import { benchContext, testCharter } from '../events/testing.ts';
import { canaryRecordsOf } from '../registry/agreements.ts';
import { createCanaryWatch } from './look-at-canary.ts';
import { recordCanary } from './record-canary.ts';

const seed = 23;
const reportPath = new URL('../../models/contracts/fixtures/v1/report.json', import.meta.url);
const digestOf = (letter: string) => `sha256:${letter.repeat(64)}`;
const [champion, first, second, third] = ['a', 'b', 'c', 'd'].map(digestOf) as [string, string, string, string];
type Contender = LookAmongRequest['contenders'][number] & { candidate: string };
const contenders: Contender[] = [
  { candidate: 'one', artifact: first, intent: 'replace' },
  { candidate: 'two', artifact: second, intent: 'replace' },
  { candidate: 'three', artifact: third, intent: 'refresh' },
];
const startedAtMs = 1_000_000;
const charter = testCharter({
  release: {
    approvers: [{ name: 'test', role: 'ml-lead' }],
    challengers: 3,
    canary: { ladder: [0.3, 0.5], minUnits: [10, 40], shadowSlates: 30, alpha: 0.05, maxDurationMs: 3_600_000, lookEveryMs: 1_000 },
  },
});

let context: Context;
let charterDigest: string;
beforeEach(async () => {
  context = benchContext(await mkdtemp(join(tmpdir(), 'understudy-canary-')));
  charterDigest = await putDocument(context.state.blobs, charter);
});
afterEach(() => rm(context.state.root, { recursive: true, force: true }));

/** The log of a serving tier: a sealed segment and an open one. */
async function write({ slates, events }: { slates: SlateRecord[]; events: Log['events'] }): Promise<void> {
  for (const [stream, records] of [
    ['slates', slates],
    ['events', events],
  ] as const) {
    const log = await openLogWriter({ directory: join(context.state.root, 'log', 'home', stream), writer: 'a' });
    await log.append(records.slice(0, records.length >> 1));
    await log.seal();
    await log.append(records.slice(records.length >> 1));
    await log.close();
  }
}

/** The second of three is out when 3,000 of 6,000 users have come. */
const before = [0.1, 0.1, 0.1];
const after = [0.2, 0, 0.2];
const draw = (users: number): Log =>
  drawLog({
    ...{ seed, users, startedAtMs, artifacts: [champion, first, second, third] },
    rates: [0.3, 0.45, 0.1, 0.3],
    sharesOf: (user) => (user < 3_000 ? before : after),
    stageOf: (user) => (user < 3_000 ? 0 : 1),
  });
const lookAt = (over: Partial<LookAmongRequest>): LookAmongRequest => ({
  ...{ surface: 'home', releaseId: 'r', charter: charterDigest, contenders, stage: 0, look: 2, startedAtMs, atMs: startedAtMs + 31_100 },
  shares: { [first]: 0.1, [second]: 0.1, [third]: 0.1 },
  ...over,
});
const shadowLook = (artifact: string): LookRequest => ({
  ...{ surface: 'home', releaseId: 'r', charter: charterDigest, intent: 'replace', artifact, champion: null },
  ...{ stage: -1, look: 0, share: 0, startedAtMs, atMs: startedAtMs + 1_000 },
});

/** What the release published: its shadow, its first split, and the one without the second challenger. */
async function publishSplits(): Promise<void> {
  const canary = (over: Partial<CanarySpec>, [share = 0, two = 0, three = 0]: number[]): CanarySpec => ({
    ...{ releaseId: 'r', artifact: first, mode: 'canary', stage: 0, cap: 0.5, share, salt: 'r' },
    rivals: [
      { artifact: second, share: two },
      { artifact: third, share: three },
    ],
    ...over,
  });
  const spec = (generation: number, one: CanarySpec, createdAtMs: number) =>
    createDeployment(context.state.generations, {
      ...{ kind: 'deployment', surface: 'home', generation, replaces: generation - 1, operationId: `r/${generation}` },
      ...{ champion, championRelease: 'r0', previousChampion: null, canary: one, challenger: first, rivals: [second, third] },
      ...{ charter: charterDigest, catalog: digestOf('e'), fencedReleases: [], paused: false, createdAtMs },
      author: { kind: 'release', name: 'r', reason: 'test' },
    });
  await spec(1, canary({ mode: 'shadow', stage: -1 }, []), startedAtMs - 5_000);
  await spec(2, canary({}, before), startedAtMs);
  await spec(3, canary({ stage: 1 }, after), startedAtMs + 30_000);
}

describe('looks at several challengers', () => {
  it('count what is in the log: each against the champion, and what follows for all', async () => {
    const log = draw(3_000);
    await write(log);
    const { lookAmong } = createCanaryWatch(context);
    const found = await lookAmong(lookAt({}));
    expect(amongDecision.parse(JSON.parse(JSON.stringify(found)))).toEqual(found);
    expect(found).toMatchObject({ releaseId: 'r', look: 2, stage: 0, action: 'advance', promoted: null, out: [second] });
    expect(found.decisions[second]).toMatchObject({ action: 'roll-back', verdict: 'worse', share: 0 });
    expect(found.shares[second]).toBe(0);
    expect((found.shares[first] ?? 0) + (found.shares[third] ?? 0)).toBeGreaterThanOrEqual(0.25);
    // The same from counts that never met a disk.
    const { reward, release } = charter;
    const watch = { startedAtMs, quietAfterMs: quietAfterMs(release.canary) };
    const tally = createArmTally({ releaseId: 'r', reward, maxP99Ms: release.canary.maxP99Ms, watch });
    tally.add(log.slates);
    tally.addEvents(log.events);
    const arms = Object.fromEntries(
      contenders.map(({ artifact }, index) => [artifact, tally.summarize({ nowMs: startedAtMs + 31_100, challenger: index + 1 })]),
    );
    const intents = Object.fromEntries(contenders.map(({ artifact, intent }) => [artifact, intent]));
    const { shares } = lookAt({});
    expect(found).toEqual(decideAmong({ charter, intents, releaseId: 'r', look: 2, stage: 0, shares, elapsedMs: 31_100, arms }));
  });

  it('go on from the counts they have, and from the log alone in another worker', async () => {
    const log = draw(6_000);
    const cut = (end: number) => ({ slates: log.slates.slice(0, end), events: log.events.filter(({ userId }) => Number(userId) < end) });
    await write(cut(3_000));
    const watch = createCanaryWatch(context);
    const { shares } = await watch.lookAmong(lookAt({}));
    await write({ slates: log.slates.slice(3_000), events: log.events.filter(({ userId }) => Number(userId) >= 3_000) });
    const next = lookAt({ shares, stage: 1, look: 3, atMs: startedAtMs + 61_100 });
    const found = await watch.lookAmong(next);
    expect(found).toMatchObject({ action: 'promote', promoted: first, verdict: 'better', out: [second], shares: { [first]: 1, [second]: 0, [third]: 0 } });
    expect(Object.keys(found.decisions)).toEqual([first, third]);
    expect(await createCanaryWatch(context).lookAmong(next)).toEqual(found);
  });

  it('before any traffic open the first rung in equal parts', async () => {
    const opened = await createCanaryWatch(context).lookAmong(lookAt({ shares: {}, look: 0, atMs: startedAtMs }));
    expect(opened).toMatchObject({ action: 'wait', out: [] });
    for (const { artifact } of contenders) expect(opened.shares[artifact]).toBeCloseTo(0.05, 12);
  });
});

describe('the shadow of several', () => {
  const unseen = (index: number, artifact: string, error: string | null): SlateRecord => {
    const [one] = drawLog({ seed, users: 1, rates: [0], sharesOf: () => [0, 0, 0], startedAtMs }).slates as [SlateRecord];
    return { ...one, requestId: `s${artifact}${index}`, stage: -1, enrolment: null, shadow: { artifact, items: ['a'], latencyMs: 5, error } };
  };
  const answers = (artifact: string, count: number, failed: number) =>
    Array.from({ length: count }, (_, index) => unseen(index, artifact, index < failed ? 'no' : null));

  it('counts each by its own answers', async () => {
    await publishSplits();
    await write({ slates: [...answers(first, 40, 0), ...answers(second, 40, 40), ...answers(third, 10, 0)], events: [] });
    const { lookAtShadow } = createCanaryWatch(context);
    expect(await lookAtShadow(shadowLook(first))).toMatchObject({ done: true, failed: false, slates: 40 });
    expect(await lookAtShadow(shadowLook(second))).toMatchObject({ done: true, failed: true, slates: 40 });
    expect(await lookAtShadow(shadowLook(third))).toMatchObject({ done: false, failed: false, slates: 10 });
  });

  it('fails one on as much more evidence as there are challengers to fail by chance', async () => {
    await write({ slates: answers(first, 40, 6), events: [] });
    const { lookAtShadow } = createCanaryWatch(context);
    expect(await lookAtShadow(shadowLook(first))).toMatchObject({ failed: true });
    await publishSplits();
    expect(await lookAtShadow(shadowLook(first))).toMatchObject({ failed: false });
  });
});

describe('the canary of one of several, when all is over', () => {
  it('is drawn until it was out, with its own share, and recorded beside the others', async () => {
    await publishSplits();
    await write(draw(6_000));
    const watch = createCanaryWatch(context);
    const one = await watch.lookAmong(lookAt({}));
    expect(one.shares[second]).toBe(0);
    const two = await watch.lookAmong(lookAt({ shares: { [first]: 0.2, [third]: 0.2 }, stage: 1, look: 3, atMs: startedAtMs + 61_100 }));
    const endedAtMs = startedAtMs + 61_100;
    const canaryOf = (index: number) => {
      const { artifact, intent } = contenders[index] as Contender;
      const decision = two.decisions[artifact] ?? one.decisions[artifact];
      if (decision === undefined) throw new Error('no decision');
      return {
        artifact,
        intent,
        canary: { charter: charterDigest, evidence: '', intent: intent as 'refresh' | 'replace', startedAtMs, endedAtMs, decision, arm: index + 1 },
      };
    };
    const [best, loser] = await Promise.all([0, 1].map((index) => watch.canaryOverTime({ surface: 'home', releaseId: 'r', ...canaryOf(index) })));
    expect(best?.at(-1)).toMatchObject({ atMs: endedAtMs, share: 0.2, challenger: two.decisions[first]?.challenger.ripe });
    expect(new Set(best?.map(({ share }) => share))).toEqual(new Set([0.1, 0.2]));
    expect(loser?.at(-1)).toMatchObject({ atMs: startedAtMs + 30_000, share: 0 });
    expect(loser?.slice(0, -1).every(({ share }) => share === 0.1)).toBe(true);
    expect(best?.at(-2)?.lift.value).toBeGreaterThan(0);
    expect(loser?.at(-2)?.lift.value).toBeLessThan(-0.1);
    // The points before the end are judged as the end was: at an equal part of alpha.
    const nearly = best?.at(-2);
    const last = best?.at(-1);
    expect((nearly?.lift.high ?? 0) - (nearly?.lift.low ?? 0)).toBeGreaterThan((last?.lift.high ?? 1) - (last?.lift.low ?? 0));
    const report = JSON.parse(await readFile(reportPath, 'utf8'));
    report.counterfactual.champion = { value: 0.3, low: 0.2, high: 0.4 };
    const evidence = await putDocument(context.state.blobs, report);
    for (const index of [0, 1, 0, 1]) {
      const { artifact, canary } = canaryOf(index);
      const { candidate } = contenders[index] as Contender;
      const request = {
        ...{ surface: 'home', releaseId: 'r', candidate, artifact, runId: `run-${candidate}`, outcome: 'rolled-back' as const, why: '', generation: 3 },
        canary: { ...canary, evidence },
      };
      await recordCanary(context, { request, points: [] });
    }
    const records = await canaryRecordsOf(context, 'home');
    expect(records.map(({ record }) => record.decision)).toEqual([two.decisions[first], one.decisions[second]]);
    expect(records.map(({ record }) => record.agreement?.observed.verdict)).toEqual(['better', 'worse']);
    const operations = (await readLedger(context.state.generations, 'home')).map(({ operationId }) => operationId);
    expect(operations).toEqual(['r/canary-decided', 'r/canary-decided/2']);
  });
});
