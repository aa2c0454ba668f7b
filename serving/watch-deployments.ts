import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { consentPurposes } from '../models/contracts/change-event.ts';
import { digestString, surfaceName } from '../models/contracts/ids.ts';
import { asUnderstudyError, type ProblemDetails, toProblemDetails } from '../models/contracts/problem.ts';
import { getDocument } from '../stores/blobs.ts';
import { readProfiles } from './documents/read-document.ts';
import { type Follower, followSurface } from './follow-surface.ts';
import type { Metrics } from './metrics.ts';
import type { Snapshot, SnapshotOptions } from './snapshot.ts';
import type { LiveSurface } from './surface.ts';

/** Where a surface stands on this replica; written into the replica's report. */
export type SurfaceStanding = {
  generation: number;
  refused?: { generation: number; problem: ProblemDetails };
  /** Nothing that the series says of it can be read: whether it is a surface at all, nobody knows. */
  unreadable?: true;
};

export type Watcher = {
  readonly surfaces: ReadonlyMap<string, LiveSurface>;
  readonly standings: ReadonlyMap<string, SurfaceStanding>;
  /** What could not be looked at: the deployments as a whole (''), or a surface by name, and why. */
  readonly unseen: ReadonlyMap<string, string>;
  /** Looks once and waits for what is to be loaded. */
  look(): Promise<void>;
  close(): Promise<void>;
};

type WatchOptions = Omit<SnapshotOptions, 'onModelEvent' | 'lingering'> & {
  metrics: Metrics;
  clock: () => number;
  log: (line: string) => void;
  openSurface: (name: string, snapshot: Snapshot) => Promise<LiveSurface>;
  /** After any standing changed. */
  onChange: () => void;
};

const consentWords = z.array(z.tuple([z.string(), z.enum(consentPurposes), z.boolean(), z.number()]));

const pollMs = 150;
/** How long an ending replica waits for threads that nobody wants any more. */
const lingerAtMostMs = 5_000;
/** Profiles that could not be read are tried again after this. */
const profilesAgainAfterMs = 5_000;

const profilesDocument = z.object({ kind: z.literal('profiles'), blob: digestString, throughMs: z.number().optional(), consents: digestString.optional() });

/**
 * Follows the deployment series of every surface, each by itself. A new generation is loaded beside the one in force and then takes its place in one
 * step; one that cannot be loaded is refused, and what is in force stays, but for what the new one takes away.
 */
export function watchDeployments(options: WatchOptions): Watcher {
  const { generations, blobs, metrics, log, clock } = options;
  const surfaces = new Map<string, LiveSurface>();
  const standings = new Map<string, SurfaceStanding>();
  const followers = new Map<string, Follower>();
  const unseen = new Map<string, string>();
  const profilesTried = new Map<string, { generation: number; atMs: number; read: boolean }>();
  const lingering = new Set<Promise<void>>();
  let looking: Promise<void> | undefined;
  let closing = false;

  function stand(name: string, standing: SurfaceStanding): void {
    standings.set(name, standing);
    metrics.generation.set({ surface: name }, standing.generation);
    metrics.refused.set({ surface: name }, standing.refused?.generation ?? 0);
    options.onChange();
  }

  function follow(name: string): Follower {
    return followSurface({
      ...options,
      name,
      lingering,
      onModelEvent: ({ type, why }) => {
        metrics.modelThreads.inc({ surface: name, event: type });
        log(`${name}: model thread ${type}: ${why}`);
      },
      live: () => surfaces.get(name),
      async begin(snapshot) {
        const opened = await options.openSurface(name, snapshot).catch((error) => {
          snapshot.host?.release();
          throw error;
        });
        surfaces.set(name, opened);
      },
      inForce: (generation) => stand(name, { generation }),
      refused: (generation, error, { readable }) =>
        stand(name, {
          generation: standings.get(name)?.generation ?? 0,
          refused: { generation, problem: toProblemDetails(error) },
          ...(readable ? {} : { unreadable: true }),
        }),
    });
  }

  async function followProfiles(live: LiveSurface): Promise<void> {
    const latest = await generations.latest(`profiles/${live.name}`);
    if (latest === undefined) return;
    const { generation } = latest;
    const tried = profilesTried.get(live.name);
    if (tried?.generation === generation && (tried.read || clock() - tried.atMs < profilesAgainAfterMs)) return;
    profilesTried.set(live.name, { generation, atMs: clock(), read: false });
    const { blob, throughMs, consents } = profilesDocument.parse(latest.document);
    for (const word of consents === undefined ? [] : await getDocument(blobs, consents, consentWords)) live.consents.note(word);
    const profiles = await readProfiles({ blobs, digest: blob });
    await live.setProfiles({ profiles, throughMs: throughMs ?? -1 });
    profilesTried.set(live.name, { generation, atMs: clock(), read: true });
  }

  /** One that cannot be looked at costs no other its look; the log says it once, the metric counts it each time. */
  async function attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      if (unseen.delete(what)) log(`${what === '' ? 'The deployments' : what} can be read again`);
    } catch (error) {
      const { message } = asUnderstudyError(error);
      if (!unseen.has(what)) log(what === '' ? `The deployments cannot be read: ${message}` : `${what} cannot be read: ${message}`);
      unseen.set(what, message);
      metrics.failedLooks.inc();
    }
  }

  async function lookOnce(): Promise<void> {
    await attempt('', async () => {
      const names = (await generations.series('deployment/')).map((series) => series.slice('deployment/'.length));
      // A copy that somebody left beside the surfaces is no surface.
      for (const name of names) if (!followers.has(name) && surfaceName.safeParse(name).success) followers.set(name, follow(name));
    });
    await Promise.all([...followers].map(([name, follower]) => attempt(name, follower.look)));
    await Promise.all([...surfaces.values()].map((live) => attempt(`${live.name}: the profiles`, () => followProfiles(live))));
  }

  /** Looks that overlap are one. */
  const observe = (): Promise<void> => {
    looking ??= lookOnce().finally(() => {
      looking = undefined;
    });
    return looking;
  };

  const timer = setInterval(() => !closing && void observe(), pollMs);
  return {
    surfaces,
    standings,
    unseen,
    async look() {
      await observe();
      await Promise.all([...followers.values()].map((follower) => follower.settled()));
      await observe();
    },
    async close() {
      closing = true;
      clearInterval(timer);
      await looking;
      for (const follower of followers.values()) await follower.close();
      const hosts = [...surfaces.values()].map(({ snapshot }) => snapshot.host);
      for (const host of hosts) host?.release();
      for (const host of hosts) await host?.closed;
      await Promise.race([Promise.all(lingering), delay(lingerAtMostMs, undefined, { ref: false })]);
    },
  };
}
