import type { DeploymentSpec } from '../models/contracts/deployment.ts';
import { type Logged, parseLogged } from '../models/contracts/event-schemas.ts';
import type { LogCursor, LogFollower } from '../stores/event-log.ts';
import type { Life } from '../stores/life.ts';
import type { Enrolments } from './enrolments.ts';
import { enrolmentOfRecord, markOf } from './read-back.ts';
import type { SurfaceLogs } from './surface-logs.ts';

type Options = {
  readers: SurfaceLogs['readers'];
  life: Life;
  /** Where reading back at start has ended. */
  eventsCursor: LogCursor;
  spec: () => DeploymentSpec;
  enrolments: Enrolments;
  /** Reads the enrolments of the running release from its beginning. */
  readEnrolments: (spec: DeploymentSpec) => Promise<LogCursor>;
  /** Also for events that are known already. */
  take: (event: Logged) => void;
};

/**
 * What other replicas of the state directory write, with the delay of a look: their events, so that a visitor is known and a repetition is one on each of
 * them, and their enrolments, so that a visitor keeps the variant. Of two enrolments of one visitor the older holds everywhere.
 */
export function followPeers(options: Options): {
  look(): Promise<void>;
  /** Whether they have been read once: later ones come with the delay of a look. */
  knowsEnrolments(): boolean;
} {
  const { readers, life, enrolments, spec } = options;
  const events = readers.events.follow({ cursor: options.eventsCursor, life });
  let release: { id: string; slates: LogFollower } | undefined;
  let knowsEnrolments = false;

  async function lookAtEnrolments(): Promise<void> {
    const current = spec();
    const { canary } = current;
    if (canary?.mode !== 'canary') {
      release = undefined;
      return;
    }
    if (release?.id !== canary.releaseId) {
      enrolments.begin(canary.releaseId);
      const cursor = await options.readEnrolments(current);
      release = { id: canary.releaseId, slates: readers.slates.follow({ cursor, life }) };
      return;
    }
    const mark = markOf(canary.releaseId);
    await release.slates.look((line) => {
      if (!line.includes(mark) || !line.includes('"enrolment":{')) return;
      const parsed = enrolmentOfRecord.safeParse(jsonOf(line));
      if (parsed.success) enrolments.restore(parsed.data);
    });
  }

  return {
    knowsEnrolments: () => knowsEnrolments,

    async look() {
      const lookedAtEnrolments = lookAtEnrolments().then(() => {
        knowsEnrolments = true;
      });
      const lookAtEvents = events.look((line) => {
        const event = parseLogged(jsonOf(line));
        if (event !== undefined) options.take(event);
      });
      // The one goes on where the other cannot.
      for (const outcome of await Promise.allSettled([lookAtEvents, lookedAtEnrolments])) if (outcome.status === 'rejected') throw outcome.reason;
    },
  };
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
