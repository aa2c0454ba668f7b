import { Command } from 'commander';
import { openState, type State } from '../../activities/context.ts';
import { currentCharter, listSurfaces } from '../../activities/registry/charters.ts';
import { listRuns } from '../../activities/registry/runs.ts';
import { challengersOf, type DeploymentSpec } from '../../models/contracts/deployment.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { isOut } from '../../models/slate/assign.ts';
import type { ReleaseStatus, RunRecord } from '../../models/contracts/release.ts';
import { latestDeployment } from '../../stores/deployments.ts';
import { readLedger } from '../../stores/ledger.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { someText, surface as surfaceArgument } from '../option-values.ts';
import { emit, table } from '../output.ts';
import { tournamentOf } from '../report/describe-tournament.ts';
import { describeSchedule, readSchedule, type ScheduleStatus } from '../schedules.ts';
import { summarizeReport } from '../summarize-report.ts';
import { releaseStatus, withTemporal } from '../temporal.ts';
import { type Training, trainingsOf } from '../trainings.ts';

type SurfaceStatus = {
  surface: string;
  deployment: DeploymentSpec | null;
  release: ReleaseStatus | null;
  /** Retrainings that go on. */
  trainings: Training[];
  /** When it retrains by itself; null where it does not, or where Temporal is not reached. */
  schedule: ScheduleStatus | null;
  temporal: 'reached' | 'not reached';
  /** What a person should look at now. */
  alarms: string[];
};

export async function surfaceStatus(context: CommandContext, stateDir: string, surface: string): Promise<SurfaceStatus> {
  const state = openState(stateDir);
  await currentCharter(state, surface);
  const deployment = (await latestDeployment(state.generations, surface)) ?? null;
  try {
    const { release, trainings, schedule } = await withTemporal(context, stateDir, async (client) => ({
      release: await releaseStatus(client, surface),
      trainings: await trainingsOf(client, surface),
      schedule: await readSchedule(client, surface),
    }));
    const canary = deployment?.canary ?? null;
    // Its workflow was terminated, or Temporal's state was lost.
    const orphaned = canary !== null && release?.releaseId !== canary.releaseId;
    const alarms = orphaned ? [`${canary.releaseId} has traffic and no workflow that watches it: understudy abort ${surface} --by NAME --why REASON`] : [];
    return { surface, deployment, release: release ?? null, trainings, schedule, temporal: 'reached', alarms };
  } catch (error) {
    if (!(error instanceof UnderstudyError && error.code === 'UND-TEMPORAL')) throw error;
    return { surface, deployment, release: null, trainings: [], schedule: null, temporal: 'not reached', alarms: [] };
  }
}

type About = { runs: readonly RunRecord[]; evidence: readonly string[] /** Why this candidate and no other of its request. */; compared: string | undefined };

function describe(one: SurfaceStatus, { runs, evidence, compared }: About): string {
  const nameOf = (artifact: string | null | undefined) => {
    if (!artifact) return 'none';
    const run = runs.find((candidate) => candidate.artifact === artifact);
    return `${run?.candidate ?? 'unknown'} (${artifact.slice(7, 19)})`;
  };
  const lines = [
    `surface     ${one.surface}`,
    `champion    ${nameOf(one.deployment?.champion)}, generation ${one.deployment?.generation ?? 0}${one.deployment?.paused ? ', PAUSED' : ''}`,
  ];
  const canary = one.deployment?.canary;
  if (canary)
    for (const { artifact, share } of challengersOf(canary)) {
      const traffic = isOut(canary, share)
        ? ', out'
        : `, rung ${canary.stage + 1}, ${(share * 100).toFixed(2)} % of new visitors (cap ${canary.cap * 100} %${canary.rivals ? ' together' : ''})`;
      lines.push(`challenger  ${nameOf(artifact)}, ${canary.mode}${canary.mode === 'canary' ? traffic : ''}`);
    }
  if (one.temporal === 'not reached') lines.push('release     Temporal is not reached; what serves does not depend on it');
  else if (one.release === null) lines.push('release     none yet');
  else {
    lines.push(`release     ${one.release.phase}: ${one.release.why}`);
    if (one.release.evidence !== null && one.release.phase === 'approval') {
      for (const line of evidence) lines.push(`evidence    ${line}`);
      if (compared !== undefined) lines.push(`compared    ${compared}`);
      const loosened = (one.release.policy?.loosened ?? []).length > 0 ? ' --accept-loosened' : '';
      lines.push(`read        understudy report ${one.surface}`);
      lines.push(`decide      understudy approve ${one.surface} --by NAME --evidence ${one.release.evidence}${loosened}`);
    }
    if (one.release.last !== null) lines.push(`last        ${one.release.last.candidate} ${one.release.last.outcome}: ${one.release.last.why}`);
  }
  for (const { candidate, phase, why } of one.trainings) lines.push(`training    ${candidate}: ${phase}${why === '' ? '' : ` (${why})`}`);
  if (one.schedule !== null) lines.push(`schedule    ${describeSchedule(one.schedule)}`);
  for (const alarm of one.alarms) lines.push(`ALARM       ${alarm}`);
  return lines.join('\n');
}

export function statusCommand(context: CommandContext): Command {
  return new Command('status')
    .description('where each surface stands, and why')
    .argument('[surface]', 'only this one', surfaceArgument)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .action(async (surface: string | undefined, options) => {
      const stateDir = stateDirectory(context, options.state);
      const state = openState(stateDir);
      const surfaces = surface === undefined ? await listSurfaces(state) : [surface];
      const statuses = await Promise.all(surfaces.map((name) => surfaceStatus(context, stateDir, name)));
      const texts = await Promise.all(
        statuses.map(async (one) =>
          describe(one, {
            runs: await listRuns(state, one.surface),
            evidence: one.release?.phase === 'approval' && one.release.evidence !== null ? await summarizeReport(state, one.release.evidence) : [],
            compared: one.release?.artifact ? tournamentOf(await readLedger(state.generations, one.surface), one.release.artifact)?.message : undefined,
          }),
        ),
      );
      emit({
        json: options.json === true,
        document: { surfaces: statuses },
        text:
          texts.length === 0
            ? `No surface yet in ${stateDir}. \`understudy up\` runs the example; \`understudy init\` makes one from your file.`
            : texts.join('\n\n'),
      });
    });
}

export function runsCommand(context: CommandContext): Command {
  return new Command('runs')
    .description('what was trained: evidence, verdict, artifact')
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .action(async (surface: string, options) => {
      const state: State = openState(stateDirectory(context, options.state));
      await currentCharter(state, surface);
      const runs = await listRuns(state, surface);
      emit({
        json: options.json === true,
        document: { surface, runs },
        text:
          runs.length === 0
            ? `${surface} has no runs yet`
            : table(
                ['run', 'candidate', 'intent', 'gates', 'artifact', 'train s'],
                runs.map((run) => [
                  run.runId,
                  run.candidate,
                  run.intent,
                  run.passed ? 'passed' : 'REFUSED',
                  run.artifact.slice(7, 19),
                  run.trainSeconds.toFixed(1),
                ]),
              ),
      });
    });
}
