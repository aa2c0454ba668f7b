import { graphSize } from '../models/graph/graph-files.ts';
import type { RetrievalWay } from '../models/contracts/artifact.ts';
import { productGraph } from '../models/graph/retrieval/product-graph.ts';
import { openRecommendGraph, type RecommendGraph } from '../models/graph/session.ts';
import { findPeerPython } from './peer-python.ts';
import { generateRetrievalData, type RetrievalData } from './retrieval-data.ts';
import { type Asked, type MeasuredRetrieval, measureFaiss, measureHnsw, recallOf } from './retrieval-peers.ts';

type Row = { name: string; settings: string; p50Ms: number; p99Ms: number; recall: number; bytes: number; buildSeconds: number };
type AtSize = { itemCount: number; width: number; queries: number; rows: Row[] };
export type RetrievalBench = { count: number; recallAtLeast: number; sizes: AtSize[] };

const width = 64;
const count = 100;
const rounds = 3;
const queries = 200;
/** What inexact ways are set to find: each by the least that does. */
const recallAtLeast = 0.99;
const cellItems = 128;
const probes = [16, 32, 64, 128, 256, 512];
const scans: RetrievalWay[] = [{ way: 'exact' }, { way: 'exact-8bit', rerank: 2 }, { way: 'exact-4bit', rerank: 5 }];

/**
 * The best 100 by product among many vectors: our ways as whole graphs, from the history's indexes to the answer; usearch and faiss as libraries, from the
 * query's vector on. One thread each; medians of the rounds. With `quick`, without the library's graph of a million, which takes many minutes to build.
 */
export async function benchRetrieval({ cache, env, quick }: { cache: string; env: NodeJS.ProcessEnv; quick: boolean }): Promise<RetrievalBench> {
  const python = await findPeerPython({ requirements: ['faiss-cpu==1.15.1'], cache, env });
  const sizes: AtSize[] = [];
  for (const itemCount of [100_000, 1_000_000]) {
    const data = generateRetrievalData({ itemCount, width, queries, seed: 1 });
    const { measured, truth } = await measureOurs(data);
    const asked: Asked = { data, queries: data.histories.map((history) => queryOf(data, history)), truth, count, rounds, recallAtLeast };
    if (python !== undefined) measured.push(...measureFaiss(python, asked));
    if (!quick || itemCount <= 100_000) measured.push(...(await measureHnsw(asked)));
    sizes.push({ itemCount, width, queries, rows: measured.map(summed) });
  }
  return { count, recallAtLeast, sizes };
}

type Opened = { graph: RecommendGraph; bytes: number; buildSeconds: number };

async function open(data: RetrievalData, retrieval: RetrievalWay): Promise<Opened> {
  const startedMs = performance.now();
  const exported = productGraph({ ...data, prior: new Float32Array(data.itemCount + 1), retrieval });
  const buildSeconds = (performance.now() - startedMs) / 1000;
  return { graph: await openRecommendGraph({ ...exported, itemCount: data.itemCount, maxHistory: 50 }), bytes: graphSize(exported), buildSeconds };
}

async function measureOurs(data: RetrievalData): Promise<{ measured: MeasuredRetrieval[]; truth: number[][] }> {
  const measured: MeasuredRetrieval[] = [];
  let truth: number[][] = [];
  for (const way of scans) {
    const { graph, ...made } = await open(data, way);
    const { found, took } = await askAll(graph, data);
    if (way.way === 'exact') truth = found;
    await graph.close();
    measured.push({
      name: way.way,
      settings: 'rerank' in way ? `${way.rerank} candidates an answer` : '',
      rounds: took,
      recall: recallOf(found, truth),
      ...made,
    });
  }
  let cellSeconds = 0;
  for (const probed of probes) {
    const { graph, bytes, buildSeconds } = await open(data, { way: 'inverted-lists', cellItems, probes: probed, seed: 1 });
    // The cells are cut for the first of them.
    cellSeconds = Math.max(cellSeconds, buildSeconds);
    const { found, took } = await askAll(graph, data);
    await graph.close();
    const recall = recallOf(found, truth);
    if (recall < recallAtLeast && probed !== probes.at(-1)) continue;
    measured.push({ name: 'inverted-lists', settings: `${probed} cells of ${cellItems}`, rounds: took, recall, bytes, buildSeconds: cellSeconds });
    break;
  }
  return { measured, truth };
}

async function askAll(graph: RecommendGraph, { histories }: RetrievalData): Promise<{ found: number[][]; took: number[][] }> {
  const took: number[][] = [];
  let found: number[][] = [];
  for (let round = 0; round < rounds; round += 1) {
    found = [];
    const times: number[] = [];
    for (const history of histories) {
      const request = { history, historyWeight: history.map(() => 1), exclude: [], count };
      const startedMs = performance.now();
      const { items } = await graph.recommend(request);
      times.push(performance.now() - startedMs);
      found.push(items);
    }
    took.push(times);
  }
  return { found, took };
}

function queryOf({ vectors }: RetrievalData, history: readonly number[]): Float32Array {
  return Float32Array.from({ length: width }, (_, f) => history.reduce((sum, item) => sum + (vectors[item * width + f] as number), 0));
}

function summed({ rounds: took, ...row }: MeasuredRetrieval): Row {
  const at = (share: number): number =>
    quantile(
      took.map((times) => quantile(times, share)),
      0.5,
    );
  return { ...row, p50Ms: at(0.5), p99Ms: at(0.99) };
}

function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))] ?? Number.NaN;
}

export function printRetrievalBench({ count: best, recallAtLeast: wanted, sizes }: RetrievalBench): string {
  return sizes
    .flatMap(({ itemCount, width: dimensions, queries: asked, rows }) => [
      `retrieval of the best ${best} of ${itemCount.toLocaleString('en')} x ${dimensions}, ${asked} queries, one thread; what is not exact is set to a recall of ${wanted}`,
      ...rows.map(
        ({ name, settings, p50Ms, p99Ms, recall, bytes, buildSeconds }) =>
          `  ${name.padEnd(20)} ${settings.padEnd(26)} p50 ${p50Ms.toFixed(2).padStart(6)} ms, p99 ${p99Ms.toFixed(2).padStart(6)} ms, recall ${recall.toFixed(4)}, ${Math.round(bytes / 1e6)} MB, built in ${buildSeconds.toFixed(1)} s`,
      ),
      ...comparison(rows),
    ])
    .join('\n');
}

function comparison(rows: readonly Row[]): string[] {
  const ours = rows.filter(({ name, recall }) => !/^(faiss|usearch)/.test(name) && recall >= recallAtLeast).toSorted((a, b) => a.p50Ms - b.p50Ms)[0];
  const peers = rows.filter(({ name }) => /^(faiss|usearch)/.test(name));
  if (ours === undefined || peers.length === 0) return [];
  return [`  ${ours.name} takes ${peers.map(({ name, p50Ms }) => `${(ours.p50Ms / p50Ms).toFixed(2)} of ${name}`).join(', ')} (medians)`];
}
