import { z } from 'zod';
import { groupCount } from '../../experiments/decay/group-sums.ts';
import type { Arm } from '../../experiments/decay/summarize-decay.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { digestJson } from '../../models/contracts/digest.ts';
import { digestString } from '../../models/contracts/ids.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type Recipe, withoutStart } from '../../models/contracts/recipe.ts';
import type { WindowManifest } from '../../models/contracts/window.ts';
import { type State, readLatest } from '../context.ts';
import type { Split } from './measure-arm.ts';

/*
 * What was measured of one model on one test part, in the series `decay/<surface>/<24 hex digits of its key>`. It holds sums over groups of users, and nothing
 * that tells who is in them.
 */

/** Grows when what is measured changes. */
const version = 1;

const cell = z.strictObject({
  kind: z.literal('decay-cell'),
  key: digestString,
  sums: z.array(z.number()).length(groupCount),
  cost: z.strictObject({ rows: z.number().int(), seconds: z.number() }),
});

type Keyed = { split: Split; recipe: Recipe; charter: Charter; metric: string; window: WindowManifest; warmSteps: number };

/** Everything that decides the sums. */
export function cellKey({ split, recipe, charter, metric, window, warmSteps }: Keyed): string {
  const { reward, scope, slate, repeatPolicy, identity = null, consent = null, confidence } = charter;
  const { train, trainSlices } = window;
  return digestJson({
    ...{ version, metric, warmSteps, warmParams: warmSteps === 0 ? null : (recipe.warmStart?.params ?? {}) },
    recipe: withoutStart(recipe),
    measuredOn: split.window,
    trainedOn: { train, slices: trainSlices.map(({ digest }) => digest) },
    judgedBy: { reward, scope, slate, repeatPolicy, identity, consent, confidence },
  });
}

const seriesOf = (surface: string, key: string) => `decay/${surface}/${key.slice(7, 31)}`;

export async function readCell({ generations }: State, { surface, key }: { surface: string; key: string }): Promise<Arm | undefined> {
  const found = (await readLatest(generations, seriesOf(surface, key), cell))?.document;
  return found?.key === key ? found : undefined;
}

/** Two studies at once measure the same; the first stays. */
export async function writeCell({ generations }: State, { surface, key, arm }: { surface: string; key: string; arm: Arm }): Promise<void> {
  const document = cell.parse({ kind: 'decay-cell', key, sums: Array.from(arm.sums), cost: arm.cost });
  await generations.create(seriesOf(surface, key), 1, document).catch((error: unknown) => {
    if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
  });
}
