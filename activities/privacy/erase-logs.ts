import { join } from 'node:path';
import type { Subjects } from '../../models/contracts/erasure.ts';
import { eraseFromLog } from '../../stores/erase-log.ts';
import type { Context } from '../context.ts';
import { sealLog } from '../release/seal-log.ts';
import { idsOf } from './erasure-files.ts';

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

/** Seals what replicas write, and takes out of both logs of a surface what is theirs. @returns records that are gone, by stream */
export async function eraseLogs(
  context: Context,
  { surface, people, certificate }: { surface: string; people: Subjects; certificate: string },
): Promise<Record<string, number>> {
  await sealLog(context, { surface });
  const removed: Record<string, number> = {};
  for (const stream of ['events', 'slates'] as const) {
    const directory = join(context.state.root, 'log', surface, stream);
    const { records, cuts = 0 } = await eraseFromLog({ directory, mentions: idsOf(people), matches: recordIsTheirs(people), certificate });
    if (records > 0) removed[stream === 'events' ? 'loggedEvents' : 'slates'] = records;
    if (cuts > 0) removed.tornTails = (removed.tornTails ?? 0) + cuts;
  }
  return removed;
}
