import { setTimeout as delay } from 'node:timers/promises';
import { asUnderstudyError, problems, toProblemDetails, UnderstudyError } from '../../models/contracts/problem.ts';
import { answerOrder, forgetAnswers, readOrder, waitingOrders } from '../../stores/orders.ts';
import { lookAgain, type Watching } from '../look-again.ts';
import { type OrderContext, takeOrder } from './take-order.ts';

const everyMs = 250;
/** Whoever asked for something does not expect it to be done the next day. */
const waitsAtMostMs = 3_600_000;
const againAfterMs = 5_000;
/** What is under way then is taken again by another worker, or the next one. */
const endsWithinMs = 2_000;
const answersAreKeptMs = 900_000;

/** Does what was asked for over HTTP, for as long as a control worker runs. While Temporal is down orders wait, for an hour at most. */
export function watchOrders(context: OrderContext): Watching {
  const { state, now, log } = context;
  const againAtMs = new Map<string, number>();
  const underWay = new Map<string, Promise<void>>();

  async function take(id: string): Promise<void> {
    if (now() < (againAtMs.get(id) ?? 0)) return;
    const filed = await readOrder(state.root, id).catch((error: unknown) => {
      log(`The order ${id} cannot be read: ${error}`);
      againAtMs.set(id, now() + againAfterMs);
    });
    if (filed === undefined) return;
    const isLate = now() - filed.filedAtMs > waitsAtMostMs;
    try {
      if (isLate) throw new UnderstudyError('UND-TIMEOUT', `No worker could do it within ${waitsAtMostMs / 60_000} minutes: nothing was done`);
      const result = (await takeOrder(context, filed)) ?? null;
      await answerOrder(state.root, { id, state: 'done', atMs: now(), result });
    } catch (error) {
      const { code, message } = asUnderstudyError(error);
      log(`The order ${id} (${filed.order.do}): ${code}: ${message}`);
      if (!isLate && problems[code].retryable) return void againAtMs.set(id, now() + againAfterMs);
      await answerOrder(state.root, { id, state: 'refused', atMs: now(), problem: toProblemDetails(error) });
    }
  }

  async function look(): Promise<void> {
    const waiting = await waitingOrders(state.root);
    for (const id of againAtMs.keys()) if (!waiting.includes(id)) againAtMs.delete(id);
    // One that takes its time holds up no other.
    for (const id of waiting)
      if (!underWay.has(id))
        underWay.set(
          id,
          take(id).finally(() => underWay.delete(id)),
        );
    await forgetAnswers(state.root, now() - answersAreKeptMs);
  }

  const watching = lookAgain(everyMs, { look, log, what: 'Orders wait' });
  return {
    async close() {
      await watching.close();
      await Promise.race([Promise.allSettled(underWay.values()), delay(endsWithinMs)]);
    },
  };
}
