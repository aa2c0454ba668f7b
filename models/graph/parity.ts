import type { Interactions, Model, ScoreRequest } from '../algorithms/algorithm.ts';
import type { ParityRecord } from '../contracts/artifact.ts';
import { createRandom } from '../random.ts';
import type { RecommendGraph } from './session.ts';

export type History = Pick<ScoreRequest, 'history' | 'historyWeight'>;

const answersPerRequest = 20;
const historiesAtMost = 32;
/** Of a score, relative to the largest of the answer. Single against double precision stays two orders below it. */
const defaultTolerance = 1e-4;

/**
 * Histories as the real ones are, and nobody's: a record stands beside its artifact for as long as that is kept, and must hold no person's data. They are as
 * long as the real ones at evenly spaced quantiles; each item is one of a random entry, so that popular ones come more often, and its weight that of another.
 */
export function mixedHistories(input: {
  interactions: Pick<Interactions, 'userCount' | 'indptr' | 'items' | 'weights'>;
  maxHistory: number;
  seed: number;
  count: number;
}): History[] {
  const { userCount, indptr, items, weights } = input.interactions;
  if (items.length === 0) return [];
  const random = createRandom(input.seed);
  const lengths = Uint32Array.from({ length: userCount }, (_, user) => (indptr[user + 1] ?? 0) - (indptr[user] ?? 0)).sort();
  const wanted = Math.min(input.count, userCount);
  return Array.from({ length: wanted }, (_, place) => {
    const length = Math.min(input.maxHistory, lengths[Math.floor(((place + 0.5) * userCount) / wanted)] as number);
    const history = new Set<number>();
    // In a small catalog there may be no more different ones.
    for (let drawn = 0; history.size < length && drawn < 20 * length; drawn += 1) history.add(items[random.below(items.length)] as number);
    return { history: [...history], historyWeight: Array.from(history, () => weights[random.below(weights.length)] as number) };
  });
}

/**
 * Fixed requests with the trainer's own answers: histories as they are and with exclusions (what was seen, some at random, the best
 * answer), the empty history, and one of unknown items only.
 * @param histories such as `mixedHistories` gives, indexes 0 .. itemCount - 1; the first 32 are used, cut to their most recent `maxHistory` entries.
 */
export function makeParityRecord(input: {
  model: Model;
  itemCount: number;
  maxHistory: number;
  seed: number;
  histories: readonly History[];
  tolerance?: number;
}): ParityRecord {
  const { model, itemCount, maxHistory, histories } = input;
  const random = createRandom(input.seed);
  const count = Math.min(answersPerRequest, itemCount);
  const record: ParityRecord = { requests: [], tolerance: input.tolerance ?? defaultTolerance };
  const add = ({ history, historyWeight }: History, exclude: readonly number[]): readonly number[] => {
    const request = { history: [...history.slice(-maxHistory)], historyWeight: [...historyWeight.slice(-maxHistory)], exclude: [...exclude] };
    const answer = model.recommend({ ...request, count });
    record.requests.push({ ...request, ...answer });
    return answer.items;
  };

  add({ history: [], historyWeight: [] }, []);
  // An item that the vocabulary does not have comes in as padding.
  add({ history: [itemCount, itemCount], historyWeight: [0, 0] }, [itemCount]);
  for (const one of histories.slice(0, historiesAtMost)) {
    const answered = add(one, []);
    const somewhere = Array.from({ length: 3 }, () => random.below(itemCount));
    const exclude = new Set([...one.history.slice(-maxHistory), ...answered.slice(0, 1), ...somewhere]);
    add(
      one,
      [...exclude].sort((a, b) => a - b),
    );
  }
  return record;
}

export type ParityResult = {
  requests: number;
  /** Largest |graph - trainer| of a score, relative to the largest |trainer| of its answer. */
  largestError: number;
  passed: boolean;
  firstDifference?: { request: number; message: string };
};

/**
 * Asks a graph what the trainer was asked. Scores must agree within the tolerance; items must agree but where the trainer's scores
 * are closer to each other than that, so that rounding may order them either way.
 */
export async function checkParity({ graph, record }: { graph: RecommendGraph; record: ParityRecord }): Promise<ParityResult> {
  const result: ParityResult = { requests: record.requests.length, largestError: 0, passed: true };
  for (const [number, expected] of record.requests.entries()) {
    const answer = await graph.recommend({ ...expected, count: Math.max(1, expected.items.length) });
    const differences = compareAnswers({ expected, answer, tolerance: record.tolerance });
    result.largestError = Math.max(result.largestError, differences.largestError);
    if (differences.message === undefined) continue;
    result.passed = false;
    result.firstDifference ??= { request: number, message: differences.message };
  }
  return result;
}

type Answer = { items: readonly number[]; scores: readonly number[] };

function compareAnswers({ expected, answer, tolerance }: { expected: Answer; answer: Answer; tolerance: number }): { largestError: number; message?: string } {
  if (answer.items.length !== expected.items.length)
    return { largestError: 0, message: `the graph answers ${answer.items.length} items, the trainer ${expected.items.length}` };
  const expectedScores = new Map(expected.items.map((item, position) => [item, expected.scores[position] as number]));
  const lastScore = expected.scores.at(-1) ?? 0;
  // An answer to an unknown visitor has small scores; their order must be right all the same.
  const scale = expected.scores.reduce((most, score) => Math.max(most, Math.abs(score)), 0) || 1;
  let largestError = 0;
  let message: string | undefined;
  for (const [position, item] of answer.items.entries()) {
    const score = answer.scores[position] as number;
    // Against the place, and against the item's own score; an item the trainer did not answer must be as good as its last.
    for (const reference of [expected.scores[position] as number, expectedScores.get(item) ?? lastScore]) {
      const error = Math.abs(score - reference) / scale;
      largestError = Math.max(largestError, error);
      if (error <= tolerance) continue;
      message ??= `at place ${position} the graph has item ${item} with ${score}, the trainer item ${expected.items[position]} with ${expected.scores[position]}`;
    }
  }
  return message === undefined ? { largestError } : { largestError, message };
}
