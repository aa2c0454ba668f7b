import type { ArmCounts } from '../../models/contracts/canary.ts';

/** How many ripe units earned how much: [reward, units], rewards ascending and capped. */
export type RewardCounts = [reward: number, units: number][];
export type StratumArm = { enrolled: number; ripe: RewardCounts };

/** Consecutive units, in order of enrolment, that were all enrolled with the same share for the challenger. */
export type Stratum = { generation: number; share: number; champion: StratumArm; challenger: StratumArm };

/** All that a look at a canary knows of what happened. */
export type ArmData = {
  champion: ArmCounts;
  challenger: ArmCounts;
  /** Slates that took longer than the charter's `maxP99Ms`. */
  slow: { champion: number; challenger: number };
  /** In order of enrolment. */
  strata: Stratum[];
  /** Ripe units of the challenger by the rung on which they were enrolled. */
  ripeByStage: number[];
};

export const noCounts: ArmCounts = { enrolled: 0, ripe: 0, converted: 0, rewardSum: 0, rewardSquares: 0, slates: 0, fallbacks: 0, errors: 0, latencyP99Ms: 0 };

/** A canary in which nothing has happened yet. */
export const noArmData: ArmData = { champion: noCounts, challenger: noCounts, slow: { champion: 0, challenger: 0 }, strata: [], ripeByStage: [] };
