import type { ArmCounts } from '../../models/contracts/canary.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { VariantName } from '../../models/contracts/deployment.ts';
import type { Event } from '../../models/contracts/event.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { RewardLedger } from '../reward/attribute-reward.ts';
import { type ArmData, nextBlockEnd, noCounts, type Stratum, type StratumArm } from './arm-data.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { LogSigns, type Watch } from './log-signs.ts';

export type ArmTally = {
  /** Slate records in any order; those of other releases and of the shadow stage do not count, and each request counts once. */
  add(records: readonly SlateRecord[]): void;
  addEvents(events: readonly Event[]): void;
  summarize(input: { nowMs: number }): ArmData;
};

type Unit = {
  name: string;
  variant: VariantName;
  share: number;
  segment: string | undefined;
  enrolledMs: number;
  generation: number;
  stage: number;
  firstSlateMs: number;
};
type Traffic = { slates: number; fallbacks: number; errors: number; slow: number; latency: LatencyHistogram };
type Input = { releaseId: string; reward: Charter['reward']; maxP99Ms: number; watch?: Watch | undefined };

/**
 * Counts one release's users, slates and rewards as the log grows; the same summary in whatever order things arrive.
 *
 * A unit belongs to the variant that its first enrolment drew (bucket below share), whatever was served later. Its outcome is the capped
 * reward of its events within `attributionMs` of its enrolment; after that time it is ripe and does not change any more. An error is a slate
 * without items, a fallback one that did not come from the model.
 */
export function createArmTally({ releaseId, reward, maxP99Ms, watch }: Input): ArmTally {
  const ledger = new RewardLedger(reward);
  const signs = new LogSigns(watch);
  const seen = new Set<string>();
  const units = new Map<string, Unit>();
  const traffic: Record<VariantName, Traffic> = { champion: noTraffic(), challenger: noTraffic() };

  const enrol = (record: SlateRecord): boolean => {
    const { enrolment, stage, unit, atMs } = record;
    if (enrolment === null || stage === null || stage < 0) return false;
    const known = units.get(unit);
    const variant = enrolment.bucket < enrolment.share ? 'challenger' : 'champion';
    const fresh: Unit = {
      name: unit,
      variant,
      share: enrolment.share,
      segment: record.segment,
      enrolledMs: enrolment.atMs,
      generation: enrolment.generation,
      stage,
      firstSlateMs: atMs,
    };
    if (known === undefined) units.set(unit, fresh);
    else if (precedes(fresh, known)) units.set(unit, fresh);
    return true;
  };

  return {
    add(records) {
      for (const record of records) {
        if (record.releaseId !== releaseId || !enrol(record)) continue;
        if (seen.has(record.requestId)) {
          signs.addRepeatedSlate();
          continue;
        }
        seen.add(record.requestId);
        ledger.addSlate({ requestId: record.requestId, unit: record.unit, atMs: record.atMs, items: record.items });
        const arm = traffic[record.variant];
        arm.slates += 1;
        const [failed, fellBack, slow] = [record.items.length === 0, record.rung !== 'model', record.latencyMs > maxP99Ms];
        if (fellBack) arm.fallbacks += 1;
        if (failed) arm.errors += 1;
        if (slow) arm.slow += 1;
        signs.addSlate(record, { failed, fellBack, slow });
        arm.latency.add(record.latencyMs);
      }
    },
    addEvents(events) {
      for (const event of events) {
        ledger.addEvent(event);
        signs.addEvent(event, (reward.weights[event.kind] ?? 0) > 0);
      }
    },
    summarize({ nowMs }) {
      const { attributionMs } = reward;
      const rewardOf = (unit: Unit): number | null => {
        if (nowMs - unit.enrolledMs <= attributionMs) return null;
        return ledger.rewardOf(unit.name, (_, event) => event.atMs - unit.enrolledMs <= attributionMs);
      };
      return { ...summary({ units: [...units.values()].sort(inOrder), traffic, rewardOf }), ...signs.summarize({ enrolled: units.values(), nowMs }) };
    },
  };
}

function noTraffic(): Traffic {
  return { slates: 0, fallbacks: 0, errors: 0, slow: 0, latency: new LatencyHistogram() };
}

/** Of two accounts of one unit's enrolment the earlier counts; of the same one, the earlier slate, for its stage. */
function precedes(one: Unit, other: Unit): boolean {
  const order = one.enrolledMs - other.enrolledMs || one.generation - other.generation || one.share - other.share;
  return order < 0 || (order === 0 && (one.firstSlateMs < other.firstSlateMs || (one.firstSlateMs === other.firstSlateMs && one.stage < other.stage)));
}

function inOrder(a: Unit, b: Unit): number {
  return a.generation - b.generation || a.enrolledMs - b.enrolledMs || (a.name < b.name ? -1 : 1);
}

function summary({ units, traffic, rewardOf }: { units: Unit[]; traffic: Record<VariantName, Traffic>; rewardOf: (unit: Unit) => number | null }): ArmData {
  const counts: Record<VariantName, ArmCounts> = { champion: countsOf(traffic.champion), challenger: countsOf(traffic.challenger) };
  const ripeByStage: number[] = [];
  const strata: OpenStratum[] = [];
  // Those of the block that is open, by share and segment.
  let open = new Map<string, OpenStratum>();
  let block = -1;
  let generation = Number.NaN;
  let nextCut = nextBlockEnd(0);
  units.forEach((unit, index) => {
    const cut = index === nextCut;
    if (cut) nextCut = nextBlockEnd(index);
    if (cut || generation !== unit.generation) {
      block += 1;
      open = new Map();
      generation = unit.generation;
    }
    const key = `${unit.share} ${unit.segment ?? ''}`;
    let stratum = open.get(key);
    if (stratum === undefined) {
      stratum = openStratum(unit, block);
      open.set(key, stratum);
      strata.push(stratum);
    }
    const arm = counts[unit.variant];
    arm.enrolled += 1;
    stratum[unit.variant].enrolled += 1;
    const reward = rewardOf(unit);
    if (reward === null) return;
    arm.ripe += 1;
    arm.converted += reward > 0 ? 1 : 0;
    arm.rewardSum += reward;
    arm.rewardSquares += reward * reward;
    const rewards = stratum.rewards[unit.variant];
    rewards.set(reward, (rewards.get(reward) ?? 0) + 1);
    if (unit.variant === 'challenger') {
      while (ripeByStage.length <= unit.stage) ripeByStage.push(0);
      ripeByStage[unit.stage] = (ripeByStage[unit.stage] ?? 0) + 1;
    }
  });
  const finished = strata.map(({ rewards, ...stratum }) => ({
    ...stratum,
    champion: { ...stratum.champion, ripe: ascending(rewards.champion) },
    challenger: { ...stratum.challenger, ripe: ascending(rewards.challenger) },
  }));
  return { ...counts, slow: { champion: traffic.champion.slow, challenger: traffic.challenger.slow }, strata: finished, ripeByStage };
}

type OpenStratum = Stratum & { rewards: Record<VariantName, Map<number, number>> };

function openStratum({ generation, share, segment }: Unit, block: number): OpenStratum {
  return {
    generation,
    share,
    block,
    ...(segment === undefined ? {} : { segment }),
    champion: noUnits(),
    challenger: noUnits(),
    rewards: { champion: new Map(), challenger: new Map() },
  };
}

function countsOf({ slates, fallbacks, errors, latency }: Traffic): ArmCounts {
  return { ...noCounts, slates, fallbacks, errors, latencyP99Ms: latency.quantile(0.99) };
}

function noUnits(): StratumArm {
  return { enrolled: 0, ripe: [] };
}

function ascending(rewards: Map<number, number>): StratumArm['ripe'] {
  return [...rewards].sort(([a], [b]) => a - b);
}
