import { asUnderstudyError } from '../../models/contracts/problem.ts';
import { openRecommendGraph } from '../../models/graph/session.ts';
import type { TrialOrder, TrialResult } from './try-guest.ts';
import { answersOf } from './guest-answers.ts';

/*
 * A process of its own for a graph that came from outside: it may never end, eat all memory or break the process that runs it, and none of that can be
 * stopped from within.
 */
process.once('message', async (order: TrialOrder) => {
  const result = await attempt(order);
  process.send?.(result, () => process.disconnect());
});

async function attempt({ path, itemCount, maxHistory }: TrialOrder): Promise<TrialResult> {
  try {
    const graph = await openRecommendGraph({ path, itemCount, maxHistory });
    return { record: await answersOf(graph, itemCount) };
  } catch (error) {
    const { code, message } = asUnderstudyError(error);
    return { error: { code, message } };
  }
}
