import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { type Duck, name, text, withDuck } from '../../activities/events/duckdb.ts';
import { openSlices } from '../../activities/features/open-events.ts';
import type { LabelTable } from '../../activities/features/join-point-in-time.ts';
import type { State } from '../../activities/context.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { DataState } from '../../models/contracts/window.ts';

type Input = { state: State; data: DataState; path: string; entity: string; asOf: string };

/**
 * Opens a table of labels from CSV (plain or .gz, with a header) or Parquet beside the surface's events. `entity` and `asOf` name its columns;
 * a moment is a timestamp (in UTC where it does not say) or epoch milliseconds.
 * @throws UND-FILE when it cannot be read; UND-INPUT when a column is not there or a moment cannot be read; UND-NO-DATA
 */
export async function withLabels<T>(
  { state, data, path, entity, asOf }: Input,
  use: (opened: { duck: Duck; labels: LabelTable; columns: string[] }) => Promise<T>,
): Promise<T> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true) throw new UnderstudyError('UND-FILE', `There is no file ${path}`);
  return withDuck({ workDir: tmpdir() }, async (duck) => {
    if (!(await openSlices({ duck, slices: data.slices, blobs: state.blobs }))) throw new UnderstudyError('UND-NO-DATA', `${data.surface} has no events`);
    const parquet = /\.parquet$/i.test(path);
    const file = (options: string) => (parquet ? `read_parquet(${text(path)})` : `read_csv(${text(path)}, header = true${options})`);
    const columns = await read(path, () => duck.rows<{ column_name: string; column_type: string }>(`DESCRIBE SELECT * FROM ${file('')}`));
    for (const wanted of [entity, asOf]) {
      if (columns.some(({ column_name: column }) => column === wanted)) continue;
      throw new UnderstudyError('UND-INPUT', `${path} has no column ${wanted}; it has ${columns.map(({ column_name: column }) => column).join(', ')}`);
    }
    const type = columns.find(({ column_name: column }) => column === asOf)?.column_type ?? '';
    const moment = /^(TIMESTAMP|DATE)/.test(type) ? `epoch_ms(CAST(${name(asOf)} AS TIMESTAMP))` : `TRY_CAST(${name(asOf)} AS BIGINT)`;
    // Ids such as 007 are no numbers.
    await read(path, () => duck.run(`CREATE TABLE brought AS FROM ${file(`, types = {${text(entity)}: 'VARCHAR'}`)}`));
    const [row] = await duck.rows<{ bad: number }>(`SELECT count(*)::INTEGER AS bad FROM brought WHERE ${name(asOf)} IS NOT NULL AND ${moment} IS NULL`);
    if ((row?.bad ?? 0) > 0)
      throw new UnderstudyError('UND-INPUT', `In ${row?.bad} rows of ${path}, ${asOf} is neither a timestamp nor whole milliseconds since 1970`);
    return use({ duck, labels: { relation: 'brought', entity: name(entity), asOfMs: moment }, columns: columns.map(({ column_name: column }) => column) });
  });
}

async function read<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    throw new UnderstudyError('UND-FILE', `${path} cannot be read: ${(cause instanceof Error ? cause.message : String(cause)).split('\n')[0]}`, { cause });
  }
}
