import { RowTable } from '../../neural/row-table.ts';
import type { Workspace } from '../../neural/workspace.ts';
import type { ItemAttributes } from '../algorithm.ts';
import { sharesOf } from '../two-tower/item-tower.ts';
import { factsPerItem } from './item-facts.ts';

type Options = {
  workspace: Workspace;
  /** [itemCount, factsPerItem] */
  facts: Float32Array;
  attributes: ItemAttributes;
  dimensions: number;
  mostItems: number;
};

export const roundUp = (count: number): number => Math.ceil(count / 8) * 8;

/**
 * What the ranker reads of an item, side by side: a vector of its own, for each field of the catalog the mean of those of its values there, and its facts.
 * Vectors begin at 0, and stay there where the ranker never met what they are of.
 */
export class ItemInputs {
  readonly width: number;
  /** Of items, and of attributes. */
  readonly tables: readonly [RowTable, RowTable];
  readonly #attributes: ItemAttributes;
  readonly #dimensions: number;
  /** [entries of attributes] how much of an attribute's vector is in its field's mean */
  readonly #shares: Float32Array;

  constructor({ workspace, facts, attributes, dimensions, mostItems }: Options) {
    const itemCount = facts.length / factsPerItem;
    this.#attributes = attributes;
    this.#dimensions = dimensions;
    this.#shares = sharesOf(attributes);
    this.width = dimensions * (1 + attributes.fields.length) + factsPerItem;
    let most = 0;
    for (let item = 0; item < itemCount; item += 1) most = Math.max(most, (attributes.indptr[item + 1] as number) - (attributes.indptr[item] as number));
    this.tables = [
      new RowTable({ workspace, rows: itemCount, width: dimensions, mostTouched: mostItems }),
      new RowTable({ workspace, rows: attributes.fieldOf.length, width: dimensions, mostTouched: mostItems * most }),
    ];
  }

  /**
   * Writes an item's numbers, [width].
   * @param facts [itemCount, factsPerItem] of now, which may be others than those of training
   * @param withOwn whether its own vector is among them
   */
  read({ item, facts, withOwn }: { item: number; facts: Float32Array; withOwn: boolean }, into: Float32Array | Float64Array, at: number): void {
    const dimensions = this.#dimensions;
    const [ids, ofAttributes] = this.tables;
    into.fill(0, at, at + this.width);
    if (withOwn) for (let f = 0; f < dimensions; f += 1) into[at + f] = ids.value[item * dimensions + f] as number;
    this.#eachAttribute(item, (attribute, field, share) => {
      const to = at + dimensions * (1 + field);
      for (let f = 0; f < dimensions; f += 1) into[to + f] = (into[to + f] as number) + share * (ofAttributes.value[attribute * dimensions + f] as number);
    });
    const last = at + this.width - factsPerItem;
    for (let f = 0; f < factsPerItem; f += 1) into[last + f] = facts[item * factsPerItem + f] as number;
  }

  /** Adds the gradients of what was read to those of the tables. */
  learn({ item, withOwn }: { item: number; withOwn: boolean }, grad: Float32Array, at: number): void {
    const dimensions = this.#dimensions;
    const [ids, ofAttributes] = this.tables;
    const add = (table: RowTable, row: number, from: number, share: number): void => {
      const to = table.gradOf(row);
      for (let f = 0; f < dimensions; f += 1) table.grad[to + f] = (table.grad[to + f] as number) + share * (grad[from + f] as number);
    };
    if (withOwn) add(ids, item, at, 1);
    this.#eachAttribute(item, (attribute, field, share) => add(ofAttributes, attribute, at + dimensions * (1 + field), share));
  }

  #eachAttribute(item: number, visit: (attribute: number, field: number, share: number) => void): void {
    const { indptr, attributes, fieldOf } = this.#attributes;
    for (let entry = indptr[item] as number; entry < (indptr[item + 1] as number); entry += 1) {
      const attribute = attributes[entry] as number;
      visit(attribute, fieldOf[attribute] as number, this.#shares[entry] as number);
    }
  }
}
