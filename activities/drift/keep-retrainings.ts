import type { KeptRetrainings } from '../../models/contracts/audit.ts';
import { auditRules } from '../../models/contracts/charter-audit.ts';
import { asUnderstudyError } from '../../models/contracts/problem.ts';
import { type Context, readCharter } from '../context.ts';
import { currentCharter } from '../registry/charters.ts';
import type { Beat } from '../worker.ts';
import { chooseModels } from './choose-models.ts';
import { originOf, retrainedVectors, vectorsOfArtifact } from './retrained-vectors.ts';

/**
 * Makes the retrainings of the champion before this one that are missing, as many as the charter's audits want, so that an audit can tell what moved beyond retraining. One that cannot be made
 * is no reason not to audit.
 */
export async function keepRetrainings(
  { state }: Context,
  { surface }: { surface: string },
  { signal, beat }: Pick<Beat, 'signal' | 'beat'>,
): Promise<KeptRetrainings> {
  const none = (why: string): KeptRetrainings => ({ retrainings: 0, why });
  try {
    const charter = await readCharter(state.blobs, await currentCharter(state, surface));
    const { retrainings: count } = auditRules.parse(charter.audit ?? {});
    const models = count === 0 ? null : await chooseModels(state, { surface });
    if (models === null) return none(count === 0 ? 'the charter wants none' : 'no other model has been champion');
    const origin = await originOf(state, models.from);
    if ((await vectorsOfArtifact(state, models.from)) === undefined) return none('the model has no item vectors of its own');
    if (origin.recipe.device === 'gpu') return none('it is trained on a GPU: `understudy drift --retrain` makes them, on the CPU');
    const made = await retrainedVectors(state, { origin, charter, count, onlyKept: false, onTraining: (number) => beat(`retraining ${number}`), signal });
    return { retrainings: made.length, why: null };
  } catch (error) {
    signal.throwIfAborted();
    return none(asUnderstudyError(error).message);
  }
}
