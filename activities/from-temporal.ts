import { ServiceError, WorkflowFailedError, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { type ProblemCode, problems, UnderstudyError } from '../models/contracts/problem.ts';

/** Finds the coded failure under Temporal's wrappers. */
export function fromTemporal(error: unknown): unknown {
  let inner: unknown = error;
  while (inner instanceof Error) {
    if (inner instanceof ApplicationFailure && inner.type && inner.type in problems) {
      const details = inner.details?.[0];
      return new UnderstudyError(inner.type as ProblemCode, inner.message, {
        cause: error,
        ...(typeof details === 'object' && details !== null ? { details: details as Record<string, unknown> } : {}),
      });
    }
    inner = inner.cause;
  }
  if (error instanceof WorkflowNotFoundError) return new UnderstudyError('UND-NO-REQUEST', 'No such workflow runs', { cause: error });
  if (error instanceof WorkflowFailedError || error instanceof WorkflowUpdateFailedError)
    return new UnderstudyError('UND-INTERNAL', `${error.message}: ${error.cause?.message ?? ''}`, { cause: error });
  if (error instanceof ServiceError) return new UnderstudyError('UND-TEMPORAL', error.message, { cause: error });
  return error;
}
