import type { Subjects } from '../../models/contracts/erasure.ts';
import { eraseFromLog } from '../../stores/erase-log.ts';
import { directoryOf } from '../../stores/open-logs.ts';
import type { Context } from '../context.ts';
import { sealLog } from '../release/seal-log.ts';
import { idsOf } from './erasure-files.ts';
import { keptInKafka, refuseWhatIsKept } from './kept-in-kafka.ts';

/** Whose a record of the event log or the slate log is, as `eventIsTheirs` says it of rows. */
export function recordIsTheirs(people: Subjects): (record: unknown) => boolean {
  const [users, sessions, devices] = [people.userIds, people.sessionIds, people.deviceIds].map((ids) => new Set(ids)) as [
    Set<string>,
    Set<string>,
    Set<string>,
  ];
  return (record) => {
    const { userId, sessionId, deviceId, unit } = (record ?? {}) as { userId?: string; sessionId?: string; deviceId?: string; unit?: string };
    if (userId !== undefined && users.has(userId)) return true;
    if (unit?.startsWith('u:') && users.has(unit.slice(2))) return true;
    const anonymous = userId === undefined && !unit?.startsWith('u:');
    const session = sessionId ?? (unit?.startsWith('s:') ? unit.slice(2) : undefined);
    return anonymous && ((session !== undefined && sessions.has(session)) || (deviceId !== undefined && devices.has(deviceId)));
  };
}

const inBoth = (theirs: (record: unknown) => boolean) => ({ events: theirs, slates: theirs });

/** @throws UND-LOG-KEPT where a log is in a Kafka and holds something of theirs. */
export const refuseTheirs = ({ state }: Pick<Context, 'state'>, { surfaces, people }: { surfaces: readonly string[]; people: Subjects }): Promise<void> =>
  refuseWhatIsKept({ state, surfaces, what: 'of theirs', doomed: inBoth(recordIsTheirs(people)) });

/** Topics that hold something of theirs. */
export async function topicsOfTheirs({ state }: Context, { surface, people }: { surface: string; people: Subjects }): Promise<string[]> {
  return (await keptInKafka({ state, surface, doomed: inBoth(recordIsTheirs(people)) })).map(({ topic }) => topic);
}

/** Seals what replicas write, and takes out of both logs of a surface what is theirs. @returns records that are gone, by stream */
export async function eraseLogs(
  context: Context,
  { surface, people, certificate }: { surface: string; people: Subjects; certificate: string },
): Promise<Record<string, number>> {
  await refuseTheirs(context, { surfaces: [surface], people });
  await sealLog(context, { surface });
  const removed: Record<string, number> = {};
  for (const stream of ['events', 'slates'] as const) {
    const directory = directoryOf(context.state.root, { surface, stream });
    const { records, cuts = 0 } = await eraseFromLog({ directory, mentions: idsOf(people), matches: recordIsTheirs(people), certificate });
    if (records > 0) removed[stream === 'events' ? 'loggedEvents' : 'slates'] = records;
    if (cuts > 0) removed.tornTails = (removed.tornTails ?? 0) + cuts;
  }
  return removed;
}
