import { UnderstudyError } from '../models/contracts/problem.ts';
import { challengersOf, type DeploymentSpec, deploymentSpec } from '../models/contracts/deployment.ts';
import { type GenerationStore, parseGeneration } from './generations.ts';

const seriesOf = (surface: string) => `deployment/${surface}`;

export async function latestDeployment(generations: GenerationStore, surface: string): Promise<DeploymentSpec | undefined> {
  const latest = await generations.latest(seriesOf(surface));
  return latest === undefined ? undefined : parseGeneration(deploymentSpec, { series: seriesOf(surface), ...latest });
}

export async function readDeployment(generations: GenerationStore, surface: string, generation: number): Promise<DeploymentSpec> {
  return parseGeneration(deploymentSpec, { series: seriesOf(surface), generation, document: await generations.read(seriesOf(surface), generation) });
}

/**
 * A challenger's share of new users over a release's canary, oldest first, and how many challengers shared it: from the generations that the release wrote,
 * the last ones of the series or not.
 */
export async function sharesOver(
  generations: GenerationStore,
  { surface, releaseId, artifact }: { surface: string; releaseId: string; artifact: string },
): Promise<{ fromMs: number; share: number; challengers: number }[]> {
  const found: { fromMs: number; share: number; challengers: number }[] = [];
  for (let generation = (await generations.latest(seriesOf(surface)))?.generation ?? 0; generation > 0; generation -= 1) {
    const { canary, createdAtMs } = await readDeployment(generations, surface, generation);
    if (canary !== null && canary.releaseId === releaseId) {
      const all = challengersOf(canary);
      const share = canary.mode === 'canary' ? (all.find((one) => one.artifact === artifact)?.share ?? 0) : 0;
      found.unshift({ fromMs: createdAtMs, share, challengers: all.length });
    } else if (found.length > 0) break;
  }
  return found;
}

export async function createDeployment(generations: GenerationStore, spec: DeploymentSpec): Promise<DeploymentSpec> {
  const checked = deploymentSpec.parse(spec);
  await generations.create(seriesOf(checked.surface), checked.generation, checked);
  return checked;
}

export type Change = Partial<
  Pick<
    DeploymentSpec,
    'champion' | 'championRelease' | 'previousChampion' | 'canary' | 'challenger' | 'rivals' | 'charter' | 'catalog' | 'paused' | 'fencedReleases'
  >
>;
type Publication = {
  surface: string;
  expectedGeneration: number;
  operationId: string;
  releaseId: string;
  change: Change;
  author: DeploymentSpec['author'];
  nowMs: number;
};
export type PublishResult =
  | { status: 'published'; generation: number }
  /** Somebody else wrote the number that this release was to write. */
  | { status: 'fenced'; generation: number; why: string }
  | { status: 'paused'; generation: number; why: string };

/**
 * Writes the generation after `expectedGeneration`, or says why not. It never looks for a free number: that is what fences a
 * late, retried or zombie writer. Only pauses and resumes may stand between, since they decide nothing for a release. A retry
 * of the same operation finds its own generation.
 */
export async function publishDeployment(generations: GenerationStore, input: Publication): Promise<PublishResult> {
  for (;;) {
    const latest = await latestDeployment(generations, input.surface);
    const since = await writtenSince(generations, input, latest);
    const own = since.find((one) => one.operationId === input.operationId);
    if (own !== undefined) return { status: 'published', generation: own.generation };
    const refused = refusal(input, since, latest);
    if (refused !== undefined) return refused;
    if (latest === undefined && input.change.champion === undefined) throw new UnderstudyError('UND-NOT-FOUND', `${input.surface} has no deployment to change`);
    const base = latest ?? emptySpec(input);
    const next: DeploymentSpec = {
      ...base,
      ...input.change,
      generation: base.generation + 1,
      replaces: base.generation,
      operationId: input.operationId,
      author: input.author,
      createdAtMs: input.nowMs,
    };
    try {
      await createDeployment(generations, next);
      return { status: 'published', generation: next.generation };
    } catch (error) {
      // Whoever took the number is judged like all that were written since.
      if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
    }
  }
}

/** The generations that this writer has not seen, oldest first. */
async function writtenSince(generations: GenerationStore, input: Publication, latest: DeploymentSpec | undefined): Promise<DeploymentSpec[]> {
  const since: DeploymentSpec[] = [];
  for (let number = input.expectedGeneration + 1; number <= (latest?.generation ?? 0); number += 1) {
    since.push(await readDeployment(generations, input.surface, number));
  }
  return since;
}

function refusal(input: Publication, since: readonly DeploymentSpec[], latest: DeploymentSpec | undefined): PublishResult | undefined {
  if (latest === undefined) return undefined;
  const { generation } = latest;
  if (latest.fencedReleases.includes(input.releaseId)) return { status: 'fenced', generation, why: `${latest.author.name}: ${latest.author.reason}` };
  const other = since.find(({ author }) => author.action !== 'pause' && author.action !== 'resume');
  if (other !== undefined) return { status: 'fenced', generation, why: `generation ${other.generation} was written by ${other.author.name}` };
  if (latest.paused) return { status: 'paused', generation, why: `paused by ${latest.author.name}: ${latest.author.reason}` };
  return undefined;
}

function emptySpec(input: Publication): DeploymentSpec {
  return {
    kind: 'deployment',
    surface: input.surface,
    generation: 0,
    replaces: 0,
    operationId: input.operationId,
    champion: input.change.champion ?? '',
    championRelease: input.releaseId,
    previousChampion: null,
    canary: null,
    challenger: null,
    charter: input.change.charter ?? '',
    catalog: input.change.catalog ?? '',
    fencedReleases: [],
    paused: false,
    author: input.author,
    createdAtMs: input.nowMs,
  };
}

/** What a person may order over the head of the release workflow. It needs nothing but the store. */
export type Override = { action: 'abort' | 'rollback' | 'pause' | 'resume'; surface: string; by: string; why: string; operationId: string; nowMs: number };
/** `written`: false where there was nothing left to do. */
export type OverrideResult = { written: boolean; generation: number; champion: string; fencedRelease: string | null; note: string };

/**
 * Writes the fencing generation. It wins against any release: where the number is taken it reads again and writes the next.
 * `abort` ends the running release; if that release was promoted in the same moment, its champion is taken back. `rollback` takes back the
 * champion that the caller saw, once: where another has done so already, nothing is written.
 */
export async function overrideDeployment(
  generations: GenerationStore,
  input: Override,
  target: { releaseId: string | null /** The champion that the caller saw; the one at the first look where absent. */; champion?: string | undefined },
): Promise<OverrideResult> {
  for (let seen = target.champion; ; ) {
    const latest = await latestDeployment(generations, input.surface);
    if (latest === undefined) throw new UnderstudyError('UND-NO-REQUEST', `${input.surface} has no deployment yet`);
    seen ??= latest.champion;
    if (input.action === 'rollback' && latest.champion !== seen) {
      const { generation, champion, author } = latest;
      return { written: false, generation, champion, fencedRelease: null, note: `It is not live any more: ${author.name} was first (${author.reason}).` };
    }
    const { change, fenced, note } = overriding(input, latest, target.releaseId);
    // An old generation that cannot be read must not hold up an abort.
    if (change.champion !== undefined) change.previousChampion = await championBefore(generations, latest).catch(() => null);
    const next: DeploymentSpec = {
      ...latest,
      ...change,
      generation: latest.generation + 1,
      replaces: latest.generation,
      operationId: input.operationId,
      author: { kind: 'override', name: input.by, reason: `${input.action}: ${input.why}`, action: input.action },
      createdAtMs: input.nowMs,
    };
    try {
      await createDeployment(generations, next);
      return { written: true, generation: next.generation, champion: next.champion, fencedRelease: fenced, note };
    } catch (error) {
      if (!(error instanceof UnderstudyError && error.code === 'UND-GENERATION-TAKEN')) throw error;
    }
  }
}

/** What was live before the previous champion: going back twice goes back further, never forward to what was taken back. */
async function championBefore(generations: GenerationStore, latest: DeploymentSpec): Promise<string | null> {
  for (let number = latest.generation - 1; number >= 1; number -= 1) {
    const spec = await readDeployment(generations, latest.surface, number);
    if (spec.champion === latest.previousChampion) return spec.previousChampion;
  }
  return null;
}

function overriding(input: Override, latest: DeploymentSpec, targetRelease: string | null): { change: Change; fenced: string | null; note: string } {
  if (input.action === 'pause')
    return { change: { paused: true }, fenced: null, note: 'Releases write nothing until `resume`; the split of traffic stays as it is.' };
  if (input.action === 'resume') return { change: { paused: false }, fenced: null, note: 'Releases go on.' };
  const running = targetRelease ?? latest.canary?.releaseId ?? null;
  const promotedMeanwhile = running !== null && latest.championRelease === running;
  const goBack = input.action === 'rollback' || promotedMeanwhile;
  if (goBack && latest.previousChampion === null) throw new UnderstudyError('UND-NO-REQUEST', `${input.surface} has no earlier champion to go back to`);
  const fencedNow = [running, goBack ? latest.championRelease : null].filter((id): id is string => id !== null);
  const change: Change = {
    canary: null,
    challenger: null,
    rivals: undefined,
    fencedReleases: [...new Set([...latest.fencedReleases, ...fencedNow])].slice(-50),
  };
  if (goBack && latest.previousChampion !== null) {
    change.champion = latest.previousChampion;
    change.championRelease = `${input.action}-${latest.generation + 1}`;
  }
  const note = promotedMeanwhile
    ? 'The release had been promoted in the same moment: the champion from before is live again.'
    : goBack
      ? 'The champion from before is live again.'
      : 'The champion stays; the challenger takes no more traffic.';
  return { change, fenced: running ?? (goBack ? latest.championRelease : null), note };
}
