import { comparePairs, displacements, nearestItems, neighbourChanges, type Pairs } from '../../experiments/drift/compare-items.ts';
import { type Moved, movedItems } from '../../experiments/drift/moved-items.ts';
import { placesTo, shuffle } from '../../experiments/drift/permutations.ts';
import { beyondRetraining } from '../../experiments/drift/retraining-noise.ts';
import type { Vectors } from '../../experiments/drift/vectors.ts';
import type { DriftAnswer, DriftQuestion } from '../../models/contracts/drift.ts';
import type { Random } from '../../models/random.ts';

/** Vectors of a model by item. */
export type ItemVectors = { itemIds: readonly string[]; vectors: Float32Array; dimensions: number };

/** An answer before it is known how many are asked at once. */
export type Asked = Pick<DriftAnswer, 'what' | 'p' | 'says' | 'units'>;
export type Unasked = { what: DriftQuestion; why: string };

type Input = {
  from: ItemVectors;
  to: ItemVectors;
  retrainings: readonly ItemVectors[];
  /** Trainings differ by a turn, as those of factor models do; otherwise vectors are not compared, but who is near whom. */
  isTurned: boolean;
  random: Random;
};
export type ModelDrift = {
  asked: Asked[];
  notMeasured: Unasked[];
  /** That all know. */
  itemIds: string[];
  /** By place in `itemIds`, the most moved first. */
  moved: Moved[];
};

/** Items that are asked for their nearest, and how many of those. */
const [askedAtMost, nearestOf] = [500, 10];
/** What needs fewer items is chance. */
const itemsAtLeast = 20;

/** How far the items of `to` are from those of `from`, against how far retrainings of `from` are from it and from each other. */
export function compareModels({ from, to, retrainings, isTurned, random }: Input): ModelDrift {
  const all = [from, ...retrainings, to];
  const known = all.map(({ itemIds }) => new Map(itemIds.map((itemId, row) => [itemId, row])));
  const itemIds = from.itemIds.filter((itemId) => known.every((rows) => rows.has(itemId)));
  const why = (text: string): Unasked[] => (['item-vectors', 'neighbours'] as const).map((what) => ({ what, why: text }));
  if (itemIds.length < itemsAtLeast)
    return { asked: [], notMeasured: why(`the models have ${itemIds.length} items in common, and ${itemsAtLeast} are needed`), itemIds, moved: [] };
  const models = all.map((model, place) => rowsOf(model, itemIds, known[place] as Map<string, number>));
  const canTurn = isTurned && models.every(({ dimensions }) => dimensions === from.dimensions);
  const asked = shuffle(placesTo(itemIds.length), random).subarray(0, askedAtMost);
  const rows = canTurn ? placesTo(itemIds.length) : asked;
  const nearest = models.map((model) => nearestItems(model, { asked, k: nearestOf }));
  const neighbours = comparePairs(nearest, neighbourChanges);
  const displaced = canTurn ? comparePairs(models, displacements) : null;
  const moved = movedItems(displaced ?? neighbours).map((one) => ({ ...one, row: rows[one.row] as number }));
  if (retrainings.length < 2)
    return {
      asked: [],
      notMeasured: why('there are no retrainings to say what retraining alone moves: `--retrain 2` makes them, and keeps them'),
      itemIds,
      moved,
    };
  const test = (what: 'item-vectors' | 'neighbours', { distances }: Pairs): Asked => {
    const model = models.length - 1;
    const { p, ratio, retrainings: trainings } = beyondRetraining(distances, { model, others: Array.from(models.keys()).slice(0, model) });
    const changed = what === 'neighbours' ? `items' nearest ${nearestOf} changed` : 'items moved';
    const times = Number.isFinite(ratio) ? `${ratio.toPrecision(3)} times as much as between` : 'where nothing changes between';
    return { what, p, says: `${changed} ${times} ${trainings} trainings of the older window`, units: [trainings, 1] };
  };
  return {
    asked: [...(displaced === null ? [] : [test('item-vectors', displaced)]), test('neighbours', neighbours)],
    notMeasured: canTurn ? [] : [{ what: 'item-vectors', why: 'trainings of such models differ by more than a turn: who is near whom is compared instead' }],
    itemIds,
    moved,
  };
}

function rowsOf({ vectors, dimensions }: ItemVectors, itemIds: readonly string[], rows: ReadonlyMap<string, number>): Vectors {
  const values = new Float64Array(itemIds.length * dimensions);
  for (const [place, itemId] of itemIds.entries()) {
    const row = rows.get(itemId) as number;
    values.set(vectors.subarray(row * dimensions, (row + 1) * dimensions), place * dimensions);
  }
  return { count: itemIds.length, dimensions, values };
}
