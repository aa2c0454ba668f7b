import { trainingsOf, poolSize } from './drift-cells.ts';

const perReplication = 4;

/**
 * The 95 % interval of a share of alarms of replications that draw from one pool of trainings: leaving out each training in turn (the jackknife of a U-statistic: Arvesen, "Jackknifing U-statistics",
 * Annals of Mathematical Statistics 40, 1969), less what that makes too much of replications being drawn and not all there are.
 * @param trainings of a replication
 */
export function poolInterval(
  alarms: readonly boolean[],
  { trainings = trainingsOf, size = poolSize }: { trainings?: (replication: number) => ArrayLike<number>; size?: number } = {},
): [low: number, high: number] {
  const [alarmed, of] = [new Float64Array(size), new Float64Array(size)];
  let count = 0;
  for (const [replication, isAlarm] of alarms.entries()) {
    if (isAlarm) count += 1;
    for (const training of Array.from(trainings(replication))) {
      of[training] = (of[training] as number) + 1;
      if (isAlarm) alarmed[training] = (alarmed[training] as number) + 1;
    }
  }
  const share = count / alarms.length;
  const left = Array.from(of, (own, training) => (count - (alarmed[training] as number)) / (alarms.length - own));
  const mean = left.reduce((sum, one) => sum + one, 0) / size;
  const jackknife = ((size - 1) / size) * left.reduce((sum, one) => sum + (one - mean) ** 2, 0);
  const drawing = (share * (1 - share)) / alarms.length;
  const tooOften = (perReplication * (size - 1)) / (size - perReplication) - 1;
  const half = 1.96 * Math.sqrt(Math.max(drawing, jackknife - tooOften * drawing));
  return [Math.max(0, share - half), Math.min(1, share + half)];
}
