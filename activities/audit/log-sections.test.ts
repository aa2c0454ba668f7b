import { describe, expect, it } from 'vitest';
import { renderAudit } from '../../cli/audit/render-audit.ts';
import { isWellFormed } from '../../experiments/pictures/testing.ts';
import type { CharterInput } from '../../models/contracts/charter.ts';
import { type AuditReport, auditReport } from '../../models/contracts/audit.ts';
import { readLatest } from '../context.ts';
import { runAudit } from './run-audit.ts';
import { attributionMs, openShop, type ShopWorld } from './testing-shop.ts';

const dayMs = 86_400_000;
/** Each of the shop's sorts makes a third of what is shown. */
const owed: CharterInput['fairness'] = {
  method: 'exposure',
  groups: [0, 1, 2].map((sort) => ({ name: `makers-${sort}`, by: 'category', values: [`c${sort}`], minShare: 0.2 })),
};
const names = ['fairness', 'feedback-loop', 'coverage', 'exposure-bias'];

/** What an audit says of such a shop, once its rewards are known. */
async function audited(planted: Partial<ShopWorld>, charter: Parameters<typeof openShop>[1] = {}, later = 0): Promise<AuditReport> {
  const { context, input } = await openShop(planted, { owners: ['ann'], ...charter });
  const steps = { signal: input.signal, onSection: () => undefined };
  const at = { ...context, now: () => input.toMs + attributionMs + later };
  await runAudit(at, { surface: 'home', by: 'ann', operationId: 'audit' }, steps);
  return (await readLatest(context.state.generations, 'audit/home', auditReport))?.document as AuditReport;
}
const sectionsOf = ({ sections }: AuditReport) => sections.filter(({ name }) => names.includes(name));
const itemOf = (report: AuditReport, id: string) =>
  sectionsOf(report)
    .flatMap(({ items }) => items)
    .find((one) => one.id === id);
const findingsOf = ({ findings }: AuditReport) => findings.filter(({ id }) => names.includes(id.split('/')[0] as string));

describe('an audit of what was shown', () => {
  it('finds groups that get less, a loop, and users whom the model does not reach; with owner, date and picture', { timeout: 90_000 }, async () => {
    const report = await audited({ narrowing: 6, itRate: 0.01, fallbackEvery: 10 }, { gates: { minCoverage: 1 } });
    expect(itemOf(report, 'fairness/reward-by-country')).toMatchObject({ status: 'broken', says: expect.stringContaining('country=it has') });
    expect(itemOf(report, 'fairness/diversity-by-country')).toMatchObject({ status: 'holds' });
    expect(itemOf(report, 'fairness/owed')).toBeUndefined();
    expect(itemOf(report, 'fairness/reward-by-segment')).toMatchObject({
      status: 'not-measured',
      says: expect.stringContaining('nobody is known to be of one'),
    });
    expect(itemOf(report, 'feedback-loop/amplification')).toMatchObject({ status: 'broken', bounds: { min: null, max: 0.1 } });
    expect(itemOf(report, 'feedback-loop/gini')).toMatchObject({ status: 'weakened' });
    expect(itemOf(report, 'feedback-loop/homogenization')).toMatchObject({ status: 'weakened' });
    expect(itemOf(report, 'coverage/users')).toMatchObject({ status: 'broken', value: 0.9 });
    expect(itemOf(report, 'coverage/promised')).toMatchObject({ status: 'holds', value: 1 });
    const due = report.atMs + 14 * dayMs;
    for (const id of ['fairness/reward-by-country', 'feedback-loop/amplification', 'coverage/users'])
      expect(report.findings.find((one) => one.id === id)).toMatchObject({ state: 'open', owner: 'ann', dueAtMs: due });
    for (const { name, pictures } of sectionsOf(report)) {
      expect([name, pictures.length > 0]).toEqual([name, true]);
      for (const { svg } of pictures) expect(isWellFormed(svg)).toBe(true);
    }
    const page = renderAudit(report);
    for (const text of ['Fairness to groups of users and of items', 'Feedback loop', 'Coverage of catalog and users', 'Exposure bias'])
      expect(page).toContain(`<h2>${text}</h2>`);
    expect(page).toContain('country=it');
  });

  it('finds what is wanted and not shown', { timeout: 90_000 }, async () => {
    const report = await audited({ hidden: 'c2' }, { fairness: owed });
    expect(itemOf(report, 'exposure-bias/groups')).toMatchObject({ status: 'broken', says: expect.stringMatching(/^c2 has/) });
    const item = itemOf(report, 'fairness/owed');
    expect(item).toMatchObject({
      status: 'broken',
      bounds: { min: 0.95, max: null },
      says: expect.stringMatching(/^makers-2 has .* explored places included$/),
    });
    expect(
      findingsOf(report)
        .map(({ id }) => id)
        .sort(),
    ).toEqual(['exposure-bias/groups', 'fairness/owed']);
    const picture = sectionsOf(report)
      .flatMap(({ pictures }) => pictures)
      .find(({ title }) => title.includes('the charter owes'));
    expect(picture?.svg).toContain('makers-0');
    expect(isWellFormed(picture?.svg ?? '')).toBe(true);
  });

  it('finds nothing where there is nothing', { timeout: 90_000 }, async () => {
    const report = await audited({}, { gates: { minCoverage: 0.9 }, fairness: owed });
    expect(findingsOf(report)).toEqual([]);
    for (const id of ['fairness/diversity-by-country', 'fairness/owed', 'coverage/users', 'coverage/promised', 'coverage/catalog'])
      expect(itemOf(report, id)).toMatchObject({ id, status: 'holds' });
    expect(itemOf(report, 'feedback-loop/gini')?.status).not.toBe('weakened');
  });

  it('says of too little that it is too little, and finds nothing', { timeout: 90_000 }, async () => {
    const few = await audited({ users: 30, narrowing: 6, itRate: 0.01, hidden: 'c2' }, { gates: { minCoverage: 0.9, minUsers: 500 }, fairness: owed });
    expect(findingsOf(few)).toEqual([]);
    for (const { items, pictures } of sectionsOf(few)) {
      expect(pictures).toEqual([]);
      for (const { status, says } of items) expect([status, says.length > 10]).toEqual(['not-measured', true]);
    }
    expect(itemOf(few, 'fairness/reward-by-country')?.says).toContain('no two groups of 100 units');
    expect(itemOf(few, 'fairness/owed')?.says).toContain('for 30 users; it takes 100');
    expect(itemOf(few, 'coverage/users')?.says).toContain('there were 30 users');
  });
});
