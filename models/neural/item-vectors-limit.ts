import { UnderstudyError } from '../contracts/problem.ts';

/** A graph is one protobuf message, of which nothing can read more than 2 GiB; the item vectors are nearly all of it. */
const mostTableBytes = 2 ** 31 - 2 ** 24;

/** @throws UND-INPUT saying what would fit, where a graph cannot hold the vectors of all items and one more */
export function checkItemVectorsFit({ itemCount, width }: { itemCount: number; width: number }): void {
  if ((itemCount + 1) * width * 4 > mostTableBytes)
    throw new UnderstudyError(
      'UND-INPUT',
      `${itemCount} items of ${width} dimensions do not fit into a graph, which holds 2 GiB: at most ${Math.floor(mostTableBytes / (4 * width)) - 1} items do, or fewer dimensions`,
    );
}
