import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ArmData } from '../../experiments/canary/arm-data.ts';
import { type ArmTally, createArmTally } from '../../experiments/canary/arm-tally.ts';
import { quietAfterMs } from '../../experiments/canary/conditions.ts';
import { charterOfPair, decideAmong } from '../../experiments/canary/decide-among.ts';
import { decideCanary } from '../../experiments/canary/decide-canary.ts';
import { judgeShadow, summarizeShadow } from '../../experiments/canary/summarize-shadow.ts';
import type { AmongDecision, CanaryDecision } from '../../models/contracts/canary.ts';
import type { CanaryPoint } from '../../models/contracts/canary-record.ts';
import type { Charter } from '../../models/contracts/charter.ts';
import { challengersOf } from '../../models/contracts/deployment.ts';
import type { Event } from '../../models/contracts/event.ts';
import { parseInteraction } from '../../models/contracts/event-schemas.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type SlateRecord, slateRecord } from '../../models/contracts/slate.ts';
import { latestDeployment, sharesOver } from '../../stores/deployments.ts';
import type { LogCursor } from '../../stores/event-log.ts';
import type { CloseRequest, ControlActivities, LookAmongRequest, LookRequest, RehearsalLook, ShadowLook } from '../api.ts';
import { type Context, readCharter } from '../context.ts';

/** Clocks of the machines that write the log may differ from Temporal's by this much. */
const clockSkewMs = 60_000;

/** Phases whose counts are kept in memory; a phase that is forgotten, or met by another worker, is counted again from the log. */
const phasesAtMost = 16;

type Fresh = { slates: SlateRecord[]; events: Event[] };
type Phase<T> = { counted: T; slates: LogCursor; events: LogCursor; turn: Promise<unknown> };
type Source = { surface: string; sinceMs: number; containing: string; wanted: (slate: Partial<SlateRecord>) => boolean; events: boolean };

/** Each is counted and decided anew. */
const pointsOfPicture = 32;

type OverTime = { surface: string; releaseId: string; artifact: string; intent: 'refresh' | 'replace'; canary: NonNullable<CloseRequest['canary']> };
export type CanaryWatch = Pick<ControlActivities, 'lookAtRehearsal' | 'lookAtShadow' | 'lookAtCanary' | 'lookAmong'> & {
  /** A challenger's canary as it was known at some times between its beginning and its end, by the same counts and the same statistics. */
  canaryOverTime(input: OverTime): Promise<CanaryPoint[]>;
};

/** What happens in the log while a release is under way. The log is the truth: counts in memory only save reading it again. */
export function createCanaryWatch(context: Context): CanaryWatch {
  const phases = new Map<string, Phase<unknown>>();

  /** Brings the phase's count up to the log's end, then reads it. Looks at one phase go one after the other: a retried one may overlap. */
  async function follow<T, R>(
    key: string,
    source: Source,
    make: () => T,
    add: (counted: T, fresh: Fresh) => void,
    read: (counted: T) => R | Promise<R>,
  ): Promise<R> {
    const phase = (phases.get(key) ?? { counted: make(), slates: {}, events: {}, turn: Promise.resolve() }) as Phase<T>;
    phases.delete(key);
    phases.set(key, phase);
    for (const oldest of [...phases.keys()].slice(0, -phasesAtMost)) phases.delete(oldest);
    const look = phase.turn.then(async () => {
      const options = { writtenSinceMs: source.sinceMs - clockSkewMs };
      // Slates first: an event is written after the slate that caused it.
      const slates = await context.state.logReader(source.surface, 'slates').tail(phase.slates, { ...options, containing: source.containing });
      const events = source.events ? await context.state.logReader(source.surface, 'events').tail(phase.events, options) : { records: [], cursor: {} };
      add(phase.counted, {
        slates: (slates.records as Partial<SlateRecord>[]).filter(source.wanted).map((one) => slateRecord.parse(one)),
        events: events.records
          .filter((one) => ((one as Partial<Event>).atMs ?? 0) >= source.sinceMs - clockSkewMs)
          .flatMap((one) => parseInteraction(one) ?? []),
      });
      Object.assign(phase, { slates: slates.cursor, events: events.cursor });
      return read(phase.counted);
    });
    phase.turn = look.catch(() => undefined);
    return look;
  }

  async function lookAtRehearsal(input: Parameters<ControlActivities['lookAtRehearsal']>[0]): Promise<RehearsalLook> {
    const { surface, generation, slates: needed, startedAtMs, atMs, maxDurationMs, attributionMs } = input;
    const wanted = (slate: Partial<SlateRecord>) => (slate.generation ?? 0) >= generation;
    const { slates, all } = await follow(
      `rehearsal/${surface}/${generation}`,
      { surface, sinceMs: startedAtMs, containing: '', wanted, events: false },
      () => [] as number[],
      (times, fresh) => void times.push(...fresh.slates.map((slate) => slate.atMs)),
      (times) => ({ slates: times.filter((time) => atMs - time > attributionMs).length, all: times.length }),
    );
    const late = atMs - startedAtMs >= maxDurationMs;
    const young = all > slates ? `; what ${all - slates} younger ones earn is not known yet` : '';
    const why = `${slates} of ${needed} slates with the challenger's items explored${young}${late && slates < needed ? `; no longer than ${maxDurationMs} ms` : ''}`;
    return { done: slates >= needed || late, why, slates };
  }

  async function lookAtShadow(input: LookRequest): Promise<ShadowLook> {
    const { canary } = (await readCharter(context.state.blobs, input.charter)).release;
    const spec = await latestDeployment(context.state.generations, input.surface);
    const challengers = spec?.canary?.releaseId === input.releaseId ? challengersOf(spec.canary).length : 1;
    const summary = await follow(
      `shadow/${input.releaseId}/${input.startedAtMs}`,
      {
        surface: input.surface,
        sinceMs: input.startedAtMs,
        containing: input.releaseId,
        wanted: (slate) => slate.releaseId === input.releaseId && slate.shadow !== undefined,
        events: false,
      },
      () => [] as SlateRecord[],
      // What a shadow needs of a slate is little, and the stage is short.
      (records, fresh) => void records.push(...fresh.slates),
      (records) => summarizeShadow({ records, releaseId: input.releaseId, artifact: input.artifact, maxP99Ms: canary.maxP99Ms }),
    );
    // Several share the error rate, as they do in the canary.
    return { ...judgeShadow({ summary, canary: { ...canary, alpha: canary.alpha / challengers } }), slates: summary.slates };
  }

  type Counted = { surface: string; releaseId: string; startedAtMs: number; reward: Charter['reward']; canary: Charter['release']['canary'] };

  function counted<T>({ surface, releaseId, startedAtMs, reward, canary }: Counted, read: (tally: ArmTally) => T | Promise<T>): Promise<T> {
    return follow(
      `canary/${releaseId}/${startedAtMs}`,
      { surface, sinceMs: startedAtMs, containing: releaseId, wanted: (slate) => slate.releaseId === releaseId && (slate.stage ?? -1) >= 0, events: true },
      () => createArmTally({ releaseId, reward, maxP99Ms: canary.maxP99Ms, watch: { startedAtMs, quietAfterMs: quietAfterMs(canary) } }),
      (tally, fresh) => {
        tally.add(fresh.slates);
        tally.addEvents(fresh.events);
      },
      read,
    );
  }

  async function lookAtCanary(input: LookRequest): Promise<CanaryDecision> {
    const { surface, releaseId, intent, stage, look, share, startedAtMs, atMs } = input;
    if (intent === 'bootstrap') throw new UnderstudyError('UND-INTERNAL', 'A bootstrap release has no canary');
    const charter = await readCharter(context.state.blobs, input.charter);
    const { reward, release } = charter;
    const arms = await counted({ surface, releaseId, startedAtMs, reward, canary: release.canary }, (tally) => tally.summarize({ nowMs: atMs }));
    return decideCanary({ charter, intent, releaseId, look, stage, share, elapsedMs: atMs - startedAtMs, arms });
  }

  async function lookAmong({ surface, releaseId, contenders, shares, stage, look, startedAtMs, atMs, ...input }: LookAmongRequest): Promise<AmongDecision> {
    const charter = await readCharter(context.state.blobs, input.charter);
    const { reward, release } = charter;
    const arms = await counted({ surface, releaseId, startedAtMs, reward, canary: release.canary }, async (tally) => {
      const found: Record<string, ArmData> = {};
      for (const [index, { artifact }] of contenders.entries()) {
        found[artifact] = tally.summarize({ nowMs: atMs, challenger: index + 1 });
        await nextTurn();
      }
      return found;
    });
    return decideAmong({
      charter,
      intents: Object.fromEntries(contenders.map(({ artifact, intent }) => [artifact, intent])),
      releaseId,
      look,
      stage,
      shares: Object.fromEntries(contenders.map(({ artifact }) => [artifact, shares[artifact] ?? 0])),
      elapsedMs: atMs - startedAtMs,
      arms,
    });
  }

  async function canaryOverTime({ surface, releaseId, artifact, intent, canary }: OverTime): Promise<CanaryPoint[]> {
    const { startedAtMs } = canary;
    const shares = await sharesOver(context.state.generations, { surface, releaseId, artifact });
    const began = shares.findIndex(({ share }) => share > 0);
    // Of one that was out before the others its canary ended there: what its users did later, they did with the champion.
    const outMs = shares.find(({ share, challengers }, index) => began >= 0 && index > began && challengers > 1 && share === 0)?.fromMs;
    const endedAtMs = Math.min(canary.endedAtMs, outMs ?? canary.endedAtMs);
    const charter = charterOfPair({ charter: await readCharter(context.state.blobs, canary.charter), challengers: shares.at(-1)?.challengers ?? 1 });
    const { reward, release } = charter;
    const shareAt = (atMs: number) => shares.findLast((one) => one.fromMs <= atMs)?.share ?? 0;
    const pointOf = (atMs: number, { lift, champion, challenger }: CanaryDecision): CanaryPoint => ({
      atMs,
      share: shareAt(atMs),
      champion: champion.ripe,
      challenger: challenger.ripe,
      lift,
    });
    const before = await counted({ surface, releaseId, startedAtMs, reward, canary: release.canary }, async (tally) => {
      const points: CanaryPoint[] = [];
      for (let place = 1; place < pointsOfPicture; place += 1) {
        const atMs = startedAtMs + Math.round(((endedAtMs - startedAtMs) * place) / pointsOfPicture);
        const asked = {
          charter,
          intent,
          releaseId,
          look: 1,
          stage: 0,
          share: shareAt(atMs),
          elapsedMs: atMs - startedAtMs,
          arms: tally.summarize({ nowMs: atMs, challenger: canary.arm ?? 1 }),
        };
        points.push(pointOf(atMs, decideCanary(asked)));
        // Each takes as long as a look; whoever watches this work must hear of it meanwhile.
        await nextTurn();
      }
      return points;
    });
    return [...before, pointOf(endedAtMs, canary.decision)];
  }

  return { lookAtRehearsal, lookAtShadow, lookAtCanary, lookAmong, canaryOverTime };
}
