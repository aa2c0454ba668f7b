import { z } from 'zod';
import { openState, readLatest, type State } from '../../activities/context.ts';
import { registerCharter } from '../../activities/registry/charters.ts';
import { sparkline } from '../../experiments/watch/describe-alert.ts';
import type { Alert } from '../../models/contracts/alert.ts';
import { auditReport } from '../../models/contracts/audit.ts';
import type { ArtifactFiles } from '../../models/contracts/artifact.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { reportAnswer } from '../../models/contracts/escalation.ts';
import { auditWorkflowId, taskQueues, watchWorkflowId, workflowNames } from '../../models/contracts/messages.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { diagnosis as diagnosisSchema, type RootCauseStatus } from '../../models/contracts/root-cause.ts';
import { readAlerts } from '../../stores/alerts.ts';
import { loadArtifact, putArtifact } from '../../stores/artifacts.ts';
import { getDocument } from '../../stores/blobs.ts';
import { causeLooks } from '../../stores/cause-looks.ts';
import { createDeployment, latestDeployment } from '../../stores/deployments.ts';
import { latestReport, readReports } from '../../stores/reports.ts';
import { castStep } from '../escalations/steps.ts';
import { decideMend, rootCauseStatus } from '../root-cause/follow.ts';
import { openShop } from '../shoppers/shop.ts';
import { retellWeeks } from './retell-weeks.ts';
import type { StoryInput } from './story.ts';

/** What came of one of the things that happen to a surface once models are live. `expected` is undefined for what a person decided otherwise. */
export type Afterwards = { what: 'report' | 'alert' | 'root-cause' | 'audit'; outcome: string; isExpected: boolean; why: string; seconds: number };

type Input = StoryInput & { charter: Charter; servingUrl: string };
type Told = Omit<Afterwards, 'what' | 'seconds'>;

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** The watch asks for four weeks to judge by. */
const goodDays = 35;
const badHours = 48;
const waitMs = 200;
/** What waits for a worker or a replica waits for seconds. */
const patienceMs = 60_000;
const by = 'demo';

/**
 * What happens to a surface once its models are live: somebody reports an item; weeks later the reward falls, an alert says so, its cause is looked for, and the mend is
 * decided on; an audit tests what the charter claims. Each is found done by a second start.
 */
export async function playAfterwards(input: Input): Promise<Afterwards[]> {
  const state = openState(input.stateDir);
  const parts = [
    ['report', 'a shopper reports an item', reportAnItem],
    ['alert', 'weeks go by, and the reward falls', raiseAlert],
    ['root-cause', 'its cause is looked for, and mended', findAndMend],
    ['audit', 'what the charter claims is tested again', audit],
  ] as const;
  const results: Afterwards[] = [];
  for (const [what, title, play] of parts) {
    input.signal.throwIfAborted();
    input.say(`── ${title}`);
    const startedMs = input.context.now();
    const told = await play(input, state);
    input.say(`   ${told.outcome}: ${told.why}`);
    results.push({ what, ...told, seconds: (input.context.now() - startedMs) / 1000 });
    if (!told.isExpected) break;
  }
  return results;
}

async function until<T>({ signal, context }: Input, what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const deadlineMs = context.now() + patienceMs; ; ) {
    signal.throwIfAborted();
    const found = await look();
    if (found !== undefined) return found;
    if (context.now() > deadlineMs) throw new UnderstudyError('UND-TIMEOUT', `After ${patienceMs / 1000} s ${what}`);
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

async function ask<T>({ servingUrl }: Input, path: string, answer: z.ZodType<T>, body?: object): Promise<T> {
  const sent = body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(new URL(path, servingUrl), sent).catch((cause) => {
    throw new UnderstudyError('UND-SERVING', `${path} is not answered`, { cause });
  });
  const text = await response.text();
  if (!response.ok) throw new UnderstudyError('UND-SERVING', `${path} answered ${response.status}: ${text.slice(0, 300)}`);
  return answer.parse(JSON.parse(text));
}

const slateAnswer = z.object({ items: z.array(z.object({ itemId: z.string() })) });
const answeredBy = z.object({ rung: z.string(), artifact: z.string().nullable() });
const filed = z.object({ id: z.string() });

/** The artifact whose model answers; null where a fallback does, or nothing. */
async function modelAnswering(input: Input, surface: string): Promise<string | null> {
  const asked = ask(input, '/v1/recommend', answeredBy, { surface, sessionId: 'the-first' });
  const { rung, artifact } = await asked.catch(() => ({ rung: '', artifact: null }));
  return rung === 'model' ? artifact : null;
}

/** Reported as harmful an item is blocked within a second, before anybody has looked; whoever looks finds nothing, and it is shown again. */
async function reportAnItem(input: Input, state: State): Promise<Told> {
  const { surface } = input;
  const [before] = await readReports(state.generations, surface);
  if (before !== undefined && before.closedAtMs !== null) return { outcome: before.state, isExpected: true, why: 'done before' };
  const slate = async () => (await ask(input, '/v1/recommend', slateAnswer, { surface, sessionId: 'the-one-who-reports' })).items.map(({ itemId }) => itemId);
  const about = before?.about.of === 'item' ? before.about.itemId : (await slate())[0];
  if (about === undefined) throw new UnderstudyError('UND-NO-DATA', `${surface} shows nothing`);
  const report = {
    surface,
    about: { of: 'item', itemId: about },
    kind: 'harmful',
    words: 'The glass came broken, and cut me.',
    reporter: { contact: 'a shopper' },
  };
  const id = before?.id ?? (await ask(input, '/v1/reports', filed, { ...report, operationId: `story-${about}` })).id;
  await until(input, `the item ${about} is not blocked`, async () => {
    const now = await latestReport(state.generations, { surface, id });
    return now?.block.state === 'blocked' && !(await slate()).includes(about) ? now : undefined;
  });
  input.say(`   ${id}: item ${about} is in no slate any more, and ${by} has been told`);
  const step = async (one: { do: 'acknowledge' | 'reject'; why: string }) =>
    input.say(`   ${(await castStep(input.client, { surface, id, step: { ...one, by }, key: undefined })).message}`);
  if ((await latestReport(state.generations, { surface, id }))?.state === 'open') await step({ do: 'acknowledge', why: 'I call the supplier' });
  await step({ do: 'reject', why: 'it has no glass: another article was meant' });
  await until(input, `the item ${about} is not shown again`, async () =>
    (await latestReport(state.generations, { surface, id }))?.block.state === 'lifted' ? true : undefined,
  );
  const { state: outcome, outcome: why } = await ask(input, `/v1/reports/${id}`, reportAnswer);
  return { outcome, isExpected: outcome === 'rejected', why: why ?? '' };
}

const watched = (surface: string) => `${surface}-later`;

/**
 * Nobody waits five weeks for an example: those of a second surface are told, by what shoppers did here (retell-weeks.ts), and in the last two days an older
 * model is live there. From then on all is real: the watch, the search for a cause, the mend, and the shoppers by whom it is seen that it helped.
 */
async function raiseAlert(input: Input, state: State): Promise<Told> {
  const surface = watched(input.surface);
  const saying = ({ says, picture, id }: Alert): Told => {
    input.say(`   was      ${sparkline(picture, 'value')}`);
    input.say(`   expected ${sparkline(picture, 'expected')}`);
    return { outcome: id, isExpected: true, why: says };
  };
  const known = await openAlert(state, surface);
  if (known !== undefined) return saying(known);
  if ((await latestDeployment(state.generations, surface)) === undefined) await retell(input, state, surface);
  const task = { workflowId: watchWorkflowId(surface), taskQueue: taskQueues.control, args: [{ surface }] };
  await input.client.workflow.execute(workflowNames.watch, { ...task, workflowIdConflictPolicy: 'USE_EXISTING' });
  const found = await openAlert(state, surface);
  if (found === undefined) return { outcome: 'none', isExpected: false, why: 'the watch saw nothing' };
  return saying(found);
}

/** The first that has its cause looked for. */
const openAlert = async (state: State, surface: string): Promise<Alert | undefined> =>
  (await readAlerts(state.generations, surface)).find(({ workflowId, id }) => workflowId?.endsWith(`/${id}`));

async function retell(input: Input, state: State, surface: string): Promise<void> {
  const here = await latestDeployment(state.generations, input.surface);
  if (here === undefined || here.previousChampion === null) throw new UnderstudyError('UND-NO-DATA', `${input.surface} has had no two champions`);
  const { catalog } = here;
  const [good, bad] = [await forSurface(state, here.champion, surface), await forSurface(state, here.previousChampion, surface)];
  const nowMs = input.context.now();
  const toMs = Math.floor(nowMs / hourMs) * hourMs;
  const [badMs, goodMs] = [toMs - badHours * hourMs, toMs - badHours * hourMs - goodDays * dayMs];
  const { digest: charter } = await registerCharter(
    state,
    {
      ...input.charter,
      ...{ surface, title: 'The same page some weeks later, as it might have been' },
      ...{ watch: { signals: ['reward'], weeks: 4, falseAlarmsPerMonth: 2 }, rootCause: { recoverWithinMinutes: 2 } },
    },
    goodMs,
  );
  const told = await retellWeeks(state, {
    ...{ from: input.surface, to: surface, seed: 1 },
    eras: [
      { was: here.champion, is: good, generation: 2, fromMs: goodMs, toMs: badMs },
      { was: here.previousChampion, is: bad, generation: 3, fromMs: badMs, toMs },
    ],
  });
  input.say(`   five weeks of ${surface}, told by what shoppers did on ${input.surface}: ${told.slates} slates, ${told.events} events`);
  const live = [
    { champion: bad, previousChampion: null, createdAtMs: goodMs - dayMs, reason: 'the first' },
    { champion: good, previousChampion: bad, createdAtMs: goodMs, reason: 'the better one' },
    { champion: bad, previousChampion: good, createdAtMs: badMs, reason: 'an older model, by mistake' },
  ];
  for (const [index, { reason, ...one }] of live.entries())
    await createDeployment(state.generations, {
      ...{ kind: 'deployment', surface, generation: index + 1, replaces: index, operationId: `retold/${index + 1}`, championRelease: `retold-${index + 1}` },
      ...{ canary: null, challenger: null, charter, catalog, fencedReleases: [], paused: false, author: { kind: 'release', name: 'retold', reason } },
      ...one,
    });
  await until(input, `${surface} is not served`, async () => ((await modelAnswering(input, surface)) === bad ? true : undefined));
}

/** An artifact is of one surface: the same again, of another. */
async function forSurface({ blobs, generations }: State, digest: string, surface: string): Promise<string> {
  const { manifest: whole, parity } = await loadArtifact({ blobs, generations, digest });
  // So is an embedding set, which serving does without.
  const { embeddings: _embeddings, ...manifest } = whole;
  const read = async ([name, file]: [string, string]) => [name, await blobs.get(file)] as const;
  const files = Object.fromEntries(await Promise.all(Object.entries(manifest.files).map(read))) as ArtifactFiles;
  return putArtifact({ blobs, generations, manifest: { ...manifest, surface }, files, parity });
}

/** The workflow that the alert has started names a cause and one mend; it is decided on as a release is, done, and looked at. */
async function findAndMend(input: Input, state: State): Promise<Told> {
  const surface = watched(input.surface);
  const before = (await causeLooks(state.generations, surface)).find(({ last }) => last.includes(': '));
  if (before !== undefined) return ended(before.last, `done before: ${before.cause}`);
  const workflowId = (await openAlert(state, surface))?.workflowId ?? '';
  const id = await until(
    input,
    'nobody looks for the cause',
    async () => (await causeLooks(state.generations, surface)).find((one) => one.id.startsWith(workflowId))?.id,
  );
  const status = () => rootCauseStatus(input.client, id);
  const waiting = await until(input, 'there is no diagnosis', async () => {
    const now = await status();
    return now.phase === 'gathering' ? undefined : now;
  });
  const shown = await describe(state, waiting);
  for (const line of shown) input.say(`   ${line}`);
  const shop = openShop({ state, surface, servingUrl: input.servingUrl, charter: input.charter });
  const ending = new AbortController();
  const traffic = shop.keepOpen({ signal: AbortSignal.any([ending.signal, input.signal]), busy: () => true });
  try {
    if (waiting.phase === 'approval') {
      const decision = input.ask === undefined ? 'approve' : await input.ask(`Do it: ${waiting.mend?.action}?`, shown.join('\n   '));
      const why = input.ask === undefined ? 'nobody was asked: --yes or no terminal' : 'asked on the terminal';
      const vote = await decideMend(input.client, { id, decision, by, why, evidence: waiting.evidence ?? undefined, key: undefined });
      input.say(`   ${vote.message}`);
    }
    for (;;) {
      input.signal.throwIfAborted();
      const now = await status();
      if (now.phase === 'closed' && now.outcome === 'recovered')
        await until(input, `no model answers on ${surface}`, async () => (await modelAnswering(input, surface)) ?? undefined);
      if (now.phase === 'closed') return ended(`${now.outcome}: ${now.why}`, `${now.cause}, ${now.mends.map(({ action }) => action).join(', ')}: ${now.why}`);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  } finally {
    ending.abort();
    await traffic;
    shop.close();
  }
}

/** Whoever was asked may say no. */
const ended = (last: string, why: string): Told => {
  const outcome = last.slice(0, last.indexOf(':'));
  return { outcome, isExpected: outcome === 'recovered' || outcome === 'rejected', why };
};

async function describe({ blobs }: State, { evidence, mend, why }: RootCauseStatus): Promise<string[]> {
  if (evidence === null) return [why];
  const { suspects } = await getDocument(blobs, evidence, diagnosisSchema);
  const [first] = suspects;
  return [
    `suspects: ${suspects.map(({ cause, layer, score }) => `${cause} (${layer}, ${score.toFixed(2)})`).join(', ') || 'none'}`,
    ...(first?.evidence.filter(({ speaks }) => speaks === 'for').map(({ says }) => `+ ${says}`) ?? []),
    mend === null ? 'no mend of ours would help' : `mend: ${mend.action}, since ${mend.why}`,
  ];
}

async function audit(input: Input, state: State): Promise<Told> {
  const { surface } = input;
  const series = `audit/${surface}`;
  const saying = ({ counts, findings, sections }: z.output<typeof auditReport>): Told => {
    for (const { title, items } of sections) {
      const bad = items.filter(({ status }) => status === 'broken' || status === 'weakened');
      const held = items.filter(({ status }) => status === 'holds').length;
      input.say(`   ${title}: ${held} of ${items.length} hold${bad.map(({ status, claim }) => `\n      ${status}: ${claim}`).join('')}`);
    }
    const open = findings.filter(({ state: is }) => is !== 'closed').length;
    const why = `${counts.holds} claims hold, ${counts.weakened} are weakened, ${counts.broken} broken, ${counts['not-measured']} not measured; ${open} findings are open`;
    return { outcome: 'audited', isExpected: counts.holds > 0, why };
  };
  const before = await readLatest(state.generations, series, auditReport);
  if (before !== undefined) return { ...saying(before.document), why: 'done before' };
  const task = { workflowId: auditWorkflowId(surface), taskQueue: taskQueues.control, args: [{ surface, by }] };
  await input.client.workflow.execute(workflowNames.audit, { ...task, workflowIdConflictPolicy: 'USE_EXISTING' });
  const report = await readLatest(state.generations, series, auditReport);
  if (report === undefined) throw new UnderstudyError('UND-INTERNAL', 'The audit left no report');
  return saying(report.document);
}
