import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { z } from 'zod';

const text = z.string().min(1).optional();

/** Temporal's own variables, by the names that its command line and its SDKs read. */
export const temporalVariables = {
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  TEMPORAL_API_KEY: text,
  TEMPORAL_TLS: text,
  TEMPORAL_TLS_CLIENT_CERT_PATH: text,
  TEMPORAL_TLS_CLIENT_KEY_PATH: text,
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: text,
  TEMPORAL_TLS_SERVER_NAME: text,
};

/** Histories are encrypted by it, where it is set: for workers and for the command line alike. */
export const payloadKey = z.string().min(32).optional();

/**
 * How to reach the Temporal at `address`: with the TLS and the API key of the environment where that names this very server, and plainly
 * where it is a dev server of our own.
 */
export function temporalConnection(address: string, variables: Readonly<Record<string, unknown>>): NativeConnectionOptions {
  if (variables.TEMPORAL_ADDRESS !== address) return { address };
  const given = Object.entries(variables).filter((entry): entry is [string, string] => entry[0].startsWith('TEMPORAL_') && typeof entry[1] === 'string');
  const { connectionOptions } = loadClientConnectConfig({ disableFile: true, overrideEnvVars: Object.fromEntries(given) });
  return { ...connectionOptions, address };
}
