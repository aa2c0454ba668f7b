import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readEnvironment } from '../../cli/environment.ts';
import { fairnessCommand } from '../../cli/fairness/command.ts';
import { feedbackCommand } from '../../cli/feedback/command.ts';
import { writtenBy } from '../../cli/testing.ts';
import { slate } from '../../experiments/canary/testing-log.ts';
import { isWellFormed } from '../../experiments/pictures/testing.ts';
import { drawPurchases, happeningsOf } from '../../experiments/ranking/testing-purchases.ts';
import { type FeedbackReport, feedbackReport, type ImpactReport, impactReport } from '../../models/contracts/audit-measures.ts';
import type { Event } from '../../models/contracts/event.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { createRandom } from '../../models/random.ts';
import { exploreSlate } from '../../models/slate/explore.ts';
import { openLogWriter } from '../../stores/event-log-files.ts';
import { openEvidence } from '../evidence/testing.ts';
import { registerCharter } from '../registry/charters.ts';
import { measureDisparateImpact } from './measure-disparate-impact.ts';
import { measureFeedback } from './measure-feedback.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED) % 1_000_000;
const startMs = Date.UTC(2026, 0, 5);
const dayMs = 86_400_000;
const attributionMs = 3_600_000;
const itemIds = Array.from({ length: 60 }, (_, item) => `i${item}`);
const signal = new AbortController().signal;

/** Eight models, one a day, each of which has fewer items to choose from; visitors from `it` find hardly anything. */
async function openShop({ users = 900 } = {}) {
  const drawn = drawPurchases({ users: 80, items: 60, tastes: 3, faith: 0.9, perUser: 12, days: 30, zipf: 0.5, fresh: 0, seed: 1 });
  const evidence = await openEvidence({
    happenings: happeningsOf(drawn, startMs),
    nowMs: startMs + 31 * dayMs,
    charter: {
      window: { trainDays: 24, gapDays: 1, testDays: 3 },
      reward: { weights: { purchase: 1 }, attributionMs },
      slate: { size: 5 },
      evaluation: { minSegmentUsers: 100 },
    },
    catalog: itemIds.map((itemId, item) => ({ itemId, title: `thing ${item % 7} of sort ${item % 3}`, category: `c${item % 3}`, inStock: true })),
  });
  onTestFinished(() => evidence.close());
  const { context } = evidence;
  await registerCharter(context.state, evidence.charter, context.now());
  const first = await evidence.train('popularity');
  await context.state.generations.create('data/home', 1, { ...evidence.dataState, generation: 1 });
  const artifacts = [first, ...['b', 'c', 'd', 'e', 'f', '9'].map((letter) => `sha256:${letter.repeat(64)}`), await evidence.train('item-knn')];
  const log = drawLog({ artifacts, users });
  for (const [stream, records] of Object.entries(log)) {
    const writer = await openLogWriter({ directory: join(context.state.root, 'log', 'home', stream), writer: 'a' });
    await writer.append(records.slice(0, records.length >> 1));
    await writer.seal();
    await writer.append(records.slice(records.length >> 1));
    await writer.close();
  }
  const fromMs = startMs + 31 * dayMs;
  const input = { surface: 'home', charter: evidence.charter, fromMs, toMs: fromMs + 8 * dayMs, signal };
  const run = (command: typeof fairnessCommand, ...args: string[]) =>
    writtenBy(() =>
      command({ env: readEnvironment({}), cwd: context.state.root, now: () => input.toMs + attributionMs })
        .exitOverride()
        .parseAsync(['home', '--state', context.state.root, ...args], { from: 'user' }),
    );
  return { context, input, log, artifacts, run };
}

function drawLog({ artifacts, users }: { artifacts: readonly string[]; users: number }): { slates: SlateRecord[]; events: Event[] } {
  const random = createRandom(seed);
  const [slates, events]: [SlateRecord[], Event[]] = [[], []];
  const tell = (over: Partial<Event> & Pick<Event, 'atMs' | 'itemId' | 'sessionId'>) =>
    events.push({ schemaVersion: 1, eventId: `e${events.length}`, kind: 'purchase', surface: 'home', ...over });
  for (const [day, artifact] of artifacts.entries())
    for (let user = 0; user < users; user += 1) {
      const requestId = `q${day}-${user}`;
      const atMs = startMs + (31 + day) * dayMs + user * 10_000;
      const country = user % 4 === 0 ? 'it' : 'at';
      const choice = itemIds.slice(0, 60 - 6 * day);
      const order = choice.map((itemId) => ({ itemId, at: random.float() })).sort((a, b) => a.at - b.at);
      const base = order.slice(0, 5).map(({ itemId }) => itemId);
      const explored = exploreSlate({
        baseItems: base,
        nextItems: order.slice(5).map(({ itemId }) => itemId),
        challengerRankings: [],
        scope: { allowed: () => true, allowedIds: itemIds },
        excluded: new Set(),
        settings: { slots: 1, poolDepth: 20, rankOffset: 5, challengerDepth: 0, floor: 1 },
        slateSize: 5,
        seed: random.uint32(),
        drawId: requestId,
      });
      const who = { unit: `u:${user}`, userId: `${user}`, sessionId: `s${user}` };
      const answered = { generation: day + 1, artifact, atMs, requestId, history: itemIds.slice(0, user % 30), historyWeights: [] };
      const { items, propensities, conditionalPropensities, exploration } = explored;
      slates.push(slate({ ...who, ...answered, items, propensities, conditionalPropensities, exploration, context: { country, device: 'web' } }));
      for (const [position, itemId] of items.entries())
        if (random.float() < (country === 'it' ? 0.01 : 0.3))
          tell({ userId: who.userId, sessionId: who.sessionId, requestId, position, itemId, atMs: atMs + 1000 + position });
      // Everything is wanted alike, whatever is shown.
      if (random.float() < 0.7) tell({ sessionId: `o${day}-${user}`, itemId: itemIds[random.below(60)] as string, atMs: atMs + 2000, kind: 'view' });
    }
  // Bought without a slate's id, of what was just shown: no demand of its own.
  const shown = slates[0] as SlateRecord;
  tell({ userId: shown.userId, sessionId: shown.sessionId as string, itemId: shown.items[0] as string, atMs: shown.atMs + 5 });
  return { slates, events };
}

describe("what a surface's logs say", () => {
  it('of groups: whoever gets less than four fifths is found, in the log and by the command', { timeout: 60_000 }, async () => {
    const { context, input, run } = await openShop();
    const report = impactReport.parse(await measureDisparateImpact(context, input));
    expect(report.sample).toMatchObject({ slates: 7200, units: 900, unitShare: 1, damaged: 0 });
    expect(report.notes).toEqual([]);
    const measureOf = ({ impact }: ImpactReport, values: string, measure: string) =>
      impact.groups.find((group) => group.values.join() === values)?.measures.find(({ name }) => name === measure);
    expect(measureOf(report, 'it', 'reward')).toMatchObject({ verdict: 'broken', units: 225 });
    expect(measureOf(report, 'at', 'reward')?.verdict).toBe('holds');
    expect(measureOf(report, 'it', 'diversity')?.verdict).toBe('holds');
    expect(measureOf(report, 'it', 'longTailShare')?.mean.value).toBeGreaterThan(0);
    expect(measureOf(report, 'at', 'ndcg')?.mean.value).toBeGreaterThan(0);
    const columns = new Set(report.impact.groups.map((group) => group.columns.join()));
    expect([...columns]).toEqual(expect.arrayContaining(['country', 'device', 'events', 'category', 'country,events']));
    const text = await run(fairnessCommand, '--html', 'fairness.html');
    expect(text).toContain('Some group gets less than four fifths');
    expect(text).toMatch(/country=it +reward +225 .*broken/);
    expect(process.exitCode).toBe(1);
    process.exitCode = 0;
    const page = await readFile(join(context.state.root, 'fairness.html'), 'utf8');
    for (const svg of page.match(/<svg[\s\S]*?<\/svg>/g) ?? ['']) expect(isWellFormed(svg)).toBe(true);
    expect(JSON.parse(await run(fairnessCommand, '--json')).impact.verdict).toBe('broken');
    process.exitCode = 0;
  });

  it('of generations: exposure that moves away from demand is found, by exploration', { timeout: 60_000 }, async () => {
    const { context, input, run, artifacts } = await openShop();
    const report = feedbackReport.parse(await measureFeedback(context, input));
    const { generations, verdict, reference, items } = report.feedback;
    expect(generations.map(({ name }) => name)).toEqual(artifacts);
    expect([items, reference, verdict]).toEqual([60, 'exploration', 'amplifying']);
    expect(generations.reduce((sum, { organicEvents }) => sum + organicEvents, 0)).toBeGreaterThan(3000);
    expect(generations[0]?.deciles?.reduce((sum, { exposure }) => sum + exposure, 0)).toBeCloseTo(1, 6);
    expect(report.feedback.groups.map(({ group }) => group).sort()).toEqual(['c0', 'c1', 'c2']);
    const text = await run(feedbackCommand, '--html', 'feedback.html');
    expect(text).toMatch(/^amplifying: exposure of what is most shown/);
    expect(text).toContain('tenth 10');
    expect(process.exitCode).toBe(1);
    process.exitCode = 0;
    const page = await readFile(join(context.state.root, 'feedback.html'), 'utf8');
    for (const svg of page.match(/<svg[\s\S]*?<\/svg>/g) ?? ['']) expect(isWellFormed(svg)).toBe(true);
    const few = JSON.parse(await run(feedbackCommand, '--json', '--min-slates', '5000')) as FeedbackReport;
    expect(few.feedback).toMatchObject({ verdict: 'not-enough-evidence', leftOut: 8 });
  });

  it('with no more memory than is given: whole units are left out, always the same', { timeout: 60_000 }, async () => {
    const { context, input, log } = await openShop({ users: 400 });
    const part = await measureDisparateImpact(context, { ...input, atMost: 1000 });
    expect(part).toEqual(await measureDisparateImpact(context, { ...input, atMost: 1000 }));
    const { slates, units, unitShare } = part.sample;
    expect(slates).toBeLessThanOrEqual(1000);
    expect(slates).toBe(8 * units);
    expect([0.25, 0.5]).toContain(unitShare);
    expect(log.slates).toHaveLength(3200);
    const none = await measureFeedback(context, { ...input, fromMs: 0, toMs: 1 });
    expect(none.feedback).toMatchObject({ verdict: 'not-enough-evidence', generations: [] });
    expect(none.notes.join()).toContain('no slate is by a model');
    const early = await measureDisparateImpact(context, { ...input, fromMs: 0, toMs: 1 });
    expect(early.impact).toMatchObject({ units: 0, groups: [], verdict: 'not-enough-evidence' });
  });
});
