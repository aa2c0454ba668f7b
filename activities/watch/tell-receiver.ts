import { type Alert, type AlertMoment, alert, alertSeries, type Told, type TellRequest } from '../../models/contracts/alert.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { signalTitle, sparkline } from '../../experiments/watch/describe-alert.ts';
import { type Context, readLatest } from '../context.ts';
import { silenceOf } from '../../stores/alerts.ts';

const answerWithinMs = 10_000;

/**
 * Tells one receiver of one moment of an alert, unless nobody named the receiver or a silence holds: then `againAtMs` is its end. A silence keeps no Alertmanager from
 * hearing that something is over, and what was over before its silence was is told to nobody. Whoever is told twice, since an answer was lost, can know it by the
 * `Idempotency-Key`.
 * @throws UND-RECEIVER while the receiver does not take it: the caller tries again
 */
export async function tellReceiver(context: Context, { surface, alert: id, moment, receiver, silenced }: TellRequest): Promise<Told> {
  const found = (await readLatest(context.state.generations, alertSeries(surface, id), alert))?.document;
  if (found === undefined) throw new UnderstudyError('UND-NOT-FOUND', `${surface} has no alert ${id}`);
  const silence = await silenceOf(context.state.generations, found, context.now());
  if (silence !== undefined && (moment === 'opened' || receiver === 'webhook')) {
    const why = `silenced by ${silence.by} until ${iso(silence.untilMs)}`;
    return { told: false, why, againAtMs: moment === 'opened' ? silence.untilMs : null };
  }
  if (silenced && found.state === 'resolved') return { told: false, why: 'it was over before its silence was', againAtMs: null };
  const address = context.alerts?.[receiver] ?? null;
  if (address === null) return { told: false, why: `the environment names no ${receiver}`, againAtMs: null };
  const { url, body } = receiver === 'webhook' ? { url: address, body: slackMessage(found, moment) } : alertmanagerCall(address, found, moment);
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': `${surface}/${id}/${moment}` },
    body: JSON.stringify(body),
    redirect: 'error',
    signal: AbortSignal.timeout(answerWithinMs),
  }).catch((cause) => {
    // The address is a secret, and errors stand in histories.
    throw new UnderstudyError('UND-RECEIVER', `The ${receiver} does not answer: ${cause instanceof Error ? cause.name : 'no reason'}`);
  });
  await answer.body?.cancel();
  if (!answer.ok) throw new UnderstudyError('UND-RECEIVER', `The ${receiver} answers ${answer.status}`);
  return { told: true, why: `answered ${answer.status}`, againAtMs: null };
}

const iso = (atMs: number) => new Date(atMs).toISOString();

/** Names come from outside: none of them is a link or a mention. */
const plain = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** As Slack's incoming webhooks take it, and what is compatible with them: `text` for those who show nothing else. */
export function slackMessage(found: Alert, moment: AlertMoment): object {
  const { id, surface, signal, says, suspect, workflowId, picture, resolvedAtMs } = found;
  const head =
    moment === 'opened' ? `:rotating_light: *${surface}*: ${says}` : `:white_check_mark: *${surface}*: as usual again since ${iso(resolvedAtMs ?? 0)}: ${says}`;
  const drawn = picture.slice(-48);
  const lines = [
    ...(signal === 'audit' ? [] : [suspectLine(suspect)]),
    workflowId === null ? `\`understudy alerts show ${id}\`` : `Looked into by \`${workflowId}\``,
  ];
  const chart = `\`\`\`was      ${sparkline(drawn, 'value')}\nexpected ${sparkline(drawn, 'expected')}\`\`\``;
  const section = (text: string) => ({ type: 'section', text: { type: 'mrkdwn', text: plain(text) } });
  return { text: plain(head), blocks: [section(head), ...(drawn.length === 0 ? [] : [section(chart)]), section(lines.join('\n'))] };
}

const suspectLine = (suspect: Alert['suspect']): string =>
  suspect === null ? 'First suspect: no change here in the six hours before' : `First suspect: ${suspect.what} (${iso(suspect.atMs)})`;

/** An Alertmanager forgets what is not said again after its `resolve_timeout`, unless an end is named. */
const openForMs = 365 * 86_400_000;

function alertmanagerCall(address: string, found: Alert, moment: AlertMoment): { url: string; body: object } {
  const { id, surface, signal, part, direction, sinceMs, resolvedAtMs, says, suspect, workflowId, value, expected } = found;
  const labels = { alertname: `Understudy_${signal.replaceAll('-', '_')}`, surface, signal, part, direction, alert: id, severity: 'ticket' };
  const annotations = {
    summary: `${surface}: ${signalTitle(signal, part)}`,
    description: says,
    value: String(value),
    expected: String(expected.value),
    ...(suspect === null ? {} : { suspect: suspect.what }),
    ...(workflowId === null ? {} : { workflow: workflowId }),
  };
  const endsAt = moment === 'resolved' ? (resolvedAtMs ?? sinceMs) : sinceMs + openForMs;
  return { url: `${address.replace(/\/$/, '')}/api/v2/alerts`, body: [{ labels, annotations, startsAt: iso(sinceMs), endsAt: iso(endsAt) }] };
}
