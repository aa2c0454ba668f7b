import { resolve } from 'node:path';
import { Command } from 'commander';
import { openState } from '../../activities/context.ts';
import { canaryRecordsOf, type RecordedCanary } from '../../activities/registry/agreements.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import { trackRecordOf } from '../../experiments/counterfactual/agreement.ts';
import { canaryPlot } from '../../experiments/pictures/canary-plot.ts';
import { signedPercent } from '../../experiments/percent.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Interval } from '../../models/contracts/verdict.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { someText, surface as surfaceArgument } from '../option-values.ts';
import { emit, table } from '../output.ts';
import { writePicture } from './write-picture.ts';

type Options = { release?: string; svg?: string; state?: string; json?: boolean };

/** `understudy agreement`: what the log foretold of each canary, and what the canary then saw. */
export function agreementCommand(context: CommandContext): Command {
  return new Command('agreement')
    .description("each canary of a surface: what the log had foretold, and what was seen; and the surface's track record")
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--release <id>', 'the canary of this release; else the newest', someText)
    .option('--svg <file>', 'write a picture of that canary over time', someText)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .action(async (surface: string, options: Options) => {
      const state = openState(stateDirectory(context, options.state));
      await currentCharter(state, surface);
      const all = await canaryRecordsOf({ state }, surface);
      const chosen = options.release === undefined ? all : all.filter(({ record }) => record.releaseId === options.release);
      if (options.release !== undefined && chosen.length === 0)
        throw new UnderstudyError('UND-NOT-FOUND', `${surface} has no canary of ${options.release}. \`understudy agreement ${surface}\` lists them.`);
      if (options.svg !== undefined) await draw(resolve(context.cwd, options.svg), chosen.at(-1), surface);
      const trackRecord = trackRecordOf(all.flatMap(({ record }) => (record.agreement === null ? [] : [record.agreement]))) ?? null;
      emit({ json: options.json === true, document: { surface, canaries: chosen, trackRecord }, text: describe(surface, chosen, trackRecord?.sentence) });
    });
}

async function draw(path: string, canary: RecordedCanary | undefined, surface: string): Promise<void> {
  if (canary === undefined || canary.record.points.length === 0) throw new UnderstudyError('UND-NOT-FOUND', `${surface} has no canary to draw yet`);
  const { record, outcome } = canary;
  const svg = canaryPlot({
    title: `${surface}: canary of ${record.releaseId}`,
    points: record.points,
    outcome: `${outcome}: ${record.decision.reasons.join('; ')}`,
  });
  await writePicture(path, svg);
}

function describe(surface: string, canaries: readonly RecordedCanary[], sentence: string | undefined): string {
  if (canaries.length === 0) return `${surface} has had no canary yet`;
  const rows = canaries.map(({ outcome, record: { releaseId, decision, agreement } }) => [
    releaseId,
    outcome,
    agreement === null ? 'the log had no estimate' : `${percents(agreement.predicted.lift)}, ${agreement.predicted.verdict}`,
    agreement === null ? decision.verdict : `${percents(agreement.observed.lift)}, ${agreement.observed.verdict}`,
  ]);
  const shown = table(['release', 'outcome', "foretold lift, of the champion's mean", 'seen'], rows);
  return sentence === undefined ? shown : `${shown}\n\nIn short: ${sentence}.`;
}

function percents({ value, low, high }: Interval): string {
  const text = (share: number) => signedPercent(share, 0);
  return `${text(value)} [${text(low)}, ${text(high)}]`;
}
