import type { Interactions } from '../../models/algorithms/algorithm.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { eventKinds } from '../../models/contracts/event.ts';
import { logSource } from '../../models/contracts/window.ts';
import { getDocument } from '../../stores/blobs.ts';
import { catalogDocument } from '../events/build-catalog.ts';
import { identityAsOf } from './identity.ts';
import { type EventTable, readEvents, readLastSeen } from './read-events.ts';
import type { TrainData, WindowInput } from './read-window.ts';
import { scopeBiasAsOf } from './scope-as-of.ts';
import { rowsAfterReturns } from './undo-returns.ts';

export type TestUser = {
  /** Row of the train interactions; -1 for a session, which began in the test part, and for a new user. */
  userIndex: number;
  /** `u:<user>`, or `s:<session>` on a surface that knows no users */
  unit: string;
  /** Vocabulary indexes of the train part, oldest first, with their confidences. */
  history: number[];
  historyWeight: number[];
  /** Items that the charter's repeat policy forbids to show; empty where repeats are allowed. */
  exclude: number[];
  /** Vocabulary indexes, ascending: what the user was rewarded for in the test part. Never empty. */
  relevant: number[];
  /** Those of them that are not in the history. */
  relevantNew: number[];
};

export type TestData = {
  users: TestUser[];
  /** Users that the train part does not know and who wanted something that it does: they are without a history. */
  newUsers: TestUser[];
  /** float32 [items] as `ScoreRequest.scopeBias`: the scope as of the split. */
  scopeBias: Float32Array;
  /** When the sources of the catalog last held each item in the train part. */
  lastSeenMs: ReadonlyMap<string, number>;
  /** The earliest event that tells what was wanted; null without any. */
  firstMs: number | null;
  /** What is not in `users`: users that the train part does not know, sessions without user, (user, item) pairs left out and why. */
  left: { coldUsers: number; sessions: number; outOfVocabulary: number; outOfScope: number; repeats: number; usersWithoutRelevant: number };
};

/**
 * The test part for users that the train part knows. Relevant is what the charter's reward gives something for, net of returns within
 * the test part, in the vocabulary, in scope as of the split, and, under `exclude-purchased`, not bought before.
 *
 * A surface that knows nobody is measured on the test part's sessions: the last item of each from what came before it in the session.
 */
export async function readTest({ vocabulary, userIds, interactions, ...input }: WindowInput & TrainData): Promise<TestData> {
  const { window, blobs, charter, workDir, signal } = input;
  const kinds = rewardingKinds(charter);
  const identity = identityAsOf('test', { window, charter });
  const events = await readEvents({ slices: window.testSlices, blobs, kinds: [...kinds, 'return'], identity, workDir, signal });
  const catalog = await getDocument(blobs, window.catalog, catalogDocument);
  // What the serving tier logged says what was shown, and nothing of what there is.
  const ofCatalog = window.trainSlices.filter(({ source }) => source !== logSource);
  const lastSeenMs = await readLastSeen({ slices: ofCatalog, blobs, workDir, signal });
  const scopeBias = scopeBiasAsOf({ vocabulary, catalog, charter, window, lastSeenMs });
  const purchases = charter.repeatPolicy === 'exclude-purchased' ? await purchasesOf(input) : new Map<string, Set<string>>();
  const left: TestData['left'] = { coldUsers: 0, sessions: 0, outOfVocabulary: 0, outOfScope: 0, repeats: 0, usersWithoutRelevant: 0 };
  const itemIndex = new Map(vocabulary.map((itemId, index) => [itemId, index]));
  const userIndexes = new Map(userIds.map((unit, index) => [unit, index]));

  const users: TestUser[] = [];
  const newUsers: TestUser[] = [];
  const sessions: [unit: string, items: Set<string>][] = [];
  for (const [unit, items] of itemsByUnit(events)) {
    if (!unit.startsWith('u:')) {
      sessions.push([unit, items]);
      continue;
    }
    const userIndex = userIndexes.get(unit);
    const bought = purchases.get(unit);
    const exclude = indexesOf(bought, itemIndex);
    const { relevant, ...leftOut } = wantedOf({ items, bought, itemIndex, scopeBias });
    if (userIndex === undefined) {
      left.coldUsers += 1;
      if (relevant.length > 0) newUsers.push({ userIndex: -1, unit, relevant, relevantNew: relevant, history: [], historyWeight: [], exclude });
      continue;
    }
    left.outOfVocabulary += leftOut.outOfVocabulary;
    left.outOfScope += leftOut.outOfScope;
    left.repeats += leftOut.repeats;
    if (relevant.length === 0) {
      left.usersWithoutRelevant += 1;
      continue;
    }
    users.push({ userIndex, unit, relevant, ...pastOf({ interactions, userIndex, relevant }), exclude });
  }
  left.sessions = sessions.length;
  const firstMs = events.rows === 0 ? null : events.atMs.reduce((first, one) => Math.min(first, one));
  const asOf = { scopeBias, lastSeenMs, firstMs };
  if (users.length > 0 || left.coldUsers > 0 || left.usersWithoutRelevant > 0) return { users, newUsers, ...asOf, left };
  const inScope = (itemId: string) => itemIndex.get(itemId) ?? -1;
  const measured = sessions.flatMap(([unit, items]) => asUser({ unit, items: [...items].map(inScope).filter((index) => scopeBias[index] === 0), charter }));
  return { users: measured, newUsers, ...asOf, left: { ...left, sessions: sessions.length - measured.length } };
}

type Wanted = { items: ReadonlySet<string>; bought: ReadonlySet<string> | undefined; itemIndex: ReadonlyMap<string, number>; scopeBias: Float32Array };

/** What counts as relevant, and of how many items it does not. */
function wantedOf({ items, bought, itemIndex, scopeBias }: Wanted) {
  const found = { relevant: [] as number[], outOfVocabulary: 0, outOfScope: 0, repeats: 0 };
  for (const itemId of items) {
    const index = itemIndex.get(itemId);
    if (index === undefined) found.outOfVocabulary += 1;
    else if (scopeBias[index] !== 0) found.outOfScope += 1;
    else if (bought?.has(itemId) === true) found.repeats += 1;
    else found.relevant.push(index);
  }
  found.relevant.sort((a, b) => a - b);
  return found;
}

/** A session of two items or more: the last is wanted, the others are its history. */
function asUser({ unit, items, charter }: { unit: string; items: number[]; charter: Pick<Charter, 'repeatPolicy'> }): TestUser[] {
  const history = items.slice(0, -1);
  const relevant = items.slice(-1);
  if (history.length === 0) return [];
  const exclude = charter.repeatPolicy === 'allow' ? [] : history.toSorted((a, b) => a - b);
  return [{ userIndex: -1, unit, history, historyWeight: history.map(() => 1), exclude, relevant, relevantNew: relevant }];
}

const rewardingKinds = (charter: Pick<Charter, 'reward'>) => eventKinds.filter((kind) => kind !== 'return' && (charter.reward.weights[kind] ?? 0) > 0);

function pastOf({ interactions, userIndex, relevant }: { interactions: Interactions; userIndex: number; relevant: number[] }) {
  const from = interactions.indptr[userIndex] ?? 0;
  const to = interactions.indptr[userIndex + 1] ?? 0;
  const history = Array.from(interactions.items.subarray(from, to));
  const known = new Set(history);
  return { history, historyWeight: Array.from(interactions.weights.subarray(from, to)), relevantNew: relevant.filter((item) => !known.has(item)) };
}

/** The different items of each unit, net of returns; units and items in the order of their names. */
export function itemsByUnit(events: EventTable): Map<string, Set<string>> {
  const counts = rowsAfterReturns(events);
  const items = new Map<string, Set<string>>();
  for (let row = 0; row < events.rows; row += 1) {
    if (counts[row] !== 1) continue;
    const unit = events.units[events.unit[row] ?? 0] ?? '';
    const own = items.get(unit) ?? new Set<string>();
    own.add(events.items[events.item[row] ?? 0] ?? '');
    items.set(unit, own);
  }
  return items;
}

async function purchasesOf({ window, charter, blobs, workDir, signal }: WindowInput): Promise<Map<string, Set<string>>> {
  const { trainSlices, testSlices } = window;
  const identity = identityAsOf('train', { window, charter });
  return itemsByUnit(await readEvents({ slices: trainSlices, besides: testSlices, blobs, kinds: ['purchase', 'return'], identity, workDir, signal }));
}

function indexesOf(items: Set<string> | undefined, itemIndex: Map<string, number>): number[] {
  return [...(items ?? [])]
    .map((itemId) => itemIndex.get(itemId))
    .filter((index) => index !== undefined)
    .sort((a, b) => a - b);
}
