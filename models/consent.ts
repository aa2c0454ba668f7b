import { type ChangeEvent, type ConsentPurpose, consentPurposes } from './contracts/change-event.ts';
import type { Charter } from './contracts/charter.ts';

type Who = { userId?: string | undefined; deviceId?: string | undefined; sessionId?: string | undefined };
/** Whose it is (`u:<user>`, `d:<device>`, `s:<session>`), what it is about, what was said, and when. */
export type ConsentWord = readonly [subject: string, purpose: ConsentPurpose, allowed: boolean, atMs: number];

/** What people allow, by their last word on each purpose. */
export type Consents = {
  note(word: ConsentWord): void;
  /** As if they had never said anything. */
  forget(subjects: readonly string[]): void;
  /** One who forbids it by any of these ids forbids it; who says nothing by any is governed by the charter. */
  allows(who: Who, purpose: ConsentPurpose): boolean;
  /** No purpose is left for which anything could be kept of this person. */
  forbidsAll(who: Who): boolean;
};

export function createConsents({ charter }: { charter: () => Pick<Charter, 'consent'> }): Consents {
  const words = new Map<string, { allowed: boolean; atMs: number }>();
  const keyOf = (subject: string, purpose: ConsentPurpose) => `${purpose} ${subject}`;
  const subjectsOf = ({ userId, deviceId, sessionId }: Who): string[] => [
    ...(userId === undefined ? [] : [`u:${userId}`]),
    ...(deviceId === undefined ? [] : [`d:${deviceId}`]),
    ...(sessionId === undefined ? [] : [`s:${sessionId}`]),
  ];
  function allows(who: Who, purpose: ConsentPurpose): boolean {
    const said = subjectsOf(who).flatMap((subject) => words.get(keyOf(subject, purpose)) ?? []);
    if (said.some(({ allowed }) => !allowed)) return false;
    return said.length > 0 || (charter().consent?.whenUnknown ?? 'allow') === 'allow';
  }
  return {
    note([subject, purpose, allowed, atMs]) {
      const key = keyOf(subject, purpose);
      const before = words.get(key);
      // Of two words at one time the stricter holds, in whatever order they come.
      if (before === undefined || atMs > before.atMs || (atMs === before.atMs && !allowed)) words.set(key, { allowed, atMs });
    },
    forget(subjects) {
      for (const subject of subjects) for (const purpose of consentPurposes) words.delete(keyOf(subject, purpose));
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
