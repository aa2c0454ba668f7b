import type { IndexConstraint, MeasuredIndex, RetrievalWay } from '../../contracts/artifact.ts';
import { exactWay } from './declare-retrieval.ts';

const cellItems = 128;
const probes = [16, 32, 64, 128, 256];
/** Below so many items everything is looked at in less time than cells could save. */
const listedItemsAtLeast = 20_000;
/** So much of the time at least a way must save to be taken instead of one that does without its approximation: less is as well chance. */
const savedAtLeast = 0.1;
/** Of the best 20 by float32, so many are the same. */
const agreementAtLeast = 0.99;

/** What is measured for a catalog, the plainest first. Of the lists, those that probe least first: once one finds enough, more cells only cost. */
export function waysToMeasure({ itemCount, productsDecide, seed }: { itemCount: number; productsDecide: boolean; seed: number }): RetrievalWay[] {
  const lists = probes.filter((probed) => productsDecide && itemCount >= listedItemsAtLeast && probed * cellItems < itemCount);
  return [
    exactWay,
    { way: 'exact-8bit', rerank: 2 },
    { way: 'exact-4bit', rerank: 5 },
    ...lists.map((probed): RetrievalWay => ({ way: 'inverted-lists', cellItems, probes: probed, seed })),
  ];
}

/** What about a measured way is not as it was asked for. */
export function objectionsTo(measured: Omit<MeasuredIndex, 'objections'>, { recallAt100, p99Ms, memoryMb }: IndexConstraint): string[] {
  const mb = measured.bytes / 1e6;
  return [
    ...(measured.way === null ? ['no graph holds it'] : []),
    ...(measured.recallAt100 < recallAt100 ? [`finds ${measured.recallAt100.toFixed(4)} of the best 100, not ${recallAt100}`] : []),
    ...(measured.agreementAt20 < agreementAtLeast ? [`has ${measured.agreementAt20.toFixed(4)} of the best 20, not ${agreementAtLeast}`] : []),
    ...(measured.p99Ms > p99Ms ? [`takes ${measured.p99Ms.toFixed(2)} ms at the 99th percentile, not ${p99Ms}`] : []),
    ...(mb > memoryMb ? [`takes ${mb.toFixed(0)} MB, not ${memoryMb}`] : []),
  ];
}

/**
 * The one with the lowest median time of those that nothing is objected to. Where there is none, every item is looked at in float32, as if nothing had been
 * asked: its answers at least are what the model's are.
 */
export function chooseWay(measured: readonly MeasuredIndex[]): { chosen: RetrievalWay; why: string } {
  let best: MeasuredIndex | undefined;
  for (const one of measured) {
    if (one.objections.length > 0 || one.way === null) continue;
    if (best === undefined || one.p50Ms < (1 - savedAtLeast) * best.p50Ms) best = one;
  }
  if (best?.way == null) return { chosen: exactWay, why: 'no way gives what was asked for' };
  return { chosen: best.way, why: `the quickest of those that give what was asked for, ${best.p50Ms.toFixed(2)} ms at the median` };
}
