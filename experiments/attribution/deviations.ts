/** What the leaves say. Those where nothing was and nothing was expected say nothing and are not here. */
export type Deviations = {
  /** Which leaf. */
  leaf: Int32Array;
  /** (v − f) over the larger of |v| and |f|, −1 .. 1, or to ±2 where their signs differ. For measures below 0 as for those above: below 0 where the figure shrank. */
  deviation: Float64Array;
  /** The larger of |v| and |f|. */
  size: Float64Array;
  /** The size as far as counting errors go: less, where what was expected was itself counted. */
  counted: Float64Array;
};

/** `doubt`: of each leaf, by how much larger its counting error is than that of `actual` alone. */
export type Figures = { actual: Float64Array; predicted: Float64Array; doubt?: Float64Array | undefined };

/**
 * A function of v / f alone, so that all leaves which one cause changed by the same ratio have the same (the generalized ripple effect, Li et al. 2019, "Generic and
 * Robust Localization of Multi-dimensional Root Causes"). Unlike theirs, 2 (f − v) / (f + v), it is never more than the error in proportion that made it, be that one
 * of what was or of what was expected: large errors do not look like causes.
 */
export function deviationsOf({ actual, predicted, doubt }: Figures): Deviations {
  const leaf = Int32Array.from(actual.keys()).filter((at) => actual[at] !== 0 || predicted[at] !== 0);
  const deviation = new Float64Array(leaf.length);
  const size = new Float64Array(leaf.length);
  for (const [place, at] of leaf.entries()) {
    const [v, f] = [actual[at] as number, predicted[at] as number];
    size[place] = Math.max(Math.abs(v), Math.abs(f));
    deviation[place] = (f < 0 ? f - v : v - f) / (size[place] as number);
  }
  return { leaf, deviation, size, counted: doubt === undefined ? size : size.map((own, place) => own / (doubt[leaf[place] as number] as number)) };
}

/** The deviation of two ratios one after the other. */
export function together(one: number, other: number): number {
  const ratio = ratioOf(one) * ratioOf(other);
  if (Number.isNaN(ratio)) return 0;
  return ratio < 1 ? ratio - 1 : 1 - 1 / ratio;
}

const ratioOf = (deviation: number): number => (deviation <= 0 ? Math.max(0, 1 + deviation) : 1 / Math.max(0, 1 - deviation));
