import { z } from 'zod';
import { trackRecordOf } from '../../experiments/counterfactual/agreement.ts';
import { diffCharters } from '../../experiments/gates/charter-diff.ts';
import { judgeReport } from '../../experiments/gates/judge-report.ts';
import { artifactManifest } from '../../models/contracts/artifact.ts';
import { catalogItem } from '../../models/contracts/catalog-item.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { DeploymentSpec } from '../../models/contracts/deployment.ts';
import { canonicalJson } from '../../models/contracts/digest.ts';
import { type Recipe, recipe as recipeSchema, withoutStart } from '../../models/contracts/recipe.ts';
import { type ReleaseIntent, type Report, report as reportSchema } from '../../models/contracts/report.ts';
import { userSums } from '../../models/contracts/tournament.ts';
import { tuning } from '../../models/contracts/tuning.ts';
import { type WindowManifest, windowManifest } from '../../models/contracts/window.ts';
import { scopeOf } from '../../models/slate/scope.ts';
import { getDocument, putDocument } from '../../stores/blobs.ts';
import { latestDeployment, readDeployment } from '../../stores/deployments.ts';
import type { EvaluateRequest, Evaluated, EvaluatedAsOf } from '../api.ts';
import { type Context, readCharter, type State } from '../context.ts';
import { agreementsOf } from '../registry/agreements.ts';
import { putMaking } from '../rerun/making.ts';
import { tuningFile } from '../training/tune.ts';
import { addDays, dayStartMs } from '../windows/days.ts';
import type { Beat } from '../worker.ts';
import { measureCounterfactual } from './measure-counterfactual.ts';
import { measureOffline, type OfflineEvidence } from './measure-offline.ts';

/** Makes the report on a candidate: ranking metrics on the time split, the counterfactual estimate, the gates' answers. */
export async function evaluateCandidate(context: Context, request: EvaluateRequest, { beat, signal }: Beat): Promise<Evaluated> {
  const { state } = context;
  const { retrain, trained, log, sinceGeneration, asOf } = request;
  const [charter, window, spec] = await Promise.all([
    readCharter(state.blobs, retrain.charter),
    getDocument(state.blobs, retrain.window, windowManifest),
    deploymentAsOf(state, retrain.surface, asOf),
  ]);
  // Against itself a champion has no evidence to give: a rerun of the live model is measured alone.
  const champion = spec === undefined || spec.champion === trained.artifact ? null : spec.champion;
  const seed = window.seed;
  const catalog = await getDocument(state.blobs, window.catalog, z.array(catalogItem));
  const { allowed } = scopeOf({ scope: charter.scope, items: catalog, vocabulary: [] });
  const { testPart, sums, ...offline } = await measureOffline(state, { window, charter, catalog, candidate: trained.artifact, champion, seed, beat, signal });
  const measured =
    champion === null || log.segments === null
      ? { result: null, absent: champion === null ? 'there is no champion to compare with' : 'the log holds no slate yet' }
      : await measureCounterfactual(state, {
          charter,
          catalog,
          candidate: trained.artifact,
          champion,
          segments: log.segments,
          sinceGeneration,
          trainedUntilMs: Math.max(trainedUntil(window), trainedUntil(await windowOf(context, champion))),
          seed,
          allowed,
          beat,
        });
  const record = trackRecordOf(await agreementsOf(context, retrain.surface, asOf?.atMs));
  const manifest = await getDocument(state.blobs, trained.artifact, artifactManifest);
  const tuned = manifest.files[tuningFile];
  const judged = judgeReport({
    charter,
    artifactBytes: trained.bytes,
    draft: {
      kind: 'report',
      surface: retrain.surface,
      candidate: retrain.candidate,
      algorithm: manifest.algorithm,
      artifact: trained.artifact,
      champion: spec?.champion ?? null,
      window: retrain.window,
      charter: retrain.charter,
      charterDiff: spec === undefined ? [] : diffCharters(await readCharter(state.blobs, spec.charter), charter),
      intent: await intentOf(context, { candidate: retrain.candidate, recipe: retrain.recipe, spec }),
      parity: { requests: trained.parityRequests, largestError: trained.parityError, passed: trained.parityPassed },
      ...(tuned === undefined ? {} : { tuning: await getDocument(state.blobs, tuned, tuning) }),
      ...offline,
      ...(await userSumsOf(state, charter, sums)),
      counterfactual: measured.result,
      ...(measured.absent === null ? {} : { counterfactualAbsent: measured.absent }),
      ...(record === undefined ? {} : { trackRecord: record }),
    },
  });
  const report = await putDocument(state.blobs, reportSchema.parse(judged));
  // What a rerun must reproduce: the candidate's own figures, whoever is champion by then.
  const metrics = await putDocument(state.blobs, {
    kind: 'metrics',
    artifact: trained.artifact,
    window: retrain.window,
    users: offline.users,
    metrics: offline.metrics,
  });
  const made = await putMaking(state.blobs, { test: testPart });
  return { report, metrics, passed: judged.passed, reasons: judged.reasons, intent: judged.intent, champion: judged.champion, made };
}

async function userSumsOf({ blobs }: State, { gates }: Charter, sums: OfflineEvidence['sums']): Promise<Pick<Report, 'userSums'>> {
  if (gates.tournament === undefined || sums.users === 0) return {};
  return { userSums: await putDocument(blobs, userSums.parse({ kind: 'user-sums', metric: gates.primaryMetric, ...sums })) };
}

async function deploymentAsOf({ generations }: State, surface: string, asOf: EvaluatedAsOf | undefined): Promise<DeploymentSpec | undefined> {
  if (asOf === undefined) return latestDeployment(generations, surface);
  return asOf.deployment === null ? undefined : readDeployment(generations, surface, asOf.deployment);
}

async function windowOf(context: Context, artifact: string): Promise<WindowManifest> {
  const { window } = await getDocument(context.state.blobs, artifact, artifactManifest);
  return getDocument(context.state.blobs, window, windowManifest);
}

/** When the last day that a model was trained on ends. */
function trainedUntil({ train, timeZone }: WindowManifest): number {
  return dayStartMs(timeZone, addDays(train.to, 1));
}

/** The everyday case is the live recipe on a newer window, wherever its training began. */
async function intentOf(context: Context, input: { candidate: string; recipe: string; spec: DeploymentSpec | undefined }): Promise<ReleaseIntent> {
  if (input.spec === undefined) return 'bootstrap';
  const live = await getDocument(context.state.blobs, input.spec.champion, artifactManifest);
  if (live.recipe === input.recipe) return 'refresh';
  const [was, is] = await Promise.all([live.recipe, input.recipe].map((digest) => getDocument(context.state.blobs, digest, recipeSchema)));
  return canonicalJson(withoutStart(was as Recipe)) === canonicalJson(withoutStart(is as Recipe)) ? 'refresh' : 'replace';
}
