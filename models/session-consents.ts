import type { ConsentPurpose } from './contracts/change-event.ts';

/**
 * Sessions come without end, and their words with them. One that is silent for a day is over, and its words go; so many sessions at most are remembered
 * at a time. Where more say something within a day, the one that is silent longest is forgotten, and for as long as it may come back a session that nobody
 * knows may not be used for what was forbidden: a denial that is forgotten must not turn into leave.
 */
export const silentMs = 24 * 3_600_000;
export const sessionsAtMost = 200_000;

export type Word = { allowed: boolean; atMs: number };
type Session = { words: Partial<Record<ConsentPurpose, Word>>; heardMs: number };

export type SessionConsents = {
  get(sessionId: string, purpose: ConsentPurpose): Word | undefined;
  set(sessionId: string, purpose: ConsentPurpose, word: Word, heardMs: number): void;
  delete(sessionId: string): void;
  /** The session is still there. */
  hear(sessionId: string): void;
  /** May a session of which nothing is known be one that has forbidden it? */
  mayBeForgotten(purpose: ConsentPurpose): boolean;
  readonly size: number;
};

export function createSessionConsents({ nowMs, atMost = sessionsAtMost }: { nowMs: () => number; atMost?: number }): SessionConsents {
  // In the order in which they were heard of last.
  const sessions = new Map<string, Session>();
  const forgottenUntilMs: Partial<Record<ConsentPurpose, number>> = {};

  function endSilent(): void {
    for (const [sessionId, { heardMs }] of sessions) {
      if (heardMs >= nowMs() - silentMs) return;
      sessions.delete(sessionId);
    }
  }

  function endLongestSilent(): void {
    const [longest] = sessions;
    if (longest === undefined) return;
    const [sessionId, { words, heardMs }] = longest;
    sessions.delete(sessionId);
    for (const [purpose, { allowed }] of Object.entries(words) as [ConsentPurpose, Word][])
      if (!allowed) forgottenUntilMs[purpose] = Math.max(forgottenUntilMs[purpose] ?? 0, heardMs + silentMs);
  }

  function move(sessionId: string, session: Session): void {
    sessions.delete(sessionId);
    sessions.set(sessionId, session);
  }

  return {
    get: (sessionId, purpose) => sessions.get(sessionId)?.words[purpose],
    set(sessionId, purpose, word, heardMs) {
      endSilent();
      const known = sessions.get(sessionId);
      if (known === undefined && heardMs < nowMs() - silentMs) return;
      const heard = Math.max(heardMs, known?.heardMs ?? 0);
      move(sessionId, { words: { ...known?.words, [purpose]: word }, heardMs: heard });
      if (sessions.size > atMost) endLongestSilent();
    },
    delete: (sessionId) => void sessions.delete(sessionId),
    hear(sessionId) {
      endSilent();
      const known = sessions.get(sessionId);
      if (known !== undefined) move(sessionId, { ...known, heardMs: nowMs() });
    },
    mayBeForgotten: (purpose) => (forgottenUntilMs[purpose] ?? 0) > nowMs(),
    get size() {
      return sessions.size;
    },
  };
}
