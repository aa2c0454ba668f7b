import type { CanarySpec, DeploymentSpec } from '../models/contracts/deployment.ts';
import { challengersInPlay, registeredOf } from '../models/slate/assign.ts';
import type { Snapshot } from './snapshot.ts';

/*
 * What of an older generation may go on while a newer order stands and cannot be followed as a whole. An abort or a rollback wins at any moment, so
 * also while what it names is still loading, or cannot be loaded at all.
 */

/** Without the canary of a release that was fenced off: right away, whatever else the newer generation says. */
export function withoutFenced(spec: DeploymentSpec, newest: Pick<DeploymentSpec, 'fencedReleases'>): DeploymentSpec {
  if (spec.canary === null || !newest.fencedReleases.includes(spec.canary.releaseId)) return spec;
  return withoutChallengers(spec);
}

/**
 * Without what the newer generation does not have: a canary that it ended must not live on because something else of it is missing, nor may a challenger
 * that is out by now.
 */
export function onlyWhatStillStands(spec: DeploymentSpec, newest: DeploymentSpec): DeploymentSpec {
  const fenced = withoutFenced(spec, newest);
  const ofNewest = newest.canary;
  const canary = fenced.canary !== null && fenced.canary.releaseId === ofNewest?.releaseId ? withLosersOf(fenced.canary, ofNewest) : null;
  const standing = new Set([...registeredOf(newest), ...(ofNewest === null ? [] : challengersInPlay(ofNewest))]);
  const challenger = fenced.challenger !== null && standing.has(fenced.challenger) ? fenced.challenger : null;
  const rivals = fenced.rivals?.filter((one) => standing.has(one));
  if (canary === fenced.canary && challenger === fenced.challenger && rivals?.length === fenced.rivals?.length) return fenced;
  return { ...fenced, canary, challenger, ...(rivals === undefined ? {} : { rivals }) };
}

/** Who is out in the newer one is out. The places stay: enrolments count by them. */
function withLosersOf(canary: CanarySpec, newest: CanarySpec): CanarySpec {
  if (canary.rivals === undefined) return canary;
  const inPlay = challengersInPlay(newest);
  const left = ({ artifact, share }: { artifact: string; share: number }): number => (inPlay.includes(artifact) ? share : 0);
  const share = left(canary);
  const rivals = canary.rivals.map((rival) => ({ ...rival, share: left(rival) }));
  const isSame = share === canary.share && rivals.every((rival, place) => rival.share === canary.rivals?.[place]?.share);
  return isSame ? canary : { ...canary, share, rivals };
}

/** Without any canary: where nobody knows what the newest order says. */
export function withoutCanary(spec: DeploymentSpec): DeploymentSpec {
  return spec.canary === null && spec.challenger === null && spec.rivals === undefined ? spec : withoutChallengers(spec);
}

function withoutChallengers({ rivals: _, ...spec }: DeploymentSpec): DeploymentSpec {
  return { ...spec, canary: null, challenger: null };
}

/** A champion that a rollback took back must not answer: the rungs below do, until what the rollback names can be loaded. */
export function isTakenBack(spec: DeploymentSpec, newest: DeploymentSpec): boolean {
  return spec.champion !== newest.champion && newest.fencedReleases.includes(spec.championRelease);
}

/** The same snapshot under a smaller spec; the models stay with it. */
export function underSpec(snapshot: Snapshot, spec: DeploymentSpec): Snapshot {
  return spec === snapshot.spec ? snapshot : { ...snapshot, spec };
}

/** Without any model; whoever swaps it in lets go of the host. */
export function withoutModels(snapshot: Snapshot): Snapshot {
  return { ...snapshot, models: new Map(), host: null };
}
