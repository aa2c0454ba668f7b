import type { z } from 'zod';

/** What routing, 405, OpenAPI and the docs page need of a route. */
export type RouteInfo = {
  method: 'get' | 'post';
  path: string;
  summary: string;
  description: string;
  /** `report`: keys that are for reports alone will do. */
  access: 'open' | 'report' | 'key' | 'admin';
  body?: { schema: z.ZodType; example: unknown; maxBytes: number };
  /** Schema of one entry where the body holds a list that is checked entry by entry. */
  entry?: { name: string; schema: z.ZodType };
  /** `status`: 200 where none is named. */
  answer: { description: string; schema?: z.ZodType; type?: string; status?: 202 };
  /** Answers of the same schema under other statuses. */
  also?: Record<number, string>;
  problems: readonly string[];
};
