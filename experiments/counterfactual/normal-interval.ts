import type { Interval } from '../../models/contracts/verdict.ts';
import { normalQuantile } from '../normal.ts';
import { clusterScores } from './single-slot/intervals.ts';

/** Mean of the scores and its normal interval, clustered; no wider than the mean where there are too few clusters for a spread. It describes and does not decide. */
export function normalInterval({ scores, cluster, clusters, level }: { scores: Float64Array; cluster: Int32Array; clusters: number; level: number }): Interval {
  if (scores.length === 0) return { value: 0, low: 0, high: 0 };
  const { mean, standardError } = clusterScores({ scores, cluster, clusters });
  const half = normalQuantile((1 + level) / 2) * (Number.isFinite(standardError) ? standardError : 0);
  return { value: mean, low: mean - half, high: mean + half };
}
