import { deriveSeed } from '../../neural/derive-seed.ts';
import { createRandom } from '../../random.ts';
import type { Interactions, ItemAttributes, ScoreRequest } from '../algorithm.ts';
import { type Ask, asksBehind, asksWithoutAnswer, CandidateLists } from './candidate-lists.ts';
import type { CandidateFinder } from './find-candidates.ts';
import { itemFacts } from './item-facts.ts';
import { rankByProducts, requestsAtOnce } from './rank-by-products.ts';
import type { Split } from './split-behind.ts';
import type { RankerData } from './train-ranker.ts';

/** Fewer users say too little to stop by. */
const leastHeldOut = 20;
const mostHeldOut = 1000;

type Preparing = {
  interactions: Interactions;
  split: Split;
  /** Of the first stage that was trained on what came before. */
  finder: CandidateFinder;
  attributes: ItemAttributes;
  /** Lists with an answer, at most, and without. */
  mostLists: number;
  mostUnanswered: number;
  heldOutShare: number;
  seed: number;
  /** Does work in pieces. */
  inPieces: (count: number, work: (piece: number) => void) => Promise<void>;
};

/** What a ranker learns from: what came behind the split, against what a first stage that has not seen it would have shown. */
export async function rankerData(input: Preparing): Promise<RankerData> {
  const { interactions, split, finder, attributes, mostLists, mostUnanswered, seed, inPieces } = input;
  const answered = some(asksBehind({ interactions, behindFrom: split.behindFrom, seed }), mostLists, deriveSeed(seed, 15));
  const others = mostUnanswered === 0 ? [] : some(asksWithoutAnswer({ interactions, seed }), mostUnanswered, deriveSeed(seed, 17));
  const lists = new CandidateLists({ asks: [...answered, ...others], interactions, finder });
  const rank = rankByProducts(finder.first, interactions.itemCount);
  await inPieces(Math.ceil(lists.count / requestsAtOnce), (piece) => {
    const first = piece * requestsAtOnce;
    const requests = Array.from({ length: Math.min(requestsAtOnce, lists.count - first) }, (_, place) => lists.requestOf(first + place));
    for (const [place, ranked] of rank(requests).entries()) lists.fill(first + place, requests[place] as ScoreRequest, ranked);
  });
  const chosen = heldOutUsers(answered, input.heldOutShare, deriveSeed(seed, 16));
  const isOf = (list: number): boolean => chosen.has(lists.users[list] as number);
  const numbers = Uint32Array.from({ length: lists.count }, (_, list) => list);
  return {
    ...{ lists, attributes, facts: itemFacts(split.before), itemCount: interactions.itemCount },
    trained: numbers.filter((list) => list < answered.length && !isOf(list) && lists.hasAnswer(list)),
    unanswered: numbers.filter((list) => list >= answered.length && !isOf(list)),
    heldOut: numbers.filter((list) => list < answered.length && isOf(list)),
    spread: lists.spread(),
  };
}

/** Of too many, some at random, in their order. */
function some(asks: Ask[], most: number, seed: number): Ask[] {
  if (asks.length <= most) return asks;
  const kept = drawn(asks, most, seed);
  return asks.filter((ask) => kept.has(ask));
}

/** So many at random of things that differ. */
function drawn<T>(things: readonly T[], count: number, seed: number): Set<T> {
  const random = createRandom(seed);
  const keyed = things.map((thing) => ({ thing, key: random.float() })).sort((a, b) => a.key - b.key);
  return new Set(keyed.slice(0, count).map(({ thing }) => thing));
}

/** None where they would be too few. */
function heldOutUsers(asks: readonly Ask[], share: number, seed: number): Set<number> {
  const users = [...new Set(asks.map(({ user }) => user))];
  const count = Math.min(mostHeldOut, Math.floor(share * users.length));
  return count < leastHeldOut ? new Set() : drawn(users, count, seed);
}
