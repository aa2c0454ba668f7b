import { openFeatures } from './open-features.ts';

/** A process that reads one set again and again, and tells at the end whether an answer ever held rows of two generations. */
const { where, set, digest, entities } = JSON.parse(process.argv[2] ?? '');
const store = await openFeatures(where);
const generations = new Set<number>();
let reads = 0;
let torn: unknown = null;
let going = true;
process.on('message', () => {
  going = false;
});
while (going) {
  const served = await store.get({ set, digest, entities, nowMs: 1_000 });
  const whole = served?.rows.every((row, index) => row?.[0] === served.generation && row[1] === entities[index]);
  if (whole !== true) torn = served ?? 'nothing';
  generations.add(served?.generation ?? 0);
  reads += 1;
  if (reads === 1) process.send?.('reading');
  // Lets the message in, and LMDB take a new snapshot.
  await new Promise((resolve) => setImmediate(resolve));
}
await store.close();
process.send?.({ reads, generations: generations.size, torn });
process.disconnect();
