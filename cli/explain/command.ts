import { resolve } from 'node:path';
import { Command } from 'commander';
import { openState } from '../../activities/context.ts';
import { describeExplanation } from '../../activities/provenance/describe-explanation.ts';
import { explainRequest } from '../../activities/provenance/explain-request.ts';
import { htmlOf, textOf } from '../../activities/provenance/page.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { someText, surface as surfaceArgument } from '../option-values.ts';
import { emit, table } from '../output.ts';
import { writePicture } from '../report/write-picture.ts';

type Options = { surface?: string; html?: string; state?: string; json?: boolean };

/** `understudy explain`: from what somebody was shown back to who let it be. Needs no server, but the broker where the logs are in a Kafka. */
export function explainCommand(context: CommandContext): Command {
  return new Command('explain')
    .description('from a slate back to its rules, scores, variant, model, training data, code, approver, with the proof that the ledger holds them')
    .argument('<request>', 'the requestId of the answer', someText)
    .option('--surface <name>', 'look in the log of this one alone', surfaceArgument)
    .option('--html <file>', 'write it as a page', someText)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .action(async (requestId: string, options: Options) => {
      const state = openState(stateDirectory(context, options.state), context.env.kafka);
      try {
        const explanation = await explainRequest(state, { requestId, surface: options.surface });
        const page = describeExplanation(explanation);
        if (options.html !== undefined) await writePicture(resolve(context.cwd, options.html), htmlOf(page));
        emit({ json: options.json === true, document: explanation, text: textOf(page, table) });
      } finally {
        await state.close();
      }
    });
}
