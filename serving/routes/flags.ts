import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';
import type { z } from 'zod';
import { flagsRequest } from '../../models/contracts/flag.ts';
import { byHand } from '../../models/contracts/guardrail.ts';
import { inputError, UnderstudyError } from '../../models/contracts/problem.ts';
import type { BlobStore } from '../../stores/blobs.ts';
import { putMarks } from '../../stores/flags.ts';
import type { GenerationStore } from '../../stores/generations.ts';
import { unknownSurface } from '../accept-events.ts';
import type { LiveSurface } from '../surface.ts';
import type { flagsAnswer } from './answers.ts';

type Options = { surfaces: ReadonlyMap<string, LiveSurface>; blobs: BlobStore; generations: GenerationStore; clock: () => number };

/** POST /v1/flags: what a source says of items. It is answered when it is durable and in force here; other replicas have it within a second. */
export function flagsRoute({ surfaces, blobs, generations, clock }: Options): RequestHandler {
  return async (request, response) => {
    const parsed = flagsRequest.safeParse(request.body);
    if (!parsed.success) throw inputError('UND-INPUT', 'The request', parsed.error.issues);
    const { surface: name, items, operationId = `api-${randomUUID()}`, ...said } = parsed.data;
    const surface = surfaces.get(name);
    if (surface === undefined) throw unknownSurface(name);
    const sources = [byHand, ...(surface.snapshot.charter.guardrails?.sources ?? []).map((one) => one.name)];
    if (!sources.includes(said.source))
      throw new UnderstudyError('UND-INPUT', `The charter of ${name} has no source ${JSON.stringify(said.source)}: it takes ${sources.join(', ')}`);
    const written = await putMarks({ blobs, generations }, { ...said, surface: name, marks: items, operationId, nowMs: clock() });
    await surface.guard.look();
    response.json({ surface: name, generation: written.generation, items: written.count } satisfies z.infer<typeof flagsAnswer>);
  };
}
