import { RowTable } from '../../neural/row-table.ts';
import type { Workspace } from '../../neural/workspace.ts';
import type { ItemAttributes } from '../algorithm.ts';
import type { StepItems } from './step-items.ts';

/**
 * An item's vector is one of its own, where it has events, plus for each field of the catalog the mean of those of its values there. Steps leave out own
 * vectors now and then, so that what items share carries what it can, and an item without events is known by that. A step works on the items it asks for,
 * each once and side by side, and touches no other.
 */
export class ItemTower {
  readonly width: number;
  /** Of items, and of attributes. */
  readonly tables: readonly [RowTable, RowTable];
  /** [count, width] the vectors of the step at hand. */
  readonly value: Float32Array;
  readonly grad: Float32Array;
  readonly #step: StepItems;
  readonly #shares: Float32Array;

  constructor({ workspace, step, width }: { workspace: Workspace; step: StepItems; width: number }) {
    const { hasEvents, attributes, mostItems, mostAttributes } = step;
    this.width = width;
    this.#step = step;
    this.#shares = sharesOf(attributes);
    this.tables = [
      new RowTable({ workspace, rows: hasEvents.length, width, mostTouched: mostItems }),
      new RowTable({ workspace, rows: attributes.fieldOf.length, width, mostTouched: mostItems * mostAttributes }),
    ];
    this.value = workspace.floats(mostItems * width);
    this.grad = workspace.floats(mostItems * width);
  }

  get count(): number {
    return this.#step.count;
  }

  get items(): Int32Array {
    return this.#step.items;
  }

  forward(): void {
    const { width, value } = this;
    const { count, items, withId, attributes } = this.#step;
    for (let place = 0; place < count; place += 1)
      addItem({ item: items[place] as number, withId: withId[place] === 1, into: value, to: place * width }, { ...this.#learned, attributes });
    this.grad.fill(0, 0, count * width);
  }

  /** From the gradients of the step's vectors to those of the tables. */
  backward(): void {
    const { width, grad } = this;
    const [ids, ofAttributes] = this.tables;
    const { count, items, withId } = this.#step;
    const { indptr, attributes } = this.#step.attributes;
    for (let place = 0; place < count; place += 1) {
      const item = items[place] as number;
      const from = place * width;
      if (withId[place] === 1) addScaled(ids.grad, ids.gradOf(item), grad, from, width, 1);
      for (let entry = indptr[item] as number; entry < (indptr[item + 1] as number); entry += 1)
        addScaled(ofAttributes.grad, ofAttributes.gradOf(attributes[entry] as number), grad, from, width, this.#shares[entry] as number);
    }
  }

  all(into: Float32Array): void {
    allItems(this.#step, this.#learned, into);
  }

  get #learned(): Learned {
    const [ids, ofAttributes] = this.tables;
    return { width: this.width, ids: ids.value, ofAttributes: ofAttributes.value, shares: this.#shares };
  }
}

/** `shares`: [entries of attributes] how much of an attribute's vector is in the item's */
type Learned = { width: number; ids: Float32Array; ofAttributes: Float32Array; shares: Float32Array };

/** The vectors of all items, [itemCount, width]; 0 where nothing is known. */
export function allItems({ hasEvents, attributes }: Pick<StepItems, 'hasEvents' | 'attributes'>, learned: Learned, into: Float32Array): void {
  for (let item = 0; item < hasEvents.length; item += 1)
    addItem({ item, withId: hasEvents[item] === 1, into, to: item * learned.width }, { ...learned, attributes });
}

function addItem(
  { item, withId, into, to }: { item: number; withId: boolean; into: Float32Array; to: number },
  { width, ids, ofAttributes, shares, attributes }: Learned & { attributes: ItemAttributes },
): void {
  into.fill(0, to, to + width);
  if (withId) addScaled(into, to, ids, item * width, width, 1);
  for (let entry = attributes.indptr[item] as number; entry < (attributes.indptr[item + 1] as number); entry += 1)
    addScaled(into, to, ofAttributes, (attributes.attributes[entry] as number) * width, width, shares[entry] as number);
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
