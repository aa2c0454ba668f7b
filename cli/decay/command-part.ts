import { resolve } from 'node:path';
import type { Command } from 'commander';
import { decayPicture } from '../../experiments/decay/decay-picture.ts';
import type { CommandContext } from '../environment.ts';
import { machine, wholeNumber } from '../option-values.ts';
import { emit, progress, say } from '../output.ts';
import { writePicture } from '../report/write-picture.ts';
import { decayStudy } from './decay-study.ts';
import { describeDecay } from './describe-decay.ts';

export type DecayOptions = { candidate?: string; minutes: number; origins?: number; seed?: number; picture?: string; state?: string; json?: boolean };

/** What `understudy frame SURFACE --decay` takes besides `--picture`, `--state` and `--json`. */
export function addDecayOptions(command: Command): Command {
  return command
    .option('--decay', 'instead: how quality falls with the age of a model and what each further month of history buys, by training at several origins')
    .option('--candidate <name>', 'with --decay: of the charter (default: the one that serves)', machine)
    .option('--minutes <number>', 'with --decay: no further model is trained after so many; the same command goes on later', wholeNumber, 20)
    .option('--origins <number>', 'with --decay: test weeks, two weeks apart (default: 4, or as many as the data go back for)', wholeNumber)
    .option('--seed <number>', 'with --decay: of the intervals', wholeNumber);
}

/** Runs a study, and answers with its table, its JSON and its picture. */
export async function runDecay(context: CommandContext, surface: string, options: DecayOptions): Promise<void> {
  const { candidate, minutes, origins, seed, state, picture } = options;
  const step = progress(`decay of ${surface}`);
  let saidMs = context.now();
  const study = await decayStudy(context, {
    ...{ surface, candidate, minutes, origins, seed, state },
    onStep: ({ done, total, note }) => {
      step.note(`${done} of ${total}: ${note}`);
      // Where no line is live, a word now and then.
      if (process.stderr.isTTY || context.now() - saidMs < 15_000) return;
      saidMs = context.now();
      say(`  ${done} of ${total}: ${note}`);
    },
  });
  step.done(`${study.models.measured} of ${study.models.asked} models`);
  if (picture !== undefined)
    await writePicture(resolve(context.cwd, picture), decayPicture({ ...study, title: `${surface}: ${study.candidate} by age and by history` }));
  emit({ json: options.json === true, document: study, text: describeDecay(study) });
}
