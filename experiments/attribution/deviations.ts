/**
 * What a leaf says of a cause: how far it is off, and how much that weighs. Leaves where nothing was and nothing was expected say nothing and are not here.
 */
export type Deviations = {
  /** Which leaf. */
  leaf: Int32Array;
  /** -2 .. 2: 2 (v − f) / (|v| + |f|), negative where |f| shrank: the same for all leaves that a cause changed by the same ratio. */
  deviation: Float64Array;
  /** (|v| + |f|) / 2 */
  size: Float64Array;
};

/** Deviation scores (Li et al. 2019, "Generic and Robust Localization of Multi-dimensional Root Causes", equation 6), in the sense of the change and signed for measures below 0. */
export function deviationsOf({ actual, predicted }: { actual: Float64Array; predicted: Float64Array }): Deviations {
  const leaf = Int32Array.from(actual.keys()).filter((at) => actual[at] !== 0 || predicted[at] !== 0);
  const deviation = new Float64Array(leaf.length);
  const size = new Float64Array(leaf.length);
  for (const [place, at] of leaf.entries()) {
    const [v, f] = [actual[at] as number, predicted[at] as number];
    size[place] = (Math.abs(v) + Math.abs(f)) / 2;
    deviation[place] = ((f < 0 ? f - v : v - f) / (size[place] as number)) as number;
  }
  return { leaf, deviation, size };
}
