import type { DeploymentSpec } from '../models/contracts/deployment.ts';
import type { Snapshot } from './snapshot.ts';

/*
 * What of an older generation may go on while a newer order stands and cannot be followed as a whole. An abort or a rollback wins at any moment, so
 * also while what it names is still loading, or cannot be loaded at all.
 */

/** Without the canary of a release that was fenced off: right away, whatever else the newer generation says. */
export function withoutFenced(spec: DeploymentSpec, newest: Pick<DeploymentSpec, 'fencedReleases'>): DeploymentSpec {
  if (spec.canary === null || !newest.fencedReleases.includes(spec.canary.releaseId)) return spec;
  return { ...spec, canary: null, challenger: null };
}

/** Without what the newer generation does not have: a canary that it ended must not live on because something else of it is missing. */
export function onlyWhatStillStands(spec: DeploymentSpec, newest: DeploymentSpec): DeploymentSpec {
  const fenced = withoutFenced(spec, newest);
  const canary = fenced.canary?.releaseId === newest.canary?.releaseId ? fenced.canary : null;
  const challenger = fenced.challenger !== null && [newest.challenger, newest.canary?.artifact].includes(fenced.challenger) ? fenced.challenger : null;
  return canary === fenced.canary && challenger === fenced.challenger ? fenced : { ...fenced, canary, challenger };
}

/** Without any canary: where nobody knows what the newest order says. */
export function withoutCanary(spec: DeploymentSpec): DeploymentSpec {
  return spec.canary === null && spec.challenger === null ? spec : { ...spec, canary: null, challenger: null };
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
