import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildHnsw } from '../activities/training/choose-index-hnsw.ts';
import type { RetrievalData } from './retrieval-data.ts';

/** Milliseconds of each query, by rounds. */
export type MeasuredRetrieval = { name: string; settings: string; rounds: number[][]; recall: number; bytes: number; buildSeconds: number };
export type Asked = { data: RetrievalData; queries: Float32Array[]; truth: number[][]; count: number; rounds: number; recallAtLeast: number };

const expansions = [64, 128, 256, 512, 1024, 2048];
const script = fileURLToPath(new URL('./faiss_retrieval.py', import.meta.url));

export function recallOf(found: readonly (readonly number[])[], truth: readonly (readonly number[])[]): number {
  const shares = truth.map((best, query) => {
    const wanted = new Set(best);
    return (found[query] ?? []).filter((item) => wanted.has(item)).length / best.length;
  });
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

/** The narrowest search that finds as much as is wanted, or the widest. */
export async function measureHnsw({ data, queries, truth, count, rounds, recallAtLeast }: Asked): Promise<MeasuredRetrieval[]> {
  const index = await buildHnsw({ ...data, rows: data.itemCount });
  if (index === undefined) return [];
  try {
    for (const expansion of expansions) {
      const search = index.atExpansion(expansion);
      const recall = recallOf(
        queries.map((query) => search(query, count)),
        truth,
      );
      if (recall < recallAtLeast && expansion !== expansions.at(-1)) continue;
      const took = Array.from({ length: rounds }, () => queries.map((query) => timed(() => search(query, count))));
      return [{ name: 'usearch HNSW', settings: `expansion ${expansion}`, rounds: took, recall, bytes: index.bytes, buildSeconds: index.buildSeconds }];
    }
    return [];
  } finally {
    await index.close();
  }
}

function timed(work: () => unknown): number {
  const startedMs = performance.now();
  work();
  return performance.now() - startedMs;
}

export function measureFaiss(python: string, { data, queries, truth, count, rounds, recallAtLeast }: Asked): MeasuredRetrieval[] {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-bench-'));
  try {
    const write = (name: string, { buffer, byteOffset, byteLength }: Float32Array | Int32Array) =>
      writeFileSync(join(folder, name), new Uint8Array(buffer, byteOffset, byteLength));
    write('vectors.bin', data.vectors.subarray(0, data.itemCount * data.width));
    write('queries.bin', Float32Array.from(queries.flatMap((query) => [...query])));
    write('truth.bin', Int32Array.from(truth.flat()));
    writeFileSync(join(folder, 'settings.json'), JSON.stringify({ width: data.width, count, rounds, recall: recallAtLeast }));
    const { status, stdout } = spawnSync(python, [script, folder], {
      ...{ encoding: 'utf8', maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'inherit'] },
      env: { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
    });
    if (status !== 0) throw new Error('faiss failed');
    const { version, rows } = JSON.parse(stdout) as { version: string; rows: MeasuredRetrieval[] };
    return rows.map((row) => ({ ...row, name: `faiss ${version} ${row.name}` }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
