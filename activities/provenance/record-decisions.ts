import { diffCharters } from '../../experiments/gates/charter-diff.ts';
import { charterGeneration } from '../../models/contracts/charter-generation.ts';
import { type Finding, findingList } from '../../models/contracts/audit.ts';
import type { FlagChange } from '../../models/contracts/flag.ts';
import { latestDeployment, readDeployment } from '../../stores/deployments.ts';
import { readSilence, silenceEntry } from '../../stores/alerts.ts';
import { readFlagChange } from '../../stores/flags.ts';
import { parseGeneration } from '../../stores/generations.ts';
import { appendLedger, hasEntry, type NewEntry, unlessKeyless } from '../../stores/ledger.ts';
import { followedEntries } from '../audit/followed-entries.ts';
import { readCharter, type State } from '../context.ts';

/**
 * Charters, overrides, silences, flags and what people do about findings stand as generations of their own before they stand in the ledger. Whatever has no line there yet, since its process died between
 * the two or had no key to sign with, gets one now; each once.
 * @throws UND-SIGNING-KEY where this process cannot sign what is signed
 */
export async function recordDecisions(state: State, surface: string): Promise<void> {
  await recordCharters(state, surface);
  await recordOverrides(state, surface);
  await recordEach(state, `silence/${surface}`, async (generation) => silenceEntry(await readSilence(state.generations, surface, generation)));
  await recordEach(state, `flags/${surface}`, async (generation) => flagEntry(await readFlagChange(state.generations, surface, generation)));
  await recordFindings(state, surface);
}

/** @param make the line of a generation, whose operation is `<series' first word>/<generation>` */
async function recordEach(state: State, series: string, make: (generation: number) => Promise<NewEntry>): Promise<void> {
  const [name, surface = ''] = series.split('/');
  const last = (await state.generations.latest(series))?.generation ?? 0;
  for (let generation = 1; generation <= last; generation += 1)
    await appendOnce(state, { surface, operationId: `${name}/${generation}` }, () => make(generation));
}

/** How many items, and not which: those are in the generation that it names. */
const flagEntry = ({ surface, generation, by, why, source, mode, count, marks, atMs, operationId }: FlagChange): NewEntry => ({
  ...{ operationId: `flags/${generation}`, atMs, surface, action: 'items-flagged', by, releaseId: null },
  detail: { message: `${source}: ${mode} ${count} ${count === 1 ? 'item' : 'items'}: ${why}`, source, mode, count, marks, generation, operation: operationId },
});

async function recordFindings(state: State, surface: string): Promise<void> {
  const series = `findings/${surface}`;
  const last = (await state.generations.latest(series))?.generation ?? 0;
  let before: readonly Finding[] = [];
  for (let generation = 1; generation <= last; generation += 1) {
    const { findings } = parseGeneration(findingList, { series, generation, document: await state.generations.read(series, generation) });
    for (const { operationId, ...entry } of followedEntries(surface, before, findings)) await appendOnce(state, { surface, operationId }, async () => entry);
    before = findings;
  }
}

/** The same where another process may have to do it: a ledger that is signed is left to those who have the key. @returns whether all is recorded */
export const recordDecisionsIfPossible = (state: State, surface: string): Promise<boolean> => unlessKeyless(() => recordDecisions(state, surface));

async function recordCharters(state: State, surface: string): Promise<void> {
  const series = `charter/${surface}`;
  const last = (await state.generations.latest(series))?.generation ?? 0;
  let before: string | null = null;
  for (let generation = 1; generation <= last; generation += 1) {
    const document = await state.generations.read(series, generation);
    const { charter, atMs } = parseGeneration(charterGeneration, { series, generation, document });
    const recorded = before;
    await appendOnce(state, { surface, operationId: `charter/${generation}` }, async () => {
      const changes = await changesOf(state, recorded, charter);
      const message =
        changes === null ? 'the first charter' : `changed: ${changes.map(({ path, loosens }) => `${path}${loosens ? ' (loosens)' : ''}`).join(', ')}`;
      return { atMs, action: 'charter-registered', by: 'understudy', releaseId: null, detail: { message, charter, before: recorded, generation, changes } };
    });
    before = charter;
  }
}

/** Null for the first charter; what of one of before cannot be read is not compared. */
async function changesOf({ blobs }: State, before: string | null, now: string): Promise<{ path: string; loosens: boolean }[] | null> {
  if (before === null) return null;
  const [was, is] = await Promise.all([before, now].map((digest) => readCharter(blobs, digest).catch(() => undefined)));
  return was === undefined || is === undefined ? [] : diffCharters(was, is).map(({ path, loosens }) => ({ path, loosens }));
}

async function recordOverrides(state: State, surface: string): Promise<void> {
  const last = (await latestDeployment(state.generations, surface))?.generation ?? 0;
  let fencedBefore: readonly string[] = [];
  for (let generation = 1; generation <= last; generation += 1) {
    const spec = await readDeployment(state.generations, surface, generation);
    const { author, champion, operationId, createdAtMs, fencedReleases } = spec;
    const fenced = fencedReleases.find((release) => !fencedBefore.includes(release)) ?? null;
    fencedBefore = fencedReleases;
    if (author.action === undefined) continue;
    const { action, name, reason } = author;
    await appendOnce(state, { surface, operationId }, async () => ({
      atMs: createdAtMs,
      action,
      by: name,
      releaseId: fenced,
      detail: { why: reason.replace(`${action}: `, ''), generation, champion, note: 'recorded from the deployment spec' },
    }));
  }
}

/** What is recorded is not made again: nobody reads two charters for nothing. */
async function appendOnce(
  { generations }: State,
  at: Pick<NewEntry, 'surface' | 'operationId'>,
  make: () => Promise<Omit<NewEntry, 'surface' | 'operationId'>>,
): Promise<void> {
  if (await hasEntry(generations, at)) return;
  await appendLedger(generations, { ...at, ...(await make()) });
}
