import type { Interactions, ItemAttributes } from '../../models/algorithms/algorithm.ts';
import { algorithms } from '../../models/algorithms/registry.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { eventKinds } from '../../models/contracts/event.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Recipe } from '../../models/contracts/recipe.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { withAttributes, withColdItems } from './cold-items.ts';
import { identityAsOf } from './identity.ts';
import { type EventTable, readEvents, tellingKinds } from './read-events.ts';
import { rowsAfterReturns } from './undo-returns.ts';

export type WindowInput = { window: WindowManifest; blobs: BlobStore; charter: Charter; workDir?: string | undefined; signal?: AbortSignal | undefined };

export type TrainData = {
  interactions: Interactions;
  /** Item ids; index = position. Sorted by code points. */
  vocabulary: string[];
  /** Units as `unitOf` writes them (`u:<user>`, `s:<session>`); index = row of the interactions. */
  userIds: string[];
  /** What the catalog says of the items, where the charter asks for it (`coldItems`), or the algorithm that is to be trained. */
  attributes?: ItemAttributes;
};

/** `recipe`: by which it is trained; what decides about it is frozen in that, whatever the charter says by now. */
type TrainInput = WindowInput & { vocabularyMinEvents?: number; recipe?: Recipe | undefined };

/**
 * The train part as interactions: one entry an event, with the confidence of its kind; a purchase that was sent back entirely does not
 * count (see `rowsAfterReturns`). Sessions without user are rows of their own. Items with fewer than `vocabularyMinEvents` entries
 * are left out, and then units without entries; where the charter says `coldItems`, items of the catalog that nobody has had are added. An event that the test part holds too, from a source that came twice, is the test part's.
 * @throws UND-NO-DATA when nothing is left.
 */
export async function readTrain({ vocabularyMinEvents = 1, recipe, ...input }: TrainInput): Promise<TrainData> {
  const { window, blobs, workDir, signal } = input;
  const charter = recipe === undefined ? input.charter : charterAsOf(input.charter, recipe);
  const events = await readEvents({
    slices: window.trainSlices,
    besides: window.testSlices,
    blobs,
    kinds: tellingKinds(charter.confidence),
    identity: identityAsOf('train', { window, charter }),
    workDir,
    signal,
  });
  const train = toInteractions({ events, charter, vocabularyMinEvents });
  if (train.vocabulary.length === 0)
    throw new UnderstudyError(
      'UND-NO-DATA',
      `The train part of ${window.surface} has no event of a kind with a confidence, for an item with ${vocabularyMinEvents} or more`,
    );
  if (charter.coldItems !== undefined) return withColdItems(train, { window, blobs });
  return recipe !== undefined && algorithms[recipe.algorithm]?.attributes === 'read' ? withAttributes(train, { window, blobs }) : train;
}

/** The charter by which a recipe's train part is read: what decides it is frozen in the recipe. */
export const charterAsOf = (charter: Charter, { confidence, repeatPolicy, coldItems }: Recipe): Charter => ({
  ...charter,
  confidence,
  repeatPolicy,
  coldItems,
});

/** Compresses a table of events into rows. Pure. */
export function toInteractions({
  events,
  charter,
  vocabularyMinEvents,
}: {
  events: EventTable;
  charter: Pick<Charter, 'confidence'>;
  vocabularyMinEvents: number;
}): TrainData {
  const counts = rowsAfterReturns(events);
  const times = new Uint32Array(events.items.length);
  for (let row = 0; row < events.rows; row += 1) if (counts[row] === 1) at(times, events.item[row], 1);
  const vocabulary: string[] = [];
  const indexOf = Int32Array.from(events.items, (itemId, item) => ((times[item] ?? 0) >= Math.max(1, vocabularyMinEvents) ? vocabulary.push(itemId) - 1 : -1));
  const confidence = eventKinds.map((kind) => charter.confidence[kind] ?? 0);

  const kept: number[] = [];
  for (let row = 0; row < events.rows; row += 1) if (counts[row] === 1 && (indexOf[events.item[row] ?? 0] ?? -1) >= 0) kept.push(row);
  const userIds: string[] = [];
  const starts: number[] = [];
  kept.forEach((row, entry) => {
    const unit = events.unit[row] ?? 0;
    if (entry > 0 && events.unit[kept[entry - 1] ?? 0] === unit) return;
    userIds.push(events.units[unit] ?? '');
    starts.push(entry);
  });
  return {
    vocabulary,
    userIds,
    interactions: {
      userCount: userIds.length,
      itemCount: vocabulary.length,
      indptr: Uint32Array.from([...starts, kept.length]),
      items: Uint32Array.from(kept, (row) => indexOf[events.item[row] ?? 0] ?? 0),
      weights: Float32Array.from(kept, (row) => confidence[events.kind[row] ?? 0] ?? 0),
      atMs: Float64Array.from(kept, (row) => events.atMs[row] ?? 0),
    },
  };
}

function at(counts: Uint32Array, index: number | undefined, add: number): void {
  if (index !== undefined) counts[index] = (counts[index] ?? 0) + add;
}
