import { LRUCache } from 'lru-cache';

type Bucket = { left: number; atMs: number };

/**
 * A token bucket a sender: `burst` at once, and `perMinute` from then on. Those who were not heard of for longest are forgotten first, and begin anew.
 * @returns whether this one may pass
 */
export function createRateLimit({ burst, perMinute, senders = 10_000 }: { burst: number; perMinute: number; senders?: number }) {
  const buckets = new LRUCache<string, Bucket>({ max: senders });
  return (sender: string, nowMs: number): boolean => {
    const before = buckets.get(sender) ?? { left: burst, atMs: nowMs };
    const left = Math.min(burst, before.left + (Math.max(0, nowMs - before.atMs) * perMinute) / 60_000);
    const passes = left >= 1;
    buckets.set(sender, { left: passes ? left - 1 : left, atMs: nowMs });
    return passes;
  };
}
