import type { Logged } from '../models/contracts/event-schemas.ts';
import { UnderstudyError } from '../models/contracts/problem.ts';
import type { SlateRecord } from '../models/contracts/slate.ts';
import type { LogReader, SealedSegment } from '../stores/event-log.ts';
import type { Life } from '../stores/life.ts';
import type { Logs } from '../stores/open-logs.ts';
import type { Metrics } from './metrics.ts';
import { openPatientLog, type PatientLog } from './patient-log.ts';

const streams = ['events', 'slates'] as const;
type Stream = (typeof streams)[number];

/** The two logs of a surface: as far as this replica writes them, and read as a whole. */
export type SurfaceLogs = {
  readonly readers: Readonly<Record<Stream, LogReader>>;
  /** @throws UND-LOG-UNAVAILABLE, UND-OVERLOADED; then none of them is acknowledged. */
  logEvents(events: readonly Logged[]): Promise<void>;
  /** Does not wait for the disk, and never throws: a slate is worth more than its record. */
  logSlate(record: SlateRecord): void;
  /** For a record that is not whole yet. */
  logSlateLater(record: Promise<SlateRecord>): void;
  /** Whether records are likely to reach the disk. */
  canRecord(): boolean;
  seal(): Promise<{ events: SealedSegment | undefined; slates: SealedSegment | undefined }>;
  troubles(): string[];
  close(): Promise<void>;
};

export type LogOptions = {
  name: string;
  logs: Logs;
  replica: string;
  life: Life;
  metrics: Metrics;
  log: (line: string) => void;
};

/** A disk that owes an answer for longer is a trouble. */
const slowDiskMs = 5_000;
/** More slates than this waiting for the disk, and new ones go unrecorded: memory must not fill because a disk does not answer. */
const slatesWaitingAtMost = 20_000;

/** Opens both, or begins to try: a surface without its logs still serves slates. */
export async function openSurfaceLogs(options: LogOptions): Promise<SurfaceLogs> {
  const { name, metrics, log } = options;
  const [events, slates] = await Promise.all([openStream(options, 'events'), openStream(options, 'slates')]);
  const logs = { events, slates };
  const readerOf = (stream: Stream) => options.logs.reader({ surface: name, stream });
  const failing = { events: false, slates: false };
  const unfinished = new Set<Promise<void>>();
  let slatesWaiting = 0;

  function slateLost(error: unknown): void {
    if (!failing.slates) log(`${name}: slate records are lost: ${error instanceof Error ? error.message : error}`);
    failing.slates = true;
    metrics.logFailures.inc({ surface: name, stream: 'slates' });
  }

  async function writeSlate(record: SlateRecord): Promise<void> {
    slatesWaiting += 1;
    try {
      await logs.slates.append([record]);
      failing.slates = false;
    } catch (error) {
      slateLost(error);
    } finally {
      slatesWaiting -= 1;
    }
  }

  function logSlate(record: SlateRecord): void {
    if (slatesWaiting < slatesWaitingAtMost) void writeSlate(record);
    else slateLost(new UnderstudyError('UND-OVERLOADED', `${slatesWaiting} slate records wait for the disk`));
  }

  return {
    readers: { events: readerOf('events'), slates: readerOf('slates') },
    async logEvents(events) {
      try {
        await logs.events.append(events);
        failing.events = false;
      } catch (error) {
        failing.events = true;
        metrics.logFailures.inc({ surface: name, stream: 'events' }, events.length);
        throw error;
      }
    },
    logSlate,
    logSlateLater(record) {
      const logged = record.then(logSlate).finally(() => unfinished.delete(logged));
      unfinished.add(logged);
    },
    canRecord: () => !failing.slates && logs.slates.trouble() === null && slatesWaiting < slatesWaitingAtMost,
    async seal() {
      const [events, slates] = await Promise.all([logs.events.seal(), logs.slates.seal()]);
      return { events, slates };
    },
    troubles: () => streams.flatMap((stream) => troubleOf(logs[stream], failing[stream]).map((why) => `${name}: the ${stream} log ${why}`)),
    async close() {
      await Promise.all(unfinished);
      await Promise.all([logs.events.close(), logs.slates.close()]);
    },
  };
}

function troubleOf(log: PatientLog, failing: boolean): string[] {
  const why = log.trouble();
  if (why !== null) return [`cannot be written: ${why}`];
  const waitingMs = log.waitingMs();
  if (waitingMs > slowDiskMs) return [`has waited for its disk for ${Math.round(waitingMs / 1000)} s`];
  return failing ? ['cannot be written'] : [];
}

function openStream({ name, logs, replica, life, metrics, log }: LogOptions, stream: Stream): Promise<PatientLog> {
  return openPatientLog({
    open: () =>
      logs.openWriter({
        surface: name,
        stream,
        writer: replica,
        life,
        onTornTail: ({ segment, bytes }) => {
          metrics.tornBytes.inc({ surface: name, stream }, bytes);
          log(`${name}: cut ${bytes} bytes of a half-written record from ${segment}`);
        },
      }),
    onTrouble: (why) => log(`${name}: the ${stream} log cannot be opened: ${why}`),
  });
}
