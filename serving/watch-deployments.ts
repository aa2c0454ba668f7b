import { z } from 'zod';
import { asUnderstudyError, type ProblemDetails, toProblemDetails } from '../models/contracts/problem.ts';
import { getDocument } from '../stores/blobs.ts';
import { digestString } from '../models/contracts/ids.ts';
import type { Metrics } from './metrics.ts';
import { loadModellessSnapshot, loadSnapshot, type Snapshot, type SnapshotOptions } from './snapshot.ts';
import type { LiveSurface } from './surface.ts';

/** Where a surface stands on this replica; written into the replica's report. */
export type SurfaceStanding = { generation: number; refused?: { generation: number; problem: ProblemDetails } };

export type Watcher = {
  readonly surfaces: ReadonlyMap<string, LiveSurface>;
  readonly standings: ReadonlyMap<string, SurfaceStanding>;
  /** Looks once; looks that overlap are one. */
  look(): Promise<void>;
  close(): Promise<void>;
};

type WatchOptions = Omit<SnapshotOptions, 'onModelEvent'> & {
  metrics: Metrics;
  clock: () => number;
  log: (line: string) => void;
  openSurface: (name: string, snapshot: Snapshot) => Promise<LiveSurface>;
  /** After any standing changed. */
  onChange: () => void;
};

/** A refused generation is tried again after this: what was missing or corrupt may have been restored. */
const tryAgainAfterMs = 5_000;
/** How far back a starting replica looks for a generation that it can load. */
const lookBack = 20;
const pollMs = 150;

const profilesDocument = z.object({ kind: z.literal('profiles'), blob: digestString, throughMs: z.number().optional() });
const profilesBlob = z.record(z.string(), z.array(z.tuple([z.string(), z.number()])));

/**
 * Follows the deployment series of every surface. A new generation is loaded beside the one in force and then takes its place in one step; one that
 * cannot be loaded is refused, and what is in force stays.
 */
export function watchDeployments(options: WatchOptions): Watcher {
  const { generations, blobs, metrics, log, clock } = options;
  const surfaces = new Map<string, LiveSurface>();
  const standings = new Map<string, SurfaceStanding>();
  const triedAtMs = new Map<string, number>();
  const profileGenerations = new Map<string, number>();
  let looking: Promise<void> | undefined;
  let closing = false;

  const snapshotOptions = (name: string): SnapshotOptions => ({
    ...options,
    onModelEvent: ({ type, why }) => {
      metrics.modelThreads.inc({ surface: name, event: type });
      log(`${name}: model thread ${type}: ${why}`);
    },
  });

  function stand(name: string, standing: SurfaceStanding): void {
    standings.set(name, standing);
    metrics.generation.set({ surface: name }, standing.generation);
    metrics.refused.set({ surface: name }, standing.refused?.generation ?? 0);
    options.onChange();
  }

  async function follow(name: string): Promise<void> {
    const latest = await generations.latest(`deployment/${name}`);
    if (latest === undefined) return;
    const { generation } = latest;
    const standing = standings.get(name);
    if (standing?.generation === generation) return;
    if (standing?.refused?.generation === generation && clock() - (triedAtMs.get(name) ?? 0) < tryAgainAfterMs) return;
    triedAtMs.set(name, clock());
    const live = surfaces.get(name);
    try {
      await install(name, await loadSnapshot({ ...snapshotOptions(name), document: latest.document, previous: live?.snapshot ?? null }), generation);
      log(`${name}: generation ${generation} is in force`);
    } catch (error) {
      const problem = toProblemDetails(asUnderstudyError(error));
      if (standing?.refused?.generation !== generation)
        log(`${name}: generation ${generation} is refused: ${problem.code} ${asUnderstudyError(error).message}`);
      if (live === undefined) await beginWithoutLatest(name, generation);
      stand(name, { generation: standings.get(name)?.generation ?? 0, refused: { generation, problem } });
    }
  }

  /** A replica that starts beside a refused generation serves the newest one that loads, else the rules of the latest without a model. */
  async function beginWithoutLatest(name: string, latest: number): Promise<void> {
    const series = `deployment/${name}`;
    for (let generation = latest - 1; generation >= Math.max(1, latest - lookBack); generation -= 1) {
      const snapshot = await generations
        .read(series, generation)
        .then((document) => loadSnapshot({ ...snapshotOptions(name), document, previous: null }))
        .catch(() => undefined);
      if (snapshot !== undefined) return install(name, snapshot, generation);
    }
    const modelless = await loadModellessSnapshot({ blobs, document: await generations.read(series, latest) }).catch(() => undefined);
    if (modelless !== undefined) await install(name, modelless, 0);
  }

  async function install(name: string, snapshot: Snapshot, generation: number): Promise<void> {
    const live = surfaces.get(name);
    if (closing) return snapshot.host?.release();
    if (live === undefined) {
      const opened = await options.openSurface(name, snapshot).catch((error) => {
        snapshot.host?.release();
        throw error;
      });
      surfaces.set(name, opened);
    } else {
      const before = live.snapshot;
      live.snapshot = snapshot;
      // Its requests hold the host themselves; the last of them ends it.
      before.host?.release();
    }
    stand(name, { generation });
  }

  async function followProfiles(live: LiveSurface): Promise<void> {
    const latest = await generations.latest(`profiles/${live.name}`);
    if (latest === undefined || profileGenerations.get(live.name) === latest.generation) return;
    profileGenerations.set(live.name, latest.generation);
    const { blob, throughMs } = profilesDocument.parse(latest.document);
    const profiles = await getDocument(blobs, blob, profilesBlob);
    live.setProfiles({ profiles: new Map(Object.entries(profiles)), throughMs: throughMs ?? -1 });
  }

  async function lookOnce(): Promise<void> {
    const names = (await generations.series('deployment/')).map((series) => series.slice('deployment/'.length));
    for (const name of names) await follow(name);
    for (const live of surfaces.values()) await followProfiles(live).catch((error) => log(`${live.name}: the profiles cannot be read: ${error.message}`));
  }

  function look(): Promise<void> {
    looking ??= lookOnce()
      .catch((error) => log(`The deployments cannot be read: ${error.message}`))
      .finally(() => {
        looking = undefined;
      });
    return looking;
  }

  const timer = setInterval(() => void look(), pollMs);
  return {
    surfaces,
    standings,
    look,
    async close() {
      closing = true;
      clearInterval(timer);
      await looking;
      for (const live of surfaces.values()) {
        live.snapshot.host?.release();
        await live.snapshot.host?.closed;
      }
    },
  };
}
