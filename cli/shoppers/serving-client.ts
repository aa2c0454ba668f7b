import { Agent, request } from 'node:http';
import { z } from 'zod';
import type { Event } from '../../models/contracts/event.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';

const slate = z.object({ requestId: z.string(), items: z.array(z.object({ itemId: z.string() })) });
const answers = z.object({ results: z.array(z.object({ status: z.enum(['accepted', 'duplicate', 'rejected']), problem: z.unknown().optional() })) });

export type Ask = { surface: string; userId: string; sessionId: string; history: readonly string[] };
export type ServingClient = {
  recommend(ask: Ask): Promise<{ requestId: string; items: string[] }>;
  /** Resolves when all events are acknowledged. */
  sendEvents(events: readonly Event[]): Promise<void>;
  close(): void;
};

/** The shop's side of the HTTP API, over connections that are kept open. @throws UND-SERVING for anything but a 2xx answer. */
export function openServingClient({ servingUrl, connections }: { servingUrl: string; connections: number }): ServingClient {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });

  function post(path: string, body: unknown): Promise<unknown> {
    const bytes = Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const unreachable = (cause: Error) => reject(new UnderstudyError('UND-SERVING', `${path}: ${cause.message}`, { cause }));
      const sent = request(
        new URL(path, servingUrl),
        { method: 'POST', agent, headers: { 'content-type': 'application/json', 'content-length': bytes.length } },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', unreachable);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            if ((response.statusCode ?? 500) >= 300)
              reject(new UnderstudyError('UND-SERVING', `${path} answered ${response.statusCode}: ${text.slice(0, 300)}`));
            else resolve(JSON.parse(text));
          });
        },
      );
      sent.on('error', unreachable);
      sent.setTimeout(30_000, () => sent.destroy(new Error('no answer within 30 s')));
      sent.end(bytes);
    });
  }

  return {
    async recommend({ surface, userId, sessionId, history }) {
      const context = { history: history.map((itemId) => ({ itemId, kind: 'purchase' })) };
      const answer = slate.parse(await post('/v1/recommend', { surface, userId, sessionId, context }));
      return { requestId: answer.requestId, items: answer.items.map(({ itemId }) => itemId) };
    },
    async sendEvents(events) {
      if (events.length === 0) return;
      const refused = answers.parse(await post('/v1/events', { events })).results.find(({ status }) => status === 'rejected');
      if (refused !== undefined) throw new UnderstudyError('UND-SERVING', `An event was refused: ${JSON.stringify(refused.problem)}`);
    },
    close: () => agent.destroy(),
  };
}
