import { RowTable } from '../../neural/row-table.ts';
import type { Workspace } from '../../neural/workspace.ts';
import type { Random } from '../../random.ts';
import type { ItemAttributes } from '../algorithm.ts';

type Options = {
  workspace: Workspace;
  /** [itemCount] 1 where there are any */
  hasEvents: Uint8Array;
  attributes: ItemAttributes;
  width: number;
  /** How many different items a step can ask for. */
  mostItems: number;
  /** How often a step leaves out an item's own vector where it has attributes. */
  idDropout: number;
};

/**
 * An item's vector is one of its own, where it has events, plus for each field of the catalog the mean of those of its values there. Steps leave out own
 * vectors now and then, so that what items share carries what it can, and an item without events is known by that. A step works on the items it asks for,
 * each once and side by side, and touches no other.
 */
export class ItemTower {
  readonly width: number;
  /** Of items, and of attributes. */
  readonly tables: readonly [RowTable, RowTable];
  /** [itemCount] 0 where neither events nor attributes tell anything */
  readonly known: Uint8Array;
  count = 0;
  /** [count] the items of the step at hand, and [count, width] their vectors. */
  readonly items: Int32Array;
  readonly value: Float32Array;
  readonly grad: Float32Array;
  readonly #hasEvents: Uint8Array;
  readonly #attributes: ItemAttributes;
  readonly #idDropout: number;
  /** [entries of attributes] how much of an attribute's vector is in the item's */
  readonly #shares: Float32Array;
  /** [itemCount] place in the step, -1 where it has none */
  readonly #places: Int32Array;
  readonly #withId: Uint8Array;

  constructor({ workspace, hasEvents, attributes, width, mostItems, idDropout }: Options) {
    const itemCount = hasEvents.length;
    this.width = width;
    this.#hasEvents = hasEvents;
    this.#attributes = attributes;
    this.#idDropout = idDropout;
    this.#shares = sharesOf(attributes);
    this.known = hasEvents.map((has, item) => (has === 1 || this.#attributeCount(item) > 0 ? 1 : 0));
    let most = 0;
    for (let item = 0; item < itemCount; item += 1) most = Math.max(most, this.#attributeCount(item));
    this.tables = [
      new RowTable({ workspace, rows: itemCount, width, mostTouched: mostItems }),
      new RowTable({ workspace, rows: attributes.fieldOf.length, width, mostTouched: mostItems * most }),
    ];
    this.items = new Int32Array(mostItems);
    this.value = workspace.floats(mostItems * width);
    this.grad = workspace.floats(mostItems * width);
    this.#places = new Int32Array(itemCount).fill(-1);
    this.#withId = new Uint8Array(mostItems);
  }

  /** Forgets the items of the step before. */
  clear(): void {
    for (let place = 0; place < this.count; place += 1) this.#places[this.items[place] as number] = -1;
    this.count = 0;
  }

  /** Where in the step an item is; one that was not asked for before is added. */
  placeOf(item: number): number {
    const known = this.#places[item] as number;
    if (known >= 0) return known;
    const place = this.count;
    this.count += 1;
    this.items[place] = item;
    this.#places[item] = place;
    return place;
  }

  /** @param random draws which own vectors are left out; absent: none */
  forward(random?: Random): void {
    const { count, width } = this;
    for (let place = 0; place < count; place += 1) {
      const item = this.items[place] as number;
      const without = random !== undefined && this.#attributeCount(item) > 0 && random.float() < this.#idDropout;
      this.#withId[place] = this.#hasEvents[item] === 1 && !without ? 1 : 0;
      this.#add(item, this.#withId[place] === 1, this.value, place * width);
    }
    this.grad.fill(0, 0, count * width);
  }

  /** From the gradients of the step's vectors to those of the tables. */
  backward(): void {
    const { width, grad } = this;
    const [ids, ofAttributes] = this.tables;
    const { indptr, attributes } = this.#attributes;
    for (let place = 0; place < this.count; place += 1) {
      const item = this.items[place] as number;
      const from = place * width;
      if (this.#withId[place] === 1) addScaled(ids.grad, ids.gradOf(item), grad, from, width, 1);
      for (let entry = indptr[item] as number; entry < (indptr[item + 1] as number); entry += 1)
        addScaled(ofAttributes.grad, ofAttributes.gradOf(attributes[entry] as number), grad, from, width, this.#shares[entry] as number);
    }
  }

  /** The vectors of all items, [itemCount, width]; 0 where nothing is known. */
  all(into: Float32Array): void {
    for (let item = 0; item < this.known.length; item += 1) this.#add(item, this.#hasEvents[item] === 1, into, item * this.width);
  }

  #add(item: number, withId: boolean, into: Float32Array, to: number): void {
    const { width } = this;
    const [ids, ofAttributes] = this.tables;
    const { indptr, attributes } = this.#attributes;
    into.fill(0, to, to + width);
    if (withId) addScaled(into, to, ids.value, item * width, width, 1);
    for (let entry = indptr[item] as number; entry < (indptr[item + 1] as number); entry += 1)
      addScaled(into, to, ofAttributes.value, (attributes[entry] as number) * width, width, this.#shares[entry] as number);
  }

  #attributeCount(item: number): number {
    return (this.#attributes.indptr[item + 1] as number) - (this.#attributes.indptr[item] as number);
  }
}

function addScaled(into: Float32Array, to: number, from: Float32Array, begin: number, count: number, scale: number): void {
  for (let f = 0; f < count; f += 1) into[to + f] = (into[to + f] as number) + scale * (from[begin + f] as number);
}

/** [entries] how much of an attribute there is in the mean of its field. */
export function sharesOf({ indptr, attributes, fieldOf, fields }: ItemAttributes): Float32Array {
  const shares = new Float32Array(attributes.length);
  const counts = new Uint32Array(fields.length);
  const fieldAt = (entry: number): number => fieldOf[attributes[entry] as number] as number;
  for (let item = 0; item + 1 < indptr.length; item += 1) {
    const [from, to] = [indptr[item] as number, indptr[item + 1] as number];
    counts.fill(0);
    for (let entry = from; entry < to; entry += 1) counts[fieldAt(entry)] = (counts[fieldAt(entry)] as number) + 1;
    for (let entry = from; entry < to; entry += 1) shares[entry] = 1 / (counts[fieldAt(entry)] as number);
  }
  return shares;
}
