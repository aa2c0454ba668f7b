import { describe, expect, it } from 'vitest';
import type { CanaryDecision } from '../../models/contracts/canary.ts';
import type { Event } from '../../models/contracts/event.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { createRandom } from '../../models/random.ts';
import { createArmTally } from './arm-tally.ts';
import { quietAfterMs } from './conditions.ts';
import { canary as plain, decide } from './testing.ts';
import { bought, slate } from './testing-log.ts';

const seed = 11;
const reward = { weights: { purchase: 1 }, attributionMs: 1_000, capPerUnit: 1 };
const canary = { ...plain, maxDurationMs: 100_000, inconclusive: 'promote' as const };
type Log = { slates: SlateRecord[]; events: Event[] };
type Fault = (log: Log) => Log;
type Truth = { users: number; champion: number; challenger: number };

/** One slate and one view a user, ten milliseconds apart, half of them with the challenger; who converts buys 50 ms later. */
function draw({ users, champion, challenger }: Truth): Log {
  const random = createRandom(seed);
  const log: Log = { slates: [], events: [] };
  for (let user = 0; user < users; user += 1) {
    const bucket = random.float();
    const variant = bucket < 0.5 ? 'challenger' : 'champion';
    const atMs = user * 10;
    const own = { userId: String(user), sessionId: String(user) };
    log.slates.push(slate({ requestId: `q${user}`, unit: `u:${user}`, atMs, stage: 1, variant, enrolment: { share: 0.5, bucket, atMs, generation: 3 } }));
    log.events.push(bought(`v${user}`, atMs + 20, { ...own, kind: 'view' }));
    if (random.float() < (variant === 'challenger' ? challenger : champion)) log.events.push(bought(`p${user}`, atMs + 50, own));
  }
  return log;
}

function look({ slates, events }: Log, { nowMs, intent = 'replace' }: { nowMs: number; intent?: 'replace' | 'refresh' }): CanaryDecision {
  const counts = createArmTally({ releaseId: 'r', reward, maxP99Ms: canary.maxP99Ms, watch: { startedAtMs: 0, quietAfterMs: quietAfterMs(canary) } });
  counts.add(slates);
  counts.addEvents(events);
  return decide({
    charter: { release: { canary }, reward },
    stage: 1,
    share: 0.5,
    elapsedMs: nowMs,
    intent,
    arms: counts.summarize({ nowMs }),
  });
}
const outcome = ({ action, verdict, lift }: CanaryDecision) => ({ action, verdict, lift });
const named = (decision: CanaryDecision) => (decision.conditions ?? []).map(({ name }) => name);
const variantOf = (log: Log, user: string) => log.slates.find((one) => one.unit === `u:${user}`)?.variant;
const usersOf = (log: Log, variant: string) => log.slates.filter((one) => one.variant === variant).map((one) => one.unit.slice(2));

const bases: [string, Truth, CanaryDecision['action']][] = [
  ['a better challenger', { users: 1_500, champion: 0.2, challenger: 0.35 }, 'promote'],
  ['an equal one', { users: 1_500, champion: 0.2, challenger: 0.2 }, 'wait'],
  ['a worse one', { users: 1_500, champion: 0.3, challenger: 0.15 }, 'roll-back'],
];

describe.each(bases)(`%s (seed ${seed})`, (_, truth, action) => {
  const log = draw(truth);
  const nowMs = 16_100;
  const base = look(log, { nowMs });

  it('has nothing to be named', () => {
    expect(base).toMatchObject({ action });
    expect(base.conditions).toBeUndefined();
  });

  it('comes to the same where everything was logged twice', () => {
    const twice: Fault = ({ slates, events }) => ({ slates: [...slates, ...slates], events: [...events, ...events.toReversed()] });
    const decision = look(twice(log), { nowMs });
    expect(outcome(decision)).toEqual(outcome(base));
    expect(named(decision)).toEqual(['duplicates']);
    expect(decision.conditions?.[0]?.sentence).toContain('1500 slates');
  });

  it.each(['champion', 'challenger'])('comes to the same where one user of the %s buys thousands of times', (variant) => {
    const buyer = log.events.find((one) => one.kind === 'purchase' && variantOf(log, one.userId ?? '') === variant)?.userId ?? '';
    const atMs = Number(buyer) * 10;
    const events = Array.from({ length: 3_000 }, (__, index) => bought(`b${index}`, atMs + 60 + (index % 500), { userId: buyer, sessionId: buyer }));
    const decision = look({ ...log, events: [...log.events, ...events] }, { nowMs });
    expect(outcome(decision)).toEqual(outcome(base));
    expect(named(decision)).toEqual(['bot']);
    expect(decision.conditions?.[0]?.sentence).toContain(`one user of the ${variant}`);
  });

  it("comes to the same where one user of the challenger gets thousands of slates that are not its model's", () => {
    const [user = ''] = usersOf(log, 'challenger');
    const first = log.slates.find((one) => one.unit === `u:${user}`) as SlateRecord;
    const slates = Array.from({ length: 5_000 }, (__, index) => ({
      ...first,
      requestId: `b${index}`,
      rung: 'static' as const,
      items: [],
      atMs: first.atMs + index,
    }));
    const decision = look({ ...log, slates: [...log.slates, ...slates] }, { nowMs });
    expect(outcome(decision)).toEqual(outcome(base));
    expect(named(decision)).toEqual(['bot']);
  });

  it('waits where no outcome is known yet', () => {
    const decision = look(log, { nowMs: 900 });
    expect(decision).toMatchObject({ action: 'wait', verdict: 'not-enough-evidence' });
    expect(named(decision)).toContain('delayed-rewards');
  });

  it('waits or comes to the same where the clock went back', () => {
    const future: Fault = ({ slates, events }) => ({
      slates: slates.map((one) => ({ ...one, atMs: one.atMs + 90_000, enrolment: one.enrolment && { ...one.enrolment, atMs: one.atMs + 90_000 } })),
      events: events.map((one) => ({ ...one, atMs: one.atMs + 90_000 })),
    });
    const decision = look(future(log), { nowMs });
    expect(decision).toMatchObject({ action: 'wait', verdict: 'not-enough-evidence' });
    expect(named(decision)).toContain('paused-clock');
    expect(look(log, { nowMs: -1 })).toMatchObject({ action: 'wait' });
  });

  it('comes to the same, time included, where the release stood still for longer than it may run', () => {
    const pause = 90_000;
    const later = <T extends { atMs: number }>(one: T, user: string | undefined): T => (Number(user) < 800 ? one : { ...one, atMs: one.atMs + pause });
    const paused: Fault = ({ slates, events }) => ({
      slates: slates.map((one) => {
        const moved = later(one, one.unit.slice(2));
        return { ...moved, enrolment: one.enrolment && { ...one.enrolment, atMs: moved.atMs } };
      }),
      events: events.map((one) => later(one, one.userId)),
    });
    const decision = look(paused(log), { nowMs: nowMs + pause });
    expect(nowMs + pause).toBeGreaterThan(canary.maxDurationMs);
    expect(outcome(decision)).toEqual(outcome(base));
    expect(named(decision)).toEqual(['paused-clock']);
  });

  it.each(['champion', 'challenger'])('waits where nothing is heard of the users of the %s, and ends as no verdict', (variant) => {
    const lost = new Set(usersOf(log, variant));
    const silent = { ...log, events: log.events.filter((one) => !lost.has(one.userId ?? '')) };
    const decision = look(silent, { nowMs });
    expect(decision).toMatchObject({ action: 'wait', verdict: 'not-enough-evidence' });
    expect(named(decision)).toEqual(['silent-arm']);
    expect(look(silent, { nowMs: 250_000, intent: 'refresh' })).toMatchObject({ action: 'roll-back', reasons: [expect.stringContaining('no verdict')] });
  });

  it.each(['champion', 'challenger'])('waits where the %s meets nobody at all', (variant) => {
    const decision = look({ ...log, slates: log.slates.filter((one) => one.variant !== variant) }, { nowMs });
    expect(decision).toMatchObject({ action: 'wait' });
    expect(decision.sampleRatioPValue).toBeLessThan(1e-9);
    expect(named(decision)).toContain('silent-arm');
  });
});

it('a challenger whose users look and never buy is not silent: it is worse', () => {
  const log = draw({ users: 1_500, champion: 0.2, challenger: 0 });
  expect(look(log, { nowMs: 16_100 })).toMatchObject({ action: 'roll-back', verdict: 'worse' });
});

it('near-zero traffic waits, and keeps nothing when time is over', () => {
  const sparse = (users: number): Log => {
    const { slates } = draw({ users, champion: 0, challenger: 0 });
    return {
      slates: slates.map((one) => ({ ...one, atMs: 100 * one.atMs, enrolment: one.enrolment && { ...one.enrolment, atMs: 100 * one.atMs } })),
      events: [],
    };
  };
  const early = look(sparse(8), { nowMs: 9_500, intent: 'refresh' });
  expect(early).toMatchObject({ action: 'wait', verdict: 'not-enough-evidence' });
  expect(named(early)).toEqual(['near-zero-traffic']);
  expect(early.conditions?.[0]?.sentence).toContain('8 users so far');
  expect(look(sparse(99), { nowMs: 100_500, intent: 'refresh' })).toMatchObject({ action: 'roll-back', verdict: 'not-enough-evidence' });
  // Where nothing is served any more, that is a pause: it waits, though not for ever.
  expect(look(sparse(8), { nowMs: 150_000, intent: 'refresh' })).toMatchObject({ action: 'wait' });
  expect(look(sparse(8), { nowMs: 210_000, intent: 'refresh' })).toMatchObject({ action: 'roll-back', verdict: 'not-enough-evidence' });
});

describe('without a verdict at the end', () => {
  const end = (truth: Truth, over: { intent: 'replace' | 'refresh'; inconclusive?: 'roll-back' | 'promote' }) => {
    const counts = createArmTally({ releaseId: 'r', reward, maxP99Ms: canary.maxP99Ms });
    const { slates, events } = draw(truth);
    counts.add(slates);
    counts.addEvents(events);
    const { intent, inconclusive = 'promote' } = over;
    const arms = counts.summarize({ nowMs: 100_001 });
    return decide({ charter: { release: { canary: { ...canary, inconclusive } }, reward }, stage: 1, share: 0.5, elapsedMs: 100_001, intent, arms });
  };
  const equal = { users: 1_500, champion: 0.2, challenger: 0.2 };

  it('a refresh is kept where the charter says so, and the verdict stays what it is', () => {
    expect(end(equal, { intent: 'refresh' })).toMatchObject({
      action: 'promote',
      verdict: 'not-enough-evidence',
      reasons: [expect.stringMatching(/^no verdict after 100 s; kept/)],
    });
    expect(end(equal, { intent: 'refresh', inconclusive: 'roll-back' })).toMatchObject({ action: 'roll-back', verdict: 'not-enough-evidence' });
  });

  it('a replacement is not, nor is one whose estimate lies below the margin, nor one with too few users', () => {
    expect(end(equal, { intent: 'replace' })).toMatchObject({ action: 'roll-back', verdict: 'not-enough-evidence' });
    expect(end({ users: 300, champion: 0.25, challenger: 0.18 }, { intent: 'refresh' })).toMatchObject({ action: 'roll-back', verdict: 'not-enough-evidence' });
    expect(end({ users: 60, champion: 0.2, challenger: 0.2 }, { intent: 'refresh' })).toMatchObject({ action: 'roll-back', verdict: 'not-enough-evidence' });
  });
});
