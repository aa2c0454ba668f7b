import { createHash, type Hash } from 'node:crypto';
import type { Interactions, ItemAttributes } from '../../models/algorithms/algorithm.ts';
import type { Digest } from '../../models/contracts/ids.ts';
import type { TestData, TestUser } from '../windows/read-test.ts';

/** The train part as training sees it: every entry of its arrays, and which item stands at which place. */
export function digestTrain({
  interactions,
  vocabulary,
  attributes,
}: {
  interactions: Interactions;
  vocabulary: readonly string[];
  attributes?: ItemAttributes | undefined;
}): Digest {
  const hash = createHash('sha256');
  const { userCount, itemCount, indptr, items, weights, atMs } = interactions;
  say(hash, [userCount, itemCount, vocabulary]);
  for (const array of [indptr, items, weights, atMs]) if (array !== undefined) bytesOf(hash, array);
  if (attributes !== undefined) for (const array of [attributes.indptr, attributes.attributes, Uint32Array.from(attributes.fieldOf)]) bytesOf(hash, array);
  return nameOf(hash);
}

/** The test part as evaluation sees it: who wanted what, out of which scope. */
export function digestTest({ users, newUsers, scopeBias, lastSeenMs, firstMs, left }: TestData): Digest {
  const hash = createHash('sha256');
  for (const part of [users, newUsers]) {
    say(hash, part.length);
    for (const user of part) say(hash, rowOf(user));
  }
  bytesOf(hash, scopeBias);
  // DuckDB gives them in no order.
  say(
    hash,
    [...lastSeenMs].sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  say(hash, [firstMs, Object.entries(left).sort(([a], [b]) => (a < b ? -1 : 1))]);
  return nameOf(hash);
}

const rowOf = ({ userIndex, unit, history, historyWeight, exclude, relevant, relevantNew }: TestUser) => [
  ...[userIndex, unit, history, historyWeight],
  ...[exclude, relevant, relevantNew],
];

const say = (hash: Hash, value: unknown): Hash => hash.update(`${JSON.stringify(value)}\n`);

/** Each with its length, so that nothing can wander from one into the next. */
function bytesOf(hash: Hash, array: Uint32Array | Float32Array | Float64Array): void {
  say(hash, array.length).update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
}

const nameOf = (hash: Hash): Digest => `sha256:${hash.digest('hex')}`;
