import type { Rung } from '../../models/contracts/slate.ts';
import type { Scope } from '../../models/slate/scope.ts';

/** What every rung is given. */
export type RungRequest = {
  /** What the visitor did, oldest first, and the confidence of each. */
  history: readonly string[];
  historyWeights: readonly number[];
  excluded: ReadonlySet<string>;
  scope: Scope;
  /** How many to answer where there are as many: the slate and the pool behind it. */
  depth: number;
};

/** Best first, no item twice; `why` it has no answer, where it has none. */
export type Ranking = { items: readonly string[]; scores: readonly number[]; why?: string };

/** One link of the chain. It may answer anything: the chain takes out what may not be shown. */
export interface FallbackRung {
  name: Rung;
  rank(request: RungRequest): Promise<Ranking> | Ranking;
}
