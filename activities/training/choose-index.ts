import { cpus } from 'node:os';
import { quantile } from '../../experiments/ranking/grouped-means.ts';
import type { Interactions, Model, Ranked, ScoreRequest } from '../../models/algorithms/algorithm.ts';
import {
  type IndexConstraint,
  type IndexMeasurements,
  indexMeasurements,
  type MeasuredIndex,
  type ParityRecord,
  type RetrievalWay,
} from '../../models/contracts/artifact.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import { digestString } from '../../models/contracts/ids.ts';
import { asUnderstudyError } from '../../models/contracts/problem.ts';
import { mixedHistories } from '../../models/graph/parity.ts';
import { chooseWay, objectionsTo, waysToMeasure } from '../../models/graph/retrieval/choose-way.ts';
import { cutAhead } from '../../models/graph/retrieval/inverted-lists.ts';
import { openRecommendGraph, type RecommendGraph } from '../../models/graph/session.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import { z } from 'zod';
import type { State } from '../context.ts';
import { buildHnsw } from './choose-index-hnsw.ts';

/** In the artifact's core; what was measured is no part of it. */
export const indexFile = 'index.json';

const requestsAtMost = 200;
const rounds = 3;
/** A graph that is asked for the first time takes longer. */
const warmUps = 10;
/** The library's index of more takes longer to build than it tells. */
const libraryItemsAtMost = 200_000;
const expansions = [64, 128, 256, 512, 1024];

/** The attestation beside the artifacts of a recipe on a window. */
const attestation = z.strictObject({ kind: z.literal('index'), measurements: digestString });
const seriesOf = ({ window, recipe }: Input['work']) => `index/${digestJson({ window, recipe }).slice('sha256:'.length)}`;

type Input = {
  state: State;
  work: { window: string; recipe: string };
  constraint: IndexConstraint;
  model: Model;
  interactions: Interactions;
  seed: number;
  beat?: () => Promise<void> | void;
};

/**
 * The way in which the graph of a model finds its best items: the cheapest that gives what the charter asks, by what is measured where it is trained. The
 * first training of a recipe on a window measures; whoever trains it again, a retry or a rerun, is given what was chosen then, on whatever machine.
 */
export async function chooseIndex(input: Input): Promise<RetrievalWay> {
  const way = await recordedChoice(input);
  await cutCells(input, way);
  return way;
}

/** That the graph can then be made in no time. */
async function cutCells({ model, interactions: { itemCount }, beat }: Pick<Input, 'model' | 'interactions' | 'beat'>, way: RetrievalWay): Promise<void> {
  const products = model.products?.();
  if (products !== undefined) await cutAhead({ ...products, itemCount, way }, () => beat?.());
}

async function recordedChoice({ state, work, constraint, ...of }: Input): Promise<RetrievalWay> {
  const earlier = await findIndexMeasurements(state, work);
  if (earlier !== undefined) return earlier.chosen;
  const measured = await measureIndexes({ ...of, constraint });
  const { window, recipe } = work;
  const found: IndexMeasurements = { kind: 'index-measurements', window, recipe, constraint, ...measured, ...chooseWay(measured.measured) };
  const measurements = await putDocument(state.blobs, indexMeasurements.parse(found));
  try {
    await state.generations.create(seriesOf(work), 1, { kind: 'index', measurements });
    return found.chosen;
  } catch (error) {
    // Another attempt was first.
    if (asUnderstudyError(error).code !== 'UND-GENERATION-TAKEN') throw error;
    return (await findIndexMeasurements(state, work))?.chosen ?? found.chosen;
  }
}

/** What was measured when a recipe was first trained on a window; undefined where nothing was. @param work of an artifact's manifest, for one */
export async function findIndexMeasurements({ blobs, generations }: State, work: Input['work']): Promise<IndexMeasurements | undefined> {
  const latest = await generations.latest(seriesOf(work));
  if (latest === undefined) return undefined;
  return getDocument(blobs, attestation.parse(latest.document).measurements, indexMeasurements);
}

type Measuring = Omit<Input, 'state' | 'work'>;
type Table = Pick<IndexMeasurements, 'items' | 'requests' | 'cpu' | 'measured'>;

/** Asks the whole graph of each way the same, one thread, and the library where it is installed. */
export async function measureIndexes({ constraint, model, interactions, seed, beat }: Measuring): Promise<Table> {
  const { itemCount } = interactions;
  const requests = mixedHistories({ interactions, maxHistory: model.maxHistory, seed, count: requestsAtMost }).map((history) => ({
    ...history,
    exclude: [...history.history],
    count: Math.min(100, itemCount),
  }));
  const measured: MeasuredIndex[] = [];
  let truth: Ranked[] = [];
  let cutSeconds = 0;
  const add = ({ found, ...one }: Omit<MeasuredIndex, 'objections' | 'recallAt100' | 'agreementAt20'> & { found: readonly number[][] }): MeasuredIndex => {
    const whole = { ...one, recallAt100: overlap(truth, found, 100), agreementAt20: overlap(truth, found, 20) };
    const judged = { ...whole, objections: objectionsTo(whole, constraint) };
    measured.push(judged);
    return judged;
  };
  for (const way of waysToMeasure({ itemCount, productsDecide: model.products !== undefined, seed })) {
    await beat?.();
    const startedMs = performance.now();
    await cutCells({ model, interactions, beat }, way);
    const bytes = model.exportGraph({ retrieval: way });
    // Cells are cut for the first of those that look into them.
    const buildSeconds = Math.max((performance.now() - startedMs) / 1000, way.way === 'inverted-lists' ? cutSeconds : 0);
    if (way.way === 'inverted-lists') cutSeconds = buildSeconds;
    const graph = await openRecommendGraph({ bytes, itemCount, maxHistory: model.maxHistory });
    try {
      const { answers, times } = await askAll((request) => graph.recommend(request), requests, beat);
      if (way.way === 'exact') truth = answers;
      const found = answers.map(({ items }) => items);
      const judged = add({ way, name: nameOf(way), found, ...percentiles(times), bytes: bytes.byteLength, buildSeconds });
      if (way.way === 'inverted-lists' && judged.recallAt100 >= constraint.recallAt100 && judged.agreementAt20 >= 0.99) break;
    } finally {
      await graph.close();
    }
  }
  const library = await measureLibrary({ model, requests, truth, constraint, itemCount, beat });
  if (library !== undefined) add(library);
  return { items: itemCount, requests: requests.length, cpu: cpus()[0]?.model.trim() || 'unknown', measured };
}

const nameOf = (way: RetrievalWay): string => (way.way === 'inverted-lists' ? `${way.way}, ${way.probes} cells of ${way.cellItems}` : way.way);

type Asking = { model: Model; requests: ScoreRequest[]; truth: Ranked[]; constraint: IndexConstraint; itemCount: number; beat: Input['beat'] };

/** From the query's vector on, by the narrowest search that finds enough: what the model would still have to do is not in its time. */
async function measureLibrary({ model, requests, truth, constraint, itemCount, beat }: Asking) {
  const products = model.products?.();
  if (products === undefined || itemCount > libraryItemsAtMost) return undefined;
  const { width, vectors, queryOf } = products;
  const index = await buildHnsw({ vectors, width, rows: itemCount, beat });
  if (index === undefined) return undefined;
  try {
    const queries = new Map(requests.map((request) => [request, queryOf(request)]));
    for (const expansion of expansions) {
      const search = index.atExpansion(expansion);
      const ask = async (request: ScoreRequest): Promise<Ranked> => {
        const excluded = new Set(request.exclude);
        const near = search(queries.get(request) ?? [], Math.min(itemCount, request.count + excluded.size));
        return { items: near.filter((item) => !excluded.has(item)).slice(0, request.count), scores: [] };
      };
      const { answers, times } = await askAll(ask, requests, beat);
      const found = answers.map(({ items }) => items);
      if (overlap(truth, found, 100) < constraint.recallAt100 && expansion !== expansions.at(-1)) continue;
      const { bytes, buildSeconds } = index;
      return { way: null, name: `usearch HNSW, expansion ${expansion}`, found, ...percentiles(times), bytes, buildSeconds };
    }
    return undefined;
  } finally {
    await index.close();
  }
}

type Ask = (request: ScoreRequest) => Promise<Ranked>;

async function askAll(ask: Ask, requests: readonly ScoreRequest[], beat: Input['beat']): Promise<{ answers: Ranked[]; times: number[][] }> {
  for (const request of requests.slice(0, warmUps)) await ask(request);
  let answers: Ranked[] = [];
  const times: number[][] = [];
  for (let round = 0; round < rounds; round += 1) {
    await beat?.();
    answers = [];
    const took: number[] = [];
    for (const request of requests) {
      const startedMs = performance.now();
      answers.push(await ask(request));
      took.push(performance.now() - startedMs);
    }
    times.push(took);
  }
  return { answers, times };
}

/** Medians over the rounds, so that what else the machine did in one of them counts for little. */
function percentiles(times: readonly number[][]): { p50Ms: number; p99Ms: number } {
  const quantileOf = (values: readonly number[], share: number) => quantile(Float64Array.from(values).sort(), share);
  const at = (share: number) =>
    quantileOf(
      times.map((took) => quantileOf(took, share)),
      0.5,
    );
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** Mean share of the best that was found. */
function overlap(truth: readonly Ranked[], found: readonly (readonly number[])[], count: number): number {
  const shares = truth.flatMap(({ items }, request) => {
    const best = new Set(items.slice(0, count));
    return best.size === 0 ? [] : [(found[request] ?? []).slice(0, count).filter((item) => best.has(item)).length / best.size];
  });
  return shares.length === 0 ? 1 : shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

/**
 * What replicas are held to where the graph may leave something out: its own answers, since not every best item is found; where they are the trainer's
 * but for a hundredth, and every item that both answer has the trainer's score. Otherwise the trainer's, which the graph then fails.
 */
export async function listedParity(graph: RecommendGraph, record: ParityRecord): Promise<ParityRecord> {
  const answers: Ranked[] = [];
  for (const request of record.requests) answers.push(await graph.recommend({ ...request, count: Math.max(1, request.items.length) }));
  const isClose = answers.every(({ items, scores }, place) => {
    const { items: trained = [], scores: expected = [] } = record.requests[place] ?? {};
    const scale = expected.reduce((most, score) => Math.max(most, Math.abs(score)), 0) || 1;
    const scoreOf = new Map(trained.map((item, at) => [item, expected[at] as number]));
    return items.every((item, at) => Math.abs((scores[at] as number) - (scoreOf.get(item) ?? (scores[at] as number))) <= record.tolerance * scale);
  });
  const agreement = overlap(
    record.requests,
    answers.map(({ items }) => items),
    20,
  );
  if (!isClose || agreement < 0.99) return record;
  return { ...record, requests: record.requests.map((request, place) => ({ ...request, ...(answers[place] as Ranked) })) };
}
