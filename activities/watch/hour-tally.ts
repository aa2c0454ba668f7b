import { eventKinds } from '../../models/contracts/event.ts';
import type { Measure, SignalName } from '../../models/contracts/signal.ts';
import { rungs, type SlateRecord } from '../../models/contracts/slate.ts';

/** A percentile of fewer tells nothing of it. */
const observationsAtLeast = 30;
/** Parts of one signal: names of clients and segments come from outside, and nobody limits them. */
const partsAtMost = 8;
/** Enrolments whose number chance makes less sure than this say nothing of the sample ratio. */
const varianceAtLeast = 3;
const topItems = 10;

type Share = { total: number; of: number };
type Earned = { total: number; squares: number; of: number };

/** What happened on a surface in one hour. Each record counts once, however often the log has it. */
export class HourTally {
  private readonly seen = new Set<string>();
  private readonly kinds = new Map<string, number>(eventKinds.map((kind) => [kind, 0]));
  private readonly agesMs: number[] = [];
  private readonly rungs = new Map<string, number>();
  private readonly stages = new Map<string, number[]>();
  private readonly clients = new Map<string, Share>();
  private readonly segments = new Map<string, Earned>();
  private readonly shown = new Map<string, number>();
  private readonly enrolled = new Map<string, { challenger: boolean; share: number }>();
  private slates = 0;
  private personal = 0;

  addEvent({ eventId, kind, ageMs }: { eventId: string; kind: string; ageMs: number | undefined }): void {
    if (this.isAgain(`e${eventId}`)) return;
    this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
    if (ageMs !== undefined) this.agesMs.push(ageMs);
  }

  /** @param heard whether an event of it came. @param fresh whether its unit was enrolled in this hour. */
  addSlate(slate: SlateRecord, { heard, fresh }: { heard: boolean; fresh: boolean }): void {
    if (this.isAgain(`s${slate.requestId}`)) return;
    this.slates += 1;
    this.rungs.set(slate.rung, (this.rungs.get(slate.rung) ?? 0) + 1);
    if (slate.rung === 'model' && slate.history.length > 0) this.personal += 1;
    for (const [stage, ms] of [['', slate.latencyMs] as const, ...Object.entries(slate.stagesMs ?? {})]) {
      const times = this.stages.get(stage) ?? [];
      times.push(ms);
      this.stages.set(stage, times);
    }
    const client = partOf(this.clients, slate.context?.device ?? '', { total: 0, of: 0 });
    client.of += 1;
    if (heard) client.total += 1;
    partOf(this.segments, slate.segment ?? '', { total: 0, squares: 0, of: 0 }).of += 1;
    for (const item of slate.items) this.shown.set(item, (this.shown.get(item) ?? 0) + 1);
    if (!fresh || slate.enrolment === null || this.enrolled.has(slate.unit)) return;
    const { share, rivalShares = [] } = slate.enrolment;
    this.enrolled.set(slate.unit, { challenger: slate.variant === 'challenger', share: rivalShares.reduce((sum, one) => sum + one, share) });
  }

  /** Reward that came in this hour, for a slate to this segment, whenever that was sent. */
  addReward(segment: string, value: number): void {
    const earned = partOf(this.segments, segment, { total: 0, squares: 0, of: 0 });
    earned.total += value;
    earned.squares += value ** 2;
  }

  measures(wanted: ReadonlySet<SignalName>): Measure[] {
    const found: Measure[] = [{ signal: 'slates', part: '', total: this.slates, of: 1 }];
    for (const [part, total] of this.kinds) found.push({ signal: 'events', part, total, of: 1 });
    for (const [part, share] of mostOf(this.clients)) found.push({ signal: 'heard', part, ...share });
    if (this.agesMs.length >= observationsAtLeast)
      // Clocks of clients differ from ours by more than what is below a second.
      found.push({ signal: 'freshness', part: '', total: Math.max(1, quantile(this.agesMs, 0.95) / 1000), of: this.agesMs.length });
    for (const part of rungs) if (part !== 'model') found.push({ signal: 'fallback', part, total: this.rungs.get(part) ?? 0, of: this.slates });
    for (const [part, times] of this.stages)
      if (times.length >= observationsAtLeast) found.push({ signal: 'p99', part, total: quantile(times, 0.99), of: times.length });
    for (const [part, earned] of mostOf(this.segments)) found.push({ signal: 'reward', part, ...earned });
    const places = [...this.shown.values()].sort((a, b) => b - a);
    found.push({ signal: 'catalog-coverage', part: '', total: places.length, of: 1 });
    found.push({ signal: 'user-coverage', part: '', total: this.personal, of: this.slates });
    found.push({ signal: 'concentration', part: '', total: sum(places.slice(0, topItems)), of: sum(places) });
    const enrolled = [...this.enrolled.values()];
    const variance = sum(enrolled.map(({ share }) => share * (1 - share)));
    if (variance >= varianceAtLeast) {
      const difference = sum(enrolled.map(({ challenger, share }) => (challenger ? 1 : 0) - share));
      found.push({ signal: 'sample-ratio', part: '', total: difference / Math.sqrt(variance), of: enrolled.length });
    }
    return found.filter(({ signal }) => wanted.has(signal));
  }

  private isAgain(id: string): boolean {
    if (this.seen.has(id)) return true;
    this.seen.add(id);
    return false;
  }
}

function partOf<T>(parts: Map<string, T>, name: string, fresh: T): T {
  const found = parts.get(name) ?? fresh;
  parts.set(name, found);
  return found;
}

/** The largest ones, in the order of their names. */
function mostOf<T extends { of: number }>(parts: ReadonlyMap<string, T>): [string, T][] {
  const largest = [...parts].sort(([a, one], [b, other]) => other.of - one.of || (a < b ? -1 : 1)).slice(0, partsAtMost);
  return largest.sort(([a], [b]) => (a < b ? -1 : 1));
}

function quantile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] as number;
}

const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0);
