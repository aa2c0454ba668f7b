import type { IndexChoice, IndexConstraint, MeasuredIndex, RetrievalWay } from '../../contracts/artifact.ts';
import { codesWay, exactWay } from './declare-retrieval.ts';

const cellItems = 128;
const probes = [16, 32, 64, 128, 256];
/** Below so many items everything is looked at in less time than cells could save. */
const listedItemsAtLeast = 20_000;
/** So much of the time at least a way must save to be taken instead of one that does without its approximation: less is as well chance. */
const savedAtLeast = 0.1;
/** Of the best 20 by float32, so many are the same. */
const agreementAtLeast = 0.99;

/** How a graph finds its best items, and in what it keeps them. */
export type Choice = Pick<IndexChoice, 'retrieval' | 'weights'>;

/** What is measured for a catalog, the plainest first, with items in float32 or as codes. Of the lists, those that probe least first: once one finds enough, more cells only cost. */
export function waysToMeasure(of: { itemCount: number; productsDecide: boolean; seed: number; weights?: Choice['weights'] }): RetrievalWay[] {
  const { itemCount, productsDecide, seed, weights } = of;
  const lists = probes.filter((probed) => productsDecide && itemCount >= listedItemsAtLeast && probed * cellItems < itemCount);
  return [
    ...(weights === undefined ? [exactWay] : []),
    codesWay,
    { way: 'exact-4bit', rerank: 5 },
    ...lists.map((probed): RetrievalWay => ({ way: 'inverted-lists', cellItems, probes: probed, seed })),
  ];
}

/** What about a measured way is not as it was asked for. */
export function objectionsTo(measured: Omit<MeasuredIndex, 'objections'>, constraint: IndexConstraint | undefined): string[] {
  const { recallAt100 = 0, p99Ms = Number.POSITIVE_INFINITY, memoryMb = Number.POSITIVE_INFINITY } = constraint ?? {};
  const mb = measured.bytes / 1e6;
  return [
    ...(measured.way === null ? ['no graph holds it'] : []),
    ...(measured.recallAt100 < recallAt100 ? [`finds ${measured.recallAt100.toFixed(4)} of the best 100, not ${recallAt100}`] : []),
    ...(!agrees(measured) ? [`has ${measured.agreementAt20.toFixed(4)} of the best 20, not ${agreementAtLeast}`] : []),
    ...(measured.p99Ms > p99Ms ? [`takes ${measured.p99Ms.toFixed(2)} ms at the 99th percentile, not ${p99Ms}`] : []),
    ...(mb > memoryMb ? [`takes ${mb.toFixed(0)} MB, not ${memoryMb}`] : []),
  ];
}

/** Whether the answers are the exact graph's but for a little. */
export const agrees = ({ agreementAt20 }: Pick<MeasuredIndex, 'agreementAt20'>): boolean => agreementAt20 >= agreementAtLeast;

/**
 * The one with the lowest median time of those that nothing is objected to; where items were measured as codes and the plainest way over these agrees with
 * float32, of those over codes alone. Where there is none, the plainest way, as if no index had been asked for: its answers at least are what the model's are.
 */
export function chooseWay(measured: readonly MeasuredIndex[]): Choice & { why: string } {
  const codes = measured.filter(({ weights }) => weights !== undefined);
  const [plainest] = codes;
  if (plainest === undefined) return quickestOf(measured, exactWay);
  const [float] = measured;
  const share = `8 bits leave ${plainest.agreementAt20.toFixed(4)} of the best 20 as they were`;
  if (!agrees(plainest)) {
    const { retrieval, why } = quickestOf(
      measured.filter(({ weights }) => weights === undefined),
      exactWay,
    );
    return { retrieval, why: `in float32, since ${share}, not ${agreementAtLeast}; ${why}` };
  }
  const { retrieval, why } = quickestOf(codes, codesWay);
  return { retrieval, weights: '8-bit', why: `${share} in ${(plainest.bytes / (float as MeasuredIndex).bytes).toFixed(2)} of the size; ${why}` };
}

function quickestOf(measured: readonly MeasuredIndex[], otherwise: RetrievalWay): { retrieval: RetrievalWay; why: string } {
  let best: MeasuredIndex | undefined;
  for (const one of measured) {
    if (one.objections.length > 0 || one.way === null) continue;
    if (best === undefined || one.p50Ms < (1 - savedAtLeast) * best.p50Ms) best = one;
  }
  if (best?.way == null) return { retrieval: otherwise, why: 'no way gives what was asked for' };
  return { retrieval: best.way, why: `the quickest of those that give what was asked for, ${best.p50Ms.toFixed(2)} ms at the median` };
}
