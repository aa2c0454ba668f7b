import { join } from 'node:path';
import { createRandom } from '../../models/random.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { beginLife } from '../../stores/life.ts';
import { openLogs } from '../../stores/open-logs.ts';
import { makeTinySurface } from '../../test/tiny-surface/make-tiny-surface.ts';
import type { State } from '../context.ts';
import { registerCharter } from '../registry/charters.ts';

const hourMs = 3_600_000;
const digest = `sha256:${'0'.repeat(64)}`;

export type Broken = {
  /** Slates that a lower rung answers. */
  fallbackShare?: number;
  /** What this client shows is not heard of. */
  silent?: string;
  latencyFactor?: number;
};

/** A surface with the tiny charter and these fields of it. */
export async function registerTiny(state: State, charter: Record<string, unknown>): Promise<string> {
  const surface = 'tiny';
  const { config } = await makeTinySurface({ folder: join(state.root, 'surface'), seed: 1, people: 12, charter: { surface, ...charter } });
  const { default: input } = (await import(config)) as { default: unknown };
  await registerCharter(state, input, 0);
  return surface;
}

type Traffic = { stateDir: string; surface: string; fromMs: number; toMs: number; slatesAnHour: number; seed: number; broken?: Broken };

/**
 * What a surface would have logged between two hours: busier by day, two clients, and of most slates an impression within a second and sometimes a purchase. Written as a
 * serving replica does.
 */
export async function logTraffic({
  stateDir,
  surface,
  fromMs,
  toMs,
  slatesAnHour,
  seed,
  broken = {},
}: Traffic): Promise<{ slates: SlateRecord[]; events: object[] }> {
  const random = createRandom(seed);
  const slates: SlateRecord[] = [];
  const events: object[] = [];
  for (let hour = fromMs; hour < toMs; hour += hourMs) {
    const mean = slatesAnHour * (1 - 0.5 * Math.cos((2 * Math.PI * (hour / hourMs)) / 24));
    const count = Math.round(mean * (0.9 + 0.2 * random.float()));
    for (let place = 0; place < count; place += 1) {
      // Whatever comes of it comes within the hour.
      const slate = slateAt({ surface, atMs: hour + Math.floor(random.float() * (hourMs - 10_000)), seed: random.uint32(), broken });
      slates.push(slate);
      const { requestId, atMs, unit, items, context } = slate;
      if (context?.device === broken.silent || random.float() > 0.8) continue;
      const event = { schemaVersion: 1, surface, userId: unit.slice(2), sessionId: 's', requestId, itemId: items[0] };
      events.push({ ...event, eventId: `i-${requestId}`, kind: 'impression', atMs: atMs + 500, receivedAtMs: atMs + 1_500 });
      if (random.float() < 0.2) events.push({ ...event, eventId: `p-${requestId}`, kind: 'purchase', atMs: atMs + 900, receivedAtMs: atMs + 2_000 });
    }
  }
  await write({ stateDir, surface, stream: 'slates', records: slates });
  await write({ stateDir, surface, stream: 'events', records: events });
  return { slates, events };
}

function slateAt({ surface, atMs, seed, broken }: { surface: string; atMs: number; seed: number; broken: Broken }): SlateRecord {
  const random = createRandom(seed);
  const rung = random.float() < (broken.fallbackShare ?? 0.02) ? 'popularity' : 'model';
  const requestId = `r${atMs}-${seed}`;
  return {
    ...{ schemaVersion: 1, requestId, surface, unit: `u:u${random.below(200)}`, atMs, replica: 'one', generation: 1, releaseId: null, stage: null },
    ...{ variant: 'champion', enrolment: null, artifact: digest, rung, rulesDigest: digest, history: random.float() < 0.7 ? ['i001'] : [], historyWeights: [] },
    context: { device: random.float() < 0.5 ? 'ios' : 'web' },
    segment: random.float() < 0.5 ? 'new' : 'known',
    excluded: [],
    items: Array.from({ length: 5 }, () => `i${random.below(100)}`),
    ...{ scores: [1, 1, 1, 1, 1], propensities: null, conditionalPropensities: null, exploration: null },
    latencyMs: 10 * (0.5 + random.float()) * (broken.latencyFactor ?? 1),
  };
}

async function write({ records, ...of }: { stateDir: string; surface: string; stream: 'events' | 'slates'; records: readonly object[] }): Promise<void> {
  const life = beginLife();
  const logs = openLogs({ stateDir: of.stateDir, kafka: undefined });
  const writer = await logs.openWriter({ surface: of.surface, stream: of.stream, writer: 'one', life });
  for (let start = 0; start < records.length; start += 2_000) await writer.append(records.slice(start, start + 2_000));
  await writer.close();
  await logs.close();
  life.end();
}
