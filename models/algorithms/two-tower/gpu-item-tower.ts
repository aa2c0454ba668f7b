import { GpuGather } from '../../gpu/gather.ts';
import type { GpuArray } from '../../gpu/gpu.ts';
import type { GpuNetwork, GpuTable } from '../../gpu/network.ts';
import type { ItemAttributes } from '../algorithm.ts';
import { sharesOf } from './item-tower.ts';
import type { StepItems } from './step-items.ts';

export type GpuItemTower = {
  /** Of items, and of attributes. */
  tables: readonly [GpuTable, GpuTable];
  /** [most, width] the vectors of the step at hand */
  value: GpuArray;
  grad: GpuArray;
};

/** item-tower.ts on a GPU: the first step of a network, of the items that a step has been asked for before. */
export function gpuItemTower(network: GpuNetwork, { step, width }: { step: StepItems; width: number }): GpuItemTower {
  const { attributes, mostItems, mostAttributes } = step;
  const mostOfAttributes = mostItems * mostAttributes;
  const ids = network.table('items', step.hasEvents.length, width, mostItems);
  const ofAttributes = network.table('attributes', attributes.fieldOf.length, width, mostOfAttributes);
  const [value, grad] = [network.array(mostItems * width), network.gradient(mostItems * width)];
  const counts = new Int32Array(Math.max(mostItems, ids.touched.rows.length, ofAttributes.touched.rows.length));
  const own = { network, width, counts, mostEntries: mostItems };
  const shared = { network, width, counts, mostEntries: mostOfAttributes, weighted: true };
  const forward = [new GpuGather({ ...own, from: ids.on.value, into: value }), new GpuGather({ ...shared, from: ofAttributes.on.value, into: value })] as const;
  const backward = [new GpuGather({ ...own, from: grad, into: ids.on.grad }), new GpuGather({ ...shared, from: grad, into: ofAttributes.on.grad })] as const;
  const shares = sharesOf(attributes);
  network.add({
    prepare(training) {
      network.gpu.clear([value]);
      const items = step.items.subarray(0, step.count);
      const parts = partsOf({ items, withId: step.withId, attributes, shares });
      forward[0].place(parts.own.places, { rows: parts.own.rows });
      forward[1].place(parts.shared.places, { rows: parts.shared.rows, weights: parts.shared.weights });
      if (!training) return;
      backward[0].place(placesIn(ids, parts.own.rows), { rows: Uint32Array.from(parts.own.places) });
      backward[1].place(placesIn(ofAttributes, parts.shared.rows), { rows: Uint32Array.from(parts.shared.places), weights: parts.shared.weights });
    },
    forward: forward.map(({ work }) => work),
    backward: backward.map(({ work }) => work),
  });
  return { tables: [ids, ofAttributes], value, grad };
}

/** The vectors of all items, [itemCount, width], as the tables make them at the moment: `make` does not wait. */
export function gpuAllItems(network: GpuNetwork, { step, tower }: { step: StepItems; tower: GpuItemTower }): { value: GpuArray; make(): void } {
  const { hasEvents, attributes } = step;
  const [ids, ofAttributes] = tower.tables;
  const width = ids.columns;
  const value = network.array(hasEvents.length * width);
  const { own, shared } = partsOf({ items: Int32Array.from(hasEvents.keys()), withId: hasEvents, attributes, shares: sharesOf(attributes) });
  const common = { network, width, counts: new Int32Array(hasEvents.length), into: value };
  const ofOwn = new GpuGather({ ...common, from: ids.on.value, mostEntries: own.places.length });
  const ofShared = new GpuGather({ ...common, from: ofAttributes.on.value, mostEntries: shared.places.length, weighted: true });
  ofOwn.place(own.places, { rows: own.rows });
  ofShared.place(shared.places, { rows: shared.rows, weights: shared.weights });
  return {
    value,
    make() {
      network.gpu.clear([value]);
      network.run([ofOwn.work, ofShared.work]);
    },
  };
}

const placesIn = ({ touched }: GpuTable, rows: Uint32Array): Int32Array => Int32Array.from(rows, (row) => touched.placeOf(row));

/** What the vectors of items are made of: of `rows` of the tables, at the items' `places`. */
function partsOf({ items, withId, attributes, shares }: { items: Int32Array; withId: Uint8Array; attributes: ItemAttributes; shares: Float32Array }) {
  const { indptr } = attributes;
  const withOwn = Int32Array.from(items.keys()).filter((place) => withId[place] === 1);
  const own = { places: withOwn, rows: Uint32Array.from(withOwn, (place) => items[place] as number) };
  const count = items.reduce((sum, item) => sum + (indptr[item + 1] as number) - (indptr[item] as number), 0);
  const shared = { places: new Int32Array(count), rows: new Uint32Array(count), weights: new Float32Array(count) };
  let at = 0;
  for (const [place, item] of items.entries())
    for (let entry = indptr[item] as number; entry < (indptr[item + 1] as number); entry += 1, at += 1) {
      shared.places[at] = place;
      shared.rows[at] = attributes.attributes[entry] as number;
      shared.weights[at] = shares[entry] as number;
    }
  return { own, shared };
}
