/** No bet may lose more than this part of the wealth. */
export const boldest = 0.8;

/** The challenger's share in a stratum, and what was known before its first unit: units before it, their mean reward, and the variance of their rewards. */
export type Lot = { share: number; before: number; foretold: number; variance: number };

export type Hypothesis = {
  /** What the bet is against: challenger minus `1 - margin` times champion is at most (`above`) or at least (`below`) this. */
  difference: number;
  bet: 'above' | 'below';
  /** For non-inferiority by a share of the champion's own, unknown mean; 0 where absent. */
  margin?: number;
  /** Where the wealth reaches 1 / alpha, the hypothesis is rejected. The bets against a planned end aim at it. */
  alpha: number;
};

/**
 * Users whom a canary will have had when its time is over, and the shares at which Thompson sampling will then hold a challenger that is worse, and
 * one that is better.
 */
export type Plan = { users: number; worse: number; better: number };

/** A part of the starting money and how it is bet: `lambda` for a stratum, from what was known before it and the logarithm of the part's wealth so far. */
export type Stake = { weight: number; lambda: (lot: Lot, now: { cap: number; log: number }) => number };

/** [difference that the bet suits best, as a share of the mean reward; part of the money]. What is likely gets most; each costs log(1 / part). */
type Prior = readonly (readonly [effect: number, weight: number])[];
const anyEffect: Prior = [
  [0.03, 0.04],
  [0.08, 0.11],
  [0.19, 0.51],
  [0.45, 0.34],
];
/** Where a margin is asked, the difference from it is nearly known: a refresh is about as good as the champion. */
const marginEffects = (margin: number): Prior => [
  [margin / 2, 0.1],
  [margin, 0.6],
  [2 * margin, 0.3],
];
/** What is left beside the bets that aim at a planned end: for differences that are far greater than those it was planned for. */
const besidePlan: Prior = [[0.45, 1]];
const planWeight = 0.85;
/** How much bolder than the boldness with which the end can just be reached from the start. Chosen in simulation. */
const planBoldness = 1.05;

export function stakesFor({ hypothesis, plan }: { hypothesis: Hypothesis; plan: Plan | undefined }): Stake[] {
  const { bet, margin = 0 } = hypothesis;
  const prior = margin > 0 ? marginEffects(margin) : anyEffect;
  const forEffect = ([effect, weight]: Prior[number]): Stake => ({ weight, lambda: (lot, { cap }) => effectLambda({ effect, bet, lot, cap }) });
  if (plan === undefined) return prior.map(forEffect);
  const beside = (margin > 0 ? prior : besidePlan).map(([effect, weight]) => forEffect([effect, weight * (1 - planWeight)]));
  return [{ weight: planWeight, lambda: (lot, { cap, log }) => planLambda({ hypothesis, plan, lot, log, cap }) }, ...beside];
}

/**
 * The wealth grows fastest with lambda = difference / variance of Y, the difference being `effect` times the mean. For rare events the exact
 * likelihood ratio of the challenger's share has effect / (1 - effect p) where it is worse, effect / (1 + effect p) where better.
 */
function effectLambda({ effect, bet, lot, cap }: { effect: number; bet: Hypothesis['bet']; lot: Lot; cap: number }): number {
  const { before, foretold, variance, share } = lot;
  const reach = bet === 'below' ? 1 - effect * share : 1 + effect * share;
  // Nothing is known before the first units: as if rewards were rare.
  const pull = before === 0 ? 1 / cap : Math.max(1 / cap, foretold / variance);
  return (effect * pull) / reach;
}

/**
 * Bets that aim at having the money by the planned end. With variance R to come, a wealth that lacks `log(1 / alpha) - log` reaches it on the
 * smallest sum of scores with lambda = sqrt(2 lack / R): minimize lack / lambda + lambda R / 2. Who is in time bets what
 * suited the start, who is late more boldly (timid and bold play towards a goal: Browne, "Reaching goals by a deadline", Advances in Applied
 * Probability 31, 1999). Whatever users really come, the bets stay fair; only their speed was planned.
 */
function planLambda({ hypothesis, plan, lot, log, cap }: { hypothesis: Hypothesis; plan: Plan; lot: Lot; log: number; cap: number }): number {
  const { before, variance } = lot;
  const { bet, alpha } = hypothesis;
  if (before === 0) return effectLambda({ effect: 0.19, bet, lot, cap });
  const share = bet === 'below' ? plan.worse : plan.better;
  const eachUser = share * (1 - share) * variance;
  const goal = Math.log(1 / (alpha * planWeight));
  const towards = (lack: number, users: number) => Math.sqrt((2 * Math.max(0, lack)) / (users * eachUser));
  const late = before < plan.users ? towards(goal - log, plan.users - before) : 0;
  return Math.max(planBoldness * towards(goal, plan.users), late);
}
