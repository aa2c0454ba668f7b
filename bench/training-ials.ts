import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Interactions } from '../models/algorithms/algorithm.ts';
import { HalfSweeps, type IalsSettings } from '../models/algorithms/ials/half-sweeps.ts';
import { createRandom } from '../models/random.ts';

export type Shape = { users: number; items: number; entries: number };
/** Seconds and objective after each sweep. */
export type Sweeps = { seconds: number[]; losses: number[] };
const alpha = 10;
/** Of the objective without frequency scaling, which the peer does not have. */
const lambda = 20;
const script = fileURLToPath(new URL('./implicit_training.py', import.meta.url));

/** Users with tastes: most of a user's items are of a few of the genres, popular ones more often; no item twice. */
export function generateInteractions({ users, items, entries }: Shape, seed: number): Interactions {
  const random = createRandom(seed);
  const genres = 50;
  const indptr = new Uint32Array(users + 1);
  const columns = new Uint32Array(entries);
  const stamp = new Int32Array(items).fill(-1);
  let written = 0;
  for (let user = 0; user < users; user += 1) {
    // Lengths between a fifth and three times the mean; what is left over goes to the last.
    const mean = entries / users;
    const wanted = Math.min(items >> 2, Math.max(1, Math.round(mean * (0.2 + 2.8 * random.float() ** 2.5))));
    const tastes = [random.below(genres), random.below(genres), random.below(genres)];
    const begin = written;
    for (let tries = 0; written - begin < wanted && tries < 4 * wanted && written < entries; tries += 1) {
      const popular = Math.floor(items * random.float() ** 3);
      const genre = random.float() < 0.8 ? (tastes[random.below(3)] as number) : random.below(genres);
      const item = Math.min(items - 1, popular - (popular % genres) + genre);
      if (stamp[item] === user) continue;
      stamp[item] = user;
      columns[written] = item;
      written += 1;
    }
    columns.subarray(begin, written).sort();
    indptr[user + 1] = written;
  }
  return {
    userCount: users,
    itemCount: items,
    indptr,
    items: columns.slice(0, written),
    weights: new Float32Array(written).fill(1),
    atMs: new Float64Array(written).fill(1_700_000_000_000),
  };
}

function firstItems(items: number, factors: number): Float32Array {
  const random = createRandom(3);
  return Float32Array.from({ length: items * factors }, () => (2 * random.float() - 1) / Math.sqrt(factors));
}

type Vectors = { users: Float32Array; items: Float32Array };
/** The objective of ials.ts at a frequency scaling of 0. */
export function lossOf({ indptr, items: columns }: Interactions, { users, items }: Vectors, factors: number): number {
  let sum = 0;
  for (let user = 0; user + 1 < indptr.length; user += 1) {
    for (let entry = indptr[user] as number; entry < (indptr[user + 1] as number); entry += 1) {
      const [x, y] = [user * factors, (columns[entry] as number) * factors];
      let score = 0;
      for (let f = 0; f < factors; f += 1) score += (users[x + f] as number) * (items[y + f] as number);
      sum += alpha * (1 - score) ** 2;
    }
  }
  const [ofUsers, ofItems] = [gram(users, factors), gram(items, factors)];
  for (let place = 0; place < ofUsers.length; place += 1) sum += (ofUsers[place] as number) * (ofItems[place] as number);
  for (let f = 0; f < factors; f += 1) sum += lambda * ((ofUsers[f * factors + f] as number) + (ofItems[f * factors + f] as number));
  return sum;
}

function gram(rows: Float32Array, width: number): Float64Array {
  const out = new Float64Array(width * width);
  for (let base = 0; base < rows.length; base += width) {
    for (let i = 0; i < width; i += 1) {
      const value = rows[base + i] as number;
      for (let j = 0; j < width; j += 1) out[i * width + j] = (out[i * width + j] as number) + value * (rows[base + j] as number);
    }
  }
  return out;
}

type Ours = { solver: IalsSettings['solver']; threads: number; steps: number; sweeps: number /** Whether the objective is. */; measured?: boolean };
export async function ourSweeps(interactions: Interactions, factors: number, { solver, threads, steps, sweeps, measured = true }: Ours): Promise<Sweeps> {
  const problem = new HalfSweeps({ interactions, width: factors, settings: { alpha, lambda, frequencyScaling: 0, solver }, threads, fused: false });
  try {
    problem.items.set(firstItems(interactions.itemCount, factors));
    const result: Sweeps = { seconds: [], losses: [] };
    for (let sweep = 0; sweep < sweeps; sweep += 1) {
      const startedMs = performance.now();
      await problem.turn('items');
      await problem.solve('users', { from: 0, to: interactions.userCount, steps });
      await problem.turn('users');
      await problem.solve('items', { from: 0, to: interactions.itemCount, steps });
      result.seconds.push((performance.now() - startedMs) / 1000);
      if (measured) result.losses.push(lossOf(interactions, problem, factors));
    }
    return result;
  } finally {
    await problem.close();
  }
}

/**
 * The peer's objective has weight 1 + alpha for an observed entry, ours alpha beside the 1 of all pairs: with t = alpha / (1 + alpha), the peer's vectors times
 * sqrt(t) and its regularization divided by it, they are one problem, solver steps included.
 */
export function peerSweeps(
  python: string,
  interactions: Interactions,
  factors: number,
  { sweeps, threads, steps }: { sweeps: number; threads: number; steps: number },
): Sweeps & { version: string } {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-bench-'));
  try {
    const t = alpha / (1 + alpha);
    const { userCount: users, itemCount: items } = interactions;
    const write = (name: string, { buffer, byteOffset, byteLength }: Float32Array | Uint32Array) =>
      writeFileSync(join(folder, name), new Uint8Array(buffer, byteOffset, byteLength));
    write('indptr.bin', interactions.indptr);
    write('columns.bin', interactions.items);
    write(
      'items.bin',
      firstItems(items, factors).map((value) => value / Math.sqrt(t)),
    );
    writeFileSync(
      join(folder, 'settings.json'),
      JSON.stringify({ users, items, factors, sweeps, steps, threads, confidence: 1 + alpha, regularization: lambda / t }),
    );
    const { status, stdout } = spawnSync(python, [script, folder], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, OPENBLAS_NUM_THREADS: '1' },
    });
    if (status !== 0) throw new Error('implicit failed');
    const { version, seconds } = JSON.parse(stdout) as { version: string; seconds: number[] };
    const losses = seconds.map((_, sweep) => {
      const read = (side: string) => {
        const bytes = readFileSync(join(folder, `peer-${side}-${sweep}.bin`));
        return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4).map((value) => value * Math.sqrt(t));
      };
      return lossOf(interactions, { users: read('users'), items: read('items') }, factors);
    });
    return { version, seconds, losses };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
