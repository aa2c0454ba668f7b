import { createRandom, type Random } from '../../models/random.ts';

/** The train part as compressed rows: user u's entries are `indptr[u] .. indptr[u + 1]`. */
export type Rows = { userCount: number; itemCount: number; indptr: Uint32Array; items: Uint32Array; atMs: Float64Array };

export type AskedUser = {
  /** Row of the train part; -1 where it has none. */
  userIndex: number;
  history: readonly number[];
  /** Items of the test part that are not in the history. */
  wanted: readonly number[];
  /** All items that the test part holds of this user. */
  relevant: readonly number[];
};

/** `alike`: items that looked like `wanted` at the split, to this user too, and that the user did not go on to want. */
export type Question = { user: number; pairs: { wanted: number; alike: number[] }[] };

/** Only items that few users had are asked for: what became of them is mostly chance, and who saw it knows it. */
const usersAtMost = 20;
const alikeAtMost = 20;
const askedAtMost = 2_000;
/** Two similarities are the same for us when they differ by no more than this share of the larger. */
const similarityTolerance = 0.25;
const dayMs = 86_400_000;
const recentDays = 28;
const lastSeenDays = [2, 5, 10, 21, 42];
const firstSeenDays = [14, 42, 120];

/**
 * Of some test users, the wanted items that had few users at the split, each with its look-alikes: as many events, users and recent events (on a scale
 * of logarithms, whole numbers up to 6), first and last seen about as long ago, and had by people as similar to this user (cosine of the users' item
 * sets, summed over who had the item). What a model that trained on the train part alone can know of the one it can know of the others.
 * @param users in any order; at most 2,000 of them, drawn by the seed, are asked
 */
export function* lookAlikes({
  rows,
  users,
  isInScope,
  seed,
}: {
  rows: Rows;
  users: readonly AskedUser[];
  isInScope: (item: number) => boolean;
  seed: number;
}): Generator<Question> {
  const random = createRandom(seed);
  const past = readPast(rows);
  const strata = strataOf(past, isInScope);
  let asked = 0;
  for (const user of shuffled(users.length, random)) {
    if (asked === askedAtMost) return;
    const one = users[user] as AskedUser;
    const wanted = one.wanted.filter((item) => (strata.get(past.stratum[item] ?? '')?.length ?? 0) > 1 && isRare(past, item) && isInScope(item));
    if (wanted.length === 0) continue;
    const similarity = similarityTo(one, rows, past);
    const known = new Set([...one.history, ...one.relevant]);
    const pairs = wanted.flatMap((item) => {
      const own = similarity(item);
      const stratum = strata.get(past.stratum[item] as string) as number[];
      const alike = stratum.filter((other) => {
        if (known.has(other)) return false;
        const others = similarity(other);
        return Math.abs(own - others) <= similarityTolerance * Math.max(own, others);
      });
      return alike.length === 0 ? [] : [{ wanted: item, alike: someOf(alike, random) }];
    });
    if (pairs.length === 0) continue;
    asked += 1;
    yield { user, pairs };
  }
}

type Past = { usersOf: number[][] /** Of rare items: what they must share. */; stratum: (string | undefined)[] };

const isRare = ({ usersOf }: Past, item: number) => (usersOf[item] as number[]).length <= usersAtMost;

function readPast({ userCount, itemCount, indptr, items, atMs }: Rows): Past {
  const splitMs = atMs.reduce((last, one) => Math.max(last, one), Number.NEGATIVE_INFINITY);
  const usersOf: number[][] = Array.from({ length: itemCount }, () => []);
  const events = new Uint32Array(itemCount);
  const recent = new Uint32Array(itemCount);
  const firstMs = new Float64Array(itemCount).fill(Number.POSITIVE_INFINITY);
  const lastMs = new Float64Array(itemCount).fill(Number.NEGATIVE_INFINITY);
  for (let user = 0; user < userCount; user += 1) {
    for (let entry = indptr[user] as number; entry < (indptr[user + 1] as number); entry += 1) {
      const item = items[entry] as number;
      const whenMs = atMs[entry] as number;
      const users = usersOf[item] as number[];
      // One more than may be: then the item is not rare, and who else had it does not matter.
      if (users.length <= usersAtMost && users.at(-1) !== user) users.push(user);
      events[item] = (events[item] as number) + 1;
      if (splitMs - whenMs < recentDays * dayMs) recent[item] = (recent[item] as number) + 1;
      firstMs[item] = Math.min(firstMs[item] as number, whenMs);
      lastMs[item] = Math.max(lastMs[item] as number, whenMs);
    }
  }
  const daysAgo = (whenMs: number | undefined, bounds: readonly number[]) => bounds.filter((days) => splitMs - (whenMs ?? splitMs) >= days * dayMs).length;
  const stratum = usersOf.map((users, item) =>
    users.length === 0 || users.length > usersAtMost
      ? undefined
      : [
          stepOf(events[item] as number),
          stepOf(users.length),
          stepOf(recent[item] as number),
          daysAgo(lastMs[item], lastSeenDays),
          daysAgo(firstMs[item], firstSeenDays),
        ].join(' '),
  );
  return { usersOf, stratum };
}

/** Whole numbers up to 6, then four steps to each doubling. */
const stepOf = (count: number): number => (count <= 6 ? count : 6 + Math.round(4 * Math.log2(count / 6)));

function strataOf({ stratum }: Past, isInScope: (item: number) => boolean): Map<string, number[]> {
  const strata = new Map<string, number[]>();
  for (const [item, name] of stratum.entries()) {
    if (name === undefined || !isInScope(item)) continue;
    const items = strata.get(name) ?? [];
    items.push(item);
    strata.set(name, items);
  }
  return strata;
}

/** How similar to the user those are who had an item, the user apart. */
function similarityTo({ userIndex, history }: AskedUser, { indptr, items }: Rows, { usersOf }: Past): (item: number) => number {
  const own = new Set(history);
  const known = new Map<number, number>([[userIndex, 0]]);
  const similarityOf = (user: number): number => {
    const found = known.get(user);
    if (found !== undefined) return found;
    const theirs = new Set(items.subarray(indptr[user], indptr[user + 1]));
    let shared = 0;
    for (const item of theirs) if (own.has(item)) shared += 1;
    const similarity = shared === 0 ? 0 : shared / Math.sqrt(own.size * theirs.size);
    known.set(user, similarity);
    return similarity;
  };
  return (item) => (usersOf[item] as number[]).reduce((sum, user) => sum + similarityOf(user), 0);
}

function shuffled(length: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length }, (_, place) => place);
  for (let place = length - 1; place > 0; place -= 1) {
    const other = random.below(place + 1);
    [order[place], order[other]] = [order[other] as number, order[place] as number];
  }
  return order;
}

function someOf(items: number[], random: Random): number[] {
  if (items.length <= alikeAtMost) return items;
  const order = shuffled(items.length, random);
  return Array.from({ length: alikeAtMost }, (_, place) => items[order[place] as number] as number);
}
