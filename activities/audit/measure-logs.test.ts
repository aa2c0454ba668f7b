import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readEnvironment } from '../../cli/environment.ts';
import { fairnessCommand } from '../../cli/fairness/command.ts';
import { feedbackCommand } from '../../cli/feedback/command.ts';
import { writtenBy } from '../../cli/testing.ts';
import { isWellFormed } from '../../experiments/pictures/testing.ts';
import { type FeedbackReport, feedbackReport, type ImpactReport, impactReport } from '../../models/contracts/audit-measures.ts';
import { measureDisparateImpact } from './measure-disparate-impact.ts';
import { measureFeedback } from './measure-feedback.ts';
import { attributionMs, openShop, type ShopWorld } from './testing-shop.ts';

/** Each model has fewer items to choose from; visitors from `it` find hardly anything. */
async function openBadShop(change: Partial<ShopWorld> = {}) {
  const shop = await openShop({ narrowing: 6, itRate: 0.01, ...change });
  const { root } = shop.context.state;
  const run = (command: typeof fairnessCommand, ...args: string[]) =>
    writtenBy(() =>
      command({ env: readEnvironment({}), cwd: root, now: () => shop.input.toMs + attributionMs })
        .exitOverride()
        .parseAsync(['home', '--state', root, ...args], { from: 'user' }),
    );
  return { ...shop, run };
}

describe("what a surface's logs say", () => {
  it('of groups: whoever gets less than four fifths is found, in the log and by the command', { timeout: 60_000 }, async () => {
    const { context, input, run } = await openBadShop();
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
    const all = impactReport.parse(JSON.parse(await run(fairnessCommand, '--json'))).impact;
    const some = impactReport.parse(JSON.parse(await run(fairnessCommand, '--json', '--by', 'country', '--by', 'events'))).impact;
    expect([all.verdict, some.verdict]).toEqual(['broken', 'broken']);
    expect(new Set(some.groups.map((group) => group.columns.join()))).toEqual(new Set(['country', 'events', 'country,events']));
    expect(some.intervals).toBeLessThan(all.intervals);
    await expect(run(fairnessCommand, '--by', 'planet')).rejects.toMatchObject({
      code: 'UND-INPUT',
      message: expect.stringContaining('there are category, country'),
    });
    process.exitCode = 0;
  });

  it('of generations: exposure that moves away from demand is found, by exploration', { timeout: 60_000 }, async () => {
    const { context, input, run, artifacts } = await openBadShop();
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

  it('of generations: what exploration puts there is no demand where it could not put everything', { timeout: 60_000 }, async () => {
    const { context, input } = await openBadShop({ floor: 0 });
    const report = await measureFeedback(context, input);
    expect(report.feedback).toMatchObject({ reference: 'organic', verdict: 'amplifying' });
    expect(report.feedback.generations.at(-1)?.exploredSampleSize).toBe(0);
  });

  it('with no more memory than is given: whole units are left out, always the same', { timeout: 60_000 }, async () => {
    const { context, input, log } = await openBadShop({ users: 400 });
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
