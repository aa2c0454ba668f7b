import { resolve } from 'node:path';
import { Command } from 'commander';
import { openState, type State } from '../../activities/context.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import { listRuns, requireRunOf } from '../../activities/registry/runs.ts';
import { fairnessPlot } from '../../experiments/pictures/fairness-plot.ts';
import { frontierPlot } from '../../experiments/pictures/frontier-plot.ts';
import { pictureOfReport } from '../../experiments/pictures/picture-of-report.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Report } from '../../models/contracts/report.ts';
import type { Tournament } from '../../models/contracts/tournament.ts';
import { readLedger } from '../../stores/ledger.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { digest, someText, surface as surfaceArgument } from '../option-values.ts';
import { emit, table } from '../output.ts';
import { surfaceStatus } from '../commands/status.ts';
import { describeCounterfactual } from './describe-counterfactual.ts';
import { describeTournament, tournamentOf } from './describe-tournament.ts';
import { type Evidence, readEvidence } from './read-evidence.ts';
import { writePicture } from './write-picture.ts';
import { describeOffline } from './describe-offline.ts';
import { intervalText as shown } from './interval-text.ts';

type Options = { run?: string; evidence?: string; svg?: string; frontier?: string; fairness?: string; state?: string; json?: boolean };

/** `understudy report`: the evidence about one candidate on one page. */
export function reportCommand(context: CommandContext): Command {
  return new Command('report')
    .description(
      'the evidence about a candidate: gates, metrics, lifts, segments, leaks, what diversity and fairness cost, earlier splits, the log; of the one under decision, else of the newest run',
    )
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--run <run>', 'of this run of `understudy runs`', someText)
    .option('--evidence <digest>', 'this report', digest)
    .option('--svg <file>', 'write a picture of the lifts', someText)
    .option('--frontier <file>', 'write a picture (SVG) of NDCG against novelty, serendipity and diversity', someText)
    .option('--fairness <file>', 'write a picture (SVG) of what fairness costs and brings', someText)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .action(async (surface: string, options: Options) => {
      const stateDir = stateDirectory(context, options.state);
      const state = openState(stateDir);
      const chosen = await choose(context, { state, stateDir, surface, options });
      const all = await readEvidence(state, chosen);
      const [{ digest, report }] = all as [Evidence];
      if (all.length > 1 && [options.svg, options.frontier, options.fairness].some((file) => file !== undefined))
        throw new UnderstudyError(
          'UND-INPUT',
          `A picture is of one report, and ${all.length} share this release: --evidence ${all.map((one) => one.digest).join(' or ')}`,
        );
      if (options.svg !== undefined) await writePicture(resolve(context.cwd, options.svg), pictureOfReport(report));
      if (options.frontier !== undefined) await writePicture(resolve(context.cwd, options.frontier), pictureOfFrontier(report));
      if (options.fairness !== undefined) await writePicture(resolve(context.cwd, options.fairness), pictureOfFairness(report));
      const document = all.length === 1 ? { digest, ...report } : { digest: chosen, contenders: all.map((one) => ({ digest: one.digest, ...one.report })) };
      const ledger = await readLedger(state.generations, surface);
      const text = all.map((one) => describe(one.digest, one.report, tournamentOf(ledger, one.report.artifact))).join('\n\n\n');
      const heading = `${all.length} challengers share the release; what is voted on is all of them: ${chosen}`;
      emit({ json: options.json === true, document, text: all.length === 1 ? text : `${heading}\n\n${text}` });
    });
}

function pictureOfFrontier({ surface, candidate, frontier }: Report): string {
  if (frontier === undefined)
    throw new UnderstudyError('UND-NOT-FOUND', `The report on ${candidate} has no frontier: \`understudy retrain ${surface} --resubmit\` makes one`);
  return frontierPlot({ title: `${surface}: what diversity costs ${candidate}`, frontier });
}

function pictureOfFairness({ surface, candidate, fairness }: Report): string {
  if (fairness === undefined)
    throw new UnderstudyError('UND-NOT-FOUND', `The report on ${candidate} has nothing on fairness: the charter of ${surface} asked for none when it was made`);
  return fairnessPlot({ title: `${surface}: what fairness costs ${candidate}`, fairness });
}

async function choose(context: CommandContext, input: { state: State; stateDir: string; surface: string; options: Options }): Promise<string> {
  const { state, stateDir, surface, options } = input;
  await currentCharter(state, surface);
  if (options.evidence !== undefined) return options.evidence;
  if (options.run !== undefined) return (await requireRunOf(state, surface, options.run)).report;
  const { release } = await surfaceStatus(context, stateDir, surface);
  const newest = release?.evidence ?? (await listRuns(state, surface)).at(-1)?.report;
  if (newest === undefined) throw new UnderstudyError('UND-NOT-FOUND', `${surface} has no report yet: \`understudy retrain ${surface}\` makes one`);
  return newest;
}

function describe(chosen: string, report: Report, held: Tournament | undefined): string {
  const names = Object.keys(report.metrics).sort();
  const metricRows = names.map((name) => [name, shown(report.metrics[name]), shown(report.championMetrics?.[name]), shown(report.lift?.[name], true)]);
  const parts = [
    `${report.surface}: ${report.candidate} (${report.algorithm}), a ${report.intent}; measured on ${report.users} users\nevidence ${chosen}`,
    `${report.passed ? 'The gates let it pass' : 'REFUSED'}; offline verdict: ${report.verdict}`,
    table(
      ['gate', '', 'why'],
      report.gates.map((gate) => [gate.gate, gate.passed ? 'passed' : 'REFUSES', gate.reason]),
    ),
    table(['metric', 'candidate', 'champion', 'lift'], metricRows),
  ];
  if (held !== undefined) parts.push(describeTournament(held));
  parts.push(...describeOffline(report), ...describeCounterfactual(report));
  if (report.charterDiff.length > 0)
    parts.push(
      table(
        ['the charter since the last release', 'was', 'is', ''],
        report.charterDiff.map(({ path, before, now, loosens }) => [path, JSON.stringify(before), JSON.stringify(now), loosens ? 'LOOSENS' : '']),
      ),
    );
  return parts.join('\n\n');
}
