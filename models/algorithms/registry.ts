import { inputError, UnderstudyError } from '../contracts/problem.ts';
import type { Algorithm } from './algorithm.ts';
import { ials } from './ials/ials.ts';
import { itemKnn } from './item-knn/item-knn.ts';
import { popularity } from './popularity/popularity.ts';

/** Every algorithm by name. The contract suite runs on all of them. */
// biome-ignore lint/suspicious/noExplicitAny: each has parameters of its own, checked by its own schema before they are used.
export const algorithms: Readonly<Record<string, Algorithm<any>>> = { popularity, 'item-knn': itemKnn, ials };

/** @throws UND-INPUT naming the algorithms there are. */
// biome-ignore lint/suspicious/noExplicitAny: as above.
export function algorithmNamed(name: string): Algorithm<any> {
  const known = Object.hasOwn(algorithms, name) ? algorithms[name] : undefined;
  if (known === undefined) throw new UnderstudyError('UND-INPUT', `There is no model '${name}'. There are: ${Object.keys(algorithms).join(', ')}`);
  return known;
}

/**
 * The algorithm's parameters with its defaults filled in.
 * @throws UND-INPUT naming every mistake.
 */
export function parseParams<Params>(algorithm: Algorithm<Params>, params: unknown): Params {
  const parsed = algorithm.params.safeParse(params);
  if (!parsed.success) throw inputError('UND-INPUT', `The parameters of ${algorithm.name}`, parsed.error.issues);
  return parsed.data;
}
