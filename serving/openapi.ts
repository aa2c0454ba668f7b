import { z } from 'zod';
import { type ProblemCode, problems } from '../models/contracts/problem.ts';
import { type RouteInfo, routeList } from './routes/table.ts';

type JsonObject = Record<string, unknown>;

/** The interface as an OpenAPI 3.1 document, made from the route table and from the schemas that check the requests. */
export function openApiDocument({ version, url }: { version: string; url: string }): JsonObject {
  const paths: Record<string, JsonObject> = {};
  for (const route of routeList) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Understudy serving', version, description: 'Slates for visitors, and the events they answer with.' },
    servers: [{ url }],
    paths,
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'One of the keys of the tier, where it has some' },
        admin: { type: 'http', scheme: 'bearer', description: 'The admin key' },
      },
      schemas: {
        Problem: problemSchema,
        ...Object.fromEntries(routeList.flatMap(({ entry }) => (entry === undefined ? [] : [[entry.name, jsonSchema(entry.schema)]]))),
      },
    },
  };
}

function operation(route: RouteInfo): JsonObject {
  const parameters = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
  const answer = { [route.answer.type ?? 'application/json']: { schema: route.answer.schema === undefined ? {} : jsonSchema(route.answer.schema, 'output') } };
  return {
    summary: route.summary,
    description: route.description,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.access === 'open' ? {} : { security: [{}, { [route.access]: [] }] }),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: bodySchema(route), example: route.body.example } } } }),
    responses: { 200: { description: route.answer.description, content: answer }, ...problemResponses(route.problems) },
  };
}

function bodySchema({ body, entry }: RouteInfo): JsonObject {
  const schema = jsonSchema((body as NonNullable<RouteInfo['body']>).schema);
  if (entry === undefined) return schema;
  // The list is taken with any entries and each is checked by itself: what an entry should be is said here.
  const properties = schema.properties as Record<string, JsonObject>;
  for (const property of Object.values(properties)) if (property.type === 'array') property.items = { $ref: `#/components/schemas/${entry.name}` };
  return schema;
}

function problemResponses(codes: readonly string[]): JsonObject {
  const byStatus = new Map<number, string[]>();
  for (const code of codes) {
    const { status } = problems[code as ProblemCode];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const content = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [status, { description: list.map((code) => `${code}: ${problems[code as ProblemCode].title}`).join('; '), content }]),
  );
}

const problemSchema = {
  type: 'object',
  description: 'RFC 9457 problem details',
  required: ['type', 'title', 'status', 'detail', 'code', 'remedy'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', enum: Object.keys(problems) },
    remedy: { type: 'string', description: 'What to do' },
    mistakes: { type: 'array', items: { type: 'object', properties: { path: { type: 'string' }, message: { type: 'string' } } } },
    requestId: { type: 'string' },
  },
};

export function jsonSchema(schema: z.ZodType, io: 'input' | 'output' = 'input'): JsonObject {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as JsonObject;
  return rest;
}
