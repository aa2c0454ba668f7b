import { panelItems } from '../../kernels/softmax-jobs.ts';
import { Panels } from '../../neural/full-softmax.ts';
import { inWorkspace } from '../../neural/workspace.ts';
import type { Model, Ranked, ScoreRequest } from '../algorithm.ts';
import { rankScores } from '../rank.ts';

/** Requests that are answered together. */
export const requestsAtOnce = 64;

/**
 * Answers many requests as a model does that scores by products of vectors, in single precision and by the kernels: of large catalogs several times as many a
 * second. What a score has beside the product is the same for every request, and read off the answer to an empty history.
 */
export function rankByProducts(first: Model, itemCount: number): (requests: readonly ScoreRequest[]) => Ranked[] {
  const products = first.products?.();
  if (products === undefined) throw new Error('A first stage scores by products of vectors');
  const { width, vectors, queryOf } = products;
  const { panels, queries, scores, table } = inWorkspace((workspace) => {
    const made = { width, value: workspace.floats(Panels.rowsFor(itemCount) * width) };
    const own = new Panels({ workspace, table: made, items: itemCount });
    return { table: made, panels: own, queries: workspace.floats(requestsAtOnce * width), scores: workspace.floats(requestsAtOnce * panelItems) };
  });
  table.value.set(vectors.subarray(0, itemCount * width));
  const besides = new Float32Array(itemCount);
  const nobody: ScoreRequest = { history: [], historyWeight: [], exclude: [], count: itemCount };
  const empty = queryOf(nobody);
  const answer = first.recommend(nobody);
  for (const [place, item] of answer.items.entries()) {
    let product = 0;
    for (let f = 0; f < width; f += 1) product += (vectors[item * width + f] as number) * (empty[f] as number);
    besides[item] = (answer.scores[place] as number) - product;
  }
  const rows = Array.from({ length: requestsAtOnce }, () => new Float32Array(itemCount));
  return (requests) => {
    for (const [row, request] of requests.entries()) queries.set(Float32Array.from(queryOf(request)), row * width);
    for (let panel = 0; panel < panels.count; panel += 1) {
      panels.score(panel, { vectors: queries, first: 0, rows: requests.length, scores, place: 0 });
      const from = panel * panelItems;
      const count = Math.min(panelItems, itemCount - from);
      for (let row = 0; row < requests.length; row += 1) {
        const into = rows[row] as Float32Array;
        for (let item = 0; item < count; item += 1) into[from + item] = (scores[row * panelItems + item] as number) + (besides[from + item] as number);
      }
    }
    return requests.map((request, row) => rankScores({ scores: rows[row] as Float32Array, itemCount, request }));
  };
}
