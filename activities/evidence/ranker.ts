import type { ScoreRequest } from '../../models/algorithms/algorithm.ts';
import { openRecommendGraph, type RecommendGraph } from '../../models/graph/session.ts';
import { loadArtifact } from '../../stores/artifacts.ts';
import type { State } from '../context.ts';

export type RankRequest = {
  history: readonly string[];
  historyWeights: readonly number[];
  exclude: readonly string[];
  count: number;
  /** Only these may be answered, as far as the scope holds them; absent: all that it holds. */
  among?: readonly string[];
};

/** A stored artifact that answers in item ids, whatever vocabulary it was trained with. The bytes are those that serve. */
export type Ranker = { rank(request: RankRequest): Promise<string[]>; itemIds: readonly string[]; close(): Promise<void> };

/** @param allowed the scope of this evaluation: items it does not hold are never answered. */
export async function openRanker(state: State, { artifact, allowed }: { artifact: string; allowed: (itemId: string) => boolean }): Promise<Ranker> {
  const loaded = await loadArtifact({ blobs: state.blobs, generations: state.generations, digest: artifact });
  const { vocabulary, manifest } = loaded;
  const graph = await openRecommendGraph({ path: loaded.graphPath, itemCount: vocabulary.length, maxHistory: manifest.maxHistory });
  return rankerOf({ graph, vocabulary, allowed });
}

/** The same of a graph that is open; closing the ranker closes it. */
export function rankerOf({
  graph,
  vocabulary,
  allowed,
}: {
  graph: RecommendGraph;
  vocabulary: readonly string[];
  allowed: (itemId: string) => boolean;
}): Ranker {
  const indexOf = new Map(vocabulary.map((itemId, index) => [itemId, index]));
  const scopeBias = Float32Array.from(vocabulary, (itemId) => (allowed(itemId) ? 0 : -1e9));
  // The same list for many requests is one bias.
  const biases = new WeakMap<readonly string[], Float32Array>();
  const biasAmong = (itemIds: readonly string[]): Float32Array => {
    const known = biases.get(itemIds);
    if (known !== undefined) return known;
    const bias = new Float32Array(vocabulary.length).fill(-1e9);
    for (const itemId of itemIds) {
      const index = indexOf.get(itemId);
      if (index !== undefined) bias[index] = scopeBias[index] as number;
    }
    biases.set(itemIds, bias);
    return bias;
  };
  return {
    itemIds: vocabulary,
    async rank({ history, historyWeights, exclude, count, among }) {
      const request: ScoreRequest & { history: number[]; historyWeight: number[] } = {
        history: [],
        historyWeight: [],
        exclude: exclude.flatMap((itemId) => indexOf.get(itemId) ?? []),
        scopeBias: among === undefined ? scopeBias : biasAmong(among),
        count: Math.min(count, vocabulary.length),
      };
      history.forEach((itemId, place) => {
        const index = indexOf.get(itemId);
        if (index === undefined) return;
        request.history.push(index);
        request.historyWeight.push(historyWeights[place] ?? 1);
      });
      const ranked = await graph.recommend(request);
      return ranked.items.map((index) => vocabulary[index] ?? '');
    },
    close: () => graph.close(),
  };
}
