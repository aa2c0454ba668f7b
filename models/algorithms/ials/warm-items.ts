import { UnderstudyError } from '../../contracts/problem.ts';
import type { WarmStart } from '../algorithm.ts';
import { packCheckpoint, unpackCheckpoint } from '../checkpoint.ts';

/** Rows `from .. to - 1`. */
export type Stretch = { from: number; to: number };

const kindOf = (width: number): string => `ials items of ${width}`;

/** @param items float32 [items, width] as training left them */
export function keepItems({ items, width }: { items: Float32Array; width: number }): Uint8Array {
  return packCheckpoint({ fingerprint: kindOf(width), done: 0, arrays: { items } });
}

/**
 * The items of now with what was kept of them, 0 where they are `added`; undefined where none of them was there.
 * @returns `items` float32 [itemCount, width]
 * @throws UND-INPUT when the vectors were of another length, UND-DIGEST when the bytes are damaged
 */
export function carriedItems({
  warm,
  width,
  itemCount,
}: {
  warm: WarmStart;
  width: number;
  itemCount: number;
}): { items: Float32Array; added: Stretch[] } | undefined {
  const kept = unpackCheckpoint(warm.kept, kindOf(width)).arrays.items as Float32Array;
  if (kept.length !== warm.itemNow.length * width)
    throw new UnderstudyError('UND-INPUT', `${kept.length / width} items were kept, and ${warm.itemNow.length} are named`);
  const items = new Float32Array(itemCount * width);
  const isCarried = new Uint8Array(itemCount);
  for (const [then, now] of warm.itemNow.entries()) {
    if (now < 0) continue;
    items.set(kept.subarray(then * width, (then + 1) * width), now * width);
    isCarried[now] = 1;
  }
  if (!isCarried.includes(1)) return undefined;
  const added: Stretch[] = [];
  for (let item = 0; item < itemCount; item += 1) {
    const last = added.at(-1);
    if (isCarried[item] === 1) continue;
    if (last?.to === item) last.to = item + 1;
    else added.push({ from: item, to: item + 1 });
  }
  return { items, added };
}
