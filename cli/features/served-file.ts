import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { type ServedFeatures, servedFeatures } from '../../models/contracts/feature.ts';
import { inputError, UnderstudyError } from '../../models/contracts/problem.ts';

/** Served rows that were logged, one JSON document a line. @throws UND-FILE, naming the line that is not one */
export async function readServedFile(path: string): Promise<ServedFeatures[]> {
  const rows: ServedFeatures[] = [];
  try {
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line.trim() === '') continue;
      const parsed = servedFeatures.safeParse(JSON.parse(line));
      if (!parsed.success) throw inputError('UND-FILE', `Line ${rows.length + 1}`, parsed.error.issues);
      rows.push(parsed.data);
    }
  } catch (cause) {
    throw new UnderstudyError('UND-FILE', `${path} is no log of served features: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  return rows;
}
