import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { type State, openState } from '../../activities/context.ts';
import { findRunRecord, listRuns } from '../../activities/registry/runs.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type LedgerEntry, type ReleaseOutcome, releaseOutcomes, type ReleaseStatus, type RunRecord } from '../../models/contracts/release.ts';
import { readLedger } from '../../stores/ledger.ts';
import { runRetrain } from '../commands/retrain.ts';
import type { CommandContext } from '../environment.ts';
import { progress } from '../output.ts';
import { summarizeReport } from '../summarize-report.ts';
import { releaseStatus } from '../temporal.ts';
import { castVote } from '../votes.ts';
import type { Shop } from '../shoppers/shop.ts';
import { type Act, acts } from './acts.ts';
import { writeMisalignedGuest } from './planted-defect.ts';

/** `evidence`: digest of the report that was decided on. */
export type ActResult = { act: Act; run: RunRecord; outcome: ReleaseOutcome; why: string; seconds: number; evidence: string };
/** Asks the user; undefined where nobody is there to be asked. */
export type Ask = ((question: string, shown: string) => Promise<'approve' | 'reject'>) | undefined;
export type StoryInput = {
  context: CommandContext;
  stateDir: string;
  surface: string;
  client: Client;
  shop: Shop;
  ask: Ask;
  say: (line: string) => void;
  signal: AbortSignal;
};

/**
 * Plays the acts in order. Everything durable is in the state directory and in Temporal, so a story that was cut off goes on where it
 * was: what is trained is found, what is decided is read from the ledger, what is under way is waited for.
 */
export async function playStory(input: StoryInput): Promise<ActResult[]> {
  const results: ActResult[] = [];
  for (const act of acts) {
    input.say(`── ${act.title}`);
    const result = await play(input, act);
    results.push(result);
    // What follows builds on it.
    if (result.outcome !== act.expected) break;
  }
  return results;
}

async function play(input: StoryInput, act: Act): Promise<ActResult> {
  const state = openState(input.stateDir);
  const startedMs = input.context.now();
  const found = await decided(state, input.surface, act);
  if (found !== undefined) {
    input.say(`   done before: ${found.outcome}, ${found.why}`);
    return { ...found, seconds: 0 };
  }
  if (act.slatesBefore > 0) await gatherLog(input, act.slatesBefore);
  const guest = act.guest === null ? null : { name: act.candidate, folder: await plantedGuest(state, input) };
  const [trained] = await runRetrain(input.context, {
    stateDir: input.stateDir,
    surface: input.surface,
    candidates: guest === null ? [act.candidate] : null,
    guest,
  });
  if (trained === undefined) throw new UnderstudyError('UND-INTERNAL', `${act.candidate} gave no run`);
  const run = await findRunRecord({ state }, trained.runId);
  if (run === undefined) throw new UnderstudyError('UND-NOT-FOUND', `There is no run ${trained.runId}`);
  for (const line of await summarizeReport(state, run.report)) input.say(`   ${line}`);
  const ending = await untilClosed(input, state, run);
  return { act, run, ...ending, seconds: (input.context.now() - startedMs) / 1000 };
}

async function decided(state: State, surface: string, act: Act): Promise<Omit<ActResult, 'seconds'> | undefined> {
  const run = (await listRuns(state, surface)).find((one) => one.candidate === act.candidate);
  if (run === undefined) return undefined;
  const closing = await closingOf(state, run);
  return closing === undefined ? undefined : { act, run, ...closing };
}

type Closing = { outcome: ReleaseOutcome; why: string; evidence: string };

async function closingOf(state: State, run: RunRecord): Promise<Closing | undefined> {
  const entries: LedgerEntry[] = (await readLedger(state.generations, run.surface)).filter((entry) => entry.by === run.runId);
  const closing = entries.findLast(
    (entry) => releaseOutcomes.some((outcome) => entry.action === `release-${outcome}`) && entry.detail.generation !== undefined,
  );
  if (closing === undefined) return undefined;
  const evidence = entries.findLast((entry) => entry.detail.evidence !== undefined)?.detail.evidence ?? run.report;
  return { outcome: closing.action.slice('release-'.length) as ReleaseOutcome, why: String(closing.detail.why), evidence: String(evidence) };
}

/** Shoppers keep coming until the log holds enough slates for the counterfactual evidence. */
async function gatherLog(input: StoryInput, slates: number): Promise<void> {
  const missing = slates - (await input.shop.loggedSlates());
  if (missing <= 0) return;
  const step = progress('   shoppers first: their log is the counterfactual evidence');
  await input.shop.serve({ slates: missing, signal: input.signal, onProgress: (served) => step.note(`${served} of ${missing} slates`) });
  step.done(`${missing} slates`);
}

async function plantedGuest(state: State, input: StoryInput): Promise<string> {
  const source = (await listRuns(state, input.surface)).findLast((run) => run.algorithm === 'ials');
  if (source === undefined) throw new UnderstudyError('UND-NO-DATA', 'There is no trained model to copy the guest from');
  const folder = join(input.stateDir, 'run', 'guest-off-by-one');
  await writeMisalignedGuest(state, { artifact: source.artifact, folder });
  return folder;
}

/** Serves shoppers and answers the request for approval until the release is closed. */
async function untilClosed(input: StoryInput, state: State, run: RunRecord): Promise<Closing> {
  let answered: string | null = null;
  let shown = { line: '', step: undefined as ReturnType<typeof progress> | undefined };
  const show = (status: ReleaseStatus | undefined) => {
    const line = status === undefined ? '' : describe(status);
    if (line !== shown.line) {
      shown.step?.done();
      shown = { line, step: line === '' ? undefined : progress(`   ${line}`, { announce: false }) };
    }
    shown.step?.note(status?.why ?? '');
  };
  const shopping = new AbortController();
  let busy = true;
  const traffic = input.shop.keepOpen({ signal: AbortSignal.any([shopping.signal, input.signal]), busy: () => busy });
  try {
    for (;;) {
      input.signal.throwIfAborted();
      const closing = await closingOf(state, run);
      if (closing !== undefined) return closing;
      const status = await releaseStatus(input.client, input.surface).catch(() => undefined);
      if (status !== undefined) {
        // Where nothing waits for shoppers, a few are enough.
        busy = phasesOfTraffic.includes(status.phase);
        show(status);
        if (status.phase === 'approval' && status.evidence !== null && answered !== status.evidence && status.artifact === run.artifact) {
          show(undefined);
          await answer(input, status, (await summarizeReport(state, status.evidence)).join('\n   '));
          answered = status.evidence;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  } finally {
    show(undefined);
    shopping.abort();
    await traffic;
  }
}

const phasesOfTraffic: readonly ReleaseStatus['phase'][] = ['rehearsal', 'shadow', 'canary'];

function describe(status: ReleaseStatus): string {
  if (status.phase === 'canary' && status.share !== null) return `canary, rung ${(status.stage ?? 0) + 1}`;
  return status.phase === 'idle' ? 'opening' : status.phase;
}

async function answer(input: StoryInput, status: ReleaseStatus, evidence: string): Promise<void> {
  const decision = input.ask === undefined ? 'approve' : await input.ask('Give it traffic?', `${evidence}\n   evidence ${status.evidence}`);
  const result = await castVote(input.client, {
    surface: input.surface,
    decision,
    by: 'demo',
    why: input.ask === undefined ? 'nobody was asked: --yes or no terminal' : 'asked on the terminal',
    evidence: status.evidence ?? undefined,
    key: undefined,
  });
  input.say(`   ${result.message}`);
}
