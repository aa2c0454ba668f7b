import { normalBelow } from '../normal.ts';
import type { Bets } from './betting.ts';
import { estimateLift } from './lift.ts';

/**
 * Posterior probability that the challenger earns more: normal likelihood of the stratified lift, normal prior around zero as wide as the mean
 * reward itself. It moves traffic and decides nothing.
 */
export function probabilityBetter(bets: Bets): number {
  const { value, standardError } = estimateLift(bets);
  const prior = bets.mean > 0 ? bets.mean : bets.cap / 10;
  if (!Number.isFinite(standardError) || standardError === 0) return 0.5;
  const shrink = prior ** 2 / (prior ** 2 + standardError ** 2);
  return normalBelow((value * shrink) / Math.sqrt(standardError ** 2 * shrink));
}

/**
 * Thompson sampling (1933) gives each arm the probability that it is the best one; over many users that is a share. Here it is mapped to
 * [cap/2, cap], in steps of .0001. The share in force stays while the new one is within a tenth of the cap: each change is a
 * generation that every replica must load.
 */
export function challengerShare({ cap, probability, current }: { cap: number; probability: number; current: number }): number {
  const within = (share: number) => Math.min(cap, Math.max(cap / 2, share));
  const target = within(Math.round((cap / 2) * (1 + probability) * 10_000) / 10_000);
  const stays = current >= cap / 2 && current <= cap && Math.abs(target - current) <= 0.1 * cap + 1e-12;
  return stays ? current : target;
}
