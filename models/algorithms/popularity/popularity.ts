import { z } from 'zod';
import { OnnxBuilder } from '../../graph/onnx-builder.ts';
import { declareAnswer, declareInputs } from '../../graph/recommend-interface.ts';
import type { Algorithm, Interactions, Model } from '../algorithm.ts';
import { packCheckpoint, runFingerprint, unpackCheckpoint } from '../checkpoint.ts';
import { rankScores } from '../rank.ts';

const msPerDay = 86_400_000;

const popularityParams = z.strictObject({
  /** An event this much older than the newest one counts half. Absent: all events count alike. */
  halfLifeDays: z.number().positive().max(36_500).optional(),
});
export type PopularityParams = z.output<typeof popularityParams>;

/** Weighted counts of events, older ones counting less; the same answer for everybody. Scores are shares of the most popular item's count. */
export const popularity: Algorithm<PopularityParams> = {
  name: 'popularity',
  params: popularityParams,
  async train({ interactions, params, seed }, hooks = {}) {
    const fingerprint = runFingerprint({ algorithm: 'popularity', params, seed, interactions });
    const resumed = hooks.resumeFrom && unpackCheckpoint(hooks.resumeFrom, fingerprint);
    const scores = (resumed?.arrays.scores as Float32Array | undefined) ?? countEvents(interactions, params);
    const checkpoint = (): Uint8Array => packCheckpoint({ fingerprint, done: 1, arrays: { scores } });
    if (!resumed) await hooks.onStep?.({ done: 1, total: 1, note: 'events counted', checkpoint });
    return popularityModel(scores);
  },
};

/** @returns float32 [itemCount + 1], 0 .. 1, the last one padding. */
function countEvents({ itemCount, items, weights, atMs }: Interactions, { halfLifeDays }: PopularityParams): Float32Array {
  const newestMs = atMs.reduce((newest, at) => Math.max(newest, at), Number.NEGATIVE_INFINITY);
  const counts = new Float64Array(itemCount);
  for (let entry = 0; entry < items.length; entry += 1) {
    const ageDays = (newestMs - (atMs[entry] as number)) / msPerDay;
    const decay = halfLifeDays === undefined ? 1 : 2 ** (-ageDays / halfLifeDays);
    counts[items[entry] as number] = (counts[items[entry] as number] as number) + (weights[entry] as number) * decay;
  }
  const largest = counts.reduce((most, count) => Math.max(most, count), 0);
  const scores = new Float32Array(itemCount + 1);
  if (largest > 0) for (let item = 0; item < itemCount; item += 1) scores[item] = (counts[item] as number) / largest;
  return scores;
}

function popularityModel(scores: Float32Array): Model {
  const itemCount = scores.length - 1;
  return {
    maxHistory: 1,
    recommend: (request) => rankScores({ scores, itemCount, request }),
    exportGraph() {
      const graph = new OnnxBuilder({ name: 'popularity' });
      const inputs = declareInputs(graph, itemCount);
      declareAnswer(graph, inputs, graph.constant(scores, [itemCount + 1], 'item_scores'), itemCount);
      return graph.build();
    },
  };
}
