import { type ChangeEvent, type ConsentPurpose, consentPurposes } from './contracts/change-event.ts';
import type { Charter } from './contracts/charter.ts';
import { createSessionConsents, type Word } from './session-consents.ts';

type Who = { userId?: string | undefined; deviceId?: string | undefined; sessionId?: string | undefined };
/** Whose it is (`u:<user>`, `d:<device>`, `s:<session>`), what it is about, what was said, and when. */
export type ConsentWord = readonly [subject: string, purpose: ConsentPurpose, allowed: boolean, atMs: number];

/** What people allow, by their last word on each purpose. Users' and devices' words are kept for good, those of sessions as `session-consents.ts` says. */
export type Consents = {
  /** @param heardMs when it came in, where that is known */
  note(word: ConsentWord, heardMs?: number): void;
  /** As if they had never said anything. */
  forget(subjects: readonly string[]): void;
  /** One who forbids it by any of these ids forbids it; who says nothing by any is governed by the charter. A session that is asked for is there. */
  allows(who: Who, purpose: ConsentPurpose): boolean;
  /** No purpose is left for which anything could be kept of this person. */
  forbidsAll(who: Who): boolean;
};

type Input = { charter: () => Pick<Charter, 'consent'>; nowMs: () => number; sessionsAtMost?: number };

export function createConsents({ charter, nowMs, sessionsAtMost }: Input): Consents {
  const lasting = new Map<string, Word>();
  const sessions = createSessionConsents({ nowMs, ...(sessionsAtMost === undefined ? {} : { atMost: sessionsAtMost }) });
  const keyOf = (subject: string, purpose: ConsentPurpose) => `${purpose} ${subject}`;
  const wordOf = (subject: string, purpose: ConsentPurpose): Word | undefined =>
    subject.startsWith('s:') ? sessions.get(subject.slice(2), purpose) : lasting.get(keyOf(subject, purpose));
  const subjectsOf = ({ userId, deviceId, sessionId }: Who): string[] => [
    ...(userId === undefined ? [] : [`u:${userId}`]),
    ...(deviceId === undefined ? [] : [`d:${deviceId}`]),
    ...(sessionId === undefined ? [] : [`s:${sessionId}`]),
  ];
  function allows(who: Who, purpose: ConsentPurpose): boolean {
    if (who.sessionId !== undefined) sessions.hear(who.sessionId);
    const said = subjectsOf(who).flatMap((subject) => wordOf(subject, purpose) ?? []);
    if (said.some(({ allowed }) => !allowed)) return false;
    if (said.length > 0) return true;
    if (who.sessionId !== undefined && sessions.mayBeForgotten(purpose)) return false;
    return (charter().consent?.whenUnknown ?? 'allow') === 'allow';
  }
  return {
    note([subject, purpose, allowed, atMs], heardMs = atMs) {
      const before = wordOf(subject, purpose);
      // Of two words at one time the stricter holds, in whatever order they come.
      if (before !== undefined && !(atMs > before.atMs || (atMs === before.atMs && !allowed))) return;
      if (subject.startsWith('s:')) sessions.set(subject.slice(2), purpose, { allowed, atMs }, heardMs);
      else lasting.set(keyOf(subject, purpose), { allowed, atMs });
    },
    forget(subjects) {
      for (const subject of subjects) {
        if (subject.startsWith('s:')) sessions.delete(subject.slice(2));
        else for (const purpose of consentPurposes) lasting.delete(keyOf(subject, purpose));
      }
    },
    allows,
    forbidsAll: (who) => consentPurposes.every((purpose) => !allows(who, purpose)),
  };
}

/** The words of a consent event; none of any other. @param receivedAtMs a word does not count from before it came in, whatever the sender's clock said */
export function wordsOf(event: ChangeEvent, receivedAtMs = event.atMs): ConsentWord[] {
  if (event.kind !== 'consent') return [];
  const { userId, deviceId, sessionId, purposes } = event;
  const subject = userId !== undefined ? `u:${userId}` : deviceId !== undefined ? `d:${deviceId}` : `s:${sessionId}`;
  const atMs = Math.min(event.atMs, receivedAtMs);
  return consentPurposes.flatMap((purpose) => (purposes[purpose] === undefined ? [] : [[subject, purpose, purposes[purpose], atMs] as const]));
}
