import { allowedScoreFloor } from '../graph/recommend-interface.ts';
import type { Ranked, ScoreRequest } from './algorithm.ts';

/**
 * What the tail of every graph does, in TypeScript: drop what is excluded or out of scope, best first, ties to the lower index.
 * @param scores float32 [itemCount] at least; what stands behind itemCount (padding) is not read.
 */
export function rankScores({ scores, itemCount, request }: { scores: Float32Array; itemCount: number; request: ScoreRequest }): Ranked {
  const { scopeBias } = request;
  const total = scopeBias === undefined ? scores : Float32Array.from(scopeBias, (bias, item) => (scores[item] as number) + bias);
  const excluded = new Set(request.exclude);
  const best = keepBest(Math.min(request.count, itemCount), (a, b) => {
    const difference = (total[a] as number) - (total[b] as number);
    return difference < 0 || (difference === 0 && a > b);
  });
  for (let item = 0; item < itemCount; item += 1) {
    if ((total[item] as number) >= allowedScoreFloor && !excluded.has(item)) best.offer(item);
  }
  const items = best.bestFirst();
  return { items, scores: items.map((item) => total[item] as number) };
}

/** Keeps the best `count` of what it is offered, by a heap whose root is the worst kept: O(log count) an offer. */
export function keepBest(count: number, worse: (a: number, b: number) => boolean): { offer(item: number): void; bestFirst(): number[] } {
  const heap: number[] = [];
  return {
    offer(item) {
      if (heap.length < count) {
        heap.push(item);
        siftUp(heap, worse);
      } else if (worse(heap[0] as number, item)) {
        heap[0] = item;
        siftDown(heap, worse);
      }
    },
    bestFirst: () => heap.sort((a, b) => (worse(a, b) ? 1 : -1)),
  };
}

function siftUp(heap: number[], before: (a: number, b: number) => boolean): void {
  let place = heap.length - 1;
  while (place > 0) {
    const parent = (place - 1) >> 1;
    if (!before(heap[place] as number, heap[parent] as number)) return;
    [heap[place], heap[parent]] = [heap[parent] as number, heap[place] as number];
    place = parent;
  }
}

function siftDown(heap: number[], before: (a: number, b: number) => boolean): void {
  let place = 0;
  for (;;) {
    let first = place;
    for (const child of [2 * place + 1, 2 * place + 2]) {
      if (child < heap.length && before(heap[child] as number, heap[first] as number)) first = child;
    }
    if (first === place) return;
    [heap[place], heap[first]] = [heap[first] as number, heap[place] as number];
    place = first;
  }
}

/** The most recent entries a model reads, without padding. */
export function recentHistory({
  request,
  maxHistory,
  itemCount,
}: {
  request: ScoreRequest;
  maxHistory: number;
  itemCount: number;
}): { item: number; weight: number }[] {
  const from = Math.max(0, request.history.length - maxHistory);
  return request.history
    .slice(from)
    .map((item, position) => ({ item, weight: Math.fround(request.historyWeight[from + position] as number) }))
    .filter(({ item }) => item < itemCount);
}
