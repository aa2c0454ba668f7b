import type { ArmCounts } from '../../models/contracts/canary.ts';
import type { VariantName } from '../../models/contracts/deployment.ts';

/** How many ripe units earned how much: [reward, units], rewards ascending and capped. */
export type RewardCounts = [reward: number, units: number][];
export type StratumArm = { enrolled: number; ripe: RewardCounts };

/**
 * Units that were all enrolled with the same share for the challenger, one after the other; where segments of users have shares of their own, those of
 * one segment within a block. Blocks follow one another; a stratum without a number is a block of its own.
 */
export type Stratum = { generation: number; share: number; block?: number; segment?: string; champion: StratumArm; challenger: StratumArm };

/** Units in the first block at most, and how many times as many are in where a later one may end: so what is foretold keeps up. */
export const firstBlockUnits = 64;
const blockGrowth = 1.25;

/** Where the block ends that begins behind this many units. */
export function nextBlockEnd(units: number): number {
  return units < firstBlockUnits ? firstBlockUnits : Math.ceil(units * blockGrowth);
}

export type ByUser = { users: number; errors: number; fallbacks: number; slow: number };

/** What the log shows besides outcomes. None of it decides; conditions.ts says what it means. */
export type Signs = {
  /** What came more than once, and counted once. */
  duplicates: { slates: number; events: number };
  /** Most slates, and most events, of one enrolled unit. */
  busiest: Record<VariantName, { slates: number; events: number }>;
  /** Enrolled units from which any event came, of whatever kind. */
  heard: Record<VariantName, number>;
  /** Sum of the spans that are long enough for a pause and in which nothing was served. */
  quietMs: number;
  /** How far the newest slate lies after the time of the look. */
  aheadMs: number;
};

/** All that a look at a canary knows of what happened. */
export type ArmData = {
  champion: ArmCounts;
  challenger: ArmCounts;
  /** Slates that took longer than the charter's `maxP99Ms`. */
  slow: { champion: number; challenger: number };
  /** The challenger's slates again, each user once: users with any, and the sum of the share of their slates that failed in this way. */
  byUser?: ByUser;
  signs?: Signs;
  /** In order of enrolment. */
  strata: Stratum[];
  /** Ripe units of the challenger by the rung on which they were enrolled. */
  ripeByStage: number[];
};

export const noCounts: ArmCounts = { enrolled: 0, ripe: 0, converted: 0, rewardSum: 0, rewardSquares: 0, slates: 0, fallbacks: 0, errors: 0, latencyP99Ms: 0 };

/** A canary in which nothing has happened yet. */
export const noArmData: ArmData = { champion: noCounts, challenger: noCounts, slow: { champion: 0, challenger: 0 }, strata: [], ripeByStage: [] };
