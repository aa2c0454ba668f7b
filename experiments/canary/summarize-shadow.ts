import type { Charter } from '../../models/contracts/charter.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { rollbackAlpha } from './error-budget.ts';
import { exceeds } from './guardrails.ts';
import { LatencyHistogram } from './latency-histogram.ts';

/** What the challenger did unseen. `overlapAt10`: mean share of the champion's first ten items that stand among the challenger's first ten. */
export type ShadowSummary = { slates: number; errors: number; latencyP99Ms: number; slow: number; overlapAt10: number };

type Canary = Charter['release']['canary'];

type Counted = { records: Iterable<SlateRecord>; releaseId: string; artifact: string; maxP99Ms: number };

/** Counts the slates of a release's shadow stage that carry this challenger's unseen answer, each request once. */
export function summarizeShadow({ records, releaseId, artifact, maxP99Ms }: Counted): ShadowSummary {
  const latency = new LatencyHistogram();
  const seen = new Set<string>();
  const found = { slates: 0, errors: 0, slow: 0 };
  let overlap = 0;
  let compared = 0;
  for (const { requestId, shadow, items, releaseId: own } of records) {
    if (shadow === undefined || own !== releaseId || shadow.artifact !== artifact || seen.has(requestId)) continue;
    seen.add(requestId);
    found.slates += 1;
    if (shadow.error !== null) {
      found.errors += 1;
      continue;
    }
    latency.add(shadow.latencyMs);
    if (shadow.latencyMs > maxP99Ms) found.slow += 1;
    const first = items.slice(0, 10);
    if (first.length === 0) continue;
    const others = new Set(shadow.items.slice(0, 10));
    overlap += first.filter((itemId) => others.has(itemId)).length / first.length;
    compared += 1;
  }
  return { ...found, latencyP99Ms: latency.quantile(0.99), overlapAt10: compared === 0 ? 0 : overlap / compared };
}

/** Is the shadow stage over, and did the challenger fail it? The same limits as under the canary's guardrails, and a part of the same error rate (error-budget.ts). */
export function judgeShadow({ summary, canary }: { summary: ShadowSummary; canary: Canary }): { done: boolean; failed: boolean; why: string } {
  const { slates, errors, slow, latencyP99Ms, overlapAt10 } = summary;
  const found = `${slates} of ${canary.shadowSlates} slates, ${errors} errors, p99 ${latencyP99Ms.toFixed(1)} ms, overlap@10 ${overlapAt10.toFixed(2)}`;
  if (
    slates >= Math.min(20, canary.shadowSlates) &&
    exceeds({ count: errors, trials: slates, limit: canary.maxErrorShare, alpha: rollbackAlpha('unseen-errors', canary.alpha) })
  )
    return { done: true, failed: true, why: `the challenger fails unseen: ${found}` };
  if (slates >= 200 && exceeds({ count: slow, trials: slates, limit: 0.01, alpha: rollbackAlpha('unseen-slow', canary.alpha) }))
    return { done: true, failed: true, why: `the challenger is slower than ${canary.maxP99Ms} ms: ${found}` };
  return { done: slates >= canary.shadowSlates, failed: false, why: found };
}
