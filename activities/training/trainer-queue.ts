import type { CandidateRecipe } from '../../models/contracts/charter.ts';
import type { Recipe } from '../../models/contracts/recipe.ts';
import { usualWaitMs } from '../../models/contracts/train-job.ts';
import type { PreparedRetrain } from '../api.ts';

/**
 * Where a worker of somebody else's trains a recipe, for workflows to go by. How long it is waited for changes nothing of the model: that the candidate of the
 * charter says.
 */
export function trainerQueue({ trainer }: Recipe, candidate: CandidateRecipe | undefined): Pick<PreparedRetrain, 'trainer'> {
  return trainer === undefined ? {} : { trainer: { ...trainer, waitMs: candidate?.waitMs ?? usualWaitMs } };
}
