import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuditItem, AuditStatus, Finding } from '../../models/contracts/audit.ts';
import { changesBetween, escalateOverdue, findingsAfter } from './follow-findings.ts';
import { judgeClaim } from './judge-claim.ts';

const dayMs = 86_400_000;
const rules = { weakenedDays: 30, brokenDays: 14, ownerOf: () => 'ann', escalateTo: ['ben', 'cat'] };
const item = (id: string, status: AuditStatus): AuditItem => ({
  id: `a/${id}`,
  claim: id,
  status,
  says: status,
  value: null,
  unit: null,
  interval: null,
  bounds: null,
});
const audited = (before: readonly Finding[], items: readonly AuditItem[], atMs: number) => findingsAfter({ before, items, atMs, rules });

describe('judgeClaim', () => {
  const figure = fc.double({ min: -10, max: 10, noNaN: true });

  it('breaks only what lies wholly outside, and lets hold only what lies wholly inside', () => {
    fc.assert(
      fc.property(figure, fc.double({ min: 0, max: 5, noNaN: true }), figure, fc.double({ min: 0, max: 5, noNaN: true }), (value, half, min, width) => {
        const [low, high, max] = [value - half, value + half, min + width];
        const status = judgeClaim({ value, interval: { low, high }, min, max });
        if (status === 'broken') expect(high < min || low > max).toBe(true);
        if (status === 'holds') expect(low >= min && high <= max).toBe(true);
        if (status === 'weakened') expect((low < min || high > max) && high >= min && low <= max).toBe(true);
      }),
    );
  });

  it('has no opinion of what was not measured, and sees what moves to the edge', () => {
    expect(judgeClaim({ value: null, max: 1 })).toBe('not-measured');
    const then = { value: 0.1, interval: { low: 0.08, high: 0.12 } };
    expect(judgeClaim({ value: 0.28, interval: { low: 0.27, high: 0.29 }, max: 0.3, then })).toBe('weakened');
    expect(judgeClaim({ value: 0.15, interval: { low: 0.14, high: 0.16 }, max: 0.3, then })).toBe('holds');
    expect(judgeClaim({ value: 0.05, interval: { low: 0.04, high: 0.06 }, max: 0.3, then })).toBe('holds');
  });
});

describe('findings', () => {
  it('keep their owner and date from audit to audit, end when it holds again, and begin anew when it does not', () => {
    const first = audited([], [item('x', 'weakened'), item('y', 'holds')], 0);
    expect(first).toMatchObject([{ id: 'a/x', state: 'open', owner: 'ann', dueAtMs: 30 * dayMs }]);
    const worse = audited(first, [item('x', 'broken')], 2 * dayMs);
    expect(worse).toMatchObject([{ status: 'broken', openedAtMs: 0, dueAtMs: 16 * dayMs }]);
    const unknown = audited(worse, [item('x', 'not-measured')], 3 * dayMs);
    expect(unknown).toMatchObject([{ state: 'open', status: 'broken' }]);
    const mended = audited(unknown, [item('x', 'holds')], 4 * dayMs);
    expect(mended).toMatchObject([{ state: 'closed', status: 'holds' }]);
    expect(audited(mended, [item('x', 'broken')], 5 * dayMs)).toMatchObject([{ state: 'open', openedAtMs: 5 * dayMs, dueAtMs: 19 * dayMs }]);
    expect(audited(mended, [item('x', 'holds')], 500 * dayMs)).toEqual([]);
    expect(audited(worse, [], 5 * dayMs)).toMatchObject([{ state: 'closed' }]);
  });

  it('that were accepted stay closed until then, unless it becomes worse', () => {
    const accepted = audited([], [item('x', 'weakened')], 0).map((one): Finding => ({ ...one, state: 'closed', acceptedUntilMs: 50 * dayMs }));
    expect(audited(accepted, [item('x', 'weakened')], 20 * dayMs)).toEqual(accepted);
    expect(audited(accepted, [item('x', 'broken')], 20 * dayMs)).toMatchObject([{ state: 'open', status: 'broken', acceptedUntilMs: null }]);
    expect(audited(accepted, [item('x', 'weakened')], 51 * dayMs)).toMatchObject([{ state: 'open', owner: 'ann' }]);
  });

  it('that are overdue go up the list, one step each time, and stay with the last', () => {
    let findings = audited([], [item('x', 'broken')], 0);
    const owners: string[] = [];
    for (const day of [10, 14, 20, 28, 42, 56]) {
      const result = escalateOverdue({ findings, atMs: day * dayMs, rules });
      ({ findings } = result);
      owners.push(`${day} ${findings[0]?.owner} ${result.escalated.length}`);
    }
    expect(owners).toEqual(['10 ann 0', '14 ben 1', '20 ben 0', '28 cat 1', '42 cat 1', '56 cat 1']);
  });

  it('there is one for each that is bad, whatever audits came before', () => {
    const status = fc.constantFrom<AuditStatus>('holds', 'weakened', 'broken', 'not-measured');
    const audit = fc.record({ x: fc.option(status), y: fc.option(status), days: fc.integer({ min: 1, max: 60 }), escalate: fc.boolean() });
    fc.assert(
      fc.property(fc.array(audit, { minLength: 1, maxLength: 12 }), (audits) => {
        let findings: Finding[] = [];
        let atMs = 0;
        for (const { x, y, days, escalate } of audits) {
          atMs += days * dayMs;
          const items = [...(x === null ? [] : [item('x', x)]), ...(y === null ? [] : [item('y', y)])];
          findings = audited(findings, items, atMs);
          expect(new Set(findings.map(({ id }) => id)).size).toBe(findings.length);
          for (const one of items) {
            const own = findings.find(({ id }) => id === one.id);
            if (one.status === 'weakened' || one.status === 'broken')
              expect(own).toMatchObject({ status: one.status, state: expect.not.stringMatching('closed') });
            if (one.status === 'holds') expect(own?.state ?? 'closed').toBe('closed');
          }
          if (escalate) ({ findings } = escalateOverdue({ findings, atMs, rules }));
        }
      }),
    );
  });
});

describe('changesBetween', () => {
  it('says what came, went and changed, and nothing of the first audit', () => {
    expect(changesBetween([], [item('x', 'broken')])).toEqual([]);
    expect(
      changesBetween([item('x', 'holds'), item('y', 'holds'), item('z', 'broken')], [item('x', 'broken'), item('y', 'holds'), item('w', 'holds')]),
    ).toEqual([
      { id: 'a/w', was: null, is: 'holds' },
      { id: 'a/x', was: 'holds', is: 'broken' },
      { id: 'a/z', was: 'broken', is: null },
    ]);
  });
});
