import { readFile } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { digestBytes } from '../../models/contracts/digest.ts';
import { asUnderstudyError, UnderstudyError } from '../../models/contracts/problem.ts';
import { createEmbeddingSearch, type EmbeddingSearch } from '../../models/embeddings/search.ts';
import { checkParity } from '../../models/graph/parity.ts';
import { disallowedScore } from '../../models/graph/recommend-interface.ts';
import { openRecommendGraph, type RecommendGraph } from '../../models/graph/session.ts';
import { vectorsOf } from '../../stores/embedding-sets.ts';
import {
  type FromWorker,
  type HostedArtifact,
  type HostedEmbeddings,
  type ModelAnswer,
  type ModelCall,
  type ModelQuestion,
  type ModelReply,
  noAnswer,
  nowMs,
  type Question,
  type SimilarQuestion,
  type ToWorker,
  type VectorsQuestion,
} from './model-messages.ts';

/*
 * A thread that owns the ONNX session of one artifact for its whole life. It opens it, runs the parity requests through it (which warms it as well),
 * and only then says that it is ready.
 */

type Hosted = {
  graph: RecommendGraph;
  biasFor: (mask: ModelQuestion['mask']) => Float32Array;
  embeddings: { search: () => Promise<EmbeddingSearch>; allowed: Uint8Array } | null;
};

/** Replies leave in small groups: fewer messages, and the first of a burst need not wait for the last. */
const repliesPerMessage = 4;

const port = parentPort;
if (port === null) throw new Error('model-worker.ts runs as a worker thread');
const send = (message: FromWorker): void => port.postMessage(message);
let hosted: Hosted | undefined;
let work: Promise<void> = start(workerData as HostedArtifact);

port.on('message', (message: ToWorker) => {
  if (message.type === 'crash') throw new Error('This model thread was told to crash');
  work = work.then(() => (message.type === 'close' ? close() : answer(message.calls)));
});

async function start(artifact: HostedArtifact): Promise<void> {
  try {
    hosted = await open(artifact);
    send({ type: 'ready' });
  } catch (error) {
    const { code, message } = asUnderstudyError(error);
    send({ type: 'refused', code, message });
  }
}

async function open({ digest, graphPath, itemCount, maxHistory, parity, scopeBias, embeddings }: HostedArtifact): Promise<Hosted> {
  const graph = await openRecommendGraph({ path: graphPath, itemCount, maxHistory });
  const result = await checkParity({ graph, record: parity });
  if (!result.passed) {
    const { request, message } = result.firstDifference ?? { request: 0, message: 'the answers differ' };
    throw new UnderstudyError('UND-PARITY', `The graph of ${digest} does not answer as its trainer: request ${request}: ${message}`);
  }
  const biasFor = maskedBiases(scopeBias);
  if (embeddings === undefined) return { graph, biasFor, embeddings: null };
  let opened: Promise<EmbeddingSearch> | undefined;
  const search = () => (opened ??= openSearch(embeddings));
  // A challenger is asked nothing about vectors before it is champion.
  await (embeddings.isAsked ? search() : readVectors(embeddings));
  return { graph, biasFor, embeddings: { search, allowed: embeddings.allowed } };
}

/** Masks that are asked for at the same time: one for each kind of audience, and those before a change. */
const masksAtMost = 8;

/** The scope's bias under a mask, made when its number is first seen. */
function maskedBiases(scopeBias: Float32Array): Hosted['biasFor'] {
  const known = new Map<number, Float32Array>();
  return (mask) => {
    if (mask === undefined) return scopeBias;
    const bias = known.get(mask.number) ?? scopeBias.map((own, index) => (mask.allowed[index] === 1 ? own : disallowedScore));
    known.delete(mask.number);
    known.set(mask.number, bias);
    if (known.size > masksAtMost) known.delete(known.keys().next().value as number);
    return bias;
  };
}

async function openSearch(set: HostedEmbeddings): Promise<EmbeddingSearch> {
  const { dimensions, measure } = set;
  return createEmbeddingSearch({ dimensions, measure, vectors: await readVectors(set) });
}

/** Read and checked here, where a set of any size holds up no request. */
async function readVectors({ version, vectorsPath, vectors: digest, count, dimensions }: HostedEmbeddings): Promise<Float32Array> {
  const bytes = await readFile(vectorsPath);
  if (digestBytes(bytes) !== digest) throw new UnderstudyError('UND-DIGEST', `The vectors of the embedding set ${version} are not what their digest says`);
  return vectorsOf(bytes, { version, count, dimensions });
}

async function close(): Promise<void> {
  await hosted?.graph.close();
  port?.close();
}

async function answer(calls: readonly ModelCall[]): Promise<void> {
  let replies: ModelReply[] = [];
  for (const { id, expiresAtMs, question } of calls) {
    replies.push({ id, answer: nowMs() >= expiresAtMs ? noAnswer('too late') : await ask(question) });
    if (replies.length < repliesPerMessage) continue;
    send({ type: 'replies', replies });
    replies = [];
  }
  if (replies.length > 0) send({ type: 'replies', replies });
}

async function ask(question: Question): Promise<ModelAnswer> {
  if (hosted === undefined) return noAnswer('not loaded');
  const startedAt = performance.now();
  try {
    const ranked =
      'history' in question ? await hosted.graph.recommend({ ...question, scopeBias: hosted.biasFor(question.mask) }) : await askSet(hosted, question);
    return { ...ranked, latencyMs: performance.now() - startedAt, error: null };
  } catch (error) {
    return noAnswer(asUnderstudyError(error).message, performance.now() - startedAt);
  }
}

async function askSet({ embeddings }: Hosted, question: SimilarQuestion | VectorsQuestion): Promise<Pick<ModelAnswer, 'items' | 'scores' | 'vectors'>> {
  if (embeddings === null) throw new UnderstudyError('UND-ARTIFACT', 'The artifact has no embedding set');
  const allowed = ('like' in question ? question.mask?.allowed : undefined) ?? embeddings.allowed;
  const search = await embeddings.search();
  if ('vectorsOf' in question) return { items: [], scores: [], vectors: question.vectorsOf.map((row) => search.vector(row)) };
  const { like, count } = question;
  const own = 'row' in like ? like.row : -1;
  const vector = 'row' in like ? search.vector(own) : like.vector;
  const { rows, scores } = search.nearest({ vector, count, allowed: (row) => row !== own && allowed[row] === 1 });
  return { items: rows, scores };
}
