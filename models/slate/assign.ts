import { createHash } from 'node:crypto';
import { type CanarySpec, challengersOf, type DeploymentSpec } from '../contracts/deployment.ts';

/**
 * Where a unit falls in [0, 1): uniform over units, the same for ever for one salt, and independent between salts. 48 bits of
 * SHA-256(salt, NUL, unit). Whose a unit with that bucket is: `armOf`.
 */
export function bucketOf({ salt, unit }: { salt: string; unit: string }): number {
  const hash = createHash('sha256').update(salt).update('\0').update(unit).digest();
  return hash.readUIntBE(0, 6) / 0x1_0000_0000_0000;
}

/** The challenger's share of new units of a segment. Callers name segments: a name that every object has is not one with a share of its own. */
export function shareOf({ share, segmentShares = {} }: Pick<CanarySpec, 'share' | 'segmentShares'>, segment: string | undefined): number {
  return segment !== undefined && Object.hasOwn(segmentShares, segment) ? (segmentShares[segment] as number) : share;
}

/** The share of new units of a segment that all challengers have together. */
export function shareInForce(canary: Pick<CanarySpec, 'share' | 'segmentShares' | 'rivals'>, segment: string | undefined): number {
  return (canary.rivals ?? []).reduce((sum, { share }) => sum + share, shareOf(canary, segment));
}

type Race = Pick<CanarySpec, 'mode' | 'artifact' | 'share' | 'rivals'>;

/** Whether a challenger with this share has lost, and gets nothing any more. Alone it never has, and in the shadow nobody has a share yet. */
export function isOut({ mode, rivals }: Pick<Race, 'mode' | 'rivals'>, share: number): boolean {
  return rivals !== undefined && mode === 'canary' && share === 0;
}

/** Artifacts of the challengers that are not out, in the order of the hash's range. */
export function challengersInPlay(canary: Race): string[] {
  return challengersOf(canary).flatMap(({ artifact, share }) => (isOut(canary, share) ? [] : [artifact]));
}

/** Artifacts of the registered challengers that are not out: their best items get exploration support. */
export function registeredOf({ challenger, rivals = [], canary }: Pick<DeploymentSpec, 'challenger' | 'rivals' | 'canary'>): string[] {
  const lost = canary === null ? [] : challengersOf(canary).filter(({ share }) => isOut(canary, share));
  return [challenger, ...rivals].filter((one): one is string => one !== null && lost.every(({ artifact }) => artifact !== one));
}
