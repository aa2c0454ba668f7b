import { Command } from 'commander';
import { openState, readCharter } from '../../activities/context.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { someText, surface as surfaceArgument, wholeNumber } from '../option-values.ts';
import { emit, progress } from '../output.ts';
import { openShop } from '../shoppers/shop.ts';
import { requireSystemFile } from '../system-file.ts';

/** @param open a test puts its own shop in the place */
export function simulateCommand(context: CommandContext, open: typeof openShop = openShop): Command {
  return new Command('simulate')
    .description("send simulated shoppers, made after the data's own customers, to the running system")
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--slates <n>', 'until they were shown this many slates', wholeNumber, 1_000)
    .option('--seed <n>', "which shoppers (default: the charter's seed)", wholeNumber)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .action(async (surface: string, options: { slates: number; seed?: number; state?: string; json?: boolean }) => {
      const stateDir = stateDirectory(context, options.state);
      const state = openState(stateDir, context.env.kafka);
      const charter = await readCharter(state.blobs, await currentCharter(state, surface));
      const { servingUrl } = await requireSystemFile(stateDir);
      const shop = open({ state, surface, servingUrl, charter, ...(options.seed === undefined ? {} : { seed: options.seed }) });
      const stopping = new AbortController();
      process.once('SIGINT', () => stopping.abort());
      const step = progress(`shoppers on ${surface}`);
      try {
        await shop.serve({ slates: options.slates, signal: stopping.signal, onProgress: (slates) => step.note(`${slates} of ${options.slates} slates`) });
      } catch (error) {
        if (!stopping.signal.aborted) throw error;
        process.exitCode = 130;
      } finally {
        shop.close();
      }
      step.done(stopping.signal.aborted ? 'stopped' : undefined);
      const { visits, slates, events, purchases, buyers } = shop.counts;
      emit({
        json: options.json === true,
        document: { surface, ...shop.counts },
        text: `${visits} visits, ${slates} slates, ${events} events, ${purchases} purchases; ${((100 * buyers) / Math.max(1, visits)).toFixed(1)} % of visits bought`,
      });
    });
}
