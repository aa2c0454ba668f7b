import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderAudit } from '../../cli/audit/render-audit.ts';
import { isWellFormed } from '../../experiments/pictures/testing.ts';
import { type AuditReport, auditReport, findingList } from '../../models/contracts/audit.ts';
import type { CharterInput } from '../../models/contracts/charter.ts';
import { putDocument } from '../../stores/blobs.ts';
import { putMarks } from '../../stores/flags.ts';
import { readAlerts } from '../../stores/alerts.ts';
import { appendLedger, readLedger } from '../../stores/ledger.ts';
import { type Context, readLatest } from '../context.ts';
import { columnMapping } from '../events/column-mapping.ts';
import { ingestSource } from '../events/ingest-source.ts';
import { digestSource } from '../events/source-bytes.ts';
import { benchContext, quietBeat, testCharter, withBench } from '../events/testing.ts';
import { openRequest } from '../privacy/erasure-files.ts';
import { registerCharter } from '../registry/charters.ts';
import { followFinding, followUpFindings } from './follow-up.ts';
import { runAudit } from './run-audit.ts';

const dayMs = 86_400_000;
const startMs = Date.UTC(2026, 2, 20, 12);
const steps = { signal: new AbortController().signal, onSection: () => undefined };

const claims: CharterInput['assumptions'] = [
  { claim: 'Most events name a user', measure: 'null-user-share', max: 0.3 },
  { claim: 'There are items enough', measure: 'item-count', min: 10 },
  { claim: 'Somebody counts the stars', measure: 'stars' },
];

/** Days of views of so many, of whom a share names nobody. */
async function bring(context: Context, folder: string, { lastDay, users, anonymous }: { lastDay: number; users: number; anonymous: number }): Promise<void> {
  const lines = ['user,session,item,kind,at'];
  for (let day = lastDay - 9; day <= lastDay; day += 1)
    for (let user = 0; user < users; user += 1) {
      const named = user >= users * anonymous;
      lines.push(`${named ? `u${user}` : ''},s${user}-${day},i${(user + day) % 25},view,${startMs + (day - 10) * dayMs + user * 1_000}`);
    }
  const path = join(folder, `days-${lastDay}.csv`);
  await writeFile(path, `${lines.join('\n')}\n`);
  const { digest } = await digestSource(path);
  const mapping = await putDocument(
    context.state.blobs,
    columnMapping({ user: 'user', session: 'session', item: 'item', kind: 'kind', at: 'at', atFormat: 'epoch-ms' }),
  );
  const charter = await putDocument(context.state.blobs, testCharter({ assumptions: claims }));
  await ingestSource(context, { surface: 'home', charter, mapping, source: { path, name: 'shop', digest }, endsAt: null }, quietBeat);
}

type World = { context: Context; folder: string; at: (days: number) => Context; audit: (days: number, operationId?: string) => Promise<AuditReport> };
const withWorld = (use: (world: World) => Promise<void>, change: Partial<CharterInput> = {}) =>
  withBench(async ({ folder }) => {
    const at = (days: number, own: Partial<Context> = {}) => benchContext(folder, { now: () => startMs + days * dayMs, ...own });
    const context = at(0);
    await registerCharter(context.state, testCharter({ owners: ['ann', 'ben'], assumptions: claims, ...change }), 1);
    await use({
      context,
      folder,
      at,
      async audit(days, operationId = `audit/${days}`) {
        await runAudit(at(days), { surface: 'home', by: 'ann', operationId }, steps);
        return (await readLatest(context.state.generations, 'audit/home', auditReport))?.document as AuditReport;
      },
    });
  });
const itemOf = (report: AuditReport, id: string) => report.sections.flatMap(({ items }) => items).find((one) => one.id === id);
const findingsOf = async ({ state }: Context) => (await readLatest(state.generations, 'findings/home', findingList))?.document.findings ?? [];

describe('an audit', () => {
  it("measures the charter's assumptions again, says what holds no more, and whose it is", { timeout: 60_000 }, () =>
    withWorld(async ({ context, folder, audit, at }) => {
      await bring(context, folder, { lastDay: 10, users: 60, anonymous: 0.1 });
      const first = await audit(0);
      expect(itemOf(first, 'assumptions/null-user-share')).toMatchObject({ status: 'holds', unit: 'share', bounds: { min: null, max: 0.3 } });
      expect(itemOf(first, 'assumptions/item-count')).toMatchObject({ status: 'holds', value: 25 });
      expect(itemOf(first, 'assumptions/stars')).toMatchObject({ status: 'not-measured', says: 'nothing measures stars' });
      expect(itemOf(first, 'releases/ledger')).toMatchObject({ status: 'holds' });
      expect(itemOf(first, 'access/approver-keys')).toMatchObject({ status: 'weakened' });
      expect(first).toMatchObject({ generation: 1, changes: [], data: { from: '2026-03-11', to: '2026-03-20' } });

      // Six in ten name nobody any more.
      await bring(at(30), folder, { lastDay: 40, users: 60, anonymous: 0.6 });
      const second = await audit(30);
      expect(itemOf(second, 'assumptions/null-user-share')?.status).toMatch(/broken|weakened/);
      expect(second.changes.map(({ id }) => id)).toContain('assumptions/null-user-share');
      const finding = second.findings.find(({ id }) => id === 'assumptions/null-user-share');
      expect(finding).toMatchObject({ state: 'open', owner: 'ann', openedAtMs: startMs + 30 * dayMs });
      expect((await readLedger(context.state.generations, 'home')).filter(({ action }) => action === 'audited')).toHaveLength(2);

      // The same work again is the same audit.
      expect(await audit(31, 'audit/30')).toEqual(second);
      const page = renderAudit(second);
      for (const svg of page.match(/<svg[\s\S]*?<\/svg>/g) ?? ['']) expect(isWellFormed(svg)).toBe(true);
      expect(page).toContain('Most events name a user');
    }),
  );

  it('says of a surface without anything what could not be looked at, and refuses one that nobody knows', () =>
    withWorld(async ({ audit, at }) => {
      const report = await audit(0);
      expect(itemOf(report, 'assumptions/item-count')).toMatchObject({ status: 'not-measured', says: 'the surface has no data yet' });
      expect(report.data).toBeNull();
      await expect(runAudit(at(0), { surface: 'elsewhere', by: 'ann', operationId: 'x' }, steps)).rejects.toMatchObject({ code: 'UND-UNKNOWN-SURFACE' });
    }));

  it('finds what is kept for too long, who waits to be forgotten, and a ledger that was changed', { timeout: 60_000 }, () =>
    withWorld(
      async ({ context, folder, audit }) => {
        await bring(context, folder, { lastDay: 10, users: 5, anonymous: 0 });
        const people = { userIds: ['u1'], sessionIds: [], deviceIds: [] };
        await openRequest(context.state.root, { given: ['u1'], people, by: 'dpo', why: 'asked', reference: null, models: 'keep', requestedAtMs: startMs });
        const soon = await audit(16);
        expect(itemOf(soon, 'retention/erasures')).toMatchObject({ status: 'weakened' });
        expect(itemOf(soon, 'retention/data')).toMatchObject({ status: 'holds' });
        const late = await audit(35);
        expect(itemOf(late, 'retention/erasures')).toMatchObject({ status: 'broken', value: 1 });
        expect(itemOf(late, 'retention/data')).toMatchObject({ status: 'broken', value: 5 });
        expect(JSON.stringify(late)).not.toContain('u1"');
        const entry = { surface: 'home', by: 'mallory', releaseId: null, detail: {} };
        await appendLedger(context.state.generations, { ...entry, operationId: 'a', atMs: startMs + 36 * dayMs, action: 'pause' });
        await appendLedger(context.state.generations, {
          ...entry,
          by: 'r1',
          releaseId: 'r1',
          operationId: 'b',
          atMs: startMs + 36 * dayMs,
          action: 'spec-published',
        });
        expect(itemOf(await audit(37), 'access/strangers')).toMatchObject({ status: 'broken', says: 'also mallory, whom the charter does not name' });
        const path = join(folder, 'series/ledger/home/00000001.json');
        await writeFile(path, JSON.stringify({ ...((await context.state.generations.read('ledger/home', 1)) as object), by: 'nobody' }));
        const broken = benchContext(folder, { now: () => startMs + 38 * dayMs });
        await expect(runAudit(broken, { surface: 'home', by: 'ann', operationId: 'audit/38' }, steps)).resolves.toMatchObject({
          counts: { broken: expect.any(Number) },
        });
        const last = (await readLatest(context.state.generations, 'audit/home', auditReport))?.document as AuditReport;
        expect(itemOf(last, 'releases/ledger')).toMatchObject({ status: 'broken' });
      },
      { retention: { days: 40 } },
    ),
  );
});

describe('what is held back', () => {
  it('is judged by sources that still speak, and by nobody for ever', () =>
    withWorld(
      async ({ context, audit }) => {
        const marks = (source: string, flagged: boolean) => ({
          ...{ surface: 'home', source, by: 'kim', why: 'a test', mode: 'add' as const, nowMs: startMs, operationId: `flags of ${source}` },
          marks: [{ itemId: 'i1', flags: flagged ? ['recall'] : [], scores: Object.fromEntries(flagged ? [] : [['harm', 0.1]]) }],
        });
        const { generations, blobs } = context.state;
        await putMarks({ generations, blobs }, marks('classifier', false));
        await putMarks({ generations, blobs }, marks('by-hand', true));
        const report = await audit(0);
        expect(itemOf(report, 'guardrails/source-classifier')).toMatchObject({ status: 'holds' });
        expect(itemOf(report, 'guardrails/by-hand')).toMatchObject({ status: 'weakened', says: expect.stringContaining('i1') });
        expect(itemOf(report, 'alerts/watched')).toMatchObject({ status: 'not-measured' });
        expect(itemOf(await audit(1), 'guardrails/source-classifier')).toMatchObject({ status: 'broken', value: 24 * 60 - 60 });
      },
      { guardrails: { sources: [{ name: 'classifier', staleAfterMinutes: 60 }] } },
    ));
});

describe('findings', () => {
  it('that nobody follows up go to the next, once a due date; and a missed audit is told once', () =>
    withWorld(async ({ at, audit, context }) => {
      await audit(0);
      const [finding] = await findingsOf(context);
      expect(finding).toMatchObject({ owner: 'ann', state: 'open' });
      const follow = (days: number) => followUpFindings(at(days), { surface: 'home' });
      expect(await follow(1)).toEqual({ escalated: [], missed: null, alerts: { opened: [], closed: [], receivers: [] } });
      const first = await follow(31.5);
      expect(first.escalated.map(({ owner }) => owner)).toEqual((await findingsOf(context)).map(() => 'ann'));
      expect(first.missed).toEqual({ sinceMs: startMs, everyDays: 30 });
      expect((await follow(31.6)).escalated).toEqual([]);
      expect((await follow(46)).escalated[0]).toMatchObject({ owner: 'ben' });
      expect((await readAlerts(context.state.generations, 'home')).map(({ state }) => state)).toEqual(['open']);
      const actions = (await readLedger(context.state.generations, 'home')).map(({ action }) => action);
      expect(actions.filter((action) => action === 'audit-missed')).toHaveLength(1);
      expect(actions.filter((action) => action === 'finding-escalated')).toHaveLength(2 * (await findingsOf(context)).length);
    }));

  it('are followed up, handed on, accepted until a day; and what cannot be is refused', () =>
    withWorld(async ({ at, audit, context }) => {
      await audit(0);
      const id = 'access/signing-key';
      const own = { surface: 'home', id, by: 'ben' };
      expect(await followFinding(at(1), { ...own, what: 'ordered a key', owner: 'cat' })).toMatchObject({ owner: 'cat', state: 'open' });
      await expect(followFinding(at(1), { ...own, id: 'access/none', what: 'x' })).rejects.toMatchObject({
        code: 'UND-NOT-FOUND',
        message: expect.stringContaining(id),
      });
      await expect(followFinding(at(2), { ...own, what: 'x', acceptUntilMs: startMs })).rejects.toMatchObject({ code: 'UND-INPUT' });
      await followFinding(at(2), { ...own, what: 'not before summer', acceptUntilMs: startMs + 60 * dayMs });
      await expect(followFinding(at(2), { ...own, what: 'again' })).rejects.toMatchObject({ code: 'UND-INPUT' });
      expect((await audit(30)).findings.find((one) => one.id === id)).toMatchObject({ state: 'closed' });
      expect((await audit(61)).findings.find((one) => one.id === id)).toMatchObject({
        state: 'open',
        owner: 'cat',
        followUp: expect.arrayContaining([expect.objectContaining({ by: 'ben' })]),
      });
      expect((await readLedger(context.state.generations, 'home')).map(({ action }) => action)).toEqual(
        expect.arrayContaining(['finding-followed', 'finding-accepted']),
      );
    }));
});
