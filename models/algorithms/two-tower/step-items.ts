import type { Random } from '../../random.ts';
import type { ItemAttributes } from '../algorithm.ts';

type Options = {
  /** [itemCount] 1 where there are any */
  hasEvents: Uint8Array;
  attributes: ItemAttributes;
  /** How many different items a step can ask for. */
  mostItems: number;
  /** How often a step leaves out an item's own vector where it has attributes. */
  idDropout: number;
};

/** The items that a step asks for, each once, and of which it leaves out their own vectors. */
export class StepItems {
  readonly hasEvents: Uint8Array;
  readonly attributes: ItemAttributes;
  readonly mostItems: number;
  /** Of one item. */
  readonly mostAttributes: number;
  /** [itemCount] 0 where neither events nor attributes tell anything */
  readonly known: Uint8Array;
  count = 0;
  /** [count] */
  readonly items: Int32Array;
  /** [count] 1 where the item's own vector counts */
  readonly withId: Uint8Array;
  readonly #idDropout: number;
  /** [itemCount] place in the step, -1 where it has none */
  readonly #places: Int32Array;

  constructor({ hasEvents, attributes, mostItems, idDropout }: Options) {
    this.hasEvents = hasEvents;
    this.attributes = attributes;
    this.mostItems = mostItems;
    this.#idDropout = idDropout;
    this.known = hasEvents.map((has, item) => (has === 1 || this.#attributeCount(item) > 0 ? 1 : 0));
    let most = 0;
    for (let item = 0; item < hasEvents.length; item += 1) most = Math.max(most, this.#attributeCount(item));
    this.mostAttributes = most;
    this.items = new Int32Array(mostItems);
    this.withId = new Uint8Array(mostItems);
    this.#places = new Int32Array(hasEvents.length).fill(-1);
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
  choose(random?: Random): void {
    for (let place = 0; place < this.count; place += 1) {
      const item = this.items[place] as number;
      const without = random !== undefined && this.#attributeCount(item) > 0 && random.float() < this.#idDropout;
      this.withId[place] = this.hasEvents[item] === 1 && !without ? 1 : 0;
    }
  }

  #attributeCount(item: number): number {
    return (this.attributes.indptr[item + 1] as number) - (this.attributes.indptr[item] as number);
  }
}
