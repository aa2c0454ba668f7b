import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createConsents } from './consent.ts';
import { createSessionConsents, silentMs } from './session-consents.ts';

const seed = Number(process.env.UNDERSTUDY_TEST_SEED);
const hourMs = 3_600_000;

function open({ sessionsAtMost = 3, whenUnknown = 'allow' as 'allow' | 'deny' } = {}) {
  const clock = { nowMs: 1_000 * hourMs };
  const consents = createConsents({ charter: () => ({ consent: { whenUnknown } }), nowMs: () => clock.nowMs, sessionsAtMost });
  const says = (subject: string, allowed: boolean) => consents.note([subject, 'personalization', allowed, clock.nowMs], clock.nowMs);
  const allowed = (who: Parameters<typeof consents.allows>[0]) => consents.allows(who, 'personalization');
  return { clock, consents, says, allowed };
}

describe('words of sessions', () => {
  it('hold for as long as the session is there, and a day longer', () => {
    const { clock, says, allowed } = open();
    says('s:here', false);
    says('s:gone', false);
    for (let hour = 0; hour < 100; hour += 20) {
      expect(allowed({ sessionId: 'here' })).toBe(false);
      clock.nowMs += 20 * hourMs;
    }
    expect(allowed({ sessionId: 'here' })).toBe(false);
    expect(allowed({ sessionId: 'gone' })).toBe(true);
    clock.nowMs += silentMs + 1;
    expect(allowed({ sessionId: 'here' })).toBe(true);
  });

  it('of which too many come in a day are forgotten as a denial to all that nobody knows, until it would have gone anyway', () => {
    const { clock, says, allowed } = open();
    says('s:first', false);
    for (const session of ['a', 'b', 'c']) {
      clock.nowMs += hourMs;
      says(`s:${session}`, true);
    }
    expect(allowed({ sessionId: 'first' })).toBe(false);
    expect(allowed({ sessionId: 'never heard of' })).toBe(false);
    expect(allowed({ sessionId: 'a' })).toBe(true);
    // Who is known otherwise, or comes with no session, is none of them.
    says('u:known', true);
    expect(allowed({ userId: 'known', sessionId: 'first' })).toBe(true);
    expect(allowed({ userId: 'another' })).toBe(true);
    clock.nowMs += silentMs - 3 * hourMs;
    expect(allowed({ sessionId: 'never heard of' })).toBe(true);
  });

  it('that allow are forgotten as if they had never been said', () => {
    const { says, allowed } = open();
    for (const session of ['a', 'b', 'c', 'd']) says(`s:${session}`, true);
    expect(allowed({ sessionId: 'never heard of' })).toBe(true);
    const strict = open({ whenUnknown: 'deny' });
    for (const session of ['a', 'b', 'c', 'd']) strict.says(`s:${session}`, true);
    expect([strict.allowed({ sessionId: 'a' }), strict.allowed({ sessionId: 'd' })]).toEqual([false, true]);
  });

  it('are never more than the limit; those of users and devices stay', () =>
    fc.assert(
      fc.property(fc.array(fc.record({ id: fc.nat({ max: 30 }), allowed: fc.boolean(), hours: fc.nat({ max: 30 }) })), (steps) => {
        const clock = { nowMs: 0 };
        const sessions = createSessionConsents({ nowMs: () => clock.nowMs, atMost: 5 });
        const denied = new Map<number, number>();
        const last = new Map<number, { allowed: boolean; atMs: number }>();
        const { says, allowed, clock: own } = open({ sessionsAtMost: 5 });
        for (const { id, allowed: yes, hours } of steps) {
          clock.nowMs += hours * hourMs;
          own.nowMs += hours * hourMs;
          sessions.set(String(id), 'personalization', { allowed: yes, atMs: clock.nowMs }, clock.nowMs);
          says(`s:${id}`, yes);
          says(`u:${id}`, yes);
          // Of two words at one time the stricter holds.
          const before = last.get(id);
          last.set(id, { allowed: yes && !(before?.atMs === own.nowMs && !before.allowed), atMs: own.nowMs });
          if (yes) denied.delete(id);
          else denied.set(id, own.nowMs);
          expect(sessions.size).toBeLessThanOrEqual(5);
          // Whoever has said no within a day is not taken for somebody who has not.
          for (const [session, atMs] of denied) if (atMs > own.nowMs - silentMs) expect(allowed({ sessionId: String(session) })).toBe(false);
        }
        for (const [user, { allowed: yes }] of last) expect(allowed({ userId: String(user) })).toBe(yes);
      }),
      { seed, examples: [[[false, true].map((yes) => ({ id: 1, allowed: yes, hours: 0 }))]] },
    ));
});
