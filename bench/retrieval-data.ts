import { createRandom } from '../models/random.ts';

export type RetrievalData = {
  itemCount: number;
  width: number;
  /** float32 [itemCount + 1, width], the last row 0 */
  vectors: Float32Array;
  /** Items of each query; it is the sum of their vectors. */
  histories: number[][];
};

/** How many items share a taste, and how many tastes a genre. */
const itemsPerTaste = 250;
const tastesPerGenre = 20;

/**
 * Items as factorization leaves them: each near its taste and each taste near its genre, sought after ones longer. Histories are of two or three tastes, as
 * people's are, sought after items more often.
 */
export function generateRetrievalData({ itemCount, width, queries, seed }: { itemCount: number; width: number; queries: number; seed: number }): RetrievalData {
  const random = createRandom(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float());
  const tastes = Math.ceil(itemCount / itemsPerTaste);
  const genres = Float32Array.from({ length: Math.ceil(tastes / tastesPerGenre) * width }, normal);
  const centers = new Float32Array(tastes * width);
  for (let place = 0; place < centers.length; place += 1) {
    const genre = Math.floor(Math.floor(place / width) / tastesPerGenre);
    centers[place] = (genres[genre * width + (place % width)] as number) + normal();
  }
  const vectors = new Float32Array((itemCount + 1) * width);
  for (let item = 0; item < itemCount; item += 1) {
    const taste = item % tastes;
    // The first items are the most sought after.
    const length = (0.4 + 0.6 * (1 - item / itemCount) ** 3) / Math.sqrt(width);
    for (let f = 0; f < width; f += 1) vectors[item * width + f] = length * ((centers[taste * width + f] as number) + 0.8 * normal());
  }
  const ofTaste = (taste: number): number => Math.min(itemCount - 1, taste + tastes * Math.floor((itemCount / tastes) * random.float() ** 3));
  const histories = Array.from({ length: queries }, () => {
    const liked = Array.from({ length: 2 + random.below(2) }, () => random.below(tastes));
    return Array.from({ length: 3 + random.below(8) }, () => ofTaste(liked[random.below(liked.length)] as number));
  });
  return { itemCount, width, vectors, histories };
}
