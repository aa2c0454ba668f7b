import { UnderstudyError } from '../contracts/problem.ts';

/** What a tensor of a graph may have where ONNX Runtime opens it from memory, as it does where ways to find the best are measured. */
const mostTableBytes = 2 ** 31 - 2 ** 24;

/** @throws UND-INPUT saying what would fit, where a graph cannot hold the vectors of all items and one more */
export function checkItemVectorsFit({ itemCount, width }: { itemCount: number; width: number }): void {
  if ((itemCount + 1) * width * 4 > mostTableBytes)
    throw new UnderstudyError(
      'UND-INPUT',
      `${itemCount} items of ${width} dimensions do not fit into a graph, which holds 2 GiB: at most ${Math.floor(mostTableBytes / (4 * width)) - 1} items do, or fewer dimensions`,
    );
}
