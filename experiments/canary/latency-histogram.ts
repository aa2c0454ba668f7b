/** Each bucket is this factor wider than the one before: quantiles are at most 2 % too high. */
const factor = 1.02;
const smallestMs = 0.01;

/** Latencies of any number of requests in little memory. */
export class LatencyHistogram {
  private readonly buckets = new Map<number, number>();
  private total = 0;

  add(ms: number): void {
    const bucket = ms <= smallestMs ? 0 : Math.ceil(Math.log(ms / smallestMs) / Math.log(factor));
    this.buckets.set(bucket, (this.buckets.get(bucket) ?? 0) + 1);
    this.total += 1;
  }

  /** Smallest bucket limit that this share of requests does not exceed, in ms; 0 without requests. */
  quantile(share: number): number {
    let below = 0;
    for (const [bucket, count] of [...this.buckets].sort(([a], [b]) => a - b)) {
      below += count;
      if (below >= share * this.total) return smallestMs * factor ** bucket;
    }
    return 0;
  }
}
