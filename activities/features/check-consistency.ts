import type { FeatureGeneration, FeatureValue, FeatureView, ServedFeatures } from '../../models/contracts/feature.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type DataState, dataState } from '../../models/contracts/window.ts';
import { createRandom } from '../../models/random.ts';
import { featureViewDigest } from '../../models/features/view-digest.ts';
import type { OnlineFeatureStore } from '../../stores/features/online-features.ts';
import { parseGeneration } from '../../stores/generations.ts';
import type { State } from '../context.ts';
import { text, withDuck } from '../events/duckdb.ts';
import { joinPointInTime } from './join-point-in-time.ts';
import { featureSetOf, featureValuesSeries, readGeneration } from './materialize-features.ts';
import { openSlices } from './open-events.ts';
import { readValues } from './read-values.ts';
import { valuesAsOfSql } from './values-as-of.ts';

/**
 * Why a served row is not what the data say. `definition`: it was made by another definition than the view's. `stale`: it was read after its time
 * to live. `later-data`: it is what the data said when it was made, and events came or were erased since. `value`: neither; a defect.
 */
export const inconsistencies = ['definition', 'stale', 'later-data', 'value'] as const;
export type Inconsistency = (typeof inconsistencies)[number];

export type ConsistencyDifference = {
  entity: string;
  generation: number;
  cause: Inconsistency;
  /** The first feature that differs; null where the row as a whole does. */
  feature: string | null;
  served: FeatureValue | 'missing';
  offline: FeatureValue | 'missing';
};
export type Consistency = { checked: number; equal: number; byCause: Record<Inconsistency, number>; first: ConsistencyDifference[] };

type Input = {
  state: Pick<State, 'blobs' | 'generations'>;
  data: DataState;
  view: FeatureView;
  served: readonly ServedFeatures[];
  workDir: string;
  signal?: AbortSignal | undefined;
};

const shown = 20;

/** Recomputes served rows from the data, each as of the moment of its generation, and says which differ and why. */
export async function checkConsistency({ state, data, view, served, workDir, signal }: Input): Promise<Consistency> {
  const made = await generationsOf({ state, surface: data.surface, view, served });
  const digest = featureViewDigest(view);
  const offline = await recompute({ state, data, view, served, made, workDir, signal });
  const found = served.flatMap((row, index): Open[] => {
    const generation = made.get(row.generation) as FeatureGeneration;
    const differs = firstDifference(view, { served: row.values, offline: offline[index] ?? null });
    const open = { row, index, ...(differs ?? { feature: null, served: row.values === null ? ('missing' as const) : null, offline: null }) };
    if (generation.digest !== digest) return [{ ...open, cause: 'definition' }];
    if (row.atMs - generation.asOfMs > view.ttlMs) return [{ ...open, cause: 'stale' }];
    return differs === undefined ? [] : [{ ...open, cause: 'value' }];
  });
  for (const one of await explainedByEarlierData({ state, view, found, made, workDir, signal })) one.cause = 'later-data';
  const byCause = Object.fromEntries(inconsistencies.map((cause) => [cause, found.filter((one) => one.cause === cause).length]));
  return {
    checked: served.length,
    equal: served.length - found.length,
    byCause: byCause as Consistency['byCause'],
    first: found.slice(0, shown).map(({ row, cause, feature, served: was, offline: is }) => ({
      ...{ entity: row.entity, generation: row.generation, cause, feature, served: was, offline: is },
    })),
  };
}

type Open = Pick<ConsistencyDifference, 'cause' | 'feature' | 'served' | 'offline'> & { row: ServedFeatures; index: number };

/** A part of what was served, drawn without replacement. */
export function sampleServed(served: readonly ServedFeatures[], { size, seed }: { size: number; seed: number }): ServedFeatures[] {
  const random = createRandom(seed);
  const pool = [...served];
  const drawn = Math.min(size, pool.length);
  for (let at = 0; at < drawn; at += 1) {
    const other = at + random.below(pool.length - at);
    [pool[at], pool[other]] = [pool[other] as ServedFeatures, pool[at] as ServedFeatures];
  }
  return pool.slice(0, drawn);
}

/**
 * What the online store serves now for entities that the data know, drawn by the seed.
 * @throws UND-NOT-FOUND where nothing is published; UND-INPUT where it is of another definition
 */
export async function readServed({
  state,
  data,
  view,
  store,
  size,
  seed,
  nowMs,
  workDir,
}: Omit<Input, 'served'> & { store: OnlineFeatureStore; size: number; seed: number; nowMs: number }): Promise<ServedFeatures[]> {
  const set = featureSetOf(data.surface, view);
  const published = await store.current(set);
  if (published === undefined)
    throw new UnderstudyError(
      'UND-NOT-FOUND',
      `The online store has no values of ${view.name} version ${view.version}: understudy features materialize ${data.surface}`,
    );
  const entities = await withDuck({ workDir }, async (duck) => {
    if (!(await openSlices({ duck, slices: data.slices, blobs: state.blobs }))) return [];
    // The order of a digest is the same on every machine, and as good as drawn.
    const [drawn = []] = await duck.columns(
      `SELECT entity FROM (${valuesAsOfSql({ view, asOfMs: published.asOfMs })}) ORDER BY md5(concat('${seed} ', entity)), entity LIMIT ${size}`,
    );
    return drawn as string[];
  });
  const answer = await store.get({ set, digest: featureViewDigest(view), entities, nowMs });
  return entities.map((entity, index) => {
    const values = answer?.rows[index];
    return { entity, generation: answer?.generation ?? published.generation, atMs: nowMs, values: values === undefined ? null : [...values] };
  });
}

async function generationsOf({ state, surface, view, served }: { state: Input['state']; surface: string; view: FeatureView; served: Input['served'] }) {
  const made = new Map<number, FeatureGeneration>();
  const series = featureValuesSeries(surface, view.name);
  for (const generation of new Set(served.map((row) => row.generation))) made.set(generation, await readGeneration(state, { series, generation }));
  return made;
}

type Recompute = Omit<Input, 'data'> & { data: DataState; made: ReadonlyMap<number, FeatureGeneration> };

/** For each served row its values as of its generation's moment; null where the entity was unknown then. */
async function recompute({ state, data, view, served, made, workDir, signal }: Recompute): Promise<(FeatureValue[] | null)[]> {
  return withDuck({ workDir, signal }, async (duck) => {
    if (served.length === 0 || !(await openSlices({ duck, slices: data.slices, blobs: state.blobs }))) return served.map(() => null);
    await duck.run('CREATE TABLE served (entity VARCHAR, as_of_ms BIGINT)');
    for (let from = 0; from < served.length; from += 1_000) {
      const rows = served.slice(from, from + 1_000).map(({ entity, generation }) => `(${text(entity)}, ${made.get(generation)?.asOfMs})`);
      await duck.run(`INSERT INTO served VALUES ${rows.join(', ')}`);
    }
    await joinPointInTime({ duck, view, labels: { relation: 'served', entity: 'entity', asOfMs: 'as_of_ms' }, into: 'recomputed' });
    const read = await readValues({ duck, view, table: 'recomputed', first: 'entity', from: 0, to: served.length });
    return read.map(({ values }) => (values.every((value) => value === null) ? null : values));
  });
}

function firstDifference(view: FeatureView, { served, offline }: { served: readonly FeatureValue[] | null; offline: readonly FeatureValue[] | null }) {
  const feature = view.features.findIndex((_, index) => (served?.[index] ?? null) !== (offline?.[index] ?? null));
  if (feature < 0) return undefined;
  const of = (values: readonly FeatureValue[] | null) => (values === null ? ('missing' as const) : (values[feature] ?? null));
  return { feature: view.features[feature]?.name ?? null, served: of(served), offline: of(offline) };
}

/** Those that are what the data of their own generation say. */
async function explainedByEarlierData({
  state,
  view,
  found,
  made,
  workDir,
  signal,
}: Omit<Recompute, 'data' | 'served'> & { found: readonly Open[] }): Promise<Open[]> {
  const explained: Open[] = [];
  const byData = Map.groupBy(
    found.filter(({ cause }) => cause === 'value'),
    ({ row }) => made.get(row.generation) as FeatureGeneration,
  );
  for (const [{ surface, data: generation }, open] of byData) {
    const series = `data/${surface}`;
    const data = parseGeneration(dataState, { series, generation, document: await state.generations.read(series, generation) });
    const then = await recompute({ state, data, view, served: open.map(({ row }) => row), made, workDir, signal });
    explained.push(...open.filter(({ row }, index) => firstDifference(view, { served: row.values, offline: then[index] ?? null }) === undefined));
  }
  return explained;
}
