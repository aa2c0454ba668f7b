import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CheckName, CheckParams, Measured } from '../../models/contracts/assumption.ts';
import type { CharterInput } from '../../models/contracts/charter.ts';
import type { Event } from '../../models/contracts/event.ts';
import { type DataState, dataState } from '../../models/contracts/window.ts';
import { digestBytes } from '../../models/contracts/digest.ts';
import { putDocument } from '../../stores/blobs.ts';
import { readLatest } from '../context.ts';
import { ingestSource } from '../events/ingest-source.ts';
import { mapping as mappingSchema } from '../events/mapping.ts';
import { benchContext, openBench, quietBeat, testCharter } from '../events/testing.ts';
import { registerCharter } from '../registry/charters.ts';
import { type FramingInput, newestDays } from './open-framing.ts';
import { runCheck } from './run-check.ts';

export const dayMs = 86_400_000;
const firstMs = Date.UTC(2026, 1, 2);
/** A moment of the tests' days, the first of which is a Monday. */
export const at = (day: number, ms = 12 * 3_600_000): number => firstMs + day * dayMs + ms;

/** An event, and what its row says of its item and of its journey. */
export type Row = Pick<Event, 'kind' | 'itemId' | 'atMs'> & Partial<Event> & { receivedAtMs?: number; category?: string };

const text = (column: string, field: string) => `nullif(${field}, '') AS ${column}`;
const whole = (column: string, field: string) => `TRY_CAST(nullif(${field}, '') AS BIGINT) AS ${column}`;
const columns = [
  'eventId',
  'kind',
  'userId',
  'sessionId',
  'itemId',
  'atMs',
  'requestId',
  'quantity',
  'unitPriceMinor',
  'dwellMs',
  'deviceId',
  'receivedAtMs',
  'category',
];
const mapping = mappingSchema.parse({
  name: 'rows',
  sql: `SELECT raw_line, ${text('event_id', 'eventId')}, kind, ${text('user_id', 'userId')}, ${text('session_id', 'sessionId')}, itemId AS item_id, ${whole('at_ms', 'atMs')},
    ${text('request_id', 'requestId')}, ${whole('quantity', 'quantity')}, ${whole('unit_price_minor', 'unitPriceMinor')}, ${whole('dwell_ms', 'dwellMs')},
    ${text('device_id', 'deviceId')}, ${whole('received_ms', 'receivedAtMs')}, ${text('category', 'category')} FROM raw`,
});

/** The surface `home` with a charter and some rows as its data, in a state directory; `check` runs a check on them alone. */
export async function openWorld(rows: readonly Row[], change: Partial<CharterInput> = {}) {
  const { folder, close } = await openBench();
  const root = join(folder, 'state');
  const context = benchContext(root);
  const charter = testCharter({ timeZone: 'UTC', window: { trainDays: 10, gapDays: 1, testDays: 9 }, ...change });
  const { digest } = await registerCharter(context.state, charter, 1);
  const lines = rows.map((row, index) => {
    const cells: Record<string, unknown> = { eventId: `e${index}`, sessionId: `s-${row.userId}`, ...row };
    return columns.map((column) => cells[column] ?? '').join(',');
  });
  const content = `${[columns.join(','), ...lines].join('\n')}\n`;
  const path = join(folder, 'rows.csv');
  await writeFile(path, content);
  const source = { path, name: 'rows', digest: digestBytes(content) };
  const { counts } = await ingestSource(
    context,
    { surface: 'home', charter: digest, mapping: await putDocument(context.state.blobs, mapping), source, endsAt: null },
    quietBeat,
  );
  if (counts.accepted !== rows.length) throw new Error(`of ${rows.length} rows ${counts.accepted} were accepted`);
  const data = (await readLatest(context.state.generations, 'data/home', dataState))?.document as DataState;
  const input: FramingInput = { data, days: newestDays(data, 365), settings: charter, blobs: context.state.blobs, workDir: folder };
  const check = (name: CheckName, params: CheckParams = {}): Promise<Measured> => runCheck(name, params, input);
  return { folder, root, context, charter, data, input, check, close };
}
