import type { RequestHandler, Response } from 'express';
import { embeddingsRequest, type EmbeddingsResponse, similarRequest, type SimilarRequest, type SimilarResponse } from '../../models/contracts/embedding-set.ts';
import { inputError, UnderstudyError } from '../../models/contracts/problem.ts';
import { unknownSurface } from '../accept-events.ts';
import { maskOf } from '../guard.ts';
import type { ModelAnswer, Question, SimilarQuestion } from '../models/model-messages.ts';
import type { ServedEmbeddings, Snapshot } from '../snapshot.ts';
import type { LiveSurface } from '../surface.ts';

/** So many questions about one set at a time: its thread makes the slates too, and a slate must not wait behind many searches. */
const underWayAtMost = 4;

type Options = { surfaces: ReadonlyMap<string, LiveSurface>; clock: () => number };
/** The champion's set in one generation, for the whole of one request. */
type Asked = { snapshot: Snapshot; artifact: string; set: ServedEmbeddings };

/** POST /v1/similar */
export function similarRoute({ surfaces, clock }: Options): RequestHandler {
  return async (request, response) => {
    const parsed = similarRequest.safeParse(request.body);
    if (!parsed.success) throw inputError('UND-INPUT', 'The request', parsed.error.issues);
    const { data } = parsed;
    await withSet(surfaces, data.surface, async (asked, { guard }) => {
      const { snapshot, artifact, set } = asked;
      const guarded = () => guard.of({ ...snapshot, audience: data.context, nowMs: clock() });
      refuseOtherVersions(asked, data);
      const { items: rows, scores } = await ask(asked, { artifact, like: likeOf(asked, data), count: data.count, mask: maskOf(guarded(), set.ids) });
      const items = rows.map((row, place) => ({ itemId: set.ids[row] as string, score: Number((scores[place] as number).toPrecision(7)) }));
      // What was flagged meanwhile is left out too.
      const { scope } = guarded();
      send(response, {
        ...{ surface: data.surface, version: set.version, artifact, measure: set.measure },
        items: items.filter(({ itemId }) => scope.allowed(itemId)),
      } satisfies SimilarResponse);
    });
  };
}

/** POST /v1/embeddings */
export function embeddingsRoute({ surfaces }: Pick<Options, 'surfaces'>): RequestHandler {
  return async (request, response) => {
    const parsed = embeddingsRequest.safeParse(request.body);
    if (!parsed.success) throw inputError('UND-INPUT', 'The request', parsed.error.issues);
    const { surface, itemIds, version } = parsed.data;
    await withSet(surfaces, surface, async (asked) => {
      const { artifact, set } = asked;
      refuseOtherVersions(asked, { version });
      const known = [...new Set(itemIds)].filter((itemId) => set.rowOf.has(itemId));
      const { vectors = [] } = await ask(asked, { artifact, vectorsOf: known.map((itemId) => set.rowOf.get(itemId) as number) });
      const vectorOf = new Map(known.map((itemId, place) => [itemId, vectors[place] ?? null]));
      send(response, {
        ...{ surface, version: set.version, artifact, measure: set.measure, dimensions: set.dimensions },
        embeddings: itemIds.map((itemId) => ({ itemId, vector: vectorOf.get(itemId) ?? null })),
      } satisfies EmbeddingsResponse);
    });
  };
}

/** Holds the models of the snapshot that is in force now until the answer is made. */
async function withSet(surfaces: Options['surfaces'], name: string, use: (asked: Asked, surface: LiveSurface) => Promise<void>): Promise<void> {
  const surface = surfaces.get(name);
  if (surface === undefined) throw unknownSurface(name);
  const { snapshot } = surface;
  const artifact = snapshot.spec.champion;
  snapshot.host?.retain();
  try {
    const model = snapshot.models.get(artifact);
    if (model === undefined) throw new UnderstudyError('UND-TIMEOUT', `No model of ${name} answers: it is not loaded`);
    if (model.embeddings === undefined) throw new UnderstudyError('UND-NOT-FOUND', `The champion of ${name} has no embedding set`, { details: { artifact } });
    await use({ snapshot, artifact, set: model.embeddings }, surface);
  } finally {
    snapshot.host?.release();
  }
}

/** @throws UND-MIXED-VERSIONS saying which one serves */
function refuseOtherVersions({ artifact, set }: Asked, { version, vector }: Pick<SimilarRequest, 'version' | 'vector'>): void {
  const refuse = (why: string): never => {
    throw new UnderstudyError('UND-MIXED-VERSIONS', why, { details: { version: set.version, artifact } });
  };
  if (version !== undefined && version !== set.version) refuse(`The request is about version ${version}, and ${set.version} serves`);
  if (version === undefined && vector !== undefined) refuse(`The vector comes without the version that it is of; ${set.version} serves`);
}

function likeOf({ set }: Asked, { itemId, vector }: SimilarRequest): SimilarQuestion['like'] {
  if (vector !== undefined) {
    if (vector.length === set.dimensions) return { vector };
    throw new UnderstudyError('UND-INPUT', `The vector has ${vector.length} numbers; those of ${set.version} have ${set.dimensions}`);
  }
  const row = set.rowOf.get(itemId ?? '');
  if (row === undefined) throw new UnderstudyError('UND-NOT-FOUND', `The embedding set ${set.version} has no item ${JSON.stringify(itemId)}`);
  return { row };
}

const underWay = new WeakMap<ServedEmbeddings, number>();

/**
 * @throws UND-OVERLOADED where too many are under way; UND-TIMEOUT where the thread is late, crashed or not there: there is no other rung that could
 * answer
 */
async function ask({ snapshot, set }: Asked, question: Question): Promise<ModelAnswer> {
  const before = underWay.get(set) ?? 0;
  if (before >= underWayAtMost) throw new UnderstudyError('UND-OVERLOADED', `${before} questions about the embedding set ${set.version} are under way`);
  underWay.set(set, before + 1);
  const answer = await snapshot.host?.ask(question);
  underWay.set(set, (underWay.get(set) ?? 1) - 1);
  if (answer === undefined || answer.error !== null) throw new UnderstudyError('UND-TIMEOUT', `The model does not answer: ${answer?.error ?? 'not loaded'}`);
  return answer;
}

function send(response: Response, document: unknown): void {
  const body = JSON.stringify(document);
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'cache-control': 'no-store' });
  response.end(body);
}
