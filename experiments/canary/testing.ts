import { type ArmData, noArmData, noCounts, type Stratum } from './arm-data.ts';
import { armOf } from './canary-simulation.ts';
import { type CanaryInput, decideCanary } from './decide-canary.ts';

export const canary = {
  shadowSlates: 30,
  ladder: [0.1, 0.5],
  minUnits: [10, 40],
  lookEveryMs: 1_000,
  maxDurationMs: 10_000,
  alpha: 0.05,
  inconclusive: 'roll-back' as const,
  refreshMargin: 0.1,
  maxErrorShare: 0.01,
  maxFallbackShare: 0.05,
  maxP99Ms: 250,
};
type Arm = { units: number; converted: number };
/** Units with a reward of 0 or 1. */
export function stratum({ share, champion, challenger, generation = 1 }: { share: number; champion: Arm; challenger: Arm; generation?: number }): Stratum {
  const arm = ({ units, converted }: Arm) => armOf([units - converted, converted]);
  return { generation, share, champion: arm(champion), challenger: arm(challenger) };
}

export function armsOf(strata: Stratum[], over: Partial<ArmData> = {}): ArmData {
  const counts = (variant: 'champion' | 'challenger') => {
    const enrolled = strata.reduce((sum, one) => sum + one[variant].enrolled, 0);
    const converted = strata.flatMap((one) => one[variant].ripe).reduce((sum, [value, units]) => sum + value * units, 0);
    return { ...noCounts, enrolled, ripe: enrolled, converted, rewardSum: converted, rewardSquares: converted, slates: enrolled };
  };
  const challenger = counts('challenger');
  return { ...noArmData, champion: counts('champion'), challenger, strata, ripeByStage: [challenger.ripe, challenger.ripe], ...over };
}

/** A look at a canary of two rungs, in its third look. */
export const decide = (over: Partial<CanaryInput>) =>
  decideCanary({
    charter: { release: { canary }, reward: { weights: { purchase: 1 }, attributionMs: 1_000, capPerUnit: 1 } },
    intent: 'replace',
    releaseId: 'r',
    look: 3,
    stage: 0,
    share: 0.1,
    elapsedMs: 500,
    arms: noArmData,
    ...over,
  });
