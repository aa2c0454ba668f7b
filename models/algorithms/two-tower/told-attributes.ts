import { digestBytes } from '../../contracts/digest.ts';
import { UnderstudyError } from '../../contracts/problem.ts';
import type { ItemAttributes } from '../algorithm.ts';

/**
 * The attributes of which events tell something: what no item with events has stays as it was drawn, and would say nothing of the items that have it.
 * @param given absent: none
 * @param hasEvents [itemCount]
 * @throws UND-INPUT where they are of other items
 */
export function toldAttributes(given: ItemAttributes | undefined, hasEvents: Uint8Array): ItemAttributes {
  const itemCount = hasEvents.length;
  if (given === undefined) return { indptr: new Uint32Array(itemCount + 1), attributes: new Uint32Array(0), fields: [], fieldOf: new Uint8Array(0) };
  const { indptr, attributes, fieldOf } = given;
  if (indptr.length !== itemCount + 1)
    throw new UnderstudyError('UND-INPUT', `The attributes are of ${indptr.length - 1} items, the interactions of ${itemCount}`);
  const told = new Uint8Array(fieldOf.length);
  const eachOf = (item: number, visit: (attribute: number) => void): void => {
    for (let entry = indptr[item] as number; entry < (indptr[item + 1] as number); entry += 1) visit(attributes[entry] as number);
  };
  for (let item = 0; item < itemCount; item += 1) if (hasEvents[item] === 1) eachOf(item, (attribute) => told.fill(1, attribute, attribute + 1));
  const kept = new Uint32Array(attributes.length);
  const ends = new Uint32Array(itemCount + 1);
  let count = 0;
  for (let item = 0; item < itemCount; item += 1) {
    eachOf(item, (attribute) => {
      if (told[attribute] === 0) return;
      kept[count] = attribute;
      count += 1;
    });
    ends[item + 1] = count;
  }
  return { ...given, indptr: ends, attributes: kept.slice(0, count) };
}

/** Names attributes: the same ones have the same names. */
export function namesOf({ indptr, attributes, fields, fieldOf }: ItemAttributes): object {
  const [rows, entries, kinds] = [indptr, attributes, fieldOf].map((array) => digestBytes(new Uint8Array(array.buffer, array.byteOffset, array.byteLength)));
  return { rows, entries, fields, kinds };
}
