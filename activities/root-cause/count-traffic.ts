import { setImmediate as nextTurn } from 'node:timers/promises';
import { RewardLedger } from '../../experiments/reward/attribute-reward.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { type Event, unitOf } from '../../models/contracts/event.ts';
import type { TrafficRow } from '../../models/contracts/root-cause.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { bucketOf } from '../../models/slate/assign.ts';
import type { Unit } from './comparable-units.ts';

/** Slates that are held; a busier surface is counted on a part of its visitors, half of them as often as it takes. */
const heldAtMost = 200_000;
/** A country that nobody has heard of is one of others. */
const namesAtMost = 200;

type Held = Pick<SlateRecord, 'requestId' | 'unit' | 'atMs' | 'items'> & {
  at: number;
  key: Omit<TrafficRow, 'unit' | 'slates' | 'short' | 'slow' | 'known' | 'seen' | 'engaged' | 'rewarded' | 'reward'>;
  short: boolean;
  slow: boolean;
  known: boolean;
  seen: boolean;
  engaged: boolean;
};

export type TrafficCount = {
  addSlate(record: SlateRecord): void;
  /** All slates come first. */
  addEvent(event: Event & { receivedAtMs?: number | undefined }): void;
  rows(beat: () => void): Promise<TrafficRow[]>;
  /** Of the visitors that are counted; 1 for all. */
  share(): number;
};

type Input = { units: readonly Unit[]; charter: Pick<Charter, 'reward' | 'slo' | 'slate'> /** When it is looked. */; atMs: number; heldAtMost?: number };

/** Newest first: where the clock was changed, an hour may stand in two. */
export function unitAt(units: readonly Unit[], atMs: number): number {
  return units.findLastIndex((unit) => unit.fromMs <= atMs && atMs < unit.toMs);
}

/**
 * Slates by where they were asked for and how they were answered, and what came of them. Of the earlier units counts only what was known as soon after their end
 * as it is now after the incident's: what a slate earns comes late.
 */
export function countTraffic({ units, charter, atMs, heldAtMost: most = heldAtMost }: Input): TrafficCount {
  const held = new Map<string, Held>();
  const visitors = new Map<string, Set<number>>();
  const ledgers = new Map<number, RewardLedger>();
  const names = { item: nameOnce(Number.POSITIVE_INFINITY), country: nameOnce(namesAtMost), device: nameOnce(namesAtMost), segment: nameOnce(namesAtMost) };
  const lagMs = Math.max(0, Math.min(charter.reward.attributionMs, atMs - (units.at(-1)?.toMs ?? atMs)));
  let share = 1;
  const isCounted = (visitor: string) => share === 1 || bucketOf({ salt: 'root-cause', unit: visitor }) < share;

  function halve(): void {
    share /= 2;
    for (const [id, one] of held) if (!isCounted(one.unit)) held.delete(id);
  }

  return {
    share: () => share,
    addSlate(record) {
      const at = unitAt(units, record.atMs);
      if (at < 0 || held.has(record.requestId) || !isCounted(record.unit)) return;
      const { requestId, unit, items, context, history } = record;
      const known = history.length > 0;
      held.set(requestId, {
        ...{ requestId, unit, atMs: record.atMs, at, items: items.map(names.item) },
        key: {
          country: names.country(context?.country ?? 'unknown'),
          device: names.device(context?.device ?? 'unknown'),
          segment: names.segment(record.segment ?? (known ? 'known' : 'new')),
          ...{ rung: record.rung, artifact: record.artifact, generation: record.generation, replica: record.replica, rules: record.rulesDigest },
        },
        short: items.length < (record.count ?? charter.slate.size),
        slow: record.latencyMs > charter.slo.p99Ms,
        known,
        ...{ seen: false, engaged: false },
      });
      if (held.size > most) halve();
    },
    addEvent(event) {
      if (visitors.size === 0) for (const one of held.values()) visitors.set(one.unit, (visitors.get(one.unit) ?? new Set()).add(one.at));
      const cameMs = Math.max(event.atMs, event.receivedAtMs ?? 0);
      const inTime = (at: number) => cameMs <= (units[at] as Unit).toMs + lagMs;
      const cause = event.requestId === undefined ? undefined : held.get(event.requestId);
      if (cause !== undefined && inTime(cause.at)) cause[event.kind === 'impression' ? 'seen' : 'engaged'] = true;
      if ((charter.reward.weights[event.kind] ?? 0) === 0) return;
      for (const at of visitors.get(unitOf(event)) ?? []) {
        if (event.atMs < (units[at] as Unit).fromMs || !inTime(at)) continue;
        const ledger = ledgers.get(at) ?? new RewardLedger(charter.reward);
        ledgers.set(at, ledger);
        ledger.addEvent(event);
      }
    },
    async rows(beat) {
      const rows = new Map<string, TrafficRow>();
      const byUnit = Map.groupBy(held.values(), ({ at }) => at);
      for (const [at, slates] of [...byUnit].sort(([a], [b]) => a - b)) {
        const ledger = ledgers.get(at) ?? new RewardLedger(charter.reward);
        for (const slate of slates) ledger.addSlate(slate);
        const rewards = ledger.bySlate();
        for (const slate of slates) add(rows, slate, rewards.get(slate.requestId));
        ledgers.delete(at);
        beat();
        await nextTurn();
      }
      return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
    },
  };
}

function add(rows: Map<string, TrafficRow>, slate: Held, earned: Float64Array | undefined): void {
  const { at, key } = slate;
  const id = `${String(at).padStart(3, '0')} ${JSON.stringify(Object.values(key))}`;
  const row = rows.get(id) ?? { unit: at, ...key, slates: 0, short: 0, slow: 0, known: 0, seen: 0, engaged: 0, rewarded: 0, reward: 0 };
  rows.set(id, row);
  row.slates += 1;
  for (const what of ['short', 'slow', 'known', 'seen', 'engaged'] as const) if (slate[what]) row[what] += 1;
  const reward = [...(earned ?? [])].reduce((sum, one) => sum + one, 0);
  if (reward <= 0) return;
  row.rewarded += 1;
  row.reward += reward;
}

/** Each text is kept once, however often it is read; `other` where there are too many. */
function nameOnce(atMost: number): (text: string) => string {
  const known = new Map<string, string>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    if (known.size >= atMost) return 'other';
    known.set(text, text);
    return text;
  };
}
