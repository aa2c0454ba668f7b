/**
 * Adjusted p-values: of those at or below alpha, no more than alpha is false on average, however the tests depend on one another (Benjamini and Yekutieli, "The control of
 * the false discovery rate under dependency", Annals of Statistics 29, 2001, theorem 1.3).
 */
export function withoutFalseDiscoveries(values: readonly number[]): number[] {
  const factor = values.reduce((sum, _, place) => sum + 1 / (place + 1), 0);
  const order = values.map((_, place) => place).sort((a, b) => (values[a] as number) - (values[b] as number));
  const adjusted = new Array<number>(values.length).fill(1);
  let least = 1;
  for (let rank = values.length; rank >= 1; rank -= 1) {
    const place = order[rank - 1] as number;
    least = Math.min(least, ((values[place] as number) * values.length * factor) / rank);
    adjusted[place] = least;
  }
  return adjusted;
}
