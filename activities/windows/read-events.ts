import type { ConsentPurpose } from '../../models/contracts/change-event.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { type EventKind, eventKinds } from '../../models/contracts/event.ts';
import type { SliceReference } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { text, withDuck } from '../events/duckdb.ts';
import { slicesSql } from '../events/event-columns.ts';
import { type Identity, keepAllowed, mergeIdentities } from './identity.ts';

/** Events of some slices, column by column, sorted by unit, time, item and event id; each event once, however many slices hold it. */
export type EventTable = {
  rows: number;
  /** Names, sorted by code points. Units are written as `unitOf` writes them: `u:<user>`, `s:<session>`. */
  units: string[];
  items: string[];
  /** [rows] indexes into `units` and `items`. */
  unit: Uint32Array;
  item: Uint32Array;
  /** [rows] index into `eventKinds`. */
  kind: Uint8Array;
  /** [rows] epoch milliseconds. */
  atMs: Float64Array;
  /** [rows] units bought or returned; 1 where the event does not say. */
  quantity: Float64Array;
};

export const kindIndex = (kind: EventKind): number => eventKinds.indexOf(kind);

/** Kinds that say that a shopper wanted something: those with a confidence, and returns, which undo a purchase. */
export function tellingKinds(confidence: Charter['confidence']): EventKind[] {
  return eventKinds.filter((kind) => kind === 'return' || (confidence[kind] ?? 0) > 0);
}

type Input = {
  slices: readonly SliceReference[];
  /** Events that stand in these too are left out: of a window, an event is in one part only. */
  besides?: readonly SliceReference[];
  blobs: BlobStore;
  kinds: readonly EventKind[];
  /** Who somebody is: what the charter says of it, and the slices whose events and logins tell. */
  identity: Identity;
  /** Those who do not allow it are left out. */
  purpose?: ConsentPurpose | undefined;
  workDir?: string | undefined;
  signal?: AbortSignal | undefined;
};

/** Reads the events of the given kinds. Memory: some 100 bytes an event; with a `workDir`, DuckDB spills what is above 2 GB. */
export async function readEvents({ slices, besides = [], blobs, kinds, identity, purpose = 'training', workDir, signal }: Input): Promise<EventTable> {
  if (slices.length === 0 || kinds.length === 0) return emptyTable();
  const from = await parquetSql(slices, blobs);
  const elsewhere = besides.length === 0 ? '' : `ANTI JOIN ${await parquetSql(besides, blobs)} elsewhere USING (event_id)`;
  return withDuck({ workDir, signal }, async (duck) => {
    const kindCase = kinds.map((kind) => `WHEN '${kind}' THEN ${kindIndex(kind)}`).join(' ');
    await duck.run(`
      CREATE TABLE events AS
      SELECT event_id, coalesce('u:' || user_id, 's:' || session_id) AS unit, session_id, device_id, item_id, CASE kind ${kindCase} END AS kind, at_ms, coalesce(quantity, 1) AS quantity
      FROM ${from} ${elsewhere} WHERE kind IN (${kinds.map(text).join(', ')})`);
    // A source that was shifted or sent again under another name may hold an event twice: the later copy counts.
    const [twice] = await duck.rows<{ twice: boolean }>('SELECT count(DISTINCT event_id) < count(*) AS twice FROM events');
    if (twice?.twice === true) {
      await duck.run(
        'CREATE OR REPLACE TABLE events AS SELECT * FROM events QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY at_ms DESC, unit, item_id, kind, quantity) = 1',
      );
    }
    await mergeIdentities({ duck, identity, blobs });
    await keepAllowed({ duck, identity, blobs, purpose });
    const units = await namesOf('unit');
    const items = await namesOf('item_id');
    const [unit = [], item = [], kind = [], atMs = [], quantity = []] = await duck.columns(`
      SELECT units.ordinal, items.ordinal, kind::INTEGER, at_ms::DOUBLE, quantity::DOUBLE
      FROM events JOIN unit_names units ON units.value = events.unit JOIN item_id_names items ON items.value = events.item_id
      ORDER BY units.ordinal, at_ms, items.ordinal, event_id`);
    return {
      rows: unit.length,
      units,
      items,
      unit: Uint32Array.from(unit as number[]),
      item: Uint32Array.from(item as number[]),
      kind: Uint8Array.from(kind as number[]),
      atMs: Float64Array.from(atMs as number[]),
      quantity: Float64Array.from(quantity as number[]),
    };

    async function namesOf(column: string): Promise<string[]> {
      await duck.run(
        `CREATE TABLE ${column}_names AS SELECT value, CAST(row_number() OVER (ORDER BY value) - 1 AS INTEGER) AS ordinal FROM (SELECT DISTINCT ${column} AS value FROM events)`,
      );
      const [values = []] = await duck.columns(`SELECT value FROM ${column}_names ORDER BY ordinal`);
      return values as string[];
    }
  });
}

/** When the slices last hold each item, in events of any kind. */
export async function readLastSeen({
  slices,
  blobs,
  workDir,
  signal,
}: Omit<Input, 'kinds' | 'besides' | 'identity' | 'purpose'>): Promise<Map<string, number>> {
  if (slices.length === 0) return new Map();
  const from = await parquetSql(slices, blobs);
  return withDuck({ workDir, signal }, async (duck) => {
    const [items = [], lastMs = []] = await duck.columns(`SELECT item_id, max(at_ms)::DOUBLE FROM ${from} GROUP BY item_id`);
    return new Map((items as string[]).map((itemId, index) => [itemId, lastMs[index] as number]));
  });
}

async function parquetSql(slices: readonly SliceReference[], blobs: BlobStore): Promise<string> {
  const paths: string[] = [];
  for (const slice of slices) paths.push(await blobs.localPath(slice.digest));
  return slicesSql(paths);
}

function emptyTable(): EventTable {
  return {
    rows: 0,
    units: [],
    items: [],
    unit: new Uint32Array(),
    item: new Uint32Array(),
    kind: new Uint8Array(),
    atMs: new Float64Array(),
    quantity: new Float64Array(),
  };
}
