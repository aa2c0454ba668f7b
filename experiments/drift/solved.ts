/** [width] what `matrix`, [width, width], symmetric and positive, takes to `right`: by Cholesky's factors; the lower half is read, and overwritten. */
export function solved(matrix: Float64Array, right: Float64Array): Float64Array {
  const width = right.length;
  const at = (i: number, j: number) => matrix[i * width + j] as number;
  for (let i = 0; i < width; i += 1)
    for (let j = 0; j <= i; j += 1) {
      let sum = at(i, j);
      for (let k = 0; k < j; k += 1) sum -= at(i, k) * at(j, k);
      matrix[i * width + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / at(j, j);
    }
  const result = Float64Array.from(right);
  for (let i = 0; i < width; i += 1) {
    for (let k = 0; k < i; k += 1) result[i] = (result[i] as number) - at(i, k) * (result[k] as number);
    result[i] = (result[i] as number) / at(i, i);
  }
  for (let i = width - 1; i >= 0; i -= 1) {
    for (let k = i + 1; k < width; k += 1) result[i] = (result[i] as number) - at(k, i) * (result[k] as number);
    result[i] = (result[i] as number) / at(i, i);
  }
  return result;
}
