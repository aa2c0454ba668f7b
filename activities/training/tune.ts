import { z } from 'zod';
import { drawTrials, type TrialParams } from '../../experiments/tuning/draw-trials.ts';
import { nextTrials, planRungs, type Rung } from '../../experiments/tuning/halving.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { canonicalJson } from '../../models/contracts/digest.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Recipe } from '../../models/contracts/recipe.ts';
import { type TrialMeasurement, trialMeasurement, type Tuning, tuning } from '../../models/contracts/tuning.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { measureTrial, openValidation, type Tuned, validationOf } from './tune-trial.ts';

/** In the artifact; it serves nobody. */
export const tuningFile = 'tuning.json';

export type TuningPlan = { trials: TrialParams[]; rungs: Rung[] };

/** What a recipe leaves to choose; undefined where that is nothing. */
export function tunedRecipe(recipe: Recipe): Tuned | undefined {
  return recipe.tune === undefined ? undefined : { ...recipe, tune: recipe.tune };
}

/** Its trials, and on how many users each rung of them is trained. */
export function planTuning({ tune, seed }: { tune: Pick<Tuned['tune'], 'grid' | 'search'>; seed: number }): TuningPlan {
  const trials = drawTrials({ space: tune.grid, trials: tune.search?.trials, seed });
  return { trials, rungs: planRungs({ trials: trials.length, halving: tune.search?.halving }) };
}

/** What is to be tried next, or what was chosen. @throws UND-TRAINING-DIVERGED where no trial could be trained */
export function decideNext({ rungs }: TuningPlan, measurements: readonly TrialMeasurement[]): { rung: number; due: number[] } | { chosen: number } {
  const next = nextTrials({ rungs, outcomes: measurements.map(({ trial, rung, measured }) => ({ trial, rung, value: measured?.value ?? null })) });
  if (next.kind === 'none')
    throw new UnderstudyError(
      'UND-TRAINING-DIVERGED',
      `None of ${rungs[0]?.trials} trials could be trained; the first: ${measurements.find(({ failed }) => failed)?.failed}`,
    );
  return next.kind === 'chosen' ? { chosen: next.trial } : { rung: next.rung, due: next.due };
}

/** `tuning.json`: the trials and what they came to, with nothing in it that another machine, or another order of the work, would say otherwise. */
export function tuningOf(input: {
  window: WindowManifest;
  recipe: Tuned;
  plan: TuningPlan;
  measurements: readonly TrialMeasurement[];
  chosen: number;
}): Tuning {
  const { window, recipe, plan, measurements, chosen } = input;
  const { train, test } = validationOf({ window, recipe });
  const several = plan.rungs.length > 1;
  const trials = plan.trials.map((params, trial) => {
    const last = measurements.filter((one) => one.trial === trial).reduce((latest, one) => (one.rung > latest.rung ? one : latest));
    const figures = last.measured ?? { value: 0, low: 0, high: 0, failed: last.failed ?? '' };
    return { params, ...figures, ...(several ? { rung: last.rung } : {}) };
  });
  const rungs = plan.rungs.map(({ share }, rung) => {
    const here = measurements.filter((one) => one.rung === rung);
    return { share, trainUsers: here[0]?.trainUsers ?? 0, trials: here.length };
  });
  const users = measurements[0]?.users;
  return tuning.parse({ kind: 'tuning', metric: recipe.tune.metric, train, validation: test, users, ...(several ? { rungs } : {}), trials, chosen });
}

type Input = {
  blobs: BlobStore;
  window: WindowManifest;
  charter: Charter;
  recipe: Recipe;
  /** What an earlier attempt said last. */
  resumeDetails: unknown;
  beat: (details?: unknown) => void;
  now: () => number;
  threads?: number;
};

/** The trials of `tune-activities.ts` one after another in this process, for whoever trains without workers. Same input, same choice to the bit, whenever it was cut off. */
export async function chooseParams(input: Input): Promise<{ tuning: Tuning; measurements: TrialMeasurement[] } | undefined> {
  const { blobs, window, charter, resumeDetails, beat, now, threads } = input;
  const recipe = tunedRecipe(input.recipe);
  if (recipe === undefined) return undefined;
  const plan = planTuning(recipe);
  const measurements = measurementsIn(resumeDetails, plan);
  const validation = await openValidation({ blobs, window, charter, recipe });
  for (;;) {
    const next = decideNext(plan, measurements);
    if ('chosen' in next) return { tuning: tuningOf({ window, recipe, plan, measurements, chosen: next.chosen }), measurements };
    const { rung } = next;
    for (const trial of next.due) {
      const params = plan.trials[trial] as TrialParams;
      const share = plan.rungs[rung]?.share ?? 1;
      measurements.push(await measureTrial(validation, { trial, rung, params, share }, { beat: () => beat(), now, threads }));
      beat({ measurements });
    }
  }
}

const said = z.looseObject({ measurements: z.array(trialMeasurement) });

/** Those of an earlier attempt, where they are of the same trials. */
function measurementsIn(details: unknown, { trials }: TuningPlan): TrialMeasurement[] {
  const measurements = said.safeParse(details).data?.measurements ?? [];
  return measurements.every(({ trial, params }) => canonicalJson(params) === canonicalJson(trials[trial] ?? null)) ? measurements : [];
}
