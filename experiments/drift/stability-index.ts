/** `bias`: what it comes to on average where nothing has moved, by the number of rows and bins alone. */
export type StabilityIndex = { psi: number; bias: number; bins: number };

/**
 * Population stability index, Σ (q − p) ln(q / p) over bins that hold equal shares of `from`: a figure for whoever is used to it, no test. Where nothing has moved it is
 * about (bins − 1) (1 / rows of from + 1 / rows of to), the mean of a chi-square (Yurdakul, "Statistical properties of the population stability index", 2018), and not 0: its
 * customary limits of 0.1 and 0.25 are passed by chance in small samples and hide large shifts in big ones. An empty bin counts as half a row.
 */
export function stabilityIndex(from: Float64Array, to: Float64Array, { bins: most = 10 }: { bins?: number } = {}): StabilityIndex {
  const sorted = from.toSorted();
  const edges = [...new Set(Array.from({ length: most - 1 }, (_, at) => sorted[Math.floor(((at + 1) * sorted.length) / most)] as number))];
  const bins = edges.length + 1;
  const shares = [from, to].map((values) => {
    const counts = new Float64Array(bins);
    for (const value of values) {
      const found = edges.findIndex((edge) => value < edge);
      const bin = found === -1 ? bins - 1 : found;
      counts[bin] = (counts[bin] as number) + 1;
    }
    return counts.map((count) => Math.max(count, 0.5) / values.length);
  });
  const [p, q] = shares as [Float64Array, Float64Array];
  const psi = p.reduce((sum, share, bin) => sum + ((q[bin] as number) - share) * Math.log((q[bin] as number) / share), 0);
  return { psi, bias: (bins - 1) * (1 / from.length + 1 / to.length), bins };
}
