import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { Ranked, ScoreRequest } from '../algorithms/algorithm.ts';
import { weightsFile } from '../contracts/artifact.ts';
import { asUnderstudyError, UnderstudyError } from '../contracts/problem.ts';
import type { GraphBytes } from './onnx-builder.ts';
import { allowedScoreFloor } from './recommend-interface.ts';

/** A loaded `recommend.onnx`. It belongs to the thread that opened it; its work runs inside the call. */
export type RecommendGraph = {
  readonly itemCount: number;
  readonly maxHistory: number;
  /**
   * Answers one request: at most `count` items, best first, none that is excluded or out of scope. Of a longer history the most
   * recent `maxHistory` entries are read. Index `itemCount` in `history` and `exclude` means padding.
   * @throws UND-INPUT for indexes, weights or a count out of range; UND-ARTIFACT when the graph fails or answers nonsense.
   */
  recommend(request: ScoreRequest): Promise<Ranked>;
  close(): Promise<void>;
};

const expectedInputs = { history: 'int64', history_weight: 'float32', exclude: 'int64', scope_bias: 'float32', count: 'int64' } as const;
const expectedOutputs = { items: 'int64', scores: 'float32' } as const;

/**
 * Opens a graph with one thread and checks that it has the inputs and outputs of `understudy.recommend/1`.
 * @param source a file, whose weights beside it are mapped into memory; or bytes, with those of its weights where they stand outside.
 * @throws UND-ARTIFACT naming everything that is wrong.
 */
export async function openRecommendGraph(source: (GraphBytes | { path: string }) & { itemCount: number; maxHistory: number }): Promise<RecommendGraph> {
  const { itemCount, maxHistory } = source;
  const session = await createSession(source);
  const wrong = [
    ...differences('input', session.inputMetadata, expectedInputs, itemCount),
    ...differences('output', session.outputMetadata, expectedOutputs, itemCount),
  ];
  if (wrong.length > 0) {
    await session.release();
    throw new UnderstudyError('UND-ARTIFACT', `The graph does not fit understudy.recommend/1: ${wrong.join('; ')}`);
  }

  const everythingInScope = new Float32Array(itemCount);
  // The bias of a scope is the same array for many requests; its tensor is made once.
  const biasTensors = new WeakMap<Float32Array, Tensor>();
  const biasTensor = (bias: Float32Array): Tensor => {
    const tensor = biasTensors.get(bias) ?? new Tensor('float32', bias, [itemCount]);
    biasTensors.set(bias, tensor);
    return tensor;
  };

  return {
    itemCount,
    maxHistory,
    async recommend(request) {
      checkRequest(request, itemCount);
      const from = Math.max(0, request.history.length - maxHistory);
      const history = request.history.length === 0 ? [itemCount] : request.history.slice(from);
      const weights = request.history.length === 0 ? [0] : request.historyWeight.slice(from);
      const exclude = request.exclude.length === 0 ? [itemCount] : request.exclude;
      const answer = await run(session, {
        history: int64Tensor(history),
        history_weight: new Tensor('float32', Float32Array.from(weights), [weights.length]),
        exclude: int64Tensor(exclude),
        scope_bias: biasTensor(request.scopeBias ?? everythingInScope),
        count: int64Tensor([Math.min(request.count, itemCount)]),
      });
      return readAnswer(answer, itemCount);
    },
    close: () => session.release(),
  };
}

async function createSession(source: GraphBytes | { path: string }): Promise<InferenceSession> {
  const options: InferenceSession.SessionOptions = {
    executionProviders: ['cpu'],
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
  };
  try {
    if ('path' in source) return await InferenceSession.create(source.path, options);
    const { bytes, weights } = source;
    return await InferenceSession.create(bytes, weights === undefined ? options : { ...options, externalData: [{ path: weightsFile, data: weights }] });
  } catch (error) {
    throw new UnderstudyError('UND-ARTIFACT', `ONNX Runtime cannot load the graph: ${firstLine(error)}`, { cause: error });
  }
}

function differences(
  role: 'input' | 'output',
  found: readonly InferenceSession.ValueMetadata[],
  expected: Readonly<Record<string, string>>,
  itemCount: number,
): string[] {
  const wrong: string[] = [];
  for (const [name, type] of Object.entries(expected)) {
    const one = found.find((value) => value.name === name);
    if (one === undefined) wrong.push(`no ${role} '${name}'`);
    else if (!one.isTensor) wrong.push(`${role} '${name}' is not a tensor`);
    else if (one.type !== type) wrong.push(`${role} '${name}' is ${one.type}, not ${type}`);
    else if (one.shape.length !== 1) wrong.push(`${role} '${name}' has ${one.shape.length} dimensions, not 1`);
    else if (name === 'scope_bias' && typeof one.shape[0] === 'number' && one.shape[0] > 0 && one.shape[0] !== itemCount)
      wrong.push(`${role} '${name}' is for ${one.shape[0]} items, not ${itemCount}`);
  }
  for (const value of found) if (!(value.name in expected)) wrong.push(`${role} '${value.name}' is not known`);
  return wrong;
}

/** ONNX wraps negative indexes around without a word, so nothing unchecked goes in. */
function checkRequest(request: ScoreRequest, itemCount: number): void {
  const { history, historyWeight, exclude, scopeBias, count } = request;
  const refuse = (message: string): never => {
    throw new UnderstudyError('UND-INPUT', message);
  };
  const isIndex = (index: number): boolean => Number.isInteger(index) && index >= 0 && index <= itemCount;
  for (const index of history) if (!isIndex(index)) refuse(`history holds ${index}, which is not an index of 0 .. ${itemCount}`);
  for (const index of exclude) if (!isIndex(index)) refuse(`exclude holds ${index}, which is not an index of 0 .. ${itemCount}`);
  if (historyWeight.length !== history.length) refuse(`history has ${history.length} entries and historyWeight ${historyWeight.length}`);
  for (const weight of historyWeight) if (!(weight >= 0 && weight <= 1e9)) refuse(`historyWeight holds ${weight}, which is not in 0 .. 1e9`);
  if (scopeBias !== undefined && scopeBias.length !== itemCount) refuse(`scopeBias has ${scopeBias.length} entries for ${itemCount} items`);
  if (!Number.isInteger(count) || count < 1) refuse(`count is ${count}, which is not a whole number of at least 1`);
}

async function run(session: InferenceSession, feeds: Record<string, Tensor>): Promise<{ items: BigInt64Array; scores: Float32Array }> {
  try {
    const { items, scores } = await session.run(feeds);
    return { items: (items as Tensor).data as BigInt64Array, scores: (scores as Tensor).data as Float32Array };
  } catch (error) {
    const known = asUnderstudyError(error);
    throw new UnderstudyError('UND-ARTIFACT', `The graph failed on a request: ${firstLine(known)}`, { cause: error });
  }
}

function readAnswer(answer: { items: BigInt64Array; scores: Float32Array }, itemCount: number): Ranked {
  const ranked: Ranked = { items: [], scores: [] };
  if (answer.items.length !== answer.scores.length) throw new UnderstudyError('UND-ARTIFACT', 'The graph answers more items than scores, or fewer');
  const seen = new Set<number>();
  for (let position = 0; position < answer.items.length; position += 1) {
    const score = answer.scores[position] as number;
    const item = Number(answer.items[position]);
    if (score < allowedScoreFloor) break;
    if (!Number.isFinite(score)) throw new UnderstudyError('UND-ARTIFACT', `The graph gives item ${item} the score ${score}`);
    if (item < 0 || item >= itemCount || seen.has(item)) throw new UnderstudyError('UND-ARTIFACT', `The graph answers item ${item}, out of range or twice`);
    seen.add(item);
    ranked.items.push(item);
    ranked.scores.push(score);
  }
  return ranked;
}

function int64Tensor(values: readonly number[]): Tensor {
  return new Tensor(
    'int64',
    BigInt64Array.from(values, (value) => BigInt(value)),
    [values.length],
  );
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] as string;
}
