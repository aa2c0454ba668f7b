import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowIdReusePolicy, WorkflowNotFoundError } from '@temporalio/client';
import { escalationWorkflowId, releaseMessages, releaseWorkflowId, taskQueues, workflowNames } from '../models/contracts/messages.ts';
import { fromTemporal } from './from-temporal.ts';
import type { Context } from './context.ts';

/** What activities ask Temporal itself for. */
export function temporalRequests(client: Client): Pick<Context, 'submit' | 'isRunning' | 'startReport' | 'update' | 'begin' | 'signal'> {
  return {
    submit: async (submission) => {
      await client.workflow.signalWithStart(workflowNames.release, {
        workflowId: releaseWorkflowId(submission.surface),
        taskQueue: taskQueues.control,
        args: [{ surface: submission.surface }],
        signal: releaseMessages.submitCandidate,
        signalArgs: [submission],
      });
    },
    startReport: async (of) => {
      try {
        await client.workflow.start(workflowNames.escalation, {
          workflowId: escalationWorkflowId(of.surface, of.id),
          taskQueue: taskQueues.control,
          args: [of],
          // One that failed may go on once the charter is mended.
          workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        });
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      }
    },
    update: async ({ workflowId, update, updateId, input }) =>
      client.workflow
        .getHandle(workflowId)
        .executeUpdate<never, [unknown]>(update, { args: [input], updateId })
        .catch((error: unknown) => {
          throw fromTemporal(error);
        }),
    begin: async ({ workflow, workflowId, input }) => {
      const options = { workflowId, taskQueue: taskQueues.control, args: [input] };
      const started = await client.workflow.start(workflow, { ...options, workflowIdConflictPolicy: 'USE_EXISTING' }).catch((error: unknown) => {
        throw fromTemporal(error);
      });
      return { workflowId, runId: started.firstExecutionRunId };
    },
    signal: async ({ workflowId, signal, input }) => {
      try {
        await client.workflow.getHandle(workflowId).signal(signal, input);
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw fromTemporal(error);
      }
    },
    isRunning: async (workflowId) => {
      try {
        return (await client.workflow.getHandle(workflowId).describe()).status.name === 'RUNNING';
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },
  };
}
