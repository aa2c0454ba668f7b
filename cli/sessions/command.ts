import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { openState, readCharter, readLatest } from '../../activities/context.ts';
import { currentCharter } from '../../activities/registry/charters.ts';
import { type SessionSummary, type Spread, summarizeSessions } from '../../activities/sessions/summarize-sessions.ts';
import { identityOfAll } from '../../activities/windows/identity.ts';
import { percent } from '../../experiments/percent.ts';
import { type EventKind, eventKinds } from '../../models/contracts/event.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type SessionRules, sessionCuts, sessionRules } from '../../models/contracts/session.ts';
import { dataState } from '../../models/contracts/window.ts';
import { type CommandContext, stateDirectory } from '../environment.ts';
import { someText, surface as surfaceArgument } from '../option-values.ts';
import { emit, progress, table } from '../output.ts';
import { durationMs, durationText } from './duration.ts';

type Boundaries = SessionRules['boundaries'];
type Options = { gap?: number; max?: number; boundary?: Boundaries; state?: string; json?: boolean };

const helpText = `
A session is a run of one user's events (of one client session's, where no user is known), of all kinds, that no rule cuts:
  --gap         more than this between two events ends it; exactly this does not
  --max         an event more than this after its first one begins another
  --boundary    midnight: an event on another day, in the surface's time zone, than the one before begins a session
                client-session: so does an event with another session id than the one before
                ${eventKinds.join(', ')}: such an event ends its session: what is done later begins another

Example: do purchases end what people came for?
  understudy sessions home --gap 20m --boundary purchase`;

/** `understudy sessions`: what the sessions of a surface are like, and what other rules would make of them. */
export function sessionsCommand(context: CommandContext): Command {
  const defaults = sessionRules.parse({});
  return new Command('sessions')
    .description('how the events of a surface fall into sessions: how many, how long, what cuts them; under these rules or others')
    .argument('<surface>', 'name of the surface', surfaceArgument)
    .option('--gap <time>', `inactivity that ends a session: 90s, 30m, 4h, 1d (default: the charter's, or ${durationText(defaults.gapMs)})`, durationMs)
    .option('--max <time>', `length that no session exceeds (default: the charter's, or ${durationText(defaults.maxMs)})`, durationMs)
    .option('--boundary <what>', 'midnight, client-session, or a kind of event; several by giving it again', boundary)
    .option('--state <dir>', 'state directory', someText)
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', helpText)
    .action(async (surface: string, { gap, max, boundary: boundaries, ...options }: Options) => {
      const state = openState(stateDirectory(context, options.state));
      const charter = await readCharter(state.blobs, await currentCharter(state, surface));
      const { timeZone } = charter;
      const data = await readLatest(state.generations, `data/${surface}`, dataState);
      if (data === undefined || data.document.slices.length === 0) throw noData(surface);
      const own = charter.sessions ?? defaults;
      const rules = sessionRules.parse({ gapMs: gap ?? own.gapMs, maxMs: max ?? own.maxMs, boundaries: boundaries ?? own.boundaries });
      const workDir = join(state.root, 'run', 'scratch');
      await mkdir(workDir, { recursive: true });
      const step = progress(`cutting ${data.document.slices.length} slices of ${surface} into sessions`);
      const summary = await summarizeSessions({
        rules,
        timeZone,
        slices: data.document.slices,
        blobs: state.blobs,
        identity: identityOfAll({ data: data.document, charter }),
        workDir,
      });
      step.done();
      if (summary === undefined) throw noData(surface);
      const { generation } = data;
      const text = describe({ surface, generation, timeZone, rules, summary });
      emit({ json: options.json === true, document: { surface, generation, timeZone, rules, ...summary }, text });
    });
}

const noData = (surface: string) => new UnderstudyError('UND-NO-DATA', `${surface} has no events yet: run \`understudy ingest\` first`);

function boundary(text: string, before: Boundaries = { midnight: false, kinds: [], clientSession: false }): Boundaries {
  if (text === 'midnight') return { ...before, midnight: true };
  if (text === 'client-session') return { ...before, clientSession: true };
  if (!eventKinds.some((kind) => kind === text)) throw new InvalidArgumentError(`It must be midnight, client-session, or one of ${eventKinds.join(', ')}.`);
  return { ...before, kinds: [...new Set([...before.kinds, text as EventKind])] };
}

type Shown = { surface: string; generation: number; timeZone: string; rules: SessionRules; summary: SessionSummary };

function describe({ surface, generation, timeZone, rules, summary }: Shown): string {
  const { sessions, eventsPerSession, lengthMs, sessionsPerUser } = summary;
  const spread = (name: string, { median, p90, max }: Spread, shown: (value: number) => string = String) => [name, shown(median), shown(p90), shown(max)];
  const cuts = sessionCuts.flatMap((cut) => {
    const begun = summary.begunBy[cut];
    return begun === undefined ? [] : [[reasons[cut], String(begun), percent(begun / sessions)]];
  });
  const mean = sessionsPerUser === null ? '' : `, ${sessionsPerUser.mean.toFixed(2)} a user on average`;
  return [
    `${surface}, data generation ${generation}: ${summary.events} events of ${summary.users} users and ${summary.anonymous} sessions without one\n${rulesText(rules, timeZone)}`,
    `${sessions} sessions${mean}; ${percent(summary.singleEvent)} of them are of one event`,
    table(
      ['', 'median', 'p90', 'max'],
      [
        spread('events a session', eventsPerSession),
        spread('length', lengthMs, durationText),
        ...(sessionsPerUser === null ? [] : [spread('sessions a user', sessionsPerUser)]),
      ],
    ),
    table(['begun by', 'sessions', 'share'], cuts),
    histogramText(summary),
  ].join('\n\n');
}

const reasons = {
  first: 'the first event of all',
  gap: 'the gap',
  kind: 'an event that ended the one before',
  'client-session': 'another session of the client',
  midnight: 'midnight',
  maximum: 'the maximum',
};

function rulesText({ gapMs, maxMs, boundaries }: SessionRules, timeZone: string): string {
  const more = [
    ...(boundaries.midnight ? [`at midnight in ${timeZone}`] : []),
    ...(boundaries.clientSession ? ["where the client's session changes"] : []),
    ...boundaries.kinds.map((kind) => `after ${kind}`),
  ];
  return `cut ${[`after ${durationText(gapMs)} without an event`, `beyond ${durationText(maxMs)}`, ...more].join(', ')}`;
}

function histogramText({ sessions, histogram }: SessionSummary): string {
  const most = Math.max(...histogram.map((one) => one.sessions));
  const rows = histogram.map(({ from, to, sessions: own }) => [
    from === to ? String(from) : `${from} to ${to}`,
    String(own),
    percent(own / sessions),
    '#'.repeat(Math.ceil((40 * own) / most)),
  ]);
  return table(['events', 'sessions', 'share', ''], rows);
}
