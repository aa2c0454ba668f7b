import type { Interval } from '../../models/contracts/verdict.ts';

/** No bet may lose more than this part of the wealth. */
const boldest = 0.8;
/** Halvings of the range of the values: the ends are found to a millionth of it. */
const halvings = 20;

/** What is believed of a value before there are any: that one in twenty brings a reward; and how many values that is worth. */
const believedRate = 0.05;
const believedValues = 100;

/** A belief for values that carry rare rewards. @param unit of a value's variance at a scale of 1 and a rate of 1 */
export function rareRewards({ scales, unit }: { scales: Float64Array; unit: number }): { factor: number; scale: number } {
  const total = scales.reduce((sum, one) => sum + one, 0);
  return { factor: believedRate * unit, scale: (believedValues * total) / Math.max(1, scales.length) };
}

type Input = {
  /** In the order in which they were drawn. */
  values: Float64Array;
  /** What no value can lie below or above, whatever happens. */
  low: number;
  high: number;
  level: number;
  /** [values] Variance of each value up to one factor, known before any is drawn; 1 each where absent. */
  scales?: Float64Array;
  /** That factor as it is believed before, and the sum of scales that the belief is worth; where absent, the widest one, worth one value. */
  belief?: { factor: number; scale: number };
};

/**
 * Interval for the mean of values in [low, high], each drawn independently of the past, by betting: a supposed mean m is rejected where a gambler
 * who bets on it being higher (or lower) would have made 2 / (1 - level) of 1, which has probability (1 - level) / 2 at most whatever the
 * distribution. So it does not collapse where the rare large values that carry the mean have not been seen yet, as a bootstrap or a normal interval does.
 *
 * The wealth is prod (1 + b_i (x_i - m)) with b_i = sqrt(2 log(2 / (1 - level)) / v_i), v_i the variance of the sum of all values as foretold from those
 * before the i-th, and no more than `boldest` of the wealth at stake: the hedged predictable plug-in of Waudby-Smith and Ramdas, "Estimating means of
 * bounded random variables by betting", JRSS B 2024, sec. 4.2 and B.3, for a sample whose size is known. The values need not have one mean: the
 * interval is then of their average weighted with the b_i, which settle after the first rewards.
 */
export function meanInterval(input: Input): Interval {
  const { values, low, high } = input;
  if (values.length === 0 || high <= low) return { value: values[0] ?? 0, low, high };
  const game = open(input);
  const value = values.reduce((sum, one) => sum + one, 0) / values.length;
  const above = lastRejected((distance) => game.isRejected('higher', low + distance), high - low);
  const below = lastRejected((distance) => game.isRejected('lower', high - distance), high - low);
  return { value, low: Math.min(value, low + above), high: Math.max(value, high - below) };
}

/** Does that interval not hold the supposed mean? Without finding its ends, which takes forty times as long. */
export function rejectsMean(input: Input & { supposed: number }): boolean {
  const { values, low, high, supposed } = input;
  if (values.length === 0 || high <= low) return false;
  const game = open(input);
  return (supposed > low && game.isRejected('higher', supposed)) || (supposed < high && game.isRejected('lower', supposed));
}

function open({ values, low, high, level, scales, belief }: Input): { isRejected(bet: 'higher' | 'lower', supposed: number): boolean } {
  const bets = betsOf({ values, scales, level, belief: belief ?? { factor: (high - low) ** 2 / 4, scale: 1 } });
  const threshold = Math.log(2 / (1 - level));
  return {
    isRejected(bet, supposed) {
      const sign = bet === 'higher' ? 1 : -1;
      const most = boldest / (bet === 'higher' ? supposed - low : high - supposed);
      let logWealth = 0;
      let wealth = 1;
      for (let index = 0; index < values.length; index += 1) {
        wealth *= 1 + Math.min(bets[index] as number, most) * sign * ((values[index] as number) - supposed);
        // Logarithms cost more than all the rest: one for many factors, before their product leaves the range of numbers.
        if (wealth > 1e100 || wealth < 1e-100) {
          logWealth += Math.log(wealth);
          wealth = 1;
        }
      }
      return logWealth + Math.log(wealth) >= threshold;
    },
  };
}

function betsOf({ values, scales, level, belief }: Pick<Input, 'values' | 'scales' | 'level'> & { belief: { factor: number; scale: number } }): Float64Array {
  const scaleOf = (index: number) => (scales === undefined ? 1 : (scales[index] as number));
  let total = 0;
  for (let index = 0; index < values.length; index += 1) total += scaleOf(index);
  const nats = 2 * Math.log(2 / (1 - level));
  const bets = new Float64Array(values.length);
  let seen = belief.scale;
  let mean = 0;
  let squares = belief.factor * belief.scale;
  for (let index = 0; index < values.length; index += 1) {
    const variance = total * (seen === 0 ? 0 : squares / seen);
    bets[index] = variance > 0 ? Math.sqrt(nats / variance) : Number.POSITIVE_INFINITY;
    const distance = (values[index] as number) - mean;
    mean += distance / (index + 1);
    squares += distance * ((values[index] as number) - mean);
    seen += scaleOf(index);
  }
  return bets;
}

/** Largest x in (0, range) that is rejected, `rejected` being true below and false above it; 0 where none is. */
function lastRejected(rejected: (x: number) => boolean, range: number): number {
  let from = 0;
  let to = range;
  for (let step = 0; step < halvings; step += 1) {
    const middle = (from + to) / 2;
    if (rejected(middle)) from = middle;
    else to = middle;
  }
  return from;
}
