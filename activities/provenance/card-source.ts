import type { Charter } from '../../models/contracts/charter.ts';
import { retrainWorkflowId } from '../../models/contracts/messages.ts';
import type { RunRecord } from '../../models/contracts/release.ts';
import { type Report, report as reportSchema } from '../../models/contracts/report.ts';
import { getDocument } from '../../stores/blobs.ts';
import type { Finished } from '../api.ts';
import { readCharter, type State } from '../context.ts';
import { type Made, madeOfRun } from './made-of.ts';
import { profileWindow, type WindowProfile } from './profile-window.ts';

/** All that a card says: what was recorded or measured, and nothing else. */
export type CardSource = Made & {
  runId: string;
  surface: string;
  charter: Charter;
  charterDigest: string;
  report: Report;
  reportDigest: string;
  parity: { requests: number; error: number; passed: boolean };
  bytes: number;
  trainSeconds: number;
  log: { segments: string | null; slates: number };
  data: WindowProfile;
};

type Ingredients = Pick<RunRecord, 'runId' | 'surface' | 'charter' | 'report' | 'artifact' | 'parity' | 'bytes' | 'trainSeconds' | 'log'> & {
  making: string | null;
};

/** Of a run that is recorded, by its newest evaluation. @throws UND-ERASED, UND-NOT-FOUND where something it was made of is there no more */
export function cardOfRun(state: State, run: RunRecord): Promise<CardSource> {
  return sourceOf(state, { ...run, making: run.made?.training ?? null });
}

/** Of one that is about to be registered. */
export function cardOfFinished(state: State, { retrain, trained, evaluated, log }: Finished): Promise<CardSource> {
  const { surface, window, recipe, charter } = retrain;
  const { artifact, bytes, trainSeconds, parityRequests: requests, parityError: error, parityPassed: passed } = trained;
  const runId = retrainWorkflowId(surface, window, recipe);
  const parity = { requests, error, passed };
  return sourceOf(state, { runId, surface, charter, report: evaluated.report, artifact, parity, bytes, trainSeconds, log, making: trained.made ?? null });
}

async function sourceOf(
  state: State,
  { runId, surface, charter, report, artifact, parity, bytes, trainSeconds, log, making }: Ingredients,
): Promise<CardSource> {
  const made = await madeOfRun(state, { artifact, making });
  return {
    ...made,
    runId,
    surface,
    charter: await readCharter(state.blobs, charter),
    charterDigest: charter,
    report: await getDocument(state.blobs, report, reportSchema),
    reportDigest: report,
    parity,
    bytes,
    trainSeconds,
    log,
    data: await profileWindow(state, made.window),
  };
}
