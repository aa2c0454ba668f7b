import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { escalationRules } from '../../models/contracts/charter-escalation.ts';
import type { CharterInput } from '../../models/contracts/charter.ts';
import { type FiledReport, type Report, type ReportRequest, report as reportSchema, reportStep, stepKinds } from '../../models/contracts/escalation.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { GenerationStore } from '../../stores/generations.ts';
import { readLedger } from '../../stores/ledger.ts';
import { fileReport, waitingReports } from '../../stores/report-inbox.ts';
import { answerOf, latestCase, latestReport, readReports } from '../../stores/reports.ts';
import { reports as reportsSection } from '../audit/sections/reports.ts';
import type { Context } from '../context.ts';
import { benchContext, testCharter, withBench } from '../events/testing.ts';
import { registerCharter } from '../registry/charters.ts';
import { blockItem, liftBlock } from './block-item.ts';
import { openReport } from './open-report.ts';
import { closeCase, joinCase } from './report-case.ts';
import { afterStep, dueAt, missedDeadline, openedReport, refuseStep, standingOf } from './report-steps.ts';
import { reportRulesOf } from './rules.ts';
import { missDeadline, takeReportStep } from './take-step.ts';
import { tellOwner } from './tell-owner.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const minuteMs = 60_000;
const startMs = Date.UTC(2026, 2, 20, 12);
const surface = 'home';
const by = 'ann';

const withWorld = (
  escalation: CharterInput['escalation'],
  use: (world: {
    context: Context;
    folder: string;
    file: (over?: Partial<ReportRequest>) => Promise<string>;
    at: (minutes: number) => Context;
  }) => Promise<void>,
) =>
  withBench(async ({ folder }) => {
    const at = (minutes: number) => benchContext(folder, { now: () => startMs + minutes * minuteMs });
    const context = at(0);
    await registerCharter(context.state, testCharter({ owners: ['ann', 'ben'], escalation }), 1);
    const asked = { surface, about: { of: 'item' as const, itemId: 'i1' }, kind: 'harmful' as const, words: 'It hurt Bob.', reporter: { userId: 'bob' } };
    const file = async (over: Partial<ReportRequest> = {}) =>
      (await fileReport({ root: context.state.root, generations: context.state.generations }, { ...asked, ...over, nowMs: startMs })).id;
    await use({ context, folder, file, at });
  });

const unauthenticated = { kind: 'unauthenticated' as const };

it('opening finishes, and does nothing twice, after a crash behind any of its writes', async () => {
  for (let crashAfter = 1; ; crashAfter += 1) {
    let writes = 0;
    await withWorld({}, async ({ context, file }) => {
      const id = await file();
      const { generations } = context.state;
      const crashing: GenerationStore = {
        ...generations,
        async create(...write) {
          await generations.create(...write);
          writes += 1;
          if (writes === crashAfter) throw new Error('killed');
        },
      };
      const first = openReport({ ...context, state: { ...context.state, generations: crashing } }, { surface, id });
      await first.catch((error: Error) => expect(error.message).toBe('killed'));
      const standing = await openReport(context, { surface, id });
      expect(standing).toMatchObject({ state: 'open', owner: 'ann', generation: 1, dueAtMs: startMs + 60 * minuteMs });
      expect(await openReport(context, { surface, id })).toEqual(standing);
      const report = (await latestReport(generations, { surface, id })) as Report;
      expect(await latestCase(generations, { surface, caseId: report.caseId ?? '' })).toMatchObject({ generation: 1, primary: id, count: 1, open: true });
      const ledger = await readLedger(generations, surface);
      expect(ledger.filter(({ action }) => action === 'report-opened')).toHaveLength(1);
      expect(JSON.stringify([report, ledger])).not.toMatch(/Bob|bob/);
      expect(await waitingReports(context.state.root)).toEqual([]);
    });
    if (writes < crashAfter) break;
    expect(crashAfter).toBeLessThan(10);
  }
});

it('of many reports of the same at once one is first, all are counted, and after the end the next one is new', async () => {
  await withWorld({}, async ({ context }) => {
    const { generations } = context.state;
    const of = { surface, caseId: 'c1' };
    const ids = Array.from({ length: 12 }, (_, nth) => `r-${String(nth).padStart(32, '0')}`);
    const joined = await Promise.all(ids.map((id) => joinCase(generations, { ...of, id })));
    const [primary = ''] = joined;
    expect(new Set(joined)).toEqual(new Set([primary]));
    expect(await latestCase(generations, of)).toMatchObject({ primary, count: 12, open: true });
    // Whoever tries again has joined already.
    expect(await joinCase(generations, { ...of, id: ids[3] ?? '' })).toBe(primary);
    expect(await latestCase(generations, of)).toMatchObject({ count: 12 });
    expect(await closeCase(generations, { ...of, id: primary })).toBe(12);
    const next = `r-${'f'.repeat(32)}`;
    expect(await joinCase(generations, { ...of, id: next })).toBe(next);
    expect(await closeCase(generations, { ...of, id: primary })).toBe(12);
    expect(await latestCase(generations, of)).toMatchObject({ primary: next, count: 1, open: true });
  });
});

it('goes up its list, comes to rest, and is answered after all; others and what is malformed are refused, and that is in the ledger', async () => {
  await withWorld({ owners: { high: ['mod', 'head'] }, blockAtOnce: { kinds: ['harmful'] } }, async ({ context, file, at }) => {
    const of = { surface, id: await file() };
    expect((await openReport(context, of)).block).toBe(true);
    const blocked = await blockItem(context, of);
    expect(blocked).toMatchObject({ block: false, generation: 2 });
    expect(await blockItem(context, of)).toEqual(blocked);
    // Late, or of a generation that is past: nothing.
    expect(await missDeadline(at(10), { ...of, generation: 1 })).toEqual(blocked);
    expect(await missDeadline(at(60), { ...of, generation: 2 })).toMatchObject({ owner: 'head', generation: 3, dueAtMs: startMs + 120 * minuteMs });
    expect(await missDeadline(at(60), { ...of, generation: 2 })).toMatchObject({ generation: 3 });
    expect(await missDeadline(at(120), { ...of, generation: 3 })).toMatchObject({ owner: 'head', generation: 4, dueAtMs: startMs + 1_440 * minuteMs });
    expect(await missDeadline(at(1_440), { ...of, generation: 4 })).toMatchObject({ state: 'open', generation: 5, dueAtMs: null });
    const step = { do: 'resolve' as const, by, why: 'gone', proof: unauthenticated };
    const take = (over: object, operation: string) => takeReportStep(at(1_500), { ...of, step: { ...step, ...over } as never, operation });
    expect(await take({ by: 'eve' }, 'w/1')).toMatchObject({ accepted: false, code: 'UND-NOT-APPROVER' });
    expect(await take({ do: 'burn' }, 'w/2')).toMatchObject({ accepted: false, code: 'UND-INPUT' });
    expect(await take({ do: 'reassign' }, 'w/3')).toMatchObject({ accepted: false, code: 'UND-INPUT' });
    expect(await take({ do: 'reject' }, 'w/4')).toMatchObject({ accepted: true, standing: { state: 'rejected', lift: true, dueAtMs: null } });
    // The same, tried again; and another, which is too late.
    expect(await take({ do: 'reject' }, 'w/4')).toMatchObject({ accepted: true, standing: { generation: 6 } });
    expect(await take({}, 'w/5')).toMatchObject({ accepted: false, code: 'UND-NO-REQUEST' });
    expect(await liftBlock(context, of)).toMatchObject({ lift: false, generation: 7 });
    expect(await liftBlock(context, of)).toMatchObject({ generation: 7 });
    const said = (await readLedger(context.state.generations, surface)).map(({ action }) => action).filter((action) => action.startsWith('report-'));
    const refused = 'report-step-refused';
    const way = ['report-opened', 'report-blocked', 'report-escalated', 'report-overdue', 'report-overdue', refused, refused, refused];
    expect(said).toEqual([...way, 'report-rejected', refused, 'report-lifted']);
    expect(await answerOf(context.state.generations, of)).toEqual({ id: of.id, state: 'rejected', outcome: expect.stringContaining('found nothing') });
    const examined = await reportsSection.examine({ context: at(2_000), surface, sinceMs: startMs } as never);
    expect(examined.items.map(({ id, value, status }) => [id, value, status])).toEqual([
      ['reports/in-time', 1, 'broken'],
      ['reports/answered', 0, 'holds'],
      ['reports/blocked', 0, 'holds'],
      ['reports/taken-up', 0, 'holds'],
    ]);
  });
});

it('an audit finds what is overdue, what could not be blocked and what waits to be taken up', async () => {
  await withWorld({ blockAtOnce: { kinds: ['harmful'] } }, async ({ context, file, at }) => {
    const ofSlate = { surface, id: await file({ about: { of: 'slate', requestId: 'q1' } }) };
    expect(await openReport(context, ofSlate)).toMatchObject({ block: false });
    await file();
    const examined = await reportsSection.examine({ context: at(30_000), surface, sinceMs: null } as never);
    expect(examined.items.map(({ value }) => value)).toEqual([0, 1, 1, 1]);
    expect(examined.items[2]?.says).toBe(ofSlate.id);
  });
});

it('an item that cannot be blocked is said not to be, and why; what may come right is tried again', async () => {
  await withWorld({ blockAtOnce: { kinds: ['harmful'] } }, async ({ context, file }) => {
    const of = { surface, id: await file() };
    await openReport(context, of);
    const failing = (error: Error): Context => ({
      ...context,
      state: { ...context.state, blobs: { ...context.state.blobs, put: () => Promise.reject(error) } },
    });
    await expect(blockItem(failing(new Error('a disk that is slow')), of)).rejects.toThrow('slow');
    expect(await latestReport(context.state.generations, of)).toMatchObject({ generation: 1, block: { state: 'due' } });
    await blockItem(failing(new UnderstudyError('UND-STATE', 'no room')), of);
    expect(await latestReport(context.state.generations, of)).toMatchObject({ state: 'open', block: { state: 'not-blocked', why: 'UND-STATE: no room' } });
    const [, last] = (await readLedger(context.state.generations, surface)).filter(({ detail }) => detail.report === of.id);
    expect(last).toMatchObject({ action: 'report-not-blocked', detail: { message: `${of.id}: UND-STATE: no room` } });
  });
});

it('who is to be told is told of that generation, and whoever does not take it is told again', async () => {
  await withWorld({}, async ({ context, file }) => {
    const of = { surface, id: await file({ about: { of: 'item', itemId: '<!channel>' } }) };
    await openReport(context, of);
    expect(await tellOwner(context, { ...of, generation: 1 })).toMatchObject({ told: false });
    const texts: string[] = [];
    const server = createServer((request, response) => {
      request.on('data', (part) => texts.push(String(part)));
      request.on('end', () => response.writeHead(texts.length === 1 ? 500 : 204).end());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const told = { ...context, reportWebhook: `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret` };
    await expect(tellOwner(told, { ...of, generation: 1 })).rejects.toMatchObject({ code: 'UND-RECEIVER', message: expect.not.stringContaining('secret') });
    expect(await tellOwner(told, { ...of, generation: 1 })).toEqual({ told: true, why: 'answered 204' });
    expect(texts[1]).toContain("item &lt;!channel&gt;, harmful. ann's, due 2026-03-20T13:00:00.000Z");
  });
});

const anyName = fc.constantFrom('ann', 'ben', 'mod', 'head');
const anyDoing = fc.oneof(
  fc.record({ miss: fc.constant(true) }),
  fc.record({
    do: fc.constantFrom(...stepKinds),
    by: anyName,
    why: fc.constant('w'),
    to: fc.option(anyName, { nil: undefined }),
    minutes: fc.integer({ min: 0, max: 99 }),
  }),
);

it('whatever happens to a report: it is somebody’s, has one step a generation, rests after so many deadlines, and is over for good', () => {
  fc.assert(
    fc.property(fc.array(anyDoing, { maxLength: 40 }), fc.uniqueArray(anyName, { minLength: 1 }), fc.boolean(), (doings, owners, blocks) => {
      const charter = testCharter({ owners: ['ann', 'ben'] }) as never;
      const escalation = escalationRules.parse({ owners: { high: owners }, blockAtOnce: { severities: blocks ? ['high'] : [] } });
      const rules = reportRulesOf({ ...(charter as object), escalation, release: { approvers: [] } } as never);
      const id = `r-${'0'.repeat(32)}`;
      const filed: FiledReport = {
        ...{ id, surface, about: { of: 'item', itemId: 'i' }, kind: 'harmful', words: '', reporter: {}, severity: null, filedAtMs: 0 },
      };
      let atMs = 0;
      let report = openedReport({ filed, rules, text: `sha256:${'0'.repeat(64)}`, caseId: 'c', primary: id, atMs });
      let missesSinceStep = 0;
      for (const doing of doings) {
        const before = report;
        const isOver = before.closedAtMs !== null;
        if ('miss' in doing) {
          const dueMs = dueAt(report);
          expect(missedDeadline(report, { rules, atMs: (dueMs ?? Number.MAX_SAFE_INTEGER) - 1 })).toBeUndefined();
          atMs = Math.max(atMs, dueMs ?? atMs);
          const next = missedDeadline(report, { rules, atMs });
          expect(next === undefined).toBe(dueMs === null);
          report = next ?? report;
          if (next !== undefined) missesSinceStep += 1;
          // Each owner up the list, then each of the two deadlines once more.
          expect(missesSinceStep).toBeLessThanOrEqual(owners.length + 1);
        } else {
          atMs += doing.minutes * minuteMs;
          const step = reportStep.parse({ do: doing.do, by: doing.by, why: doing.why, to: doing.to, proof: unauthenticated });
          const refusal = refuseStep(report, { step, rules });
          if (!rules.people.has(doing.by)) expect(refusal?.code).toBe('UND-NOT-APPROVER');
          else if (isOver) expect(refusal?.code).toBe('UND-NO-REQUEST');
          if (refusal === null) {
            report = afterStep(report, { step, operation: 'o', rules, atMs, count: 1 });
            missesSinceStep = 0;
          }
        }
        reportSchema.parse(report);
        expect(report.generation).toBe(report.steps.length);
        expect(report.generation - before.generation).toBeLessThanOrEqual(1);
        expect(rules.people.has(report.owner)).toBe(true);
        expect(report.outcome !== null).toBe(report.closedAtMs !== null);
        if (report.closedAtMs !== null) expect(standingOf(report, { canTell: true })).toMatchObject({ dueAtMs: null, tell: false });
        if (isOver) expect(report).toEqual(before);
      }
    }),
    { seed, numRuns: 300 },
  );
});

it('a hundred reports of one item are one for its owner, and the same request sent again is the same report', async () => {
  await withWorld({}, async ({ context, file }) => {
    const ids = await Promise.all(Array.from({ length: 100 }, (_, nth) => file({ words: `no. ${nth}` })));
    await Promise.all(ids.map((id) => openReport(context, { surface, id })));
    const all = await readReports(context.state.generations, surface);
    expect(all.filter(({ state }) => state === 'open')).toHaveLength(1);
    expect(all.filter(({ state }) => state === 'duplicate')).toHaveLength(99);
    const again = await file({ operationId: 'same' });
    expect(await file({ operationId: 'same' })).toBe(again);
    expect(await file({ operationId: 'same', words: 'another' })).not.toBe(again);
    await openReport(context, { surface, id: again });
    // Also when it has been taken up.
    expect(await file({ operationId: 'same' })).toBe(again);
    expect(await waitingReports(context.state.root)).toHaveLength(1);
  });
});
