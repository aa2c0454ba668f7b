import type { QuarantineEntry } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { text, withDuck } from './duckdb.ts';
import { quarantineSql } from './write-quarantine.ts';

export type QuarantinedRow = {
  source: string;
  /** The file that it came from, where it came from one, and its line there: the row after the header is 1. Of the log: its line in what was read then. */
  file: string | null;
  line: number;
  reason: string;
  /** As it came: JSON, or the text of what is no row. */
  raw: string;
};

/** Examples of what is put aside, in the order of their lines; of one reason where one is named. */
export async function readQuarantine({
  entries,
  blobs,
  reason,
  limit,
}: {
  entries: readonly QuarantineEntry[];
  blobs: BlobStore;
  reason: string | undefined;
  limit: number;
}): Promise<QuarantinedRow[]> {
  const found: QuarantinedRow[] = [];
  await withDuck({ workDir: undefined }, async (duck) => {
    for (const { digest, source } of entries) {
      if (found.length >= limit) return;
      const where = reason === undefined ? '' : `WHERE reason = ${text(reason)}`;
      const path = await blobs.localPath(digest);
      const rows = await duck.rows<Omit<QuarantinedRow, 'source'>>(
        `SELECT file, coalesce(file_line, line)::DOUBLE AS line, reason, raw FROM ${quarantineSql(path)} AS q ${where} ORDER BY q.line LIMIT ${limit - found.length}`,
      );
      found.push(...rows.map((row) => ({ source, ...row })));
    }
  });
  return found;
}
