import fc from 'fast-check';
import { eventKinds } from '../../models/contracts/event.ts';
import {
  type Feature,
  type FeatureExpression,
  type FeatureView,
  featureFields,
  featureView,
  type FeatureField,
  typeOfExpression,
} from '../../models/contracts/feature.ts';
import type { KnownEvent } from '../../models/features/evaluate-view.ts';
import { digestBytes } from '../../models/contracts/digest.ts';
import { type DataState, dataState } from '../../models/contracts/window.ts';
import type { State } from '../context.ts';
import { type Duck, text, withDuck } from '../events/duckdb.ts';
import { eventColumns } from '../events/event-columns.ts';
import { writeSlices } from '../events/write-slices.ts';

/** What the tests of features share: generated events and views, few of everything, so that they meet. */
const optional = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined, freq: 3 });

/** Moments on a coarse grid, so that windows end and labels ask exactly where events are. */
export const moment = fc.integer({ min: 0, max: 24 }).map((step) => 1_700_000_000_000 + step * 10);
const windows = [1, 10, 11, 40, 100] as const;

export const knownEvents: fc.Arbitrary<KnownEvent[]> = fc
  .array(
    fc.record({
      kind: fc.constantFrom(...eventKinds.slice(0, 3), 'purchase' as const, 'rating' as const),
      userId: optional(fc.constantFrom('u1', 'u2', "o'neil", 'é')),
      sessionId: fc.constantFrom('s1', 's2'),
      itemId: fc.constantFrom('i1', 'i2', 'i3'),
      atMs: moment,
      requestId: optional(fc.constantFrom('r1', 'r2')),
      position: optional(fc.integer({ min: 0, max: 3 })),
      quantity: optional(fc.constantFrom(1, 2, 1_000_000)),
      unitPriceMinor: optional(fc.constantFrom(0, 199, 1_000_000_000)),
      dwellMs: optional(fc.integer({ min: 0, max: 5 })),
      rating: optional(fc.constantFrom(0, 0.1, 2.5, 4.9999999, 5)),
      receivedAtMs: optional(fc.tuple(moment, fc.integer({ min: 0, max: 12 })).map(([at, late]) => at + late * 10)),
    }),
    { maxLength: 40 },
  )
  .map((events) => events.map((event, index) => ({ ...event, eventId: `${'zaéb'[index % 4]}${index}` })));

const field = (type?: 'text') =>
  fc.constantFrom(...(Object.keys(featureFields) as FeatureField[]).filter((name) => type === undefined || featureFields[name] === type));
const numeric = fc.constantFrom('position', 'quantity', 'unitPriceMinor', 'spendMinor', 'dwellMs', 'rating');
const conditions = fc.array(
  fc.oneof(
    fc.record({ field: fc.constant('kind'), in: fc.uniqueArray(fc.constantFrom(...eventKinds.slice(0, 3), 'purchase'), { minLength: 1 }) }),
    fc.record({ field: fc.constantFrom('itemId', 'requestId', 'userId'), in: fc.constant(['i1', 'r1', "o'neil"]) }),
    fc.record({ field: numeric, min: fc.constantFrom(0, 0.1, 2) }),
    fc.record({ field: numeric, max: fc.constantFrom(1, 2.5, 199), min: fc.constant(0.5) }),
  ),
  { minLength: 1, maxLength: 2 },
);
const expressions = fc.oneof(
  fc.record({ aggregate: fc.constantFrom('count', 'time-since-last'), where: optional(conditions) }),
  fc.record({ aggregate: fc.constantFrom('sum', 'mean'), of: numeric, where: optional(conditions) }),
  fc.record({ aggregate: fc.constant('share'), where: conditions }),
  fc.record({ aggregate: fc.constant('last'), of: field(), where: optional(conditions) }),
  fc.record({ aggregate: fc.constant('distinct'), of: field('text'), where: optional(conditions) }),
) as fc.Arbitrary<FeatureExpression>;

export const views: fc.Arbitrary<FeatureView> = fc
  .record({
    entity: fc.constantFrom('user' as const, 'item' as const, 'session' as const),
    kinds: fc.uniqueArray(fc.constantFrom(...eventKinds), { minLength: 4 }),
    where: fc.option(conditions, { nil: undefined, freq: 1 }),
    features: fc.array(fc.record({ expression: expressions, windowMs: fc.constantFrom('all' as const, ...windows) }), { minLength: 1, maxLength: 5 }),
  })
  .map(({ entity, kinds, where, features }) =>
    featureView.parse({
      ...{ name: 'drawn', version: 1, owner: 'tests', entity, ttlMs: 1_000 },
      source: { from: 'events', kinds, where },
      features: features.map((feature, index): Feature => ({ name: `f${index}`, ...feature, type: typeOfExpression(feature.expression) })),
    }),
  );

/** A relation of slices in memory. */
export async function eventsRelation(duck: Duck, events: readonly KnownEvent[], table = 'drawn_events'): Promise<string> {
  await duck.run(`CREATE TABLE ${table} (${eventColumns.map(({ column, type }) => `${column} ${type}`).join(', ')})`);
  const rows = events.map((event) => {
    const values = eventColumns.map(({ field: member }) => {
      const value = (event as Record<string, unknown>)[member];
      return value === undefined ? 'NULL' : typeof value === 'string' ? text(value) : String(value);
    });
    return `(${values.join(', ')})`;
  });
  if (rows.length > 0) await duck.run(`INSERT INTO ${table} VALUES ${rows.join(', ')}`);
  return table;
}

/** Generation `generation` of the surface's data, of these events, published as an ingest would. */
export async function publishEvents(
  { blobs, generations }: Pick<State, 'blobs' | 'generations'>,
  input: { events: readonly KnownEvent[]; generation: number; workDir: string; surface?: string },
): Promise<DataState> {
  const slices = await withDuck({ workDir: input.workDir }, async (duck) => {
    const table = await eventsRelation(duck, input.events);
    return writeSlices({ duck, table, timeZone: 'UTC', source: 'events', blobs, onSlice: () => undefined });
  });
  const { generation, surface = 'home' } = input;
  const nothing = digestBytes('');
  const data = dataState.parse({ kind: 'data-state', surface, generation, ingest: nothing, catalog: nothing, slices });
  await generations.create(`data/${surface}`, generation, data);
  return data;
}
