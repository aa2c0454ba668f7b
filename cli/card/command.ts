import { resolve } from 'node:path';
import { Command } from 'commander';
import { openState } from '../../activities/context.ts';
import { cardOfRun } from '../../activities/provenance/card-source.ts';
import { mlBom } from '../../activities/provenance/ml-bom.ts';
import { modelCard } from '../../activities/provenance/model-card.ts';
import { htmlOf, textOf } from '../../activities/provenance/page.ts';
import { requireRun } from '../../activities/registry/runs.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { someText } from '../option-values.ts';
import { emit, table } from '../output.ts';
import { writePicture } from '../report/write-picture.ts';

type Options = { html?: string; bom?: string; state?: string; json?: boolean };

/** `understudy card`: what a model is, as its version in the registry has it too. */
export function cardCommand(context: CommandContext): Command {
  return new Command('card')
    .description('the model card and data sheet of a run, put together from what was recorded; for programs as an ML-BOM (CycloneDX 1.6)')
    .argument('<run>', 'a run id of `understudy runs`', someText)
    .option('--html <file>', 'write it as a page', someText)
    .option('--bom <file>', 'write the ML-BOM', someText)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'the ML-BOM on stdout')
    .action(async (runId: string, options: Options) => {
      const state = openState(stateDirectory(context, options.state));
      const source = await cardOfRun(state, await requireRun({ state }, runId));
      const [page, bom] = [modelCard(source), mlBom(source)];
      if (options.html !== undefined) await writePicture(resolve(context.cwd, options.html), htmlOf(page));
      if (options.bom !== undefined) await writePicture(resolve(context.cwd, options.bom), `${JSON.stringify(bom, null, 2)}\n`);
      emit({ json: options.json === true, document: bom, text: textOf(page, table) });
    });
}
