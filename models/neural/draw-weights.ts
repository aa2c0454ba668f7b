import { createRandom } from '../random.ts';
import type { Parameter } from './network.ts';

/** A standard deviation of 0.02. */
const vectorBound = 0.02 * Math.sqrt(3);

/**
 * Small uniform numbers for vectors, such as keep the size of what goes through for matrices (Glorot and Bengio 2010, eq. 16), gains of 1, biases of 0.
 * @param vectors of tables; a parameter that is no part of a layer is one too
 */
export function drawWeights({ vectors, parameters, seed }: { vectors: readonly Float32Array[]; parameters: readonly Parameter[]; seed: number }): void {
  const random = createRandom(seed);
  const fill = (array: Float32Array, bound: number): void => {
    for (let cell = 0; cell < array.length; cell += 1) array[cell] = bound * (2 * random.float() - 1);
  };
  for (const array of vectors) fill(array, vectorBound);
  for (const { name, value, rows, columns } of parameters) {
    if (name.endsWith('.weight')) fill(value, Math.sqrt(6 / (rows + columns)));
    else if (name.endsWith('.gain')) value.fill(1);
    else if (!name.endsWith('.bias')) fill(value, vectorBound);
  }
}
