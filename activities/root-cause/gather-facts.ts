import type { Charter } from '../../models/contracts/charter.ts';
import { artifactManifest } from '../../models/contracts/artifact.ts';
import type { DeploymentSpec } from '../../models/contracts/deployment.ts';
import { isInteraction, parseLogged } from '../../models/contracts/event-schemas.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { CauseRequest, RootCauseFacts } from '../../models/contracts/root-cause.ts';
import type { SlateRecord } from '../../models/contracts/slate.ts';
import { logSource } from '../../models/contracts/window.ts';
import { getDocument } from '../../stores/blobs.ts';
import { type Context, readCharter, type State } from '../context.ts';
import { currentCharter } from '../registry/charters.ts';
import type { Beat } from '../worker.ts';
import { comparableUnits, type Unit, unitsSince } from './comparable-units.ts';
import { countEvents, type ItemsOf } from './count-events.ts';
import { countSources } from './count-sources.ts';
import { countTraffic, unitAt } from './count-traffic.ts';
import { lookAtModel } from './look-at-model.ts';
import { lookAtReplicas } from './look-at-replicas.ts';
import { asOf, catalogReader, catalogRows, dataSince, deploymentFact, deploymentsSince } from './surface-history.ts';

/** Clocks of the machines that write a log may differ from the one that looks by this much. */
const clockSkewMs = 60_000;
const replayedAtMost = 200;
const beatEvery = 5_000;

type Watching = Pick<Beat, 'beat' | 'signal'>;

/**
 * Measures what a diagnosis needs of a surface: the incident, and the units before it that it can be compared with. Logs are read once, with no more in memory
 * than some hundred thousand slates. What cannot be measured is left out, and `missing` says why.
 * @throws UND-UNKNOWN-SURFACE; UND-INPUT where the incident does not end behind its beginning
 */
export async function gatherFacts(context: Pick<Context, 'state' | 'featuresUrl'>, request: CauseRequest, { beat, signal }: Watching): Promise<RootCauseFacts> {
  const { state } = context;
  const { surface, alert, signal: about, fromMs, toMs, atMs } = request;
  if (fromMs >= toMs || toMs > atMs) throw new UnderstudyError('UND-INPUT', 'The incident must begin before it ends, and end before it is looked at');
  const charter = await readCharter(state.blobs, await currentCharter(state, surface));
  const { promotions = [] } = charter.rootCause ?? {};
  const all = comparableUnits({ ...request, timeZone: charter.timeZone, promotions });
  const sinceMs = all[0]?.fromMs ?? fromMs;
  const deployments = await deploymentsSince(state, { surface, sinceMs });
  const data = await dataSince(state, { surface, sinceMs });
  const readCatalog = catalogReader(state);
  const counted = await readLogs({ state, surface, charter, units: all, atMs, deployments, readCatalog, beat: () => beat(), toMs });
  beat();
  const files = await countSources({ state, units: all, data, timeZone: charter.timeZone, atMs, signal, beat });
  const units = unitsSince(all, Math.min(counted.beganMs, oldestOf(files.rows, all)));
  const catalog = await catalogRows({ units: all, deployments, data, read: readCatalog });
  const replicas = await lookAtReplicas({ root: state.root, surface, deployments, nowMs: atMs });
  const model = await lookAtModel({ context, surface, charter, deployments, data, slates: counted.newest, readCatalog, atMs, beat });
  const inUnits = <Row extends { unit: number }>(rows: readonly Row[]): Row[] =>
    rows.flatMap((row) => {
      const unit = units.indexOf(all[row.unit] as Unit);
      return unit < 0 ? [] : [{ ...row, unit }];
    });
  return {
    kind: 'root-cause-facts',
    surface,
    alert,
    signal: about,
    atMs,
    units,
    traffic: inUnits(counted.traffic),
    events: inUnits([...counted.events, ...files.rows]),
    catalog: inUnits(catalog),
    deployments: deployments.map(deploymentFact),
    replicas: replicas.replicas,
    model: model.model,
    missing: [...counted.missing, ...files.missing, ...replicas.missing, ...model.missing],
  };
}

const oldestOf = (rows: readonly { unit: number }[], units: readonly Unit[]): number =>
  Math.min(Number.POSITIVE_INFINITY, ...rows.map(({ unit }) => units[unit]?.fromMs ?? Number.POSITIVE_INFINITY));

type Logs = {
  state: State;
  surface: string;
  charter: Charter;
  units: readonly Unit[];
  atMs: number;
  toMs: number;
  deployments: readonly DeploymentSpec[];
  readCatalog: ReturnType<typeof catalogReader>;
  beat: () => void;
};

/** Slates first, then events: an event is told by the slate that caused it. */
async function readLogs({ state, surface, charter, units, atMs, deployments, readCatalog, beat }: Logs) {
  const missing: string[] = [];
  const writtenSinceMs = (units[0]?.fromMs ?? 0) - clockSkewMs;
  const traffic = countTraffic({ units, charter, atMs });
  const champion = deployments.at(-1);
  const newest: SlateRecord[] = [];
  let beganMs = Number.POSITIVE_INFINITY;
  let records = 0;
  const scan = (stream: 'slates' | 'events', take: (record: unknown) => void) =>
    state.logReader(surface, stream).scan({
      writtenSinceMs,
      take: (record) => {
        records += 1;
        if (records % beatEvery === 0) beat();
        take(record);
      },
      onDamaged: ({ segment, error }) => missing.push(`a part of the log, ${segment}: ${error.message}`),
    });
  await scan('slates', (record) => {
    const slate = record as SlateRecord;
    if (typeof slate.atMs !== 'number' || slate.atMs >= atMs) return;
    beganMs = Math.min(beganMs, slate.atMs);
    traffic.addSlate(slate);
    if (units[unitAt(units, slate.atMs)]?.now === true && canBeMadeAgain(slate, champion)) keepNewest(newest, slate);
  });
  const events = countEvents({ units, source: logSource, itemsOf: await itemsOver({ state, units, deployments, readCatalog }) });
  await scan('events', (record) => {
    const event = parseLogged(record);
    if (event === undefined || (event.receivedAtMs ?? event.atMs) >= atMs) return;
    beganMs = Math.min(beganMs, event.receivedAtMs ?? event.atMs);
    events.add(event);
    if (isInteraction(event) && event.quarantined === undefined) traffic.addEvent(event);
  });
  const rows = await traffic.rows(beat);
  if (traffic.share() < 1) missing.push(`slates are those of 1 in ${1 / traffic.share()} of the visitors: there are too many to count all`);
  return { traffic: rows, events: events.rows(), newest: trim(newest), beganMs, missing };
}

/** Scope and model of the generation in force are known; of another one's, nobody says what was out of stock then. */
function canBeMadeAgain(slate: SlateRecord, champion: DeploymentSpec | undefined): boolean {
  return slate.rung === 'model' && slate.reason === undefined && slate.artifact === champion?.champion && slate.generation === champion?.generation;
}

function keepNewest(newest: SlateRecord[], slate: SlateRecord): void {
  newest.push(slate);
  if (newest.length >= 2 * replayedAtMost) trim(newest);
}

function trim(newest: SlateRecord[]): SlateRecord[] {
  newest.sort((a, b) => b.atMs - a.atMs);
  newest.length = Math.min(newest.length, replayedAtMost);
  return newest;
}

/** What the catalog and the champion knew in each unit. */
async function itemsOver({ state, units, deployments, readCatalog }: Pick<Logs, 'state' | 'units' | 'deployments' | 'readCatalog'>): Promise<ItemsOf> {
  const vocabularies = new Map<string, Set<string> | null>();
  const known: ReturnType<ItemsOf>[] = [];
  for (const { toMs } of units) {
    const spec = asOf(deployments, toMs - 1, ({ createdAtMs }) => createdAtMs);
    if (spec !== undefined && !vocabularies.has(spec.champion)) vocabularies.set(spec.champion, await vocabularyOf(state, spec.champion));
    known.push({ catalog: spec === undefined ? null : await readCatalog(spec.catalog), vocabulary: vocabularies.get(spec?.champion ?? '') ?? null });
  }
  return (unit) => known[unit] ?? { catalog: null, vocabulary: null };
}

async function vocabularyOf({ blobs }: State, artifact: string): Promise<Set<string> | null> {
  try {
    const { files } = await getDocument(blobs, artifact, artifactManifest);
    return new Set(JSON.parse(Buffer.from(await blobs.get(files['vocabulary.json'] ?? '')).toString('utf8')) as string[]);
  } catch {
    return null;
  }
}
