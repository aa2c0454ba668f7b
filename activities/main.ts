import { availableParallelism } from 'node:os';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { z } from 'zod';
import { inputError, toProblemDetails } from '../models/contracts/problem.ts';
import { kafkaOf, logVariables } from '../stores/kafka/kafka-environment.ts';
import { requireLedgerKeys } from '../stores/ledger.ts';
import { createMlflow } from '../stores/mlflow/mlflow-client.ts';
import { type Context, openState } from './context.ts';
import { temporalRequests } from './temporal-requests.ts';
import { dataConverterOf } from './payload-codec.ts';
import { payloadKey, temporalConnection, temporalVariables } from './temporal-connection.ts';
import { findGpu } from './training/open-gpu.ts';
import { alertReceiversOf, alertVariables, receiverUrl } from './watch/alert-receivers.ts';
import { createWorkers, roles } from './worker.ts';

/** The worker's composition root: the only place of the pipeline that reads the environment. */
const environment = z.object({
  UNDERSTUDY_STATE: z.string().min(1),
  ...logVariables,
  UNDERSTUDY_ROLES: z
    .string()
    .default('control,training')
    .transform((text) => text.split(',').map((role) => role.trim()))
    .pipe(z.array(z.enum(roles)).min(1)),
  TEMPORAL_ADDRESS: z.string().min(1),
  ...temporalVariables,
  MLFLOW_TRACKING_URI: z.url(),
  MLFLOW_TRACKING_TOKEN: z.string().optional(),
  /** `name=key` pairs, separated by commas. */
  UNDERSTUDY_APPROVER_KEYS: z
    .string()
    .default('')
    .transform((text, context) => {
      const keys: Record<string, string> = {};
      for (const pair of text.split(',').filter((one) => one !== '')) {
        const cut = pair.indexOf('=');
        if (cut < 1 || cut === pair.length - 1) context.addIssue({ code: 'custom', message: 'needs name=key pairs separated by commas' });
        else keys[pair.slice(0, cut).trim()] = pair.slice(cut + 1).trim();
      }
      return keys;
    }),
  UNDERSTUDY_ADMIN_KEY: z.string().optional(),
  UNDERSTUDY_PSEUDONYM_KEY: z.string().min(32).optional(),
  UNDERSTUDY_PAYLOAD_KEY: payloadKey,
  /** A Redis or Valkey with the online features. */
  UNDERSTUDY_FEATURES_URL: z.string().min(1).optional(),
  /** Of a training; all cores where nobody says. */
  UNDERSTUDY_TRAINING_THREADS: z.coerce
    .number()
    .int()
    .min(1)
    .max(64)
    .default(() => Math.min(64, availableParallelism())),
  /** PKCS #8 in base64, or PEM. */
  UNDERSTUDY_SIGNING_KEY: z.string().min(1).optional(),
  /** The key that takes over, while it does: ledgers that it was handed already are signed by it. */
  UNDERSTUDY_NEXT_SIGNING_KEY: z.string().min(1).optional(),
  ...alertVariables,
  /** Told of reports; takes `{text}` as Slack's incoming webhooks do. */
  UNDERSTUDY_REPORT_WEBHOOK: receiverUrl.optional(),
});

const ledgerKeys = (env: z.output<typeof environment>): string[] =>
  [env.UNDERSTUDY_SIGNING_KEY, env.UNDERSTUDY_NEXT_SIGNING_KEY].filter((key) => key !== undefined);

async function main(): Promise<void> {
  const parsed = environment.safeParse(process.env);
  if (!parsed.success) throw inputError('UND-ENVIRONMENT', 'The environment', parsed.error.issues);
  const env = parsed.data;
  Runtime.install({ logger: new DefaultLogger('WARN', (entry) => process.stderr.write(`${entry.level} ${entry.message}\n`)), shutdownSignals: [] });
  const connection = temporalConnection(env.TEMPORAL_ADDRESS, env);
  const client = new Client({ connection: Connection.lazy(connection), namespace: env.TEMPORAL_NAMESPACE, ...dataConverterOf(env.UNDERSTUDY_PAYLOAD_KEY) });
  const context: Context = {
    state: openState(env.UNDERSTUDY_STATE, kafkaOf(env), ledgerKeys(env)),
    mlflow: createMlflow({ trackingUri: env.MLFLOW_TRACKING_URI, token: env.MLFLOW_TRACKING_TOKEN }),
    now: Date.now,
    ...temporalRequests(client),
    approverKeys: env.UNDERSTUDY_APPROVER_KEYS,
    servingKey: env.UNDERSTUDY_ADMIN_KEY ?? null,
    pseudonymKey: env.UNDERSTUDY_PSEUDONYM_KEY ?? null,
    featuresUrl: env.UNDERSTUDY_FEATURES_URL ?? null,
    trainingThreads: env.UNDERSTUDY_TRAINING_THREADS,
    signingKey: env.UNDERSTUDY_SIGNING_KEY ?? null,
    alerts: alertReceiversOf(env),
    reportWebhook: env.UNDERSTUDY_REPORT_WEBHOOK,
    ...(env.UNDERSTUDY_ROLES.includes('training-gpu') ? { gpu: await findGpu() } : {}),
    log: (line) => process.stderr.write(`${new Date().toISOString()} ${line}\n`),
  };
  await requireLedgerKeys(context.state.generations);
  const workers = await createWorkers({
    context,
    roles: env.UNDERSTUDY_ROLES,
    connection,
    namespace: env.TEMPORAL_NAMESPACE,
    ...dataConverterOf(env.UNDERSTUDY_PAYLOAD_KEY),
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => workers.shutdown());
  process.stdout.write(`${JSON.stringify({ ready: true, roles: env.UNDERSTUDY_ROLES, pid: process.pid })}\n`);
  await workers.run();
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${JSON.stringify(toProblemDetails(error))}\n${error instanceof Error ? (error.stack ?? '') : ''}\n`);
    process.exit(1);
  },
);
