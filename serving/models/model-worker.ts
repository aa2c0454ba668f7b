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
 * A thread that owns the ONNX sessions of one set of artifacts for its whole life. It opens them, runs the parity requests through each (which warms
 * it as well), and only then says that it is ready.
 */

type Hosted = { graph: RecommendGraph; scopeBias: Float32Array; recentMs: number };

/** Replies leave in small groups: fewer messages, and the first of a burst need not wait for the last. */
const repliesPerMessage = 4;

const port = parentPort;
if (port === null) throw new Error('model-worker.ts runs as a worker thread');
const send = (message: FromWorker): void => port.postMessage(message);
const hosted = new Map<string, Hosted>();
let work: Promise<void> = start(workerData as HostedArtifact[]);

port.on('message', (message: ToWorker) => {
  if (message.type === 'crash') throw new Error('This model thread was told to crash');
  work = work.then(() => (message.type === 'close' ? close() : answer(message.calls)));
});

async function start(artifacts: readonly HostedArtifact[]): Promise<void> {
  try {
    for (const artifact of artifacts) hosted.set(artifact.digest, await open(artifact));
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
  return { graph, scopeBias, recentMs: 0 };
}

async function close(): Promise<void> {
  for (const { graph } of hosted.values()) await graph.close();
  port?.close();
}

async function answer(calls: readonly ModelCall[]): Promise<void> {
  let replies: ModelReply[] = [];
  for (const call of calls) {
    replies.push(await answerCall(call));
    if (replies.length < repliesPerMessage) continue;
    send({ type: 'replies', replies });
    replies = [];
  }
  if (replies.length > 0) send({ type: 'replies', replies });
}

async function answerCall({ id, expiresAtMs, questions }: ModelCall): Promise<ModelReply> {
  const answers: ModelAnswer[] = [];
  for (const question of questions) {
    const left = expiresAtMs - nowMs();
    const model = hosted.get(question.artifact);
    if (left <= 0) answers.push(noAnswer('too late'));
    else if (answers.length > 0 && model !== undefined && model.recentMs > left / 2) {
      // Forgotten slowly, so that a model that was slow once is asked again.
      model.recentMs *= 0.95;
      answers.push(noAnswer('left out: too slow for the time there was'));
    } else answers.push(await ask(model, question));
  }
  return { id, answers };
}

async function ask(model: Hosted | undefined, question: ModelQuestion): Promise<ModelAnswer> {
  if (model === undefined) return noAnswer('not loaded');
  const startedAt = performance.now();
  try {
    const ranked = await model.graph.recommend({ ...question, scopeBias: model.scopeBias });
    const latencyMs = performance.now() - startedAt;
    model.recentMs = Math.max(latencyMs, model.recentMs * 0.9);
    return { ...ranked, latencyMs, error: null };
  } catch (error) {
    return noAnswer(asUnderstudyError(error).message, performance.now() - startedAt);
  }
}
