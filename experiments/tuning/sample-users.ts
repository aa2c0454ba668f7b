import { createRandom } from '../../models/random.ts';
import { shuffled } from './draw-trials.ts';

/**
 * [users] 1 for a share of them, at least one, drawn by the seed. Of one seed a larger share holds the smaller, so that what a trial is trained on grows
 * from rung to rung.
 */
export function sampleUsers({ users, share, seed }: { users: number; share: number; seed: number }): Uint8Array {
  const count = Math.min(users, Math.max(1, Math.round(users * share)));
  const taken = new Uint8Array(users);
  for (const user of shuffled(users, createRandom(seed)).slice(0, count)) taken[user] = 1;
  return taken;
}
