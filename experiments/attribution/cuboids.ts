import type { Dimension } from './leaves.ts';

/** Leaves by the values of some dimensions: `group[place]` is which combination a leaf has, of `groups`, in the order they first come. */
export type Cuboid = { dimensions: readonly number[]; group: Int32Array; groups: number };

/** Leaves that all cuboids of one number of dimensions may visit together, of up to three and of more: what keeps dozens of dimensions within seconds. */
const visits = { upToThree: 2_000_000, more: 1_000_000 };
/** A combination of more attributes than this is not looked for. */
export const mostAttributes = 6;

/**
 * The root and every cuboid of 1 to 6 dimensions as far as `visits` allows: of more, those among the first of `ranked`, which are the dimensions that
 * deviations gather in. For 20,000 leaves all of up to 7 dimensions; of 40 dimensions those of the first 14 in pairs, of the first 9 in threes, of the first 7
 * in fours and more.
 */
export function cuboidsOf({ dimensions, leaves, ranked }: { dimensions: readonly Dimension[]; leaves: Int32Array; ranked: readonly number[] }): Cuboid[] {
  const root: Cuboid = { dimensions: [], group: new Int32Array(leaves.length), groups: 1 };
  const known = new Map<string, Cuboid>([['', root]]);
  const columns = dimensions.map(({ codes }) => Int32Array.from(leaves, (leaf) => codes[leaf] as number));
  const cuboid = (wanted: readonly number[]): Cuboid => {
    const key = wanted.join();
    const found = known.get(key);
    if (found !== undefined) return found;
    const last = wanted.at(-1) as number;
    const { values } = dimensions[last] as Dimension;
    const made = { dimensions: wanted, ...split({ parent: cuboid(wanted.slice(0, -1)), codes: columns[last] as Int32Array, values: values.length }) };
    known.set(key, made);
    return made;
  };
  const wanted: Cuboid[] = [root];
  for (let layer = 1; layer <= Math.min(mostAttributes, dimensions.length); layer += 1) {
    const among = layer === 1 ? ranked : ranked.slice(0, widest({ layer, dimensions: dimensions.length, leaves: leaves.length }));
    for (const set of combinations(
      among.toSorted((a, b) => a - b),
      layer,
    ))
      wanted.push(cuboid(set));
  }
  return wanted;
}

/** How many dimensions can be combined by `layer` within the visits allowed. */
function widest({ layer, dimensions, leaves }: { layer: number; dimensions: number; leaves: number }): number {
  let width = dimensions;
  while (width > layer && choose(width, layer) * leaves > (layer <= 3 ? visits.upToThree : visits.more)) width -= 1;
  return width;
}

function choose(from: number, many: number): number {
  let ways = 1;
  for (let step = 0; step < many; step += 1) ways = (ways * (from - step)) / (step + 1);
  return ways;
}

function* combinations(from: readonly number[], many: number): Generator<number[]> {
  if (many === 0) {
    yield [];
    return;
  }
  for (const [place, first] of from.entries()) for (const rest of combinations(from.slice(place + 1), many - 1)) yield [first, ...rest];
}

/** The parent's groups, each divided by one more dimension. */
function split({ parent, codes, values }: { parent: Cuboid; codes: Int32Array; values: number }): { group: Int32Array; groups: number } {
  const group = new Int32Array(codes.length);
  let groups = 0;
  const room = parent.groups * values;
  // A table where it is not much larger than the leaves, a map where most combinations are not there.
  const table = room <= 4 * codes.length + 65_536 ? new Int32Array(room) : undefined;
  const map = new Map<number, number>();
  for (let place = 0; place < codes.length; place += 1) {
    const key = (parent.group[place] as number) * values + (codes[place] as number);
    let found = table === undefined ? (map.get(key) ?? 0) : (table[key] as number);
    if (found === 0) {
      groups += 1;
      found = groups;
      if (table === undefined) map.set(key, found);
      else table[key] = found;
    }
    group[place] = found - 1;
  }
  return { group, groups };
}

/**
 * Dimensions, those first in whose values the losses gather most: the variance between the values' mean losses over what chance would make of it (Fisher's F).
 */
export function rankDimensions({ dimensions, leaves, losses }: { dimensions: readonly Dimension[]; leaves: Int32Array; losses: Float64Array }): number[] {
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / Math.max(losses.length, 1);
  const strengths = dimensions.map(({ values, codes }, place) => {
    const sums = new Float64Array(values.length);
    const counts = new Float64Array(values.length);
    for (const [at, leaf] of leaves.entries()) {
      const code = codes[leaf] as number;
      sums[code] = (sums[code] as number) + (losses[at] as number) - mean;
      counts[code] = (counts[code] as number) + 1;
    }
    const between = sums.reduce((sum, one, code) => sum + (counts[code] === 0 ? 0 : (one * one) / (counts[code] as number)), 0);
    return { place, strength: between / Math.max(values.length - 1, 1) };
  });
  return strengths.sort((a, b) => b.strength - a.strength || a.place - b.place).map(({ place }) => place);
}
