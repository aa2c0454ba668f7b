import { defineQuery, setHandler } from '@temporalio/workflow';
import type { PreparedRetrain, TunedParams, TuningProgress } from '../activities/api.ts';
import { statusQuery } from '../models/contracts/messages.ts';
import { control, patient, training } from './proxies.ts';

/** Each trial is an activity, so that one that has finished stays so; all that are due at once are asked for at once, for as many workers as there are. */
export async function chooseParams(retrain: PreparedRetrain, tell: (progress: TuningProgress) => void): Promise<TunedParams> {
  let step = await control.decideTrials({ retrain, log: null, results: [] });
  while (step.kind === 'trials') {
    const { log, rungs, rung, due } = step;
    let done = 0;
    tell({ rungs, rung, done });
    const results = await Promise.all(
      due.map(async (trial) => {
        const result = await training.runTrial({ retrain, rung, trial });
        done += 1;
        tell({ rungs, rung, done });
        return result;
      }),
    );
    step = await control.decideTrials({ retrain, log, results });
  }
  return { tuning: step.tuning, log: step.log };
}

const progressQuery = defineQuery<TuningProgress | null>(statusQuery);

/** Chooses parameters and writes down what was tried. Trains no candidate and hands nothing over. */
export async function tune(input: PreparedRetrain): Promise<TunedParams> {
  let progress: TuningProgress | null = null;
  setHandler(progressQuery, () => progress);
  const chosen = await chooseParams(input, (now) => {
    progress = now;
  });
  await patient.recordTrials({ retrain: input, ...chosen });
  return chosen;
}
