import { itemAttributes } from '../../models/algorithms/item-attributes.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import { type BlobStore, getDocument } from '../../stores/blobs.ts';
import { catalogDocument } from '../events/build-catalog.ts';
import { addDays, dayStartMs } from './days.ts';
import type { TrainData } from './read-window.ts';

/**
 * The train part with items that the catalog had at the split and nobody has had yet, and with what the catalog says of all of its items. Items that have come in
 * since are not known.
 */
export async function withColdItems(train: TrainData, { window, blobs }: { window: WindowManifest; blobs: BlobStore }): Promise<TrainData> {
  const catalog = await getDocument(blobs, window.catalog, catalogDocument);
  const splitMs = dayStartMs(window.timeZone, addDays(window.train.to, 1));
  const had = new Set(train.vocabulary);
  const cold = catalog.filter(({ itemId, availableFromMs = Number.NEGATIVE_INFINITY }) => !had.has(itemId) && availableFromMs < splitMs);
  // By code points, as the vocabulary is.
  const vocabulary = [...train.vocabulary, ...cold.map(({ itemId }) => itemId)]
    .map((itemId) => ({ itemId, bytes: Buffer.from(itemId) }))
    .sort((one, other) => Buffer.compare(one.bytes, other.bytes))
    .map(({ itemId }) => itemId);
  const placeOf = new Map(vocabulary.map((itemId, place) => [itemId, place]));
  const places = train.vocabulary.map((itemId) => placeOf.get(itemId) as number);
  const { interactions } = train;
  return {
    ...train,
    vocabulary,
    interactions: { ...interactions, itemCount: vocabulary.length, items: interactions.items.map((item) => places[item] as number) },
    attributes: itemAttributes({ catalog, vocabulary }),
  };
}

/** The train part with what the catalog says of its items. */
export async function withAttributes(train: TrainData, { window, blobs }: { window: WindowManifest; blobs: BlobStore }): Promise<TrainData> {
  const catalog = await getDocument(blobs, window.catalog, catalogDocument);
  return { ...train, attributes: itemAttributes({ catalog, vocabulary: train.vocabulary }) };
}
