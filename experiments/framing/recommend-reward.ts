import type { Measurement } from '../../models/contracts/assumption.ts';
import type { EventKind } from '../../models/contracts/event.ts';
import type { AnswerKind, MetricFacts } from './plan.ts';
import type { Reason, Recommendation } from './reason.ts';
import { attribution, maxDaysForChange, minRepeats, sensitivity } from './thresholds.ts';

export type Weights = Partial<Record<EventKind, number>>;

const slowly = 'no verdict on small changes within four weeks: ask `understudy canary plan` what the canary can tell by then';

/** @param lead what the surface is for */
export function recommendWeights({
  lead,
  metrics,
  cartToPurchase,
}: {
  lead: AnswerKind;
  metrics: readonly MetricFacts[];
  cartToPurchase: Measurement;
}): Recommendation<Weights> {
  const path = '/reward/weights';
  const days = metrics.find(({ metric }) => metric === lead)?.days;
  const change = `${sensitivity.change * 100} %`;
  if (days === undefined || days.value === null) {
    const notes = [`how soon a change of ${lead} would be seen is not known: ${days?.why ?? 'its rate is not measured'}`];
    return { path, choice: { [lead]: 1 }, says: `${lead} 1`, reasons: [], notes };
  }
  const soon: Reason = { claim: `a change of ${change} in ${lead} is seen in time`, measured: days, max: maxDaysForChange };
  if (days.value <= maxDaysForChange) return { path, choice: { [lead]: 1 }, says: `${lead} 1, and nothing else`, reasons: [soon], notes: [] };
  const late: Reason = { claim: `a change of ${change} in ${lead} alone is seen late`, measured: days, min: maxDaysForChange };
  if (lead === 'purchase' && cartToPurchase.value !== null && cartToPurchase.value > 0) {
    // What a cart is worth is what it leads to: the expectation of the purchase given the cart.
    const weight = Math.max(0.05, Math.round(cartToPurchase.value * 20) / 20);
    const worth: Reason = {
      claim: 'so many of the carts become purchases',
      measured: cartToPurchase,
      min: Math.max(0, weight - 0.1),
      max: Math.min(1, weight + 0.1),
    };
    return {
      path,
      choice: { purchase: 1, 'add-to-cart': weight },
      says: `purchase 1, and add-to-cart ${weight}, which is what one leads to`,
      reasons: [late, worth],
      notes: [slowly],
    };
  }
  return {
    path,
    choice: { [lead]: 1 },
    says: `${lead} 1, though it moves slowly`,
    reasons: [late],
    notes: [slowly],
  };
}

/** `known` false: nothing was measured, and `ms` is a guess. */
export type Attribution = { ms: number; known: boolean };

export function recommendAttribution({
  lead,
  delay,
  impressions,
}: {
  lead: AnswerKind;
  delay: Measurement;
  impressions: Measurement;
}): Recommendation<Attribution> {
  const path = '/reward/attributionMs';
  const { unknownMs, minAnswers, windowsMs, quantile } = attribution;
  if (delay.value === null || delay.of < minAnswers) {
    const why = delay.value === null ? (delay.why ?? 'nothing was answered') : `only ${delay.of} answers came within a week of the impression`;
    const none: Reason[] = impressions.value === 0 ? [{ claim: 'there are no impressions to measure it by', measured: impressions, max: 0 }] : [];
    const notes = [`the time from impression to ${lead} is not known (${why}): log impressions, with the browser client or POST /v1/events, and frame again`];
    return { path, choice: { ms: unknownMs, known: false }, says: 'not measured; a day is the usual guess', reasons: none, notes };
  }
  const value = delay.value;
  const place = windowsMs.findIndex((ms) => ms >= value);
  const ms = windowsMs[place] ?? attribution.horizonMs;
  const shorter = windowsMs[place - 1];
  const claim = `${quantile * 100} % of the ${lead} events that follow an impression within a week come within this time`;
  const reason: Reason = { claim, measured: delay, max: ms, ...(shorter === undefined ? {} : { min: shorter }) };
  return { path, choice: { ms, known: true }, says: `the least usual time that holds ${quantile * 100} % of the answers`, reasons: [reason], notes: [] };
}

/** What is bought is left out only where nobody can doubt that people do not buy it again: it takes away what they might want. */
export function recommendRepeats({ repeats }: { repeats: Measurement }): Recommendation<'allow' | 'exclude-purchased'> {
  const path = '/repeatPolicy';
  const allow = { path, choice: 'allow' as const, says: 'allow' };
  if (repeats.value === null) return { ...allow, reasons: [], notes: [`nobody was seen to buy twice: ${repeats.why ?? ''}`] };
  if (repeats.value >= minRepeats)
    return { ...allow, reasons: [{ claim: 'known customers buy again what they bought before', measured: repeats, min: minRepeats }], notes: [] };
  if ((repeats.interval?.high ?? repeats.value) >= minRepeats)
    return { ...allow, reasons: [], notes: ['few repeats were seen, and too few purchases to be sure'] };
  const reason: Reason = { claim: 'next to nobody buys the same thing again', measured: repeats, max: minRepeats };
  return { path, choice: 'exclude-purchased', says: 'exclude-purchased', reasons: [reason], notes: [] };
}
