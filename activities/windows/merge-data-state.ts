import { UnderstudyError } from '../../models/contracts/problem.ts';
import { type DataState, dataState, type IngestManifest, type LogMark, type QuarantineEntry, type SliceReference } from '../../models/contracts/window.ts';

const keyOf = (slice: SliceReference): string => `${slice.day} ${slice.source ?? ''}`;

/**
 * The data of a surface after one more ingest. A slice replaces the slice of the same day and source; all others stay; so merging one
 * manifest twice is merging it once. Where a source comes with another shift than before, none of its earlier slices stays: they hold the
 * same events at other times. Pure: whoever publishes it creates the generation and merges again when another was first.
 * @throws UND-INPUT when the manifest is another surface's.
 */
export function mergeDataState({
  previous,
  manifest,
  manifestDigest,
  log = previous?.log,
  whole = false,
  nowMs,
}: {
  previous: DataState | undefined;
  manifest: IngestManifest;
  manifestDigest: string;
  /** How far the event log is in the data now. */
  log?: LogMark | undefined;
  /** The manifest holds all that there is of its source: no earlier slice of it stays. */
  whole?: boolean | undefined;
  nowMs?: number | undefined;
}): DataState {
  if (previous !== undefined && previous.surface !== manifest.surface) {
    throw new UnderstudyError('UND-INPUT', `The ingest is of ${manifest.surface}, the data are of ${previous.surface}`);
  }
  const merged = (before: readonly SliceReference[], next: readonly SliceReference[]): SliceReference[] => {
    const slices = new Map<string, SliceReference>();
    for (const slice of slicesThatStay({ previous: before, next })) if (!whole || slice.source !== manifest.source.name) slices.set(keyOf(slice), slice);
    for (const slice of next) slices.set(keyOf(slice), slice);
    return [...slices.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  };
  const changes = merged(previous?.changes ?? [], manifest.changes ?? []);
  const quarantine = quarantineAfter({ previous: previous?.quarantine ?? [], manifest, manifestDigest, whole, nowMs });
  return dataState.parse({
    kind: 'data-state',
    surface: manifest.surface,
    generation: (previous?.generation ?? 0) + 1,
    ingest: manifestDigest,
    catalog: manifest.catalog,
    slices: merged(previous?.slices ?? [], manifest.slices),
    changes: changes.length === 0 ? undefined : changes,
    quarantine: quarantine.length === 0 ? undefined : quarantine,
    inStockDays: manifest.inStockDays ?? previous?.inStockDays,
    log,
    atMs: nowMs,
  });
}

type After = { previous: readonly QuarantineEntry[]; manifest: IngestManifest; manifestDigest: string; whole: boolean; nowMs: number | undefined };

/** A file that comes again, and a quarantine that was replayed, stand in the place of what they were. */
function quarantineAfter({ previous, manifest, manifestDigest, whole, nowMs }: After): QuarantineEntry[] {
  const { source, replays, shiftDays } = manifest;
  const isReplaced = (entry: QuarantineEntry): boolean =>
    replays !== undefined ? entry.digest === replays.quarantine : entry.source === source.name && (whole || entry.file === source.digest);
  const staying = previous.filter((entry) => !isReplaced(entry));
  if (manifest.quarantine === null) return staying;
  const { mapping } = source;
  const entry = {
    digest: manifest.quarantine,
    source: source.name,
    file: source.digest,
    ingest: manifestDigest,
    reasons: manifest.inQuarantine ?? manifest.quarantineByReason,
  };
  // What was replayed and still does not fit is as old as it was.
  const sinceMs = previous.find(({ digest }) => digest === replays?.quarantine)?.sinceMs ?? nowMs;
  const since = sinceMs === undefined ? {} : { sinceMs };
  return [...staying, { ...entry, ...since, ...(mapping === undefined ? {} : { mapping }), ...(shiftDays === 0 ? {} : { shiftDays }) }];
}

/** The earlier slices beside which the next ones may stand: all but those of the same source with another shift. */
export function slicesThatStay({
  previous,
  next,
}: {
  previous: readonly SliceReference[];
  next: readonly Pick<SliceReference, 'source' | 'shiftDays'>[];
}): SliceReference[] {
  const shifts = new Map(next.map((slice) => [slice.source, slice.shiftDays ?? 0]));
  return previous.filter((slice) => (shifts.get(slice.source) ?? slice.shiftDays ?? 0) === (slice.shiftDays ?? 0));
}
