import { digestJson } from '../../models/contracts/digest.ts';
import { type FeatureGeneration, type FeatureView, featureGeneration } from '../../models/contracts/feature.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { DataState } from '../../models/contracts/window.ts';
import type { FeatureSet, OnlineFeatureStore } from '../../stores/features/online-features.ts';
import { parseGeneration } from '../../stores/generations.ts';
import { readLatest, type State } from '../context.ts';
import { withDuck } from '../events/duckdb.ts';
import { openSlices } from './open-events.ts';
import { readValues } from './read-values.ts';
import { registerView } from './register-view.ts';
import { valuesAsOfSql } from './values-as-of.ts';

export const featureValuesSeries = (surface: string, view: string): string => `feature-values/${surface}/${view}`;
export const featureSetOf = (surface: string, view: FeatureView): FeatureSet => ({ surface, view: view.name, version: view.version, entity: view.entity });

const batchRows = 5_000;

type Input = {
  state: Pick<State, 'blobs' | 'generations'>;
  data: DataState;
  view: FeatureView;
  /** Values are of what was known before this moment. */
  asOfMs: number;
  store: OnlineFeatureStore;
  workDir: string;
  signal?: AbortSignal | undefined;
  onBatch?: (step: { done: number; total: number }) => void;
};

/** `entities`: how many have values; 0 too where the generation was published before and nothing was left to do. */
export type Materialized = { generation: number; entities: number; alreadyThere: boolean };

/**
 * Computes a view from the data and publishes it in the online store, by the definition that training joins by. Its number stands for version,
 * definition, moment and data, so that the same again, or again after a crash anywhere, is one generation with the same rows.
 * @throws UND-INPUT where the version has another definition; UND-GENERATION-TAKEN where a later generation is published
 */
export async function materializeFeatures({ state, data, view, asOfMs, store, workDir, signal, onBatch }: Input): Promise<Materialized> {
  const { surface } = data;
  const digest = await registerView(state, { surface, view });
  const wanted: FeatureGeneration = { kind: 'feature-values', surface, view: view.name, version: view.version, digest, asOfMs, data: data.generation };
  const generation = await numberOf(state, wanted);
  const set = featureSetOf(surface, view);
  if ((await store.current(set))?.generation === generation) return { generation, entities: 0, alreadyThere: true };
  const entities = await withDuck({ workDir, signal }, async (duck) => {
    if (!(await openSlices({ duck, slices: data.slices, blobs: state.blobs }))) return 0;
    await duck.run(`CREATE TABLE feature_values AS ${valuesAsOfSql({ view, asOfMs })} ORDER BY entity`);
    const [row] = await duck.rows<{ total: number }>('SELECT count(*)::INTEGER AS total FROM feature_values');
    const total = row?.total ?? 0;
    for (let from = 0; from < total; from += batchRows) {
      const read = await readValues({ duck, view, table: 'feature_values', first: 'entity', from, to: from + batchRows });
      await store.put({ set, generation, asOfMs, rows: read.map(({ first, values }) => ({ entity: first, values })) });
      onBatch?.({ done: Math.min(total, from + batchRows), total });
    }
    return total;
  });
  await store.publish({ set, published: { generation, digest, asOfMs, ttlMs: view.ttlMs } });
  return { generation, entities, alreadyThere: false };
}

/** The number that stands for these values: the one that they had before, or the next. */
async function numberOf({ generations }: Pick<State, 'generations'>, wanted: FeatureGeneration): Promise<number> {
  const series = featureValuesSeries(wanted.surface, wanted.view);
  const identity = digestJson(wanted);
  for (;;) {
    const latest = (await readLatest(generations, series, featureGeneration))?.generation ?? 0;
    for (let generation = latest; generation >= 1; generation -= 1)
      if (digestJson(await readGeneration({ generations }, { series, generation })) === identity) return generation;
    try {
      await generations.create(series, latest + 1, wanted);
      return latest + 1;
    } catch (error) {
      if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
    }
  }
}

/** @throws UND-NOT-FOUND where there is no such number; UND-STATE where it is not what it should be */
export async function readGeneration(
  { generations }: Pick<State, 'generations'>,
  { series, generation }: { series: string; generation: number },
): Promise<FeatureGeneration> {
  return parseGeneration(featureGeneration, { series, generation, document: await generations.read(series, generation) });
}
