import { tmpdir } from 'node:os';
import { answersAbout } from '../../experiments/drift/what-moved.ts';
import { percent } from '../../experiments/percent.ts';
import { artifactManifest } from '../../models/contracts/artifact.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { DeploymentSpec } from '../../models/contracts/deployment.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { RootCauseFacts } from '../../models/contracts/root-cause.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { type DataState, ingestManifest, type WindowManifest, windowManifest } from '../../models/contracts/window.ts';
import { rankingDepth } from '../../models/slate/diversify.ts';
import { scopeOf } from '../../models/slate/scope.ts';
import { getDocument } from '../../stores/blobs.ts';
import { hasFeatures, openFeatures } from '../../stores/features/open-features.ts';
import type { Context, State } from '../context.ts';
import { newestDrift } from '../drift/measure-drift.ts';
import { openRanker } from '../evidence/ranker.ts';
import { slateMaker } from '../evidence/slate-maker.ts';
import { checkConsistency, readServed } from '../features/check-consistency.ts';
import { registeredViews } from '../features/register-view.ts';
import { listRuns } from '../registry/runs.ts';
import { addDays, daysBetween } from '../windows/days.ts';
import type { catalogReader } from './surface-history.ts';

type ModelFact = NonNullable<RootCauseFacts['model']>;
type Input = {
  context: Pick<Context, 'state' | 'featuresUrl'>;
  surface: string;
  charter: Charter;
  deployments: readonly DeploymentSpec[];
  data: readonly DataState[];
  /** The newest slates of the incident that the champion's model answered. */
  slates: readonly SlateRecord[];
  readCatalog: ReturnType<typeof catalogReader>;
  atMs: number;
  beat: () => void;
};

const sampledFeatures = 200;
/** Drift that was measured longer ago says nothing of now; audits measure it each month. */
const freshMs = 45 * 86_400_000;

/** The champion: what it was trained on, and whether it serves as it was made. */
export async function lookAtModel(input: Input): Promise<{ model: ModelFact | null; missing: string[] }> {
  const { context, surface, deployments, data, beat } = input;
  const spec = deployments.at(-1);
  if (spec === undefined) return { model: null, missing: ['the model: nothing is deployed'] };
  const { state } = context;
  const missing: string[] = [];
  const tried = async <T>(what: string, look: () => Promise<T>, otherwise: T): Promise<T> => {
    beat();
    return look().catch((error: unknown) => {
      missing.push(`${what}: ${error instanceof Error ? error.message : error}`);
      return otherwise;
    });
  };
  const run = (await listRuns(state, surface)).findLast(({ artifact }) => artifact === spec.champion);
  const sinceMs = championSince(deployments);
  return {
    model: {
      artifact: spec.champion,
      sinceMs,
      trainedAtMs: run?.createdAtMs ?? sinceMs,
      window: await tried(
        'the window that the champion was trained on',
        () => windowDays(state, { artifact: spec.champion, before: spec.previousChampion, data }),
        [],
      ),
      features: await tried('online features', () => lookAtFeatures(input), null),
      replayed: await tried('slates made again', () => replaySlates(input, spec), null),
      drift: await tried('drift', () => readDrift(state, { surface, champion: spec.champion, atMs: input.atMs }), []),
    },
    missing,
  };
}

/**
 * What the newest measurement of drift says of the champion, and of what users do. Not the label rate: that less is rewarded is what a cause is looked for of.
 * @throws UND-NOT-FOUND where there is none of late
 */
async function readDrift(state: State, { surface, champion, atMs }: { surface: string; champion: string; atMs: number }): Promise<ModelFact['drift']> {
  const report = await newestDrift(state, surface);
  if (report === undefined || atMs - report.atMs > freshMs)
    throw new UnderstudyError('UND-NOT-FOUND', `nothing was measured in the last six weeks: an audit does it, or \`understudy drift ${surface}\``);
  const { segments, items } = report;
  const most = segments[0] === undefined ? '' : `; most of all ${segments[0].segment} (${percent(segments[0].share)}), of items ${items[0]?.itemId ?? 'none'}`;
  return [
    ...answersAbout(report, 'models')
      .filter(() => report.models?.to.artifact === champion)
      .map(({ what, adjusted, says }) => ({ what, p: adjusted, moved: `${says}${most}` })),
    ...answersAbout(report, 'days')
      .filter(({ what }) => what !== 'label-rate')
      .map(({ what, adjusted, says }) => ({ what, p: adjusted, moved: says })),
  ];
}

/** Since when what is champion now has been so without a break, as far back as is known. */
function championSince(deployments: readonly DeploymentSpec[]): number {
  const champion = deployments.at(-1)?.champion;
  const before = deployments.findLastIndex((one) => one.champion !== champion);
  return deployments[before + 1]?.createdAtMs ?? 0;
}

async function windowOf({ blobs }: State, artifact: string): Promise<WindowManifest> {
  const { window } = await getDocument(blobs, artifact, artifactManifest);
  return getDocument(blobs, window, windowManifest);
}

function rowsByDay({ trainSlices }: WindowManifest): Map<string, number> {
  const rowsOf = new Map<string, number>();
  for (const { day, rows } of trainSlices) rowsOf.set(day, (rowsOf.get(day) ?? 0) + rows);
  return rowsOf;
}

type Windows = { artifact: string; before: string | null; data: readonly DataState[] };

async function windowDays(state: State, { artifact, before, data }: Windows): Promise<ModelFact['window']> {
  const window = await windowOf(state, artifact);
  // What cannot be read any more excuses nothing.
  const earlier = before === null ? undefined : await windowOf(state, before).catch(() => undefined);
  const earlierDays = new Set(earlier === undefined ? [] : daysOf(earlier));
  const earlierRows = earlier === undefined ? new Map<string, number>() : rowsByDay(earlier);
  const known = new Map<string, number>();
  for (const { day, rows } of data.at(-1)?.slices ?? []) known.set(day, (known.get(day) ?? 0) + rows);
  const trained = rowsByDay(window);
  const quarantined = await quarantinedByDay(state, data);
  return daysOf(window).map((day) => ({
    day,
    rows: trained.get(day) ?? 0,
    usual: usualOf(new Map([...known, ...trained]), day),
    quarantined: quarantined.get(day) ?? 0,
    before: earlierDays.has(day) ? (earlierRows.get(day) ?? 0) : null,
  }));
}

const daysOf = ({ train: { from, to } }: WindowManifest): string[] => Array.from({ length: daysBetween(from, to) + 1 }, (_, day) => addDays(from, day));

/** The middle of what the same weekday has elsewhere. */
function usualOf(rowsOf: ReadonlyMap<string, number>, day: string): number | null {
  const alike = [...rowsOf].filter(([other]) => other !== day && daysBetween(other, day) % 7 === 0).map(([, rows]) => rows);
  alike.sort((a, b) => a - b);
  return alike.length < 2 ? null : (alike[alike.length >> 1] ?? null);
}

/** Of ingests of one day each: of others nobody can say which of their days the rows belonged to. */
async function quarantinedByDay({ blobs }: State, data: readonly DataState[]): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const digest of new Set(data.map(({ ingest }) => ingest))) {
    const manifest = await getDocument(blobs, digest, ingestManifest).catch(() => undefined);
    const [day, ...others] = new Set(manifest?.slices.map((slice) => slice.day));
    if (manifest !== undefined && day !== undefined && others.length === 0) found.set(day, (found.get(day) ?? 0) + manifest.counts.quarantined);
  }
  return found;
}

async function lookAtFeatures({ context, surface, data, atMs }: Input): Promise<ModelFact['features']> {
  const { state, featuresUrl } = context;
  const where = { stateDir: state.root, url: featuresUrl ?? undefined };
  const newest = data.at(-1);
  const views = await registeredViews(state, surface);
  if (newest === undefined || views.length === 0 || !(await hasFeatures(where))) return null;
  const store = await openFeatures(where);
  const counted = { checked: 0, different: 0 };
  try {
    for (const view of views) {
      const asked = { state, data: newest, view, workDir: tmpdir() };
      const served = await readServed({ ...asked, store, size: sampledFeatures, seed: 1, nowMs: atMs });
      const { checked, byCause } = await checkConsistency({ ...asked, served });
      counted.checked += checked;
      // What came later than a value was made is no mistake of the value.
      counted.different += checked === 0 ? 0 : byCause.definition + byCause.stale + byCause.value;
    }
  } finally {
    await store.close();
  }
  return counted;
}

/** Makes logged slates again by the stored artifact, as they were before exploration. */
async function replaySlates({ context, charter, slates, readCatalog }: Input, spec: DeploymentSpec): Promise<ModelFact['replayed']> {
  const catalog = await readCatalog(spec.catalog);
  if (slates.length === 0 || catalog === null) return null;
  const items = [...catalog.values()];
  const { allowed } = scopeOf({ scope: charter.scope, items, vocabulary: [] });
  const slateOf = slateMaker({ charter, catalog: items });
  const ranker = await openRanker(context.state, { artifact: spec.champion, allowed });
  let different = 0;
  try {
    for (const { history, historyWeights, excluded, exploration, items: sent } of slates) {
      const ranked = await ranker.rank({ history, historyWeights, exclude: excluded, count: rankingDepth(charter.slate) });
      const base = exploration?.baseItems ?? sent;
      const again = slateOf(ranked).slice(0, base.length);
      if (again.some((item, place) => item !== base[place])) different += 1;
    }
  } finally {
    await ranker.close();
  }
  return { slates: slates.length, different };
}
