import { UnderstudyError } from '../../models/contracts/problem.ts';
import { windowManifest } from '../../models/contracts/window.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { Context } from '../context.ts';
import { dropCheckpoints } from '../training/checkpoints.ts';

/**
 * Removes what trainings that are over left to go on from. One under way has read its window, and writes what it learned of people again and again.
 * @throws UND-OVERLOADED while one goes on whose window held what is gone
 */
export async function awaitTrainings(context: Pick<Context, 'state' | 'isRunning'>, gone: ReadonlySet<string>): Promise<void> {
  for (const digest of await dropCheckpoints(context)) {
    const { trainSlices, testSlices, changes = [] } = await getDocument(context.state.blobs, digest, windowManifest);
    if ([...trainSlices, ...testSlices, ...changes].some((slice) => gone.has(slice.digest)))
      throw new UnderstudyError('UND-OVERLOADED', 'A training is under way that has read what was erased: the certificate waits for its end');
  }
}
