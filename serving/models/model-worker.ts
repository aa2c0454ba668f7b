import { parentPort, workerData } from 'node:worker_threads';
import { asUnderstudyError, UnderstudyError } from '../../models/contracts/problem.ts';
import { checkParity } from '../../models/graph/parity.ts';
import { openRecommendGraph, type RecommendGraph } from '../../models/graph/session.ts';
import {
  type FromWorker,
  type HostedArtifact,
  type ModelAnswer,
  type ModelCall,
  type ModelQuestion,
  type ModelReply,
  noAnswer,
  nowMs,
  type ToWorker,
} from './model-messages.ts';

/*
 * A thread that owns the ONNX session of one artifact for its whole life. It opens it, runs the parity requests through it (which warms it as well),
 * and only then says that it is ready.
 */

type Hosted = { graph: RecommendGraph; scopeBias: Float32Array };

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

async function open({ digest, graphPath, itemCount, maxHistory, parity, scopeBias }: HostedArtifact): Promise<Hosted> {
  const graph = await openRecommendGraph({ path: graphPath, itemCount, maxHistory });
  const result = await checkParity({ graph, record: parity });
  if (!result.passed) {
    const { request, message } = result.firstDifference ?? { request: 0, message: 'the answers differ' };
    throw new UnderstudyError('UND-PARITY', `The graph of ${digest} does not answer as its trainer: request ${request}: ${message}`);
  }
  return { graph, scopeBias };
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

async function ask(question: ModelQuestion): Promise<ModelAnswer> {
  if (hosted === undefined) return noAnswer('not loaded');
  const startedAt = performance.now();
  try {
    const ranked = await hosted.graph.recommend({ ...question, scopeBias: hosted.scopeBias });
    return { ...ranked, latencyMs: performance.now() - startedAt, error: null };
  } catch (error) {
    return noAnswer(asUnderstudyError(error).message, performance.now() - startedAt);
  }
}
