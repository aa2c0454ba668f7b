import type { DeploymentSpec } from '../../models/contracts/deployment.ts';
import type { LedgerInclusion } from '../../models/contracts/ledger-checkpoint.ts';
import type { LedgerEntry, RunRecord } from '../../models/contracts/release.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import type { Report } from '../../models/contracts/report.ts';
import { report as reportSchema } from '../../models/contracts/report.ts';
import { getDocument } from '../../stores/blobs.ts';
import { readDeployment } from '../../stores/deployments.ts';
import { proveInclusion } from '../../stores/ledger-checkpoints.ts';
import { ledgerInState } from '../../stores/ledger-copies.ts';
import { type LedgerVerdict, verifyLedger } from '../../stores/verify-ledger.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { readLedger } from '../../stores/ledger.ts';
import { readCharter, type State } from '../context.ts';
import { currentCharter, listSurfaces } from '../registry/charters.ts';
import { listRuns } from '../registry/runs.ts';
import { type Made, madeOfRun } from './made-of.ts';
import { findSlate } from './find-slate.ts';

/** A line of the ledger, as it bears on a slate. `record`: its number there. */
export type Decision = { record: number; action: string; by: string; atMs: number; why: string; evidence: string | null };

/** From a slate back to who let it be: nothing in it is worked out anew, all is read from what was recorded then. */
export type Explanation = {
  requestId: string;
  surface: string;
  atMs: number;
  shown: { position: number; itemId: string; score: number | null; isExplored: boolean; propensity: number | null }[];
  slate: SlateRecord;
  deployment: DeploymentSpec;
  /** What people had ordered by then that stands over the work of releases, the latest first. */
  overrides: Decision[];
  rules: { charter: string; catalog: string; digest: string; scope: Charter['scope']; diversity: Charter['slate']['diversity']; registered: Decision | null };
  /** Null where no artifact answered. */
  model: (Made & { run: RunRecord | null; report: { digest: string; passed: boolean; verdict: string; reasons: string[] } | null }) | null;
  /** How that artifact came to its traffic. `isBootstrap`: nothing was live, and nobody was asked. */
  release: { releaseId: string | null; isBootstrap: boolean; decisions: Decision[]; approvals: Decision[] } | null;
  /** Of the decisions that are named here, those that a checkpoint holds. */
  proofs: LedgerInclusion[];
  ledger: Pick<LedgerVerdict, 'ok' | 'fault' | 'signedFrom' | 'records' | 'keys'>;
};

/** @throws UND-NOT-FOUND, UND-ERASED, UND-UNKNOWN-SURFACE */
export async function explainRequest(state: State, { requestId, surface: only }: { requestId: string; surface?: string | undefined }): Promise<Explanation> {
  if (only !== undefined) await currentCharter(state, only);
  const slate = await findSlate(state, { requestId, surfaces: only === undefined ? await listSurfaces(state) : [only] });
  const { surface, atMs } = slate;
  const deployment = await readDeployment(state.generations, surface, slate.generation);
  const charter = await readCharter(state.blobs, deployment.charter);
  const entries = await readLedger(state.generations, surface);
  // The clock of a replica may be behind that of the worker whose generation it served.
  const untilMs = Math.max(atMs, deployment.createdAtMs);
  const until = entries.filter((entry) => entry.atMs <= untilMs);
  const overrides = until
    .filter(({ action }) => ['abort', 'rollback', 'pause', 'resume'].includes(action))
    .map(decisionOf)
    .reverse();
  const registered = until.findLast(({ action, detail }) => action === 'charter-registered' && detail.charter === deployment.charter);
  const release = slate.artifact === null ? null : releaseOf({ slate, deployment, until, artifact: slate.artifact });
  const named = [
    ...(release?.decisions ?? []),
    ...(release?.approvals ?? []),
    ...overrides.slice(0, 3),
    ...(registered === undefined ? [] : [decisionOf(registered)]),
  ];
  return {
    requestId,
    surface,
    atMs,
    shown: shownOf(slate),
    slate,
    deployment,
    overrides,
    rules: {
      charter: deployment.charter,
      catalog: deployment.catalog,
      digest: slate.rulesDigest,
      scope: charter.scope,
      diversity: charter.slate.diversity,
      registered: registered === undefined ? null : decisionOf(registered),
    },
    model: slate.artifact === null ? null : await modelOf(state, { surface, artifact: slate.artifact, atMs }),
    release,
    proofs: await proveInclusion(state.generations, { surface, sequences: [...new Set(named.map(({ record }) => record))].sort((a, b) => a - b) }),
    ledger: verifyLedger(await ledgerInState({ stateDir: state.root, surface })),
  };
}

function shownOf({ items, scores, propensities, exploration }: SlateRecord): Explanation['shown'] {
  return items.map((itemId, slot) => ({
    position: slot + 1,
    itemId,
    score: scores[slot] ?? null,
    isExplored: exploration?.slots.includes(slot) ?? false,
    propensity: propensities?.[slot] ?? null,
  }));
}

function decisionOf({ sequence, action, by, atMs, detail }: LedgerEntry): Decision {
  const why = String(detail.message ?? detail.why ?? detail.reason ?? detail.outcome ?? '');
  return { record: sequence, action, by, atMs, why, evidence: typeof detail.evidence === 'string' ? detail.evidence : null };
}

type Given = { slate: SlateRecord; deployment: DeploymentSpec; until: readonly LedgerEntry[]; artifact: string };

/** The release that the artifact had its traffic by: the one that the spec names, or the last that was about the artifact where a person went back to it. */
function releaseOf({ slate, deployment, until, artifact }: Given): Explanation['release'] {
  const named = slate.variant === 'challenger' ? (deployment.canary?.releaseId ?? slate.releaseId) : deployment.championRelease;
  const isAbout = ({ detail }: LedgerEntry) => detail.artifact === artifact;
  const isOfNamed = until.some((entry) => entry.releaseId === named && isAbout(entry));
  const releaseId = isOfNamed ? named : (until.findLast((entry) => isAbout(entry) && entry.releaseId !== null)?.releaseId ?? null);
  const own = until.filter((entry) => releaseId !== null && entry.releaseId === releaseId);
  const approvals = own.filter(({ action }) => action === 'vote-approve').map(decisionOf);
  const published = own.filter(({ action }) => action === 'spec-published');
  return {
    releaseId,
    isBootstrap: approvals.length === 0 && published.some(({ detail }) => detail.generation === 1),
    approvals,
    decisions: own.filter(({ action }) => action.startsWith('release-') || ['tournament', 'canary-decided', 'spec-published'].includes(action)).map(decisionOf),
  };
}

async function modelOf(state: State, { surface, artifact, atMs }: { surface: string; artifact: string; atMs: number }): Promise<Explanation['model']> {
  const runs = (await listRuns(state, surface)).filter((one) => one.artifact === artifact);
  // Evaluated again, an artifact has the same run.
  const run = runs.findLast(({ createdAtMs }) => createdAtMs <= atMs) ?? runs[0] ?? null;
  const report: Report | null = run === null ? null : await getDocument(state.blobs, run.report, reportSchema).catch(() => null);
  const { passed, verdict, reasons } = report ?? { passed: false, verdict: '', reasons: [] };
  return {
    ...(await madeOfRun(state, { artifact, making: run?.made?.training ?? null })),
    run,
    report: run === null || report === null ? null : { digest: run.report, passed, verdict, reasons },
  };
}
