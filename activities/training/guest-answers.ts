import type { ScoreRequest } from '../../models/algorithms/algorithm.ts';
import type { ParityRecord } from '../../models/contracts/artifact.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { RecommendGraph } from '../../models/graph/session.ts';

type Asked = ScoreRequest & { itemCount: number; best: number | undefined };

/**
 * Serving leaves out what a graph should not have answered; one that does not obey would be measured on slates that nobody is shown.
 * @throws UND-ARTIFACT naming what it answered.
 */
async function obeys(graph: RecommendGraph, { itemCount, best, ...request }: Asked): Promise<void> {
  if (best === undefined) return;
  const scopeBias = new Float32Array(itemCount);
  scopeBias[best] = -1e9;
  const banned: [string, ScoreRequest, ReadonlySet<number>][] = [
    ['exclude', { ...request, exclude: [...new Set([...request.exclude, best])] }, new Set([...request.exclude, best])],
    ['scope_bias', { ...request, scopeBias }, new Set([...request.exclude, best])],
  ];
  for (const [input, asked, without] of banned) {
    const { items, scores } = await graph.recommend(asked);
    const wrong = items.find((item) => without.has(item));
    if (wrong !== undefined) throw new UnderstudyError('UND-ARTIFACT', `The graph answers item ${wrong}, which \`${input}\` leaves out`);
    const expected = Math.min(request.count, itemCount - without.size);
    if (items.length < expected) throw new UnderstudyError('UND-ARTIFACT', `With \`${input}\` the graph answers ${items.length} items, ${expected} are left`);
    if (scores.some((score, place) => score > (scores[place - 1] ?? score)))
      throw new UnderstudyError('UND-ARTIFACT', 'The graph does not answer the best first');
  }
}

/** The requests that a guest is asked, with what it answers. @throws UND-ARTIFACT where it does not obey */
export async function answersOf(graph: RecommendGraph, itemCount: number): Promise<ParityRecord> {
  const requests: ParityRecord['requests'] = [];
  for (const history of [[], [0], [itemCount - 1], [0, Math.floor(itemCount / 2), itemCount - 1]]) {
    const request = { history, historyWeight: history.map(() => 1), exclude: history.slice(0, 1), count: Math.min(20, itemCount) };
    const ranked = await graph.recommend(request);
    await obeys(graph, { ...request, itemCount, best: ranked.items[0] });
    requests.push({ history, historyWeight: request.historyWeight, exclude: request.exclude, items: ranked.items, scores: ranked.scores });
  }
  return { requests, tolerance: 1e-4 };
}
