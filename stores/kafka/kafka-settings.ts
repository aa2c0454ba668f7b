import { z } from 'zod';
import { inputError, UnderstudyError } from '../../models/contracts/problem.ts';

/** Where the brokers are and who we are to them. */
export type KafkaSettings = {
  /** `host:port`. */
  brokers: readonly string[];
  /** Undefined: not encrypted. `ca` is PEM text; without it the authorities that Node knows. */
  tls?: { ca?: string };
  sasl?: { mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; username: string; password: string };
  /** Of the topics that are created here. */
  partitions: number;
  replicas: number;
};

const broker = /^(?:\[[0-9a-f:]+\]|[A-Za-z0-9][A-Za-z0-9.-]*):[0-9]{1,5}$/;
const count = z.coerce.number().int().min(1).max(1_000);
const query = z.strictObject({ partitions: count.default(12), replicas: count.max(9).default(3) });
const logUrl = /^(?<scheme>kafkas?):\/\/(?<brokers>[^/?#@]+)\/?(?:\?(?<query>[^#]*))?$/;

type Given = { url: string; username?: string | undefined; password?: string | undefined; mechanism?: string | undefined; ca?: string | undefined };

/**
 * `kafka://host:port,host:port` or, encrypted, `kafkas://…`, with `?partitions=12&replicas=3` for topics that are not there yet. A password stands in a
 * variable of its own: URLs are shown in logs and lists of processes.
 * @throws UND-ENVIRONMENT naming every mistake
 */
export function kafkaSettings({ url, username, password, mechanism = 'SCRAM-SHA-512', ca }: Given): KafkaSettings {
  const parts = logUrl.exec(url)?.groups;
  if (parts === undefined)
    throw new UnderstudyError('UND-ENVIRONMENT', 'the log is neither kafka://host:port,host:port nor kafkas://…, or it holds a password', {
      mistakes: [{ path: '/url', message: 'kafka://host:port,host:port' }],
    });
  const brokers = (parts.brokers ?? '').split(',');
  const parsed = z
    .strictObject({
      brokers: z.array(z.string().regex(broker, 'host:port')),
      query,
      sasl: z
        .strictObject({ mechanism: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']), username: z.string().min(1), password: z.string().min(1) })
        .optional(),
      ca: z.string().includes('-----BEGIN CERTIFICATE-----', 'PEM text').optional(),
    })
    .refine((all) => all.ca === undefined || parts.scheme === 'kafkas', { path: ['ca'], message: 'only with kafkas://' })
    .safeParse({
      brokers,
      query: Object.fromEntries(new URLSearchParams(parts.query ?? '')),
      sasl: username === undefined && password === undefined ? undefined : { mechanism, username, password },
      ca,
    });
  if (!parsed.success) throw inputError('UND-ENVIRONMENT', 'What is said of the Kafka log', parsed.error.issues);
  const { sasl } = parsed.data;
  return {
    brokers,
    ...(parts.scheme === 'kafkas' ? { tls: ca === undefined ? {} : { ca } } : {}),
    ...(sasl === undefined ? {} : { sasl }),
    ...parsed.data.query,
  };
}
