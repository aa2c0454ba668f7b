import type { DeploymentSpec } from '../models/contracts/deployment.ts';
import { asUnderstudyError, UnderstudyError } from '../models/contracts/problem.ts';
import type { GenerationStore } from '../stores/generations.ts';
import { isTakenBack, onlyWhatStillStands, underSpec, withoutCanary, withoutFenced, withoutModels } from './obey.ts';
import { loadModellessSnapshot, loadSnapshot, readSpec, type Snapshot, type SnapshotOptions } from './snapshot.ts';
import type { LiveSurface } from './surface.ts';

export type Follower = {
  /** Sees what the newest generation says and begins to load it. It does not wait for the loading. */
  look(): Promise<void>;
  /** Resolves when nothing is being loaded. */
  settled(): Promise<void>;
  close(): Promise<void>;
};

type FollowOptions = SnapshotOptions & {
  name: string;
  clock: () => number;
  log: (line: string) => void;
  /** What is in force, undefined before the first. */
  live: () => LiveSurface | undefined;
  /** Opens the surface with its first snapshot. */
  begin: (snapshot: Snapshot) => Promise<void>;
  inForce: (generation: number) => void;
  refused: (generation: number, error: UnderstudyError, about: { readable: boolean }) => void;
};
type Newest = { generation: number; spec: DeploymentSpec; document: unknown } | { generation: number; spec: null; error: UnderstudyError };
type Load = { generation: number; stop: AbortController; done: Promise<void> };

/** A refused generation is tried again after this: what was missing or corrupt may have been restored. */
const tryAgainAfterMs = 5_000;
/** How far back a starting replica looks for a generation that it can load. */
const lookBack = 20;

/** Follows the deployment series of one surface, by itself: what another surface loads or cannot read is nothing to it. */
export function followSurface(options: FollowOptions): Follower {
  const { name, generations, clock, log } = options;
  const series = `deployment/${name}`;
  let standing = 0;
  let refused: { generation: number; atMs: number } | undefined;
  /** The one that is wanted; those given up may still be ending. */
  let load: Load | undefined;
  const loads = new Set<Load>();
  let closing = false;

  function put(snapshot: Snapshot): void {
    const live = options.live();
    if (live === undefined || snapshot === live.snapshot) return;
    const before = live.snapshot;
    live.snapshot = snapshot;
    // Its requests hold the host themselves; the last of them ends it.
    if (before.host !== snapshot.host) before.host?.release();
  }

  async function install(snapshot: Snapshot, generation: number): Promise<void> {
    if (closing) return snapshot.host?.release();
    if (options.live() === undefined) await options.begin(snapshot);
    else put(snapshot);
    if (snapshot.spec.canary === null) options.live()?.enrolments.end();
    standing = generation;
    options.inForce(generation);
  }

  /** A newer order that cannot be followed as a whole is followed as far as it takes something away. */
  function obey(newest: Newest): void {
    const live = options.live();
    if (live === undefined) return;
    const { snapshot } = live;
    const kept = underSpec(snapshot, newest.spec === null ? withoutCanary(snapshot.spec) : onlyWhatStillStands(snapshot.spec, newest.spec));
    put(newest.spec !== null && isTakenBack(kept.spec, newest.spec) ? withoutModels(kept) : kept);
  }

  async function loadNewest(newest: Newest, signal: AbortSignal): Promise<void> {
    const { generation } = newest;
    try {
      if (newest.spec === null) throw newest.error;
      const previous = options.live()?.snapshot ?? null;
      const snapshot = await loadSnapshot({ ...options, document: newest.document, previous, signal });
      if (signal.aborted) return snapshot.host?.release();
      await install(snapshot, generation);
      refused = undefined;
      log(`${name}: generation ${generation} is in force`);
    } catch (error) {
      if (signal.aborted || closing) return;
      const known = asUnderstudyError(error);
      if (refused?.generation !== generation) log(`${name}: generation ${generation} is refused: ${known.code} ${known.message}`);
      refused = { generation, atMs: clock() };
      obey(newest);
      const readable = options.live() !== undefined || (await beginWithoutNewest(newest, signal));
      options.refused(generation, known, { readable });
    }
  }

  /**
   * A replica that starts beside a refused generation serves the newest one that loads and that may go on, else the rules of one without a model.
   * @returns whether any generation could be read.
   */
  async function beginWithoutNewest(newest: Newest, signal: AbortSignal): Promise<boolean> {
    let order = newest.spec;
    for (let generation = newest.generation - 1; generation >= Math.max(1, newest.generation - lookBack); generation -= 1) {
      const spec = await generations.read(series, generation).then(readSpec, () => null);
      if (signal.aborted) return true;
      if (spec === null) continue;
      order ??= spec;
      if (isTakenBack(spec, order)) continue;
      const document = newest.spec === null ? withoutCanary(spec) : onlyWhatStillStands(spec, newest.spec);
      const snapshot = await loadSnapshot({ ...options, document, previous: null, signal }).catch(() => undefined);
      if (signal.aborted) {
        snapshot?.host?.release();
        return true;
      }
      if (snapshot === undefined) continue;
      await install(snapshot, generation);
      return true;
    }
    if (order === null) return false;
    const modelless = await loadModellessSnapshot({ ...options, document: order }).catch(() => undefined);
    if (modelless !== undefined && !signal.aborted) await install(modelless, 0);
    return true;
  }

  async function look(): Promise<void> {
    const newest = await readNewest(generations, series);
    if (newest === undefined || closing) return;
    const { generation } = newest;
    const live = options.live();
    if (live !== undefined && newest.spec !== null) put(underSpec(live.snapshot, withoutFenced(live.snapshot.spec, newest.spec)));
    if (load?.generation === generation || (load === undefined && standing === generation)) return;
    if (refused?.generation === generation && clock() - refused.atMs < tryAgainAfterMs) return;
    // What was being loaded is not wanted any more.
    load?.stop.abort();
    // The first of a surface must not be opened twice; later ones do not wait for a reading that hangs.
    const before = live === undefined ? load?.done : undefined;
    const stop = new AbortController();
    const started: Load = { generation, stop, done: Promise.resolve() };
    load = started;
    started.done = Promise.resolve(before)
      .then(() => (stop.signal.aborted ? undefined : loadNewest(newest, stop.signal)))
      .catch((error) => log(`${name}: generation ${generation}: ${error instanceof Error ? error.stack : error}`))
      .finally(() => {
        loads.delete(started);
        if (load === started) load = undefined;
      });
    loads.add(started);
  }

  const settled = async (): Promise<void> => {
    while (load !== undefined) await load.done;
  };
  return {
    look,
    settled,
    async close() {
      closing = true;
      load?.stop.abort();
      await Promise.all([...loads].map(({ done }) => done));
    },
  };
}

/** @throws when the series cannot be listed: then nobody knows how far it goes. */
async function readNewest(generations: GenerationStore, series: string): Promise<Newest | undefined> {
  try {
    const latest = await generations.latest(series);
    if (latest === undefined) return undefined;
    return { ...latest, ...specOf(latest.document) } as Newest;
  } catch (error) {
    // Generations are created whole: one whose bytes are not has been damaged, and those before it are still there.
    if (!(error instanceof UnderstudyError && error.code === 'UND-DIGEST')) throw error;
    return { generation: await lastNumber(generations, series), spec: null, error };
  }
}

function specOf(document: unknown): { spec: DeploymentSpec } | { spec: null; error: UnderstudyError } {
  try {
    return { spec: readSpec(document) };
  } catch (error) {
    return { spec: null, error: asUnderstudyError(error) };
  }
}

/** Numbers have no gaps: doubled until one is missing, then halved in between. */
async function lastNumber(generations: GenerationStore, series: string): Promise<number> {
  const isThere = (generation: number) =>
    generations.read(series, generation).then(
      () => true,
      (error) => !(error instanceof UnderstudyError && error.code === 'UND-NOT-FOUND'),
    );
  let there = 1;
  while (await isThere(there * 2)) there *= 2;
  let missing = there * 2;
  while (missing - there > 1) {
    const middle = (there + missing) >> 1;
    if (await isThere(middle)) there = middle;
    else missing = middle;
  }
  return there;
}
