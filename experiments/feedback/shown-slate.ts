/** What one slate showed, and what came of it. */
export type ShownSlate = {
  unit: string;
  items: readonly string[];
  /** [items] did the visitor engage with it */
  engaged: readonly boolean[];
  /** [items] probability that the item stood at its place; null where that is not known, or exploration could change nothing. */
  propensities: readonly number[] | null;
  /** Places that exploration drew. */
  exploredSlots: readonly number[];
};

/** Something that somebody did with an item without a slate: by search, by a link, from a list of their own. */
export type OrganicEvent = { unit: string; itemId: string };

/** All that was shown by one model, and what was wanted meanwhile. */
export type GenerationLog = { name: string; fromMs: number; slates: readonly ShownSlate[]; organic: readonly OrganicEvent[] };

/** How much of an exposure a place is worth: the discount of DCG, 1 / log2(rank + 1) (Järvelin and Kekäläinen 2002). */
export const attentionAt = (slot: number): number => 1 / Math.log2(slot + 2);

/**
 * What an engagement at this place says of demand: 1 / sum_k e_k pi(item, k), with which engagements are unbiased for what each item would get were it always
 * looked at, whatever was shown more often (the item-position model of Li et al., KDD 2018, sec. 4). A drawn item is as likely at each place, another one stands at its own
 * or nowhere. Null where the slate's propensities are not known, or something else stood at an undrawn place.
 */
export function demandWeight(
  { items, propensities, exploredSlots }: Pick<ShownSlate, 'items' | 'propensities' | 'exploredSlots'>,
  slot: number,
): number | null {
  const probability = propensities?.[slot] ?? 0;
  if (!(probability > 0)) return null;
  if (!exploredSlots.includes(slot)) return 1 / (attentionAt(slot) * probability);
  let attention = 0;
  for (let place = 0; place < items.length; place += 1) attention += attentionAt(place);
  return 1 / (attention * probability);
}
