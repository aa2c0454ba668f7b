import { deriveSeed } from '../../neural/derive-seed.ts';
import { createRandom } from '../../random.ts';
import type { Interactions, Ranked, ScoreRequest } from '../algorithm.ts';
import { type CandidateFinder, pairFacts } from './find-candidates.ts';

/** A question that the data answer: what a user does next, of what may be answered. */
export type Ask = {
  user: number;
  /** The entries `at .. to` have one time, and are what came next; none: nobody knows. */
  at: number;
  to: number;
  /** Whether what the history has may not be answered. */
  withoutSeen: boolean;
};

/** Of one user, at most: who has more is likely no shopper. */
const asksPerUser = 32;

/**
 * One ask for each time behind the split at which a user did something, of a user with many of them some. Half of them are asked as where nothing comes up
 * again, where something new came: both are asked when serving, and the data do not say what is allowed.
 */
export function asksBehind({ interactions, behindFrom, seed }: { interactions: Interactions; behindFrom: Uint32Array; seed: number }): Ask[] {
  const { userCount, indptr, items, atMs } = interactions;
  const random = createRandom(deriveSeed(seed, 10));
  const asks: Ask[] = [];
  for (let user = 0; user < userCount; user += 1) {
    const starts: number[] = [];
    const end = indptr[user + 1] as number;
    for (let entry = behindFrom[user] as number; entry < end; entry += 1) if (atMs[entry] !== atMs[entry - 1] || entry === behindFrom[user]) starts.push(entry);
    const seen = new Set<number>();
    let read = indptr[user] as number;
    for (const [place, at] of starts.entries()) {
      for (; read < at; read += 1) seen.add(items[read] as number);
      const to = starts[place + 1] ?? end;
      const bringsNew = items.subarray(at, to).some((item) => !seen.has(item));
      const withoutSeen = random.below(2) === 0 && bringsNew;
      const every = Math.ceil(starts.length / asksPerUser);
      if (place % every === 0) asks.push({ user, at, to, withoutSeen });
    }
  }
  return asks;
}

/** One for each user with a history, of which nobody knows what comes next. */
export function asksWithoutAnswer({ interactions, seed }: { interactions: Interactions; seed: number }): Ask[] {
  const { userCount, indptr } = interactions;
  const random = createRandom(deriveSeed(seed, 11));
  const asks: Ask[] = [];
  for (let user = 0; user < userCount; user += 1) {
    const end = indptr[user + 1] as number;
    const withoutSeen = random.below(2) === 0;
    if (end > (indptr[user] as number)) asks.push({ user, at: end, to: end, withoutSeen });
  }
  return asks;
}

/** What a first stage finds for each of some asks, side by side. List l's candidates stand at `l * most .. l * most + lengths[l]`, best first. */
export class CandidateLists {
  readonly count: number;
  readonly most: number;
  readonly users: Uint32Array;
  readonly lengths: Uint32Array;
  readonly items: Int32Array;
  readonly scores: Float32Array;
  /** By how much a score lies above the boundary. */
  readonly margins: Float32Array;
  /** [places, pairFacts] */
  readonly facts: Float32Array;
  /** Of what came next, a candidate's share by weight; 0 for all where nobody knows, or none of it is among them. */
  readonly shares: Float32Array;
  /** How many different items came next, candidates or not. */
  readonly wanted: Uint32Array;
  readonly #asks: readonly Ask[];
  readonly #interactions: Interactions;
  readonly #finder: CandidateFinder;

  constructor({ asks, interactions, finder }: { asks: readonly Ask[]; interactions: Interactions; finder: CandidateFinder }) {
    this.#asks = asks;
    this.#interactions = interactions;
    this.#finder = finder;
    this.count = asks.length;
    this.most = finder.candidates;
    const places = this.count * this.most;
    this.users = Uint32Array.from(asks, ({ user }) => user);
    this.lengths = new Uint32Array(this.count);
    this.items = new Int32Array(places);
    this.scores = new Float32Array(places);
    this.margins = new Float32Array(places);
    this.facts = new Float32Array(places * pairFacts);
    this.shares = new Float32Array(places);
    this.wanted = new Uint32Array(this.count);
  }

  /** What the first stage is asked. */
  requestOf(list: number): ScoreRequest {
    const { user, at, withoutSeen } = this.#asks[list] as Ask;
    const { indptr, items, weights } = this.#interactions;
    const begin = indptr[user] as number;
    const from = Math.max(begin, at - this.#finder.first.maxHistory);
    return {
      history: [...items.subarray(from, at)],
      historyWeight: [...weights.subarray(from, at)],
      exclude: withoutSeen ? [...new Set(items.subarray(begin, at))] : [],
      count: this.most + 1,
    };
  }

  fill(list: number, request: ScoreRequest, ranked: Ranked): void {
    const { at, to } = this.#asks[list] as Ask;
    const { items, weights } = this.#interactions;
    const found = this.#finder.describe(request, ranked);
    const first = list * this.most;
    this.lengths[list] = found.candidates;
    this.facts.set(found.facts, first * pairFacts);
    const excluded = new Set(request.exclude);
    const next = new Map<number, number>();
    let total = 0;
    for (let entry = at; entry < to; entry += 1) {
      const item = items[entry] as number;
      if (excluded.has(item)) continue;
      next.set(item, (next.get(item) ?? 0) + (weights[entry] as number));
    }
    this.wanted[list] = next.size;
    for (let place = 0; place < found.candidates; place += 1) {
      const [item, score] = [found.items[place] as number, found.scores[place] as number];
      const share = next.get(item) ?? 0;
      total += share;
      this.items[first + place] = item;
      this.scores[first + place] = score;
      this.margins[first + place] = score - found.boundary;
      this.shares[first + place] = share;
    }
    if (total > 0) for (let place = first; place < first + found.candidates; place += 1) this.shares[place] = (this.shares[place] as number) / total;
  }

  hasAnswer(list: number): boolean {
    const first = list * this.most;
    for (let place = first; place < first + (this.lengths[list] as number); place += 1) if ((this.shares[place] as number) > 0) return true;
    return false;
  }

  /** How far the scores of a list lie apart, in the mean; 1 where they do not. */
  spread(): number {
    let sum = 0;
    for (let list = 0; list < this.count; list += 1) {
      const first = list * this.most;
      const length = this.lengths[list] as number;
      if (length > 0) sum += (this.scores[first] as number) - (this.scores[first + length - 1] as number);
    }
    return sum > 0 ? sum / this.count : 1;
  }
}
