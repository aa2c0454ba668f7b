import type { FallbackRung, Ranking } from './rung.ts';

/** The model's answer, which was asked for along with the challenger's before the chain began. */
export function modelRung(answer: Ranking): FallbackRung {
  return { name: 'model', rank: () => answer };
}
