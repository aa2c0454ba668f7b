/** What happens to an examined item, each step given the one before. */
export type Funnel = { click: number; cart: number; purchase: number };

/** What is true in the simulated shop. Nothing of it reaches the system but through events. */
export type Truth = {
  /** Probability that slot k (zero-based) is looked at, whatever stands there; slots beyond the list are never looked at. */
  examination: readonly number[];
  wanted: Funnel;
  unwanted: Funnel;
  /**
   * Share of repeat wants that are bought without any slate (by search, from a reorder list). Showing such an item earns nothing, and what
   * is bought that way is no event of the slate. So a 'buy it again' recommender foretells purchases well and helps shoppers little.
   */
  organicRepeat: number;
  /** Mean time spent on a clicked item, exponentially distributed. */
  dwellMs: { wanted: number; unwanted: number };
};

/**
 * Position-based model (Craswell, Zoeter, Taylor and Ramsey 2008): a click needs that the slot is examined, which depends on the slot alone,
 * and that the item attracts, which depends on the item alone. Examination falls as about the square root of the rank.
 */
export const defaultTruth: Truth = {
  examination: [0.9, 0.8, 0.7, 0.6, 0.52, 0.46, 0.4, 0.36, 0.32, 0.28],
  wanted: { click: 0.8, cart: 0.9, purchase: 0.85 },
  unwanted: { click: 0.03, cart: 0.2, purchase: 0.35 },
  organicRepeat: 0.9,
  dwellMs: { wanted: 30_000, unwanted: 5_000 },
};

/** Probability that an examined item is bought. */
export function purchaseProbability({ click, cart, purchase }: Funnel): number {
  return click * cart * purchase;
}
