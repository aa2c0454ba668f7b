import { z } from 'zod';

const loopback = new Set(['localhost', '127.0.0.1', '[::1]']);

/** A webhook's address is its key: it stands in the environment, never in a charter, and what it is told goes over TLS or stays on this machine. */
export const reportVariables = {
  /** Takes `{text}` as Slack's incoming webhooks do. */
  UNDERSTUDY_REPORT_WEBHOOK: z
    .url({ protocol: /^https?$/ })
    .refine((text) => new URL(text).protocol === 'https:' || loopback.has(new URL(text).hostname), 'must be https, or http on this machine')
    .optional(),
};
