import { dataConverterOf } from '../activities/payload-codec.ts';
import { temporalConnection } from '../activities/temporal-connection.ts';
import { fromTemporal } from '../activities/from-temporal.ts';
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { UnderstudyError } from '../models/contracts/problem.ts';
import type { ReleaseStatus } from '../models/contracts/release.ts';
import { releaseMessages, releaseWorkflowId } from '../models/contracts/messages.ts';
import type { CommandContext } from './environment.ts';
import { readSystemFile } from './system-file.ts';

/** TEMPORAL_ADDRESS, or the server that `up` started for this state directory. */
export async function temporalAddress(context: CommandContext, stateDir: string): Promise<string> {
  const address = context.env.TEMPORAL_ADDRESS ?? (await readSystemFile(stateDir))?.temporalAddress;
  if (address === undefined)
    throw new UnderstudyError('UND-TEMPORAL', `No Temporal is known: nothing was started with ${stateDir}, and TEMPORAL_ADDRESS is not set`);
  return address;
}

/** Runs with a client and closes it; what Temporal says becomes a coded error. */
export async function withTemporal<T>(context: CommandContext, stateDir: string, use: (client: Client) => Promise<T>): Promise<T> {
  const address = await temporalAddress(context, stateDir);
  let connection: Connection;
  try {
    connection = await Connection.connect({ ...temporalConnection(address, context.env), connectTimeout: 5_000 });
  } catch (cause) {
    throw new UnderstudyError('UND-TEMPORAL', `Temporal does not answer at ${address}`, { cause });
  }
  try {
    return await use(new Client({ connection, namespace: context.env.TEMPORAL_NAMESPACE, ...dataConverterOf(context.env.UNDERSTUDY_PAYLOAD_KEY) }));
  } catch (error) {
    throw fromTemporal(error);
  } finally {
    await connection.close();
  }
}

export async function releaseStatus(client: Client, surface: string): Promise<ReleaseStatus | undefined> {
  try {
    const handle = client.workflow.getHandle(releaseWorkflowId(surface));
    // One that was terminated would still answer, with how it stood then.
    if ((await handle.describe()).status.name !== 'RUNNING') return undefined;
    return await handle.query<ReleaseStatus>(releaseMessages.status);
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
