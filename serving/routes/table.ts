import { z } from 'zod';
import { recommendRequest, recommendResponse } from '../../models/contracts/slate.ts';
import { embeddingsRequest, embeddingsResponse, similarRequest, similarResponse } from '../../models/contracts/embedding-set.ts';
import { flagsRequest } from '../../models/contracts/flag.ts';
import { anyEvent } from '../../models/contracts/event-schemas.ts';
import { aliveAnswer, eventsAnswer, flagsAnswer, readinessAnswer, schemasAnswer, surfaceAnswer } from './answers.ts';
import { eventBatch } from './events.ts';
import { reportAnswer, reportRequest } from '../../models/contracts/escalation.ts';
import { adminRoutes } from './admin-table.ts';
import { filedAnswer, reportMaxBytes } from './reports.ts';
import type { RouteInfo } from './route-info.ts';

/** Of what is asked about an embedding set. */
const setProblems = [
  'UND-INPUT',
  'UND-JSON',
  'UND-TOO-LARGE',
  'UND-UNKNOWN-SURFACE',
  'UND-NOT-FOUND',
  'UND-MIXED-VERSIONS',
  'UND-UNAUTHORIZED',
  'UND-OVERLOADED',
  'UND-TIMEOUT',
];

/** Everything the tier answers to: routing, 405, OpenAPI and the docs page all read this one table. */
export const routes = {
  ...adminRoutes,
  recommend: {
    method: 'post',
    path: '/v1/recommend',
    summary: 'A slate for a visitor',
    description:
      'Answers the best items in scope. Name the user, the session, or both; a visitor without either gets a slate but belongs to no variant. A visitor keeps the variant of a release; where two replicas see one for the first time within about a second while the share changes, the older enrolment holds from then on. Without `context.history` the replica uses what it remembers; of one who does not allow personalization it uses and records neither, nor who it is. It answers 200 even when the model does not: `rung` says which link of the fallback chain answered and `reason` why the slate is short, not from the model, or filled up from other rungs, whose scores are on scales of their own.',
    access: 'key',
    body: { schema: recommendRequest, example: { surface: 'home', sessionId: 'me', count: 5 }, maxBytes: 131_072 },
    answer: { description: 'The slate', schema: recommendResponse },
    problems: ['UND-INPUT', 'UND-JSON', 'UND-TOO-LARGE', 'UND-UNKNOWN-SURFACE', 'UND-UNAUTHORIZED'],
  },
  similar: {
    method: 'post',
    path: '/v1/similar',
    summary: 'Items like an item, or like a vector',
    description:
      "Answers the items in scope whose vectors are most like that of `itemId`, which is not answered itself, or like `vector`, by the measure of the champion's embedding set; every item is compared, a few searches at a time. `version` names the set that a vector was read from, and must be there with one. A request never mixes two versions: where another one serves, it is refused, and the problem's `version` says which.",
    access: 'key',
    body: { schema: similarRequest, example: { surface: 'home', itemId: '22423', count: 5 }, maxBytes: 65_536 },
    answer: { description: 'The items, best first', schema: similarResponse },
    problems: setProblems,
  },
  embeddings: {
    method: 'post',
    path: '/v1/embeddings',
    summary: 'Vectors of items',
    description:
      "Answers the vectors of up to 100 items, in scope or not, out of the champion's embedding set, and the set's version: vectors of two versions say nothing of each other. With `version`, another one that serves is refused.",
    access: 'key',
    body: { schema: embeddingsRequest, example: { surface: 'home', itemIds: ['22423'] }, maxBytes: 65_536 },
    answer: { description: 'One entry an item, in the order of the request', schema: embeddingsResponse },
    problems: setProblems,
  },
  events: {
    method: 'post',
    path: '/v1/events',
    summary: 'What visitors did',
    description:
      'Takes up to 1000 events and 1 MiB, of any of the kinds and versions that /v1/schemas lists; an event without `schemaVersion` is of version 1. Each is answered by itself: accepted, duplicate (an event with this id is on disk), quarantined (on disk, and put aside by the record rule that `reason` names), withheld (the person allows neither personalization nor training: it is kept nowhere) or rejected with the problem. The answer comes when everything accepted or quarantined is on disk. After a 503 nothing of the batch is acknowledged: send the same events, with the same ids, again, after the time in Retry-After. A replica knows the ids of the last 200,000 events and more, those of other replicas about a second later: an event that reaches two of them within that time is taken by both, and counted once by the pipeline.',
    access: 'key',
    body: {
      schema: eventBatch,
      example: {
        events: [{ eventId: 'e-1', kind: 'click', surface: 'home', sessionId: 'me', itemId: '22423', atMs: 1_790_000_000_000, requestId: 'r-1', position: 0 }],
      },
      maxBytes: 1_048_576,
    },
    entry: { name: 'Event', schema: anyEvent },
    answer: { description: 'Counts, and one result an event in the order of the batch', schema: eventsAnswer },
    problems: ['UND-INPUT', 'UND-JSON', 'UND-TOO-LARGE', 'UND-UNKNOWN-SURFACE', 'UND-UNAUTHORIZED', 'UND-LOG-UNAVAILABLE', 'UND-OVERLOADED'],
  },
  flags: {
    method: 'post',
    path: '/v1/flags',
    summary: 'Harm scores and policy flags of items',
    description:
      "Takes what a source says of up to 10,000 items: scores of kinds of harm between 0 and 1, policy flags, and until when. `replace` is the source's judgement of the items as a whole, also where it found nothing; `add` puts flags and scores beside what it said before; `clear` takes those that are named back, or all that it said of an item where none is. `source` is one of the charter's `guardrails.sources`, or `by-hand`. It answers when the change is durable and in force on this replica; other replicas have it within a second. From then on no slate, of whatever rung, and no answer of /v1/similar has an item with a flag or a score that the charter's guardrails keep from the visitor. A request that is sent again with its `operationId` changes nothing more.",
    access: 'admin',
    body: {
      schema: flagsRequest,
      example: { surface: 'home', source: 'by-hand', by: 'kim', why: 'recalled by its maker', mode: 'add', items: [{ itemId: '22423', flags: ['recall'] }] },
      maxBytes: 4_194_304,
    },
    answer: { description: 'Number of the change', schema: flagsAnswer },
    problems: ['UND-INPUT', 'UND-JSON', 'UND-TOO-LARGE', 'UND-UNKNOWN-SURFACE', 'UND-UNAUTHORIZED'],
  },
  reports: {
    method: 'post',
    path: '/v1/reports',
    summary: 'Report an item, a slate or a pattern',
    description:
      "Takes a report that something is harmful, wrong, unfair, broken or else not as it should be: of an item, of a slate by its `requestId`, or of a pattern in words. It answers when the report is on disk; seconds later it is somebody's, until a time that the charter sets. `reporter.userId` is the person's id as in events, so that an erasure finds the report. The same request, sent again with the same `operationId`, is the same report. Keys that are for reports alone (UNDERSTUDY_REPORTER_KEYS) will do.",
    access: 'report',
    body: {
      schema: reportRequest,
      example: { surface: 'home', about: { of: 'item', itemId: '22423' }, kind: 'harmful', words: 'It comes with a broken blade.' },
      maxBytes: reportMaxBytes,
    },
    answer: { description: 'Its id, and where to ask what became of it', schema: filedAnswer, status: 202 },
    problems: ['UND-INPUT', 'UND-JSON', 'UND-TOO-LARGE', 'UND-UNKNOWN-SURFACE', 'UND-UNAUTHORIZED', 'UND-TOO-OFTEN', 'UND-OVERLOADED'],
  },
  report: {
    method: 'get',
    path: '/v1/reports/:id',
    summary: 'What became of a report',
    description: 'For whoever reported: how it stands, and what came of it. Of one that is about what was reported before, what came of that.',
    access: 'report',
    answer: { description: 'State and outcome', schema: reportAnswer },
    problems: ['UND-NOT-FOUND', 'UND-UNAUTHORIZED'],
  },
  schemas: {
    method: 'get',
    path: '/v1/schemas',
    summary: 'What an event may be',
    description: 'Every version of every kind of event. What is listed once stays readable.',
    access: 'key',
    answer: { description: 'Names, versions, and where each schema is', schema: schemasAnswer },
    problems: ['UND-UNAUTHORIZED'],
  },
  schema: {
    method: 'get',
    path: '/v1/schemas/:name/:version',
    summary: 'One version of one kind of event',
    description: 'A JSON Schema (2020-12).',
    access: 'key',
    answer: { description: 'The schema', schema: z.looseObject({ $id: z.string(), title: z.string() }), type: 'application/schema+json' },
    problems: ['UND-NOT-FOUND', 'UND-UNAUTHORIZED'],
  },
  surface: {
    method: 'get',
    path: '/v1/surfaces/:surface',
    summary: 'What is in force on a surface',
    description: 'Generation, champion, challengers, canary and what this replica refused.',
    access: 'key',
    answer: { description: 'The surface as this replica serves it', schema: surfaceAnswer },
    problems: ['UND-INPUT', 'UND-UNKNOWN-SURFACE', 'UND-UNAUTHORIZED'],
  },
  live: {
    method: 'get',
    path: '/livez',
    summary: 'Does the process answer?',
    description: '',
    access: 'open',
    answer: { description: 'It does', schema: aliveAnswer },
    problems: [],
  },
  ready: {
    method: 'get',
    path: '/readyz',
    summary: 'Has every surface something in force?',
    description:
      '`degraded` (still 200) names what is not as it should be: a log that cannot be written, a generation that was refused, models that do not answer.',
    access: 'open',
    answer: { description: 'ready or degraded', schema: readinessAnswer },
    also: { 503: 'not-ready or draining' },
    problems: [],
  },
  metrics: {
    method: 'get',
    path: '/metrics',
    summary: 'Counters for Prometheus',
    description: '',
    access: 'open',
    answer: { description: 'Prometheus text', schema: z.string(), type: 'text/plain' },
    problems: [],
  },
  openapi: {
    method: 'get',
    path: '/openapi.json',
    summary: 'This interface as OpenAPI 3.1',
    description: '',
    access: 'open',
    answer: { description: 'The document', schema: z.looseObject({ openapi: z.string() }) },
    problems: [],
  },
  docs: {
    method: 'get',
    path: '/docs',
    summary: 'This interface to read',
    description: '',
    access: 'open',
    answer: { description: 'A page', schema: z.string(), type: 'text/html' },
    problems: [],
  },
} as const satisfies Record<string, RouteInfo>;

export const routeList: readonly RouteInfo[] = Object.values(routes);
export type RouteName = keyof typeof routes;
