import type { Random } from '../../models/random.ts';

/** Standard normal numbers (Box and Muller 1958). */
export function normals(random: Random): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float());
}
