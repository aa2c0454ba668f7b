import { z } from 'zod';
import type { ReceiverName } from '../../models/contracts/alert.ts';

/** Addresses of those who are told of alerts; null where there is none. */
export type AlertReceivers = Readonly<Record<ReceiverName, string | null>>;

const loopback = new Set(['localhost', '127.0.0.1', '[::1]']);

/** What is told goes over TLS, or stays on this machine. */
export const receiverUrl = z.url({ protocol: /^https?$/ }).refine((text) => {
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || loopback.has(hostname);
}, 'must be https, or http on this machine');

/** Addresses hold secrets (a webhook's is its key): they stand in the environment, never in a charter. */
export const alertVariables = {
  /** Takes `{text, blocks}` as Slack's incoming webhooks do. */
  UNDERSTUDY_ALERT_WEBHOOK: receiverUrl.optional(),
  /** Where an Alertmanager's API begins, without `/api/v2/alerts`. */
  UNDERSTUDY_ALERTMANAGER_URL: receiverUrl.optional(),
};

type Variables = { UNDERSTUDY_ALERT_WEBHOOK?: string | undefined; UNDERSTUDY_ALERTMANAGER_URL?: string | undefined };

export const alertReceiversOf = (variables: Variables): AlertReceivers => ({
  webhook: variables.UNDERSTUDY_ALERT_WEBHOOK ?? null,
  alertmanager: variables.UNDERSTUDY_ALERTMANAGER_URL ?? null,
});

export function configuredReceivers(receivers: AlertReceivers | undefined): ReceiverName[] {
  return receivers === undefined ? [] : (Object.keys(receivers) as ReceiverName[]).filter((name) => receivers[name] !== null);
}
