import { attributesOf, cuboids, deviationScores, type Peer, viewOf } from './attribution-peers.ts';

/** Clusters whose mean score (f − v) / (f + v) is smaller count as normal. */
const normalDeviation = 0.2;
/** A cluster's cause has no more elements. */
const mostElements = 12;
/** A score above it ends the search for wider combinations. */
const goodScore = 0.9;

type View = ReturnType<typeof viewOf>;
type Located = { attributes: [number, number][][]; rank: number };

/**
 * Squeeze (Li et al. 2019, "Generic and Robust Localization of Multi-dimensional Root Causes", sections III and IV), with the published thresholds: leaves beyond the knee of the residuals
 * are clustered by the density of their deviation scores, and for each cluster the cuboid and the elements with the best generalized potential score, less their number, are its cause.
 */
export const squeeze: Peer = (table) => {
  const view = viewOf(table);
  const known = Array.from(view.actual.keys()).filter((leaf) => (view.predicted[leaf] as number) > 0);
  const score = deviationScores(view).map((one) => one / 2);
  const clusters = clustersOf({ score, known, far: beyondKnee(view, known) });
  if (clusters.length === 0) return [];
  const values = view.dimensions.reduce((sum, one) => sum + one.values.length, 0);
  const clustered = clusters.reduce((sum, cluster) => sum + cluster.length, 0);
  const weight = (-Math.log((clusters.length * clustered) / known.length) / Math.log(values)) * values;
  const least = Math.min(...clusters.flatMap((cluster) => cluster.map((leaf) => Math.abs(score[leaf] as number))));
  const normal = known.filter((leaf) => Math.abs(score[leaf] as number) < least);
  const found = clusters.flatMap((cluster) => locate(view, { cluster, normal, known, weight }));
  return [...new Map(found.map((one) => [JSON.stringify(one), one])).values()];
};

/** The knee of the residuals' cumulated distribution: where it is highest above the straight line between its ends. */
function beyondKnee({ actual, predicted }: View, known: readonly number[]): number[] {
  const residual = (leaf: number) => Math.abs((actual[leaf] as number) - (predicted[leaf] as number));
  const sorted = known.map(residual).sort((a, b) => a - b);
  const most = sorted.at(-1) ?? 0;
  let knee = { height: Number.NEGATIVE_INFINITY, at: 0 };
  for (const [place, value] of sorted.entries()) {
    const height = (place + 1) / sorted.length - value / Math.max(most, Number.MIN_VALUE);
    if (height > knee.height) knee = { height, at: value };
  }
  return known.filter((leaf) => residual(leaf) > knee.at);
}

/** Between the minima of the smoothed histogram, one cluster around each maximum, with all leaves of such scores. */
function clustersOf({ score, known, far }: { score: Float64Array; known: readonly number[]; far: readonly number[] }): number[][] {
  if (far.length === 0) return [];
  const scores = far.map((leaf) => score[leaf] as number).sort((a, b) => a - b);
  const [low, high] = [scores[0] as number, scores.at(-1) as number];
  const quartiles = (scores[Math.floor(0.75 * scores.length)] as number) - (scores[Math.floor(0.25 * scores.length)] as number);
  const width = Math.min((2 * quartiles) / Math.cbrt(scores.length) || Number.POSITIVE_INFINITY, (high - low) / (Math.log2(scores.length) + 1));
  const bins = width > 0 ? Math.max(1, Math.min(2_000, Math.ceil((high - low) / width))) : 1;
  const counts = new Float64Array(bins + 10);
  const step = (high - low) / bins || 1;
  for (const one of scores)
    counts[5 + Math.min(bins - 1, Math.floor((one - low) / step))] = (counts[5 + Math.min(bins - 1, Math.floor((one - low) / step))] as number) + 1;
  const window = Math.max(1, Math.floor(counts.filter((count) => count > 0).length / 10));
  const smooth = counts.map((_, at) => counts.subarray(Math.max(0, at - window + 1), at + 1).reduce((sum, one) => sum + one, 0) / window);
  const centre = (at: number) => low + (at - 5 + 0.5) * step;
  const around = (at: number) => [smooth[at - 1] ?? 0, smooth[at] as number, smooth[at + 1] ?? 0] as const;
  const places = Array.from(smooth.keys());
  const minima = places.filter((at) => around(at)[1] <= around(at)[0] && around(at)[1] <= around(at)[2]).map(centre);
  const maxima = places.filter((at) => around(at)[1] > around(at)[0] && around(at)[1] > around(at)[2]).map(centre);
  return maxima.flatMap((top) => {
    const from = minima.findLast((one) => one < top) ?? Number.NEGATIVE_INFINITY;
    const to = minima.find((one) => one > top) ?? Number.POSITIVE_INFINITY;
    const own = scores.filter((one) => one >= from && one <= to);
    if (own.length === 0 || own.reduce((sum, one) => sum + Math.abs(one), 0) / own.length < normalDeviation) return [];
    const [least, most] = [own[0] as number, own.at(-1) as number];
    return [known.filter((leaf) => (score[leaf] as number) >= least && (score[leaf] as number) <= most)];
  });
}

type Locating = { cluster: readonly number[]; normal: readonly number[]; known: readonly number[]; weight: number };

function locate(view: View, { cluster, normal, known, weight }: Locating): [number, number][][] {
  const isIn = new Set(cluster);
  const counted = [...new Set([...cluster, ...normal])];
  let best: Located | undefined;
  for (let layer = 1; layer <= view.dimensions.length; layer += 1) {
    let isGood = false;
    for (const { cuboid, groups } of cuboids(view, { layer, left: known })) {
      const elements = [...groups.values()]
        .map((leaves) => ({ leaves, share: leaves.filter((leaf) => isIn.has(leaf)).length / leaves.length }))
        .filter(({ share }) => share > 0)
        .sort((a, b) => b.share - a.share);
      const scores = Array.from({ length: Math.min(elements.length, mostElements, groups.size - 1) }, (_, many) =>
        potential(view, { chosen: new Set(elements.slice(0, many + 1).flatMap(({ leaves }) => leaves)), counted }),
      );
      if (scores.length === 0) continue;
      // Within a cuboid the score alone decides, between cuboids the rank.
      const score = Math.max(...scores);
      const chosen = elements.slice(0, scores.indexOf(score) + 1);
      if (score > goodScore) isGood = true;
      const rank = score * weight - chosen.length * layer;
      if (best === undefined || rank > best.rank) best = { rank, attributes: chosen.map(({ leaves }) => attributesOf(view, cuboid, leaves[0] as number)) };
    }
    if (isGood) break;
  }
  return best?.attributes ?? [];
}

/** Generalized potential score (equation 8). */
function potential({ actual, predicted }: View, { chosen, counted }: { chosen: ReadonlySet<number>; counted: readonly number[] }): number {
  let [v, f, many] = [0, 0, 0];
  for (const leaf of counted) {
    if (!chosen.has(leaf)) continue;
    v += actual[leaf] as number;
    f += predicted[leaf] as number;
    many += 1;
  }
  let [rippled, before, other] = [0, 0, 0];
  for (const leaf of counted) {
    const [own, expected] = [actual[leaf] as number, predicted[leaf] as number];
    if (chosen.has(leaf)) {
      rippled += Math.abs(own - (expected * v) / f);
      before += Math.abs(own - expected);
    } else other += Math.abs(own - expected);
  }
  const mean = (sum: number, count: number) => (count === 0 ? 0 : sum / count);
  const rest = mean(other, counted.length - many);
  return 1 - (mean(rippled, many) + rest) / (mean(before, many) + rest);
}
