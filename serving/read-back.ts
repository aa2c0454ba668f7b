import { z } from 'zod';
import type { DeploymentSpec } from '../models/contracts/deployment.ts';
import { type Logged, parseLogged } from '../models/contracts/event-schemas.ts';
import type { UnderstudyError } from '../models/contracts/problem.ts';
import { type ConsentWord, wordsOf } from '../models/consent.ts';
import type { LogCursor, LogReader } from '../stores/event-log.ts';
import type { GenerationStore } from '../stores/generations.ts';
import type { Enrolments } from './enrolments.ts';
import { readSpec } from './snapshot.ts';

type OnDamaged = (damage: { segment: string; error: UnderstudyError }) => void;

/**
 * The newest events: as many as the duplicates of which are known. What visitors did before those stands in the pipeline's profiles.
 * @returns where to read on.
 */
export async function readEventsBack(input: { reader: LogReader; atLeast: number; take: (event: Logged) => void; onDamaged: OnDamaged }): Promise<LogCursor> {
  const { reader, atLeast, onDamaged } = input;
  return reader.scan({
    atLeast,
    onDamaged,
    take(record) {
      const event = parseLogged(record);
      if (event !== undefined) input.take(event);
    },
  });
}

/** Every word on what people allow that the log holds. */
export async function readConsentsBack(input: {
  reader: LogReader;
  take: (word: ConsentWord, receivedAtMs: number) => void;
  onDamaged: OnDamaged;
}): Promise<void> {
  const { reader, onDamaged } = input;
  await reader.scan({
    onDamaged,
    containing: '"kind":"consent"',
    take(record) {
      const event = parseLogged(record);
      if (event?.kind === 'consent') for (const word of wordsOf(event, event.receivedAtMs)) input.take(word, event.receivedAtMs ?? event.atMs);
    },
  });
}

export const enrolmentOfRecord = z.object({
  releaseId: z.string().nullable(),
  unit: z.string(),
  enrolment: z
    .object({ share: z.number(), rivalShares: z.array(z.number()).optional(), bucket: z.number(), atMs: z.number(), generation: z.number() })
    .nullable(),
});

/** Clocks of writers differ a little. */
const clockSkewMs = 60_000;

/** What the record of a slate of this release holds somewhere. */
export const markOf = (releaseId: string) => `"releaseId":${JSON.stringify(releaseId)}`;

/** The enrolments of the running release, from what was written since it began. @returns where to read on. */
export async function readEnrolmentsBack(input: {
  reader: LogReader;
  spec: DeploymentSpec;
  generations: GenerationStore;
  enrolments: Enrolments;
  onDamaged: OnDamaged;
}): Promise<LogCursor> {
  const { reader, spec, generations, enrolments, onDamaged } = input;
  if (spec.canary === null) return {};
  const { releaseId } = spec.canary;
  return reader.scan({
    onDamaged,
    writtenSinceMs: (await releaseBeganMs(generations, spec)) - clockSkewMs,
    containing: markOf(releaseId),
    take(record) {
      const parsed = enrolmentOfRecord.safeParse(record);
      if (parsed.success) enrolments.restore(parsed.data);
    },
  });
}

/** When the first generation of the release was written. */
async function releaseBeganMs(generations: GenerationStore, spec: DeploymentSpec): Promise<number> {
  let first = spec;
  while (first.generation > 1) {
    const before = await generations.read(`deployment/${spec.surface}`, first.generation - 1).then(readSpec, () => undefined);
    // Where that cannot be read, nobody knows: then all of the log is.
    if (before === undefined) return 0;
    if (before.canary?.releaseId !== spec.canary?.releaseId) break;
    first = before;
  }
  return first.createdAtMs;
}
