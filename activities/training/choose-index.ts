import { graphSize } from '../../models/graph/graph-files.ts';
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
import { asUnderstudyError, UnderstudyError } from '../../models/contracts/problem.ts';
import { agrees, type Choice, chooseWay, objectionsTo, waysToMeasure } from '../../models/graph/retrieval/choose-way.ts';
import { cutAhead } from '../../models/graph/retrieval/inverted-lists.ts';
import { openRecommendGraph, type RecommendGraph } from '../../models/graph/session.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import { z } from 'zod';
import type { State } from '../context.ts';
import { buildHnsw } from './choose-index-hnsw.ts';

/** In the artifact's core; what was measured is no part of it. */
export const indexFile = 'index.json';

const requestsAtMost = 200;
/** The first of the requests: one of nobody, and one of things unknown. */
const strangers = 2;
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
  /** Absent: every item is looked at. */
  constraint?: IndexConstraint | undefined;
  /** Absent: in float32. */
  weights?: Choice['weights'];
  model: Model;
  interactions: Interactions;
  seed: number;
  beat?: () => Promise<void> | void;
};

/**
 * The way in which the graph of a model finds its best items, and in what it keeps them: the cheapest that gives what the charter asks, and 8 bits where it
 * asks for these and they change next to no answer, by what is measured where it is trained. The first training of a recipe on a window measures; whoever trains it again, a retry or a rerun, is given what was chosen then, on whatever machine.
 */
export async function chooseIndex(input: Input): Promise<Choice & { model: Model }> {
  const { retrieval, weights } = await recordedChoice(input);
  const model = weights === undefined ? input.model : roundedOf(input.model);
  await cutCells({ ...input, model }, retrieval);
  return { retrieval, ...(weights === undefined ? {} : { weights }), model };
}

/** @throws UND-INPUT where there is none */
function roundedOf(model: Model): Model {
  const rounded = model.rounded?.();
  if (rounded === undefined) throw new UnderstudyError('UND-INPUT', 'The model has no item vectors that could be kept in 8 bits');
  return rounded;
}

/** That the graph can then be made in no time. */
async function cutCells({ model, interactions: { itemCount }, beat }: Pick<Input, 'model' | 'interactions' | 'beat'>, way: RetrievalWay): Promise<void> {
  const products = model.products?.();
  if (products !== undefined) await cutAhead({ ...products, itemCount, way }, () => beat?.());
}

async function recordedChoice({ state, work, ...of }: Input): Promise<Choice> {
  const earlier = await findIndexMeasurements(state, work);
  if (earlier !== undefined) return choiceOf(earlier);
  const measured = await measureIndexes(of);
  const { window, recipe } = work;
  const { retrieval: chosen, ...choice } = chooseWay(measured.measured);
  const found: IndexMeasurements = { kind: 'index-measurements', window, recipe, constraint: of.constraint, ...measured, chosen, ...choice };
  const measurements = await putDocument(state.blobs, indexMeasurements.parse(found));
  try {
    await state.generations.create(seriesOf(work), 1, { kind: 'index', measurements });
    return choiceOf(found);
  } catch (error) {
    // Another attempt was first.
    if (asUnderstudyError(error).code !== 'UND-GENERATION-TAKEN') throw error;
    return choiceOf((await findIndexMeasurements(state, work)) ?? found);
  }
}

const choiceOf = ({ chosen, weights }: IndexMeasurements): Choice => ({ retrieval: chosen, weights });

/** What was measured when a recipe was first trained on a window; undefined where nothing was. @param work of an artifact's manifest, for one */
export async function findIndexMeasurements({ blobs, generations }: State, work: Input['work']): Promise<IndexMeasurements | undefined> {
  const latest = await generations.latest(seriesOf(work));
  if (latest === undefined) return undefined;
  return getDocument(blobs, attestation.parse(latest.document).measurements, indexMeasurements);
}

type Measuring = Omit<Input, 'state' | 'work'>;
type Table = Pick<IndexMeasurements, 'items' | 'requests' | 'cpu' | 'measured'>;

/** Asks the whole graph of each way the same, one thread, and the library where it is installed. Items in float32 come first: others are held against these. */
export async function measureIndexes(input: Measuring): Promise<Table> {
  const { constraint, weights, model, interactions } = input;
  const { itemCount } = interactions;
  const measurer = new Measurer(input);
  const ways = waysToMeasure({ itemCount, productsDecide: model.products !== undefined, seed: input.seed });
  await measurer.add(model, ways.slice(0, 1));
  let isFloat = true;
  if (weights !== undefined) {
    const rounded = roundedOf(model);
    const [plainest, ...others] = waysToMeasure({ itemCount, productsDecide: rounded.products !== undefined, seed: input.seed, weights });
    const measured = await measurer.add(rounded, plainest === undefined ? [] : [plainest], weights);
    isFloat = !measured.every(agrees);
    if (constraint !== undefined && !isFloat) await measurer.add(rounded, others, weights);
  }
  if (constraint !== undefined && isFloat) await measurer.add(model, ways.slice(1));
  if (constraint !== undefined) await measurer.addLibrary(constraint);
  return { items: itemCount, requests: measurer.requests.length, cpu: cpus()[0]?.model.trim() || 'unknown', measured: measurer.measured };
}

/** Of people as they are, evenly spaced; of one who has nothing yet, and of one of whom nothing is known here. What a person had is not answered. */
function requestsOf({ model: { maxHistory }, interactions: { userCount, itemCount, indptr, items, weights } }: Measuring): ScoreRequest[] {
  const users = Array.from({ length: userCount }, (_, user) => user).filter((user) => (indptr[user + 1] as number) > (indptr[user] as number));
  const wanted = Math.min(requestsAtMost, users.length);
  const known = Array.from({ length: wanted }, (_, place) => {
    const user = users[Math.floor(((place + 0.5) * users.length) / wanted)] as number;
    const to = indptr[user + 1] as number;
    const from = Math.max(indptr[user] as number, to - maxHistory);
    return { history: [...items.subarray(from, to)], historyWeight: [...weights.subarray(from, to)] };
  });
  const unknown = { history: [itemCount], historyWeight: [0] };
  return [{ history: [], historyWeight: [] }, unknown, ...known].map((one) => ({ ...one, exclude: [...one.history], count: Math.min(100, itemCount) }));
}

class Measurer {
  readonly requests: ScoreRequest[];
  readonly measured: MeasuredIndex[] = [];
  readonly #input: Measuring;
  #truth: Ranked[] = [];
  #cutSeconds = 0;

  constructor(input: Measuring) {
    this.#input = input;
    this.requests = requestsOf(input);
  }

  /** Of lists those that probe more are left out once some find enough. */
  async add(model: Model, ways: readonly RetrievalWay[], weights?: Choice['weights']): Promise<MeasuredIndex[]> {
    const { constraint, interactions, beat } = this.#input;
    const { itemCount } = interactions;
    const added: MeasuredIndex[] = [];
    for (const way of ways) {
      await beat?.();
      const startedMs = performance.now();
      await cutCells({ model, interactions, beat }, way);
      const exported = model.exportGraph({ retrieval: way });
      // Cells are cut for the first of those that look into them.
      const buildSeconds = Math.max((performance.now() - startedMs) / 1000, way.way === 'inverted-lists' ? this.#cutSeconds : 0);
      if (way.way === 'inverted-lists') this.#cutSeconds = buildSeconds;
      const graph = await openRecommendGraph({ ...exported, itemCount, maxHistory: model.maxHistory });
      try {
        const { answers, times } = await askAll((request) => graph.recommend(request), this.requests, beat);
        if (this.#truth.length === 0) this.#truth = answers;
        const found = answers.map(({ items }) => items);
        const judged = this.#judge(
          { way, ...(weights && { weights }), name: nameOf(way), ...percentiles(times), bytes: graphSize(exported), buildSeconds },
          found,
        );
        added.push(judged);
        if (way.way === 'inverted-lists' && judged.recallAt100 >= (constraint?.recallAt100 ?? 0) && agrees(judged)) break;
      } finally {
        await graph.close();
      }
    }
    return added;
  }

  async addLibrary(constraint: IndexConstraint): Promise<void> {
    const { model, interactions, beat } = this.#input;
    // The vector of a person without a history has no direction, and is nothing to ask a library for.
    const [requests, truth] = [this.requests.slice(strangers), this.#truth.slice(strangers)];
    const library = await measureLibrary({ model, requests, truth, constraint, itemCount: interactions.itemCount, beat });
    if (library !== undefined) this.#judge(library.measured, library.found, truth);
  }

  #judge(one: Omit<MeasuredIndex, 'objections' | 'recallAt100' | 'agreementAt20'>, found: readonly (readonly number[])[], truth = this.#truth): MeasuredIndex {
    const whole = { ...one, recallAt100: overlap(truth, found, 100), agreementAt20: overlap(truth, found, 20) };
    const judged = { ...whole, objections: objectionsTo(whole, this.#input.constraint) };
    this.measured.push(judged);
    return judged;
  }
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
      return { measured: { way: null, name: `usearch HNSW, expansion ${expansion}`, ...percentiles(times), bytes, buildSeconds }, found };
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
