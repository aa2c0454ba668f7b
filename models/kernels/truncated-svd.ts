import type { Interactions } from '../algorithms/algorithm.ts';
import { createRandom } from '../random.ts';
import { UnderstudyError } from '../contracts/problem.ts';
import { Basis, type DenseRows, entryBounds, numbersPerPart, scratchBytesOf } from './basis.ts';
import type { Eigen } from './eigen.ts';
import { fillRows, reserveRows, type SharedMatrix, shapeOf } from './shared-rows.ts';
import { Layout, Team } from './team.ts';

/** Vectors beside those that are asked for: the last of these converge by the distance to what is left out. */
const besides = 32;
/** Degree of the polynomial of a round, and what it may grow to: beyond that a trace of the largest vectors in the others drowns these in single precision. */
const degreeAtMost = 10;
const growthAtMost = 3e4;

/** What the round after this one begins from: Ritz values, falling, and float32 [itemCount, width] vectors. */
export type Round = { done: number; ritz: Float64Array; vectors: () => Float32Array };

/**
 * The largest singular values of R[user, item] = userScale value itemScale, and their item vectors, by subspace iteration: each round amplifies the part of a
 * block of vectors that belongs to the large eigenvalues of R^T R by a Chebyshev polynomial that is small on the rest (Zhou, Saad, Tiago, Chelikowsky,
 * "Self-consistent-field calculations using Chebyshev-filtered subspace iteration", J. Comput. Phys. 219, 2006), makes them orthonormal, and takes the eigenvectors of R^T R
 * within their span (Rayleigh and Ritz). The same bits for any number of threads.
 */
export class TruncatedSvd {
  readonly #width: number;
  readonly #count: number;
  readonly #matrix: SharedMatrix;
  readonly #memory: WebAssembly.Memory;
  readonly #team: Team;
  readonly #basis: Basis;
  readonly #at: Record<'users' | 'items' | 'last' | 'next' | 'userScale' | 'itemScale', number>;

  /**
   * @param count singular values wanted; at most as many as there are items
   * @throws UND-TRAINING-MEMORY where it takes more than there is
   */
  constructor(input: { interactions: Interactions; count: number; threads: number; fused: boolean; scales: Scales }) {
    const { interactions, count, threads, fused, scales } = input;
    const { userCount, itemCount } = interactions;
    this.#count = count;
    const width = Math.ceil(Math.min(count + besides, Math.max(count, itemCount)) / 4) * 4;
    this.#width = width;
    const layout = new Layout();
    const useful = Math.max(1, Math.min(threads, Math.ceil((interactions.items.length * width) / numbersPerPart)));
    const team = Team.reserve(layout, { threads: useful, scratchBytes: scratchBytesOf(width), fused });
    const basis = Basis.reserve(layout, width);
    const block = (rows: number) => layout.reserve(4 * rows * width);
    this.#at = {
      ...{ users: block(userCount), items: block(itemCount), last: block(itemCount), next: block(itemCount) },
      ...{ userScale: layout.reserve(4 * userCount), itemScale: layout.reserve(4 * itemCount) },
    };
    const shape = shapeOf(interactions);
    this.#matrix = reserveRows(layout, interactions, shape);
    this.#memory = layout.memory();
    fillRows(this.#memory, interactions, { matrix: this.#matrix, table: shape.table });
    new Float32Array(this.#memory.buffer, this.#at.userScale, userCount).set(scales.users);
    new Float32Array(this.#memory.buffer, this.#at.itemScale, itemCount).set(scales.items);
    this.#team = team(this.#memory);
    this.#basis = basis(this.#memory, this.#team);
  }

  /**
   * @param start what `onRound` was given in an earlier run, to go on from there to the same end
   * @returns `values` [count] falling, `vectors` float32 [itemCount, count]
   * @throws UND-TRAINING-DIVERGED where the numbers of the matrix are none
   */
  async solve(input: { rounds: number; seed: number; start?: Round | undefined; onRound?: (round: Round) => Promise<void> | void }): Promise<Svd> {
    const { rounds, seed, start, onRound } = input;
    const width = this.#width;
    const { rowCount } = this.#matrix.byItem;
    const items = new Float32Array(this.#memory.buffer, this.#at.items, rowCount * width);
    let ritz = start?.ritz;
    if (start !== undefined) items.set(start.vectors());
    else {
      const random = createRandom(seed);
      for (let place = 0; place < items.length; place += 1) items[place] = 2 * random.float() - 1;
      await this.#orthonormalize();
    }
    for (let round = start?.done ?? 0; round < rounds; round += 1) {
      await this.#amplify(ritz && { smallest: ritz[width - 1] as number, largest: ritz[0] as number });
      await this.#orthonormalize();
      ritz = await this.#rayleighRitz();
      await onRound?.({ done: round + 1, ritz, vectors: () => items.slice() });
    }
    const vectors = new Float32Array(rowCount * this.#count);
    for (let item = 0; item < rowCount; item += 1) vectors.set(items.subarray(item * width, item * width + this.#count), item * this.#count);
    return { values: Float64Array.from({ length: this.#count }, (_, k) => Math.sqrt(Math.max(0, ritz?.[k] ?? 0))), vectors };
  }

  close(): Promise<void> {
    return this.#team.close();
  }

  get #items(): DenseRows {
    return { at: this.#at.items, rowCount: this.#matrix.byItem.rowCount };
  }

  /** out = product (R or R^T) x + before y + beforeThat z. */
  async #multiply(side: 'byUser' | 'byItem', { x, out, product = 1, y = 0, before = 0, z = 0, beforeThat = 0 }: Product): Promise<void> {
    const rows = this.#matrix[side];
    const { userScale, itemScale } = this.#at;
    const [own, other] = side === 'byUser' ? [userScale, itemScale] : [itemScale, userScale];
    const indptr = new Uint32Array(this.#memory.buffer, rows.indptr, rows.rowCount + 1);
    await this.#team.run({
      kernel: 'filterRows',
      bounds: entryBounds(indptr, { from: 0, to: rows.rowCount, width: this.#width }),
      args: [rows.indptr, rows.columns, rows.values, rows.table, x, this.#width, own, other, out, product, y, before, z, beforeThat],
    });
  }

  /**
   * items = T(R^T R) items with the Chebyshev polynomial of the first kind on [0, smallest] as [-1, 1]. Where nothing is known of the eigenvalues: two plain
   * powers.
   */
  async #amplify(range: Range | undefined): Promise<void> {
    const { users, items, last, next } = this.#at;
    const bytes = 4 * this.#width * this.#matrix.byItem.rowCount;
    const copy = (to: number, from: number) => new Uint8Array(this.#memory.buffer, to, bytes).set(new Uint8Array(this.#memory.buffer, from, bytes));
    const apply = async (x: number, then: Omit<Product, 'x'>): Promise<void> => {
      await this.#multiply('byUser', { x, out: users });
      await this.#multiply('byItem', { x: users, ...then });
    };
    if (range === undefined || range.smallest <= 0) {
      for (let power = 0; power < 2; power += 1) await apply(items, { out: items });
      return;
    }
    // t_0 = x, t_1 = (2 / smallest) A x - x, t_{j+1} = 2 ((2 / smallest) A - 1) t_j - t_{j-1}, held at [last, items] in turn.
    const e = 2 / range.smallest;
    const degree = degreeFor(e * range.largest - 1);
    copy(last, items);
    await apply(last, { out: items, product: e, y: last, before: -1 });
    let [before, now] = [last, items];
    for (let power = 1; power < degree; power += 1) {
      await apply(now, { out: next, product: 2 * e, y: now, before: -2, z: before, beforeThat: -1 });
      copy(before, next);
      [before, now] = [now, before];
    }
    if (now !== items) copy(items, now);
  }

  /** X = X D^-1 Q L^-1/2 with D the lengths of the columns and Q L Q^T the Gram matrix of X D^-1; what depends on others becomes 0. */
  async #orthonormalize(): Promise<void> {
    const width = this.#width;
    // Once more, since single precision keeps only so much of columns that were nearly the same.
    for (let time = 0; time < 2; time += 1) {
      const gram = await this.#basis.gram(this.#items);
      const scale = Float64Array.from({ length: width }, (_, k) => {
        const length = Math.sqrt(gram[k * width + k] as number);
        return length > 0 ? 1 / length : 0;
      });
      for (let i = 0; i < width; i += 1)
        for (let j = 0; j < width; j += 1) gram[i * width + j] = (gram[i * width + j] as number) * (scale[i] as number) * (scale[j] as number);
      const eigen = this.#eigen();
      await this.#basis.rotate([this.#items], (k) => {
        const value = eigen.values[k] as number;
        const length = value > 1e-7 * (eigen.values[0] as number) ? 1 / Math.sqrt(value) : 0;
        return eigen.vectors(k).map((number, f) => number * (scale[f] as number) * length);
      });
    }
  }

  /** @returns the Ritz values of R^T R, falling */
  async #rayleighRitz(): Promise<Float64Array> {
    await this.#multiply('byUser', { x: this.#at.items, out: this.#at.users });
    await this.#basis.gram({ at: this.#at.users, rowCount: this.#matrix.byUser.rowCount });
    const eigen = this.#eigen();
    await this.#basis.rotate([this.#items], eigen.vectors);
    return eigen.values;
  }

  #eigen(): Eigen {
    const eigen = this.#basis.eigen();
    if (eigen === undefined) throw new UnderstudyError('UND-TRAINING-DIVERGED', 'The matrix holds numbers that are none');
    return eigen;
  }
}

type Range = { smallest: number; largest: number };

/** The largest degree at which the polynomial stays within bounds at x > 1. */
function degreeFor(x: number): number {
  let [before, now] = [1, x];
  for (let degree = 1; degree < degreeAtMost; degree += 1) {
    [before, now] = [now, 2 * x * now - before];
    if (now > growthAtMost) return degree;
  }
  return degreeAtMost;
}

/** Of each row and column. */
export type Scales = { users: ArrayLike<number>; items: ArrayLike<number> };
export type Svd = { values: Float64Array; vectors: Float32Array };
type Product = { x: number; out: number; product?: number; y?: number; before?: number; z?: number; beforeThat?: number };
