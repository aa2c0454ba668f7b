import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { text, withDuck } from '../events/duckdb.ts';
import type { FoundEmbeddingSet } from '../../stores/embedding-sets.ts';

type Exported = Pick<FoundEmbeddingSet, 'ids' | 'set'> & { vectors: Float32Array };

/**
 * Writes Parquet with a row an item, in the order of the set: `item_id` VARCHAR, `vector` FLOAT[].
 * @throws UND-FILE where it cannot be written
 */
export async function exportSet({ ids, set, vectors }: Exported, { out, workDir }: { out: string; workDir: string }): Promise<void> {
  const { dimensions } = set;
  function* lines() {
    for (const [row, itemId] of ids.entries())
      yield `${JSON.stringify({ item_id: itemId, vector: Array.from(vectors.subarray(row * dimensions, (row + 1) * dimensions)) })}\n`;
  }
  await withDuck({ workDir }, async (duck) => {
    const rows = join(duck.scratch, 'vectors.jsonl');
    await pipeline(Readable.from(lines()), createWriteStream(rows));
    const read = `read_json(${text(rows)}, format = 'newline_delimited', columns = {item_id: 'VARCHAR', vector: 'FLOAT[]'})`;
    await duck.run(`COPY (SELECT item_id, vector FROM ${read}) TO ${text(out)} (FORMAT parquet, COMPRESSION zstd)`).catch((cause) => {
      throw new UnderstudyError('UND-FILE', `${out} cannot be written: ${String(cause.message).split('\n')[0]}`, { cause });
    });
  });
}
