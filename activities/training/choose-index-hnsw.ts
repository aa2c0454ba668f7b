import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Hnsw = {
  buildSeconds: number;
  bytes: number;
  /** Rows with the largest products, by a search of this width; the same graph each time. */
  atExpansion(expansion: number): (query: ArrayLike<number>, count: number) => number[];
  close(): Promise<void>;
};

/** The library's own: 16 neighbours of a row, 128 looked at where one is added. */
const connectivity = 16;
const expansionAdd = 128;
const addedAtOnce = 2000;

/**
 * usearch's HNSW over some vectors, for comparison: it can be no part of a graph, and a request would need a process that holds it. Of products alone its
 * neighbourhoods would be poor, so that rows get one more number by which the largest product is the smallest distance (Bachrach et al., "Speeding up the
 * Xbox recommender system using a Euclidean transformation for inner-product spaces", RecSys 2014, section 3). Undefined where the library is not there.
 * @param vectors float32 [rows, width] at least
 */
export async function buildHnsw(input: {
  vectors: Float32Array;
  width: number;
  rows: number;
  beat?: (done: number) => Promise<void> | void;
}): Promise<Hnsw | undefined> {
  const usearch = await import('usearch').catch(() => undefined);
  if (usearch === undefined) return undefined;
  const { vectors, width, rows, beat } = input;
  const { MetricKind, ScalarKind } = usearch;
  const options = {
    ...{ dimensions: width + 1, metric: MetricKind.L2sq, quantization: ScalarKind.F32, multi: false },
    ...{ connectivity, expansion_add: expansionAdd, expansion_search: 0 },
  };
  const startedMs = performance.now();
  const longer = lengthened({ vectors, width, rows });
  const index = new usearch.Index(options);
  for (let from = 0; from < rows; from += addedAtOnce) {
    const to = Math.min(rows, from + addedAtOnce);
    const keys = BigUint64Array.from({ length: to - from }, (_, place) => BigInt(from + place));
    index.add(keys, longer.subarray(from * (width + 1), to * (width + 1)), 1);
    await beat?.(to);
  }
  const buildSeconds = (performance.now() - startedMs) / 1000;
  // How wide a search is can be said only where an index is opened.
  const folder = await mkdtemp(join(tmpdir(), 'understudy-hnsw-'));
  const file = join(folder, 'index');
  index.save(file);
  return {
    buildSeconds,
    bytes: (await stat(file)).size,
    atExpansion(expansion) {
      const opened = new usearch.Index({ ...options, expansion_search: expansion });
      opened.load(file);
      return (query, count) =>
        Array.from(
          opened.search(
            Float32Array.from({ length: width + 1 }, (_, f) => query[f] ?? 0),
            count,
            1,
          ).keys,
          Number,
        );
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

/** float32 [rows, width + 1], all of them as long as the longest. */
function lengthened({ vectors, width, rows }: { vectors: Float32Array; width: number; rows: number }): Float32Array {
  const squares = new Float64Array(rows);
  for (let row = 0; row < rows; row += 1)
    for (let f = row * width; f < (row + 1) * width; f += 1) squares[row] = (squares[row] as number) + (vectors[f] as number) ** 2;
  const most = squares.reduce((largest, square) => Math.max(largest, square), 0);
  const longer = new Float32Array(rows * (width + 1));
  for (let row = 0; row < rows; row += 1) {
    longer.set(vectors.subarray(row * width, (row + 1) * width), row * (width + 1));
    longer[row * (width + 1) + width] = Math.sqrt(most - (squares[row] as number));
  }
  return longer;
}
