import type { Sequences } from '../neural/attention.ts';

/** uint32 [rows, 2] where the sequence of each row begins and ends. */
export function boundsOf({ count, starts }: Sequences): Uint32Array {
  const bounds = new Uint32Array(2 * (starts[count] as number));
  for (let sequence = 0; sequence < count; sequence += 1)
    for (let row = starts[sequence] as number; row < (starts[sequence + 1] as number); row += 1)
      bounds.set([starts[sequence] as number, starts[sequence + 1] as number], 2 * row);
  return bounds;
}
