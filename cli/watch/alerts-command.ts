import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { openState, type State } from '../../activities/context.ts';
import { listSurfaces } from '../../activities/registry/charters.ts';
import { alertPlot } from '../../experiments/pictures/alert-plot.ts';
import { escaped } from '../../experiments/pictures/svg.ts';
import { signalText, sparkline } from '../../experiments/watch/describe-alert.ts';
import type { Alert, Silence } from '../../models/contracts/alert.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { readAlerts, silenceAlert, silenceOf } from '../../stores/alerts.ts';
import { type CommandContext, signingKeysOf, stateDirectory } from '../environment.ts';
import { someText, surface as surfaceArgument } from '../option-values.ts';
import { emit } from '../output.ts';

type Shown = Alert & { silence: Silence | null };
type Options = { state?: string; json?: boolean };

/** `understudy alerts`: what is not as it should be, on one surface or on all. */
export function alertsCommand(context: CommandContext): Command {
  const command = new Command('alerts')
    .enablePositionalOptions()
    .description('alerts that are open, with what was expected and a small picture')
    .argument('[surface]', 'name of the surface; all where none is named', surfaceArgument)
    .option('--all', 'those that are over, too')
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .action(async (surface: string | undefined, options: Options & { all?: boolean }) => {
      const state = openState(stateDirectory(context, options.state));
      const found = (await shownAlerts(state, { surface, nowMs: context.now() })).filter((one) => options.all === true || one.state === 'open');
      const text = found.length === 0 ? 'No alert is open' : found.map(inShort).join('\n\n');
      emit({ json: options.json === true, document: found, text });
    });
  return command.addCommand(showCommand(context)).addCommand(silenceCommand(context));
}

function showCommand(context: CommandContext): Command {
  return new Command('show')
    .description('one alert with its picture')
    .argument('<alert>', 'its id', someText)
    .option('--html <file>', 'the picture as a page', someText)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .action(async (id: string, { state: stateDir, json, ...options }: Options & { html?: string }) => {
      const found = await oneAlert(openState(stateDirectory(context, stateDir)), { id, nowMs: context.now() });
      if (options.html !== undefined) await writeFile(resolve(context.cwd, options.html), pageOf(found));
      emit({ json: json === true, document: found, text: inFull(found) });
    });
}

function silenceCommand(context: CommandContext): Command {
  return new Command('silence')
    .description('tell nobody of what an alert is about, until a time')
    .argument('<alert>', 'its id', someText)
    .requiredOption('--by <name>', 'whose silence it is', someText)
    .requiredOption('--why <reason>', 'the reason, kept in the ledger', someText)
    .requiredOption('--until <time>', 'its end, such as 2026-03-01T08:00:00Z, or a span such as 4h or 2d', someText)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .action(async (id: string, { state: stateDir, json, ...options }: Options & { by: string; why: string; until: string }) => {
      const state = openState(stateDirectory(context, stateDir), undefined, signingKeysOf(context.env));
      const found = await oneAlert(state, { id, nowMs: context.now() });
      const untilMs = timeOf(options.until, context.now());
      const silence = await silenceAlert(state.generations, found, { by: options.by, why: options.why, untilMs, nowMs: context.now() });
      emit({ json: json === true, document: silence, text: `Nobody is told of ${id} until ${new Date(untilMs).toISOString()}` });
    });
}

async function shownAlerts(state: State, { surface, nowMs }: { surface: string | undefined; nowMs: number }): Promise<Shown[]> {
  const surfaces = await listSurfaces(state);
  if (surface !== undefined && !surfaces.includes(surface)) throw new UnderstudyError('UND-UNKNOWN-SURFACE', `There is no surface ${surface} here`);
  const found: Shown[] = [];
  for (const name of surface === undefined ? surfaces : [surface])
    for (const alert of await readAlerts(state.generations, name))
      found.push({ ...alert, silence: (await silenceOf(state.generations, alert, nowMs)) ?? null });
  return found.sort((a, b) => b.openedAtMs - a.openedAtMs);
}

async function oneAlert(state: State, { id, nowMs }: { id: string; nowMs: number }): Promise<Shown> {
  const found = (await shownAlerts(state, { surface: undefined, nowMs })).filter((one) => one.id === id || `${one.surface}/${one.id}` === id);
  if (found[0] === undefined) throw new UnderstudyError('UND-NOT-FOUND', `There is no alert ${id}`);
  if (found.length > 1)
    throw new UnderstudyError('UND-INPUT', `Several surfaces have an alert ${id}: say which, as ${found.map((one) => `${one.surface}/${id}`).join(' or ')}`);
  return found[0];
}

const minute = (atMs: number) => new Date(atMs).toISOString().slice(0, 16).replace('T', ' ');

function inShort({ surface, id, signal, state, resolvedAtMs, says, picture, silence, suspect }: Shown): string {
  const standing = state === 'open' ? 'open' : `over since ${minute(resolvedAtMs ?? 0)}`;
  const drawn = picture.slice(-48);
  return [
    `${surface} ${id} (${standing}${silence === null ? '' : `, silenced by ${silence.by} until ${minute(silence.untilMs)}: ${silence.why}`})`,
    `  ${says}`,
    ...(drawn.length === 0 ? [] : [`  was      ${sparkline(drawn, 'value')}`, `  expected ${sparkline(drawn, 'expected')}`]),
    ...(signal === 'audit'
      ? []
      : [`  first suspect: ${suspect === null ? 'no change here in the six hours before' : `${suspect.what} (${minute(suspect.atMs)})`}`]),
  ].join('\n');
}

function inFull(alert: Shown): string {
  const { signal, value, expected, openedAtMs, sinceMs, workflowId } = alert;
  // No measure of hours: nobody looks into it, and what it says is all.
  if (signal === 'audit') return `${inShort(alert)}\n  sure at ${minute(openedAtMs)} UTC`;
  return [
    inShort(alert),
    `  value ${signalText(signal, value)}, expected ${signalText(signal, expected.value)}, 95 of 100 hours ${signalText(signal, expected.low)} to ${signalText(signal, expected.high)}`,
    `  thought to have begun ${minute(sinceMs)}, sure at ${minute(openedAtMs)} UTC`,
    `  looked into by ${workflowId ?? 'nobody'}`,
  ].join('\n');
}

function pageOf(alert: Shown): string {
  const picture = alert.picture.length === 0 ? '' : alertPlot(alert);
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escaped(alert.id)}</title><body>${picture}<pre>${escaped(inFull(alert))}</pre></body></html>\n`;
}

/** A time, or a span from now on. @throws UND-INPUT */
function timeOf(text: string, nowMs: number): number {
  const [, number, unit] = /^(\d+)(m|h|d)$/.exec(text) ?? [];
  if (number !== undefined) return nowMs + Number(number) * { m: 60_000, h: 3_600_000, d: 86_400_000 }[unit as 'm' | 'h' | 'd'];
  const atMs = /^\d{4}-\d{2}-\d{2}T.*(Z|[+-]\d{2}:\d{2})$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs))
    throw new UnderstudyError('UND-INPUT', `${JSON.stringify(text)} is no time with a zone, such as 2026-03-01T08:00:00Z, and no span such as 4h`);
  return atMs;
}
