import type { Event } from '../../models/contracts/event.ts';
import { armOf, type SlateRecord } from '../../models/contracts/slate.ts';
import { createRandom } from '../../models/random.ts';

const digest = `sha256:${'0'.repeat(64)}` as const;

export function slate(over: Partial<SlateRecord> & { requestId: string }): SlateRecord {
  const atMs = over.atMs ?? 0;
  return {
    schemaVersion: 1,
    surface: 'home',
    unit: 'u:1',
    sessionId: 's',
    atMs,
    replica: 'a',
    generation: 3,
    releaseId: 'r',
    stage: 0,
    variant: 'champion',
    enrolment: { share: 0.5, bucket: 0.7, atMs, generation: 3 },
    artifact: digest,
    rung: 'model',
    rulesDigest: digest,
    history: [],
    historyWeights: [],
    excluded: [],
    items: ['a', 'b'],
    scores: [2, 1],
    propensities: null,
    conditionalPropensities: null,
    exploration: null,
    latencyMs: 5,
    ...over,
  };
}
export const bought = (eventId: string, atMs: number, over: Partial<Event> = {}): Event => ({
  schemaVersion: 1,
  eventId,
  kind: 'purchase',
  surface: 'home',
  userId: '1',
  sessionId: 's',
  itemId: 'a',
  atMs,
  ...over,
});

export type Log = { slates: SlateRecord[]; events: Event[] };
type Truth = {
  seed: number;
  users: number;
  /** Of those who convert: the champion's users, then each challenger's. */
  rates: readonly number[];
  /** Each challenger's share when this user comes. */
  sharesOf: (user: number) => readonly number[];
  /** The rung on which the users come; 1 where absent. */
  stageOf?: (user: number) => number;
  artifacts?: readonly string[];
  startedAtMs?: number;
};

/** One slate and one view a user, ten milliseconds apart, with one or several challengers; who converts buys 50 ms later. A new generation where shares move. */
export function drawLog({ seed, users, rates, sharesOf, stageOf = () => 1, artifacts = [], startedAtMs = 0 }: Truth): Log {
  const random = createRandom(seed);
  const log: Log = { slates: [], events: [] };
  let generation = 3;
  for (let user = 0; user < users; user += 1) {
    const [share = 0, ...rivalShares] = sharesOf(user);
    if (user > 0 && `${sharesOf(user - 1)}` !== `${sharesOf(user)}`) generation += 1;
    const atMs = startedAtMs + user * 10;
    const enrolment = { share, ...(rivalShares.length === 0 ? {} : { rivalShares }), bucket: random.float(), atMs, generation };
    const arm = armOf(enrolment);
    const own = { userId: String(user), sessionId: String(user) };
    const answered = { variant: arm === 0 ? ('champion' as const) : ('challenger' as const), artifact: artifacts[arm] ?? digest };
    log.slates.push(slate({ requestId: `q${user}`, unit: `u:${user}`, atMs, stage: stageOf(user), generation, enrolment, ...answered }));
    log.events.push(bought(`v${user}`, atMs + 20, { ...own, kind: 'view' }));
    if (random.float() < (rates[arm] ?? 0)) log.events.push(bought(`p${user}`, atMs + 50, own));
  }
  return log;
}
