import type { Interval } from '../../models/contracts/verdict.ts';

/** What a model of one kind took to train: events and seconds, means over those that were trained. */
export type Cost = { rows: number; seconds: number };

/** Models of one age, on so many users, who count once a test part. `change`: of the metric against a fresh model, as a share of that one's, on the same users; null where nothing can be said. */
export type AgePoint = { weeks: number; origins: number; users: number; quality: Interval | null; change: Interval | null; cost: Cost };

/** Models of one length of history that end on the same days. `change`: as above, against the best length. */
export type HistoryPoint = {
  months: number;
  days: number;
  origins: number;
  users: number;
  quality: Interval | null;
  change: Interval | null;
  /** What each further month since the next shorter length adds, as a share of that length's metric; null for the shortest. */
  gainAMonth: Interval | null;
  cost: Cost;
};

/** Models that began from the one of a week before, `steps` weeks in a row; `change`: against those that began anew. */
export type WarmPoint = { steps: number; origins: number; users: number; change: Interval | null; cost: Cost; cold: Cost };

export type DecayFacts = { ages: AgePoint[]; histories: HistoryPoint[]; warm: WarmPoint | null };

/** `not-enough-evidence`: the intervals do not say; then `choice` is what is safe meanwhile. */
export type Advice<Choice> = { choice: Choice; verdict: 'measured' | 'not-enough-evidence'; says: string; because: string[] };

export type RefreshAdvice = {
  mode: Advice<'snapshot' | 'delta'>;
  /** Retrain after this many weeks at the latest; null: more often than any age that was measured. */
  cadence: Advice<{ weeks: number | null }>;
  /** Train on so many days; null: only one length was measured. */
  window: Advice<{ days: number | null }>;
};
