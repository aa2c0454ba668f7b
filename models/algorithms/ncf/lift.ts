/**
 * How the ranker's word x of a candidate changes the first stage's score s, whose boundary b is the score of the best item that is no candidate:
 *
 *   final = s + spread / sureness . reach . sigmoid(4 x / reach) . min(1, (s - b) / (zone . spread))
 *
 * It only lifts, so that no candidate falls below what is none, and it lifts nothing at the boundary and little next to it. So the answer is a continuous
 * function of the first stage's scores, and what rounding does to these, and so to who is the last candidate, changes an answer by at most
 * 1 + reach / (sureness . zone) times as much. Without the last factor, the one of two equal items that comes in could go to the top.
 */
export const lift = {
  /** A spread of scores apart, candidates are exp(sureness) times as likely before the ranker has its say. */
  sureness: 4,
  /** The ranker can make a candidate so much likelier, as a logarithm. */
  reach: 10,
  /** Share of the spread within which the ranker's say grows from nothing. */
  zone: 0.15,
} as const;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** @param margin s - b */
export const gateOf = (margin: number, spread: number): number => Math.min(1, margin / (lift.zone * spread));

/** 0 .. reach, and its slope */
export function liftOf(x: number): { value: number; slope: number } {
  const share = sigmoid((4 * x) / lift.reach);
  return { value: lift.reach * share, slope: 4 * share * (1 - share) };
}
