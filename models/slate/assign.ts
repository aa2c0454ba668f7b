import { createHash } from 'node:crypto';
import type { CanarySpec } from '../contracts/deployment.ts';

/**
 * Where a unit falls in [0, 1): uniform over units, the same for ever for one salt, and independent between salts. 48 bits of
 * SHA-256(salt, NUL, unit). A unit belongs to the challenger when its bucket lies below the share.
 */
export function bucketOf({ salt, unit }: { salt: string; unit: string }): number {
  const hash = createHash('sha256').update(salt).update('\0').update(unit).digest();
  return hash.readUIntBE(0, 6) / 0x1_0000_0000_0000;
}

/** The challenger's share of new units of a segment. Callers name segments: a name that every object has is not one with a share of its own. */
export function shareOf({ share, segmentShares = {} }: Pick<CanarySpec, 'share' | 'segmentShares'>, segment: string | undefined): number {
  return segment !== undefined && Object.hasOwn(segmentShares, segment) ? (segmentShares[segment] as number) : share;
}
