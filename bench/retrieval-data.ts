import { createRandom } from '../models/random.ts';

export type RetrievalData = {
  itemCount: number;
  width: number;
  /** float32 [itemCount + 1, width], the last row 0 */
  vectors: Float32Array;
  /** Items of each query; it is the sum of their vectors. */
  histories: number[][];
};

/** How many items share a taste at the mean, and how many tastes a genre. Some tastes have many times as many items as others. */
const itemsPerTaste = 150;
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
  const itemsOf: number[][] = Array.from({ length: tastes }, () => []);
  for (let item = 0; item < itemCount; item += 1) {
    const taste = Math.floor(tastes * random.float() ** 1.5);
    itemsOf[taste]?.push(item);
    // The first items are the most sought after.
    const length = (0.4 + 0.6 * (1 - item / itemCount) ** 3) / Math.sqrt(width);
    for (let f = 0; f < width; f += 1) vectors[item * width + f] = length * ((centers[taste * width + f] as number) + 0.8 * normal());
  }
  const histories = Array.from({ length: queries }, () => {
    const liked = Array.from({ length: 2 + random.below(2) }, () => itemsOf[Math.floor(tastes * random.float() ** 1.5)] ?? []).filter(
      ({ length }) => length > 0,
    );
    // The first of a taste are the most sought after.
    return Array.from({ length: 3 + random.below(8) }, () => {
      const items = liked[random.below(liked.length)] ?? [];
      return items[Math.floor(items.length * random.float() ** 3)] ?? 0;
    });
  });
  return { itemCount, width, vectors, histories };
}
