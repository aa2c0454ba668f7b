import { appendLedger } from '../../stores/ledger.ts';
import type { Context } from '../context.ts';

/** Records that people were told, and tells the worker's log. */
export async function notify(context: Context, input: { surface: string; releaseId: string; what: string; message: string }): Promise<void> {
  context.log(`${input.surface} ${input.what}: ${input.message}`);
  await appendLedger(context.state.generations, {
    operationId: `${input.releaseId}/${input.what}`,
    atMs: context.now(),
    surface: input.surface,
    action: `approval-${input.what}`,
    by: 'release',
    releaseId: input.releaseId,
    detail: { message: input.message },
  });
}
