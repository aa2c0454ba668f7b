import { setTimeout as delay } from 'node:timers/promises';
import type { RequestHandler } from 'express';
import { orderId, orderRequest } from '../../models/contracts/order.ts';
import { inputError, UnderstudyError } from '../../models/contracts/problem.ts';
import { answerOfOrder, fileOrder } from '../../stores/orders.ts';

type Options = { stateDir: string; clock: () => number };

/** What takes longer is asked for by its link. */
const waitMs = 3_000;
const lookEveryMs = 100;

const linkOf = (id: string) => `/v1/admin/orders/${id}`;

/** POST /v1/admin/orders: on disk before it is answered; with what came of it, where a worker is quick. */
export function ordersRoute({ stateDir, clock }: Options): RequestHandler {
  return async (request, response) => {
    const parsed = orderRequest.safeParse(request.body);
    if (!parsed.success) throw inputError('UND-INPUT', 'The order', parsed.error.issues);
    const id = await fileOrder(stateDir, { ...parsed.data, nowMs: clock() });
    let answer = await answerOfOrder(stateDir, id);
    for (let waited = 0; waited < waitMs && answer?.state === 'waiting' && !request.socket.destroyed; waited += lookEveryMs) {
      await delay(lookEveryMs);
      answer = await answerOfOrder(stateDir, id);
    }
    response
      .status(answer?.state === 'waiting' ? 202 : 200)
      .location(linkOf(id))
      .json(answer);
  };
}

/** GET /v1/admin/orders/:id: what came of it. */
export function orderRoute({ stateDir }: Options): RequestHandler {
  return async (request, response) => {
    const id = orderId.safeParse(request.params.id);
    const answer = id.success ? await answerOfOrder(stateDir, id.data) : undefined;
    if (answer === undefined) throw new UnderstudyError('UND-NOT-FOUND', 'There is no such order, or its answer has gone');
    response.json(answer);
  };
}
