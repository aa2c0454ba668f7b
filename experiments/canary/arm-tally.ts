import type { ArmCounts } from '../../models/contracts/canary.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import type { VariantName } from '../../models/contracts/deployment.ts';
import type { Event } from '../../models/contracts/event.ts';
import { armOf, type Enrolment, type SlateRecord } from '../../models/contracts/slate.ts';
import { RewardLedger } from '../reward/attribute-reward.ts';
import { type ArmData, nextBlockEnd, noCounts, type Stratum, type StratumArm } from './arm-data.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { LogSigns, type Watch } from './log-signs.ts';
import { pairShare } from './pair-share.ts';

export type ArmTally = {
  /** Slate records in any order; those of other releases and of the shadow stage do not count, and each request counts once. */
  add(records: readonly SlateRecord[]): void;
  addEvents(events: readonly Event[]): void;
  /** One challenger and the champion alone. `challenger`: its number, as `armOf` has it; 1, the first, where absent. */
  summarize(input: { nowMs: number; challenger?: number }): ArmData;
};

type Unit = {
  name: string;
  /** As `armOf` has it. */
  arm: number;
  share: number;
  rivalShares: readonly number[] | undefined;
  segment: string | undefined;
  enrolledMs: number;
  generation: number;
  stage: number;
  firstSlateMs: number;
};
/** `share`: the challenger's among the users of the two. */
type PairUnit = { unit: Unit; name: string; variant: VariantName; share: number };
type Traffic = { slates: number; fallbacks: number; errors: number; slow: number; latency: LatencyHistogram };
type Input = { releaseId: string; reward: Charter['reward']; maxP99Ms: number; watch?: Watch | undefined };

/**
 * Counts one release's users, slates and rewards as the log grows; the same summary in whatever order things arrive.
 *
 * A unit belongs to the arm that its first enrolment drew (`armOf`), whatever was served later. Its outcome is the capped
 * reward of its events within `attributionMs` of its enrolment; after that time it is ripe and does not change any more. An error is a slate
 * without items, a fallback one that did not come from the model.
 *
 * Where several challengers share the release, each is summarized with the champion as if the others had never been offered: the users of these two, with
 * the pair's own share (`pairShare`), those left out that were enrolled when it had none. Pauses are the release's: they are seen in the slates of all.
 */
export function createArmTally({ releaseId, reward, maxP99Ms, watch }: Input): ArmTally {
  const ledger = new RewardLedger(reward);
  const signs = new LogSigns(watch);
  const seen = new Set<string>();
  const units = new Map<string, Unit>();
  const traffic = new Map<number, Traffic>();
  const trafficOf = (arm: number): Traffic => {
    const found = traffic.get(arm) ?? noTraffic();
    traffic.set(arm, found);
    return found;
  };

  const enrol = ({ stage, unit, atMs, segment }: SlateRecord, enrolment: Enrolment): void => {
    const { share, rivalShares, generation } = enrolment;
    const fresh: Unit = {
      name: unit,
      arm: armOf(enrolment),
      share,
      rivalShares,
      // Where there are rivals, segments have no shares of their own.
      segment: rivalShares === undefined ? segment : undefined,
      enrolledMs: enrolment.atMs,
      generation,
      stage: stage ?? 0,
      firstSlateMs: atMs,
    };
    const known = units.get(unit);
    if (known === undefined || precedes(fresh, known)) units.set(unit, fresh);
  };

  return {
    add(records) {
      for (const record of records) {
        const { enrolment } = record;
        if (record.releaseId !== releaseId || enrolment === null || record.stage === null || record.stage < 0) continue;
        enrol(record, enrolment);
        if (seen.has(record.requestId)) {
          signs.addRepeatedSlate(record.unit);
          continue;
        }
        seen.add(record.requestId);
        ledger.addSlate({ requestId: record.requestId, unit: record.unit, atMs: record.atMs, items: record.items });
        const answeredBy = answeringArm(record.variant, enrolment);
        const [failed, fellBack, slow] = [record.items.length === 0, record.rung !== 'model', record.latencyMs > maxP99Ms];
        signs.addSlate(record, { answeredBy, failed, fellBack, slow });
        if (answeredBy === null) continue;
        const arm = trafficOf(answeredBy);
        arm.slates += 1;
        if (fellBack) arm.fallbacks += 1;
        if (failed) arm.errors += 1;
        if (slow) arm.slow += 1;
        arm.latency.add(record.latencyMs);
      }
    },
    addEvents(events) {
      for (const event of events) {
        ledger.addEvent(event);
        signs.addEvent(event, (reward.weights[event.kind] ?? 0) > 0);
      }
    },
    summarize({ nowMs, challenger = 1 }) {
      const { attributionMs } = reward;
      const rewardOf = (unit: Unit): number | null => {
        if (nowMs - unit.enrolledMs <= attributionMs) return null;
        return ledger.rewardOf(unit.name, (_, event) => event.atMs - unit.enrolledMs <= attributionMs);
      };
      const { pair, others } = pairUp(units.values(), challenger);
      return {
        ...summary({ pair: pair.sort(inOrder), traffic: { champion: trafficOf(0), challenger: trafficOf(challenger) }, rewardOf }),
        ...signs.summarize({ enrolled: pair, others, challenger, nowMs }),
      };
    },
  };
}

/** The units of a challenger and of the champion, and the names of those that have no part in their comparison. */
function pairUp(units: Iterable<Unit>, challenger: number): { pair: PairUnit[]; others: Set<string> } {
  const pair: PairUnit[] = [];
  const others = new Set<string>();
  for (const unit of units) {
    const share = unit.arm === 0 || unit.arm === challenger ? shareInPair(unit, challenger) : null;
    if (share === null) others.add(unit.name);
    else pair.push({ unit, name: unit.name, variant: unit.arm === 0 ? 'champion' : 'challenger', share });
  }
  return { pair, others };
}

function shareInPair({ share, rivalShares }: Unit, challenger: number): number | null {
  // Alone it is in the comparison at whatever share.
  if (rivalShares === undefined) return challenger === 1 ? share : null;
  const all = [share, ...rivalShares];
  return pairShare({ own: all[challenger - 1] ?? 0, all });
}

/** Whose work a slate is, as `armOf` has it. Null, nobody's: the unit's own challenger is out, so that the champion answers a user who is not its own. */
function answeringArm(variant: VariantName, enrolment: Enrolment): number | null {
  if (enrolment.rivalShares === undefined) return variant === 'champion' ? 0 : 1;
  const arm = armOf(enrolment);
  return (variant === 'champion') === (arm === 0) ? arm : null;
}

function noTraffic(): Traffic {
  return { slates: 0, fallbacks: 0, errors: 0, slow: 0, latency: new LatencyHistogram() };
}

/** Of two accounts of one unit's enrolment the earlier counts; of the same one, the earlier slate, for its stage. */
function precedes(one: Unit, other: Unit): boolean {
  const order = one.enrolledMs - other.enrolledMs || one.generation - other.generation || one.share - other.share;
  return order < 0 || (order === 0 && (one.firstSlateMs < other.firstSlateMs || (one.firstSlateMs === other.firstSlateMs && one.stage < other.stage)));
}

function inOrder({ unit: a }: PairUnit, { unit: b }: PairUnit): number {
  return a.generation - b.generation || a.enrolledMs - b.enrolledMs || (a.name < b.name ? -1 : 1);
}

type Summary = { pair: PairUnit[]; traffic: Record<VariantName, Traffic>; rewardOf: (unit: Unit) => number | null };

function summary({ pair, traffic, rewardOf }: Summary): ArmData {
  const counts: Record<VariantName, ArmCounts> = { champion: countsOf(traffic.champion), challenger: countsOf(traffic.challenger) };
  const ripeByStage: number[] = [];
  const strata: OpenStratum[] = [];
  // Those of the block that is open, by share and segment.
  let open = new Map<string, OpenStratum>();
  let block = -1;
  let generation = Number.NaN;
  let nextCut = nextBlockEnd(0);
  pair.forEach(({ unit, variant, share }, index) => {
    const cut = index === nextCut;
    if (cut) nextCut = nextBlockEnd(index);
    if (cut || generation !== unit.generation) {
      block += 1;
      open = new Map();
      generation = unit.generation;
    }
    const key = `${share} ${unit.segment ?? ''}`;
    let stratum = open.get(key);
    if (stratum === undefined) {
      stratum = openStratum({ unit, share, block });
      open.set(key, stratum);
      strata.push(stratum);
    }
    const arm = counts[variant];
    arm.enrolled += 1;
    stratum[variant].enrolled += 1;
    const reward = rewardOf(unit);
    if (reward === null) return;
    arm.ripe += 1;
    arm.converted += reward > 0 ? 1 : 0;
    arm.rewardSum += reward;
    arm.rewardSquares += reward * reward;
    const rewards = stratum.rewards[variant];
    rewards.set(reward, (rewards.get(reward) ?? 0) + 1);
    if (variant === 'challenger') {
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

function openStratum({ unit: { generation, segment }, share, block }: { unit: Unit; share: number; block: number }): OpenStratum {
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
