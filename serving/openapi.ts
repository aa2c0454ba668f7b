import { z } from 'zod';
import { surfaceName } from '../models/contracts/ids.ts';
import { type ProblemCode, problems } from '../models/contracts/problem.ts';
import { problemDetails } from './routes/answers.ts';
import { routeList, routes } from './routes/table.ts';
import type { RouteInfo } from './routes/route-info.ts';

type JsonObject = Record<string, unknown>;

/** Which keys this tier asks for: none where it is open. */
export type Locks = { key: boolean; admin: boolean };

/** The interface as an OpenAPI 3.1 document, made from the route table and from the schemas that check the requests. */
export function openApiDocument({ version, url, locks }: { version: string; url: string; locks: Locks }): JsonObject {
  const paths: Record<string, JsonObject> = {};
  for (const [name, route] of Object.entries(routes) as [string, RouteInfo][]) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operation(name, route, locks) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Understudy serving',
      version,
      description: 'Slates for visitors, and the events they answer with.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url }],
    paths,
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'One of the keys of the tier, where it has some' },
        reporter: { type: 'http', scheme: 'bearer', description: 'A key for reports alone, where the tier has some' },
        admin: { type: 'http', scheme: 'bearer', description: 'The admin key' },
      },
      schemas: {
        Problem: jsonSchema(problemDetails, 'output'),
        ...Object.fromEntries(routeList.flatMap(({ entry }) => (entry === undefined ? [] : [[entry.name, jsonSchema(entry.schema)]]))),
      },
    },
  };
}

function operation(name: string, route: RouteInfo, locks: Locks): JsonObject {
  const parameters = [...route.path.matchAll(/:(\w+)/g)].map(([, parameter]) => ({
    name: parameter,
    in: 'path',
    required: true,
    schema: parameter === 'surface' ? jsonSchema(surfaceName) : { type: 'string' },
  }));
  const content = { [route.answer.type ?? 'application/json']: { schema: route.answer.schema === undefined ? {} : jsonSchema(route.answer.schema, 'output') } };
  const also = Object.entries(route.also ?? {}).map(([status, description]) => [status, { description, content }]);
  return {
    operationId: name,
    summary: route.summary,
    description: route.description,
    ...(parameters.length > 0 ? { parameters } : {}),
    security: securityOf(route.access, locks),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: bodySchema(route), example: route.body.example } } } }),
    responses: {
      [route.answer.status ?? 200]: { description: route.answer.description, content },
      ...Object.fromEntries(also),
      ...problemResponses(route.problems.filter((code) => code !== 'UND-UNAUTHORIZED' || securityOf(route.access, locks).length > 0)),
      default: { description: 'Anything else, as a problem', content: problemContent },
    },
  };
}

/** Any one of the list will do; an empty list: nobody is asked for a key. */
function securityOf(access: RouteInfo['access'], locks: Locks): JsonObject[] {
  if (access === 'admin') return locks.admin ? [{ admin: [] }] : [];
  if (access === 'open' || !locks.key) return [];
  return [...(access === 'report' ? [{ reporter: [] }] : []), { key: [] }, { admin: [] }];
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
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      status,
      { description: list.map((code) => `${code}: ${problems[code as ProblemCode].title}`).join('; '), content: problemContent },
    ]),
  );
}

const problemContent = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };

export function jsonSchema(schema: z.ZodType, io: 'input' | 'output' = 'input'): JsonObject {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as JsonObject;
  return rest;
}
