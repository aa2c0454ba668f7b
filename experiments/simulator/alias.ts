/** Walker's alias table an item in one number, however many items there are (Walker 1977; Vose 1991). */
export type Alias = { chance: Float64Array; other: Int32Array };

/** Of a draw of 32 bits, in [0, 1). */
export const scale = 1 / 0x1_0000_0000;

/** @param bits a draw of 32 bits */
export function pick({ chance, other }: Alias, bits: number): number {
  const point = bits * scale * chance.length;
  const place = Math.floor(point);
  return point - place < (chance[place] as number) ? place : (other[place] as number);
}

export function aliasOf(policy: Float64Array): Alias {
  const count = policy.length;
  const chance = policy.map((one) => one * count);
  const other = Int32Array.from({ length: count }, (_, place) => place);
  const small = [...chance.keys()].filter((place) => (chance[place] as number) < 1);
  const large = [...chance.keys()].filter((place) => (chance[place] as number) >= 1);
  while (small.length > 0 && large.length > 0) {
    const [less, more] = [small.pop() as number, large.at(-1) as number];
    other[less] = more;
    chance[more] = (chance[more] as number) - (1 - (chance[less] as number));
    if ((chance[more] as number) < 1) small.push(large.pop() as number);
  }
  // What rounding left over is certain.
  for (const place of [...small, ...large]) chance[place] = 1;
  return { chance, other };
}
