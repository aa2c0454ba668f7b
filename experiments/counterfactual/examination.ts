/** What an exploration slot showed: its place, and whether the visitor engaged with the item there. */
export type ExploredSlot = { slot: number; engaged: boolean };

/** Engagements that the prior is worth at each slot: a log with few of them says hardly anything about positions. */
const priorEngagements = 5;
/** What is believed before: the discount of DCG, 1 / log2(rank + 1) (Järvelin and Kekäläinen 2002). */
const priorExamination = (slot: number): number => 1 / Math.log2(slot + 2);

/**
 * Examination by position, e [size], e_0 = 1, never rising. Explored items are put at slots uniformly, whatever they are, so their engagement
 * by slot is proportional to examination (the randomization argument of Joachims, Swaminathan and Schnabel 2017, sec. 5.1, on the slots that
 * exploration draws). Made monotone by pooling adjacent violators.
 */
export function estimateExamination({ explored, size }: { explored: readonly ExploredSlot[]; size: number }): Float64Array {
  const views = new Float64Array(size);
  const engagements = new Float64Array(size);
  for (const { slot, engaged } of explored) {
    if (slot < 0 || slot >= size) continue;
    views[slot] = (views[slot] as number) + 1;
    if (engaged) engagements[slot] = (engagements[slot] as number) + 1;
  }
  const totalViews = views.reduce((sum, value) => sum + value, 0);
  const totalEngagements = engagements.reduce((sum, value) => sum + value, 0);
  if (totalEngagements === 0) return Float64Array.from({ length: size }, (_, slot) => priorExamination(slot));
  const overall = totalEngagements / totalViews;
  const priorMean = views.reduce((sum, count, slot) => sum + count * priorExamination(slot), 0) / totalViews;
  const priorViews = priorEngagements / overall;
  const rates = Array.from(views, (count, slot) => {
    const prior = (overall * priorExamination(slot)) / priorMean;
    return { rate: ((engagements[slot] as number) + priorViews * prior) / (count + priorViews), weight: count + priorViews };
  });
  const monotone = poolAdjacentViolators(rates);
  const first = monotone[0] as number;
  return Float64Array.from(monotone, (rate) => rate / first);
}

/** Weighted least-squares fit that never rises (Barlow et al. 1972). */
function poolAdjacentViolators(points: readonly { rate: number; weight: number }[]): number[] {
  const blocks: { rate: number; weight: number; length: number }[] = [];
  for (const point of points) {
    blocks.push({ ...point, length: 1 });
    while (blocks.length > 1) {
      const last = blocks[blocks.length - 1] as (typeof blocks)[number];
      const before = blocks[blocks.length - 2] as (typeof blocks)[number];
      if (last.rate <= before.rate) break;
      const weight = last.weight + before.weight;
      blocks.splice(-2, 2, { rate: (last.rate * last.weight + before.rate * before.weight) / weight, weight, length: last.length + before.length });
    }
  }
  return blocks.flatMap((block) => new Array<number>(block.length).fill(block.rate));
}
