import type { ProposedMend, RootCauseFacts, Suspect } from '../../models/contracts/root-cause.ts';

/** The one step that is proposed for a suspect; null where nothing of ours would help. */
export function mendOf({ cause, where }: Suspect, { model }: RootCauseFacts): ProposedMend | null {
  const { replica = null, source = null } = where;
  switch (cause) {
    case 'fallback':
    case 'latency':
    case 'errors':
      return replica === null
        ? {
            action: 'rollback',
            target: model?.artifact ?? null,
            why: 'all replicas have it, so it lies in what they serve: the artifact before this one did not do it',
          }
        : { action: 'drain-replica', target: replica, why: `only ${replica} has it: the others can take its requests` };
    case 'stale-deployment':
    case 'wrong-artifact':
      return replica === null
        ? { action: 'rollback', target: model?.artifact ?? null, why: 'a new generation makes every replica read what it is to serve' }
        : { action: 'drain-replica', target: replica, why: `${replica} does not serve what it should, and the others do` };
    case 'schema':
      return { action: 'replay-quarantine', target: source, why: 'what was put aside can be mended and taken in; nothing is lost' };
    case 'volume':
    case 'tracking':
    case 'missing-source':
    case 'catalog':
    case 'price':
      return { action: 'pause-releases', target: null, why: 'no model is to be trained or judged on such data; the sender has to mend what it sends' };
    case 'duplicates':
    case 'late-events':
      return { action: 'rebuild-window', target: source, why: 'the window is cut again once the days are whole' };
    case 'new-artifact':
    case 'train-serve-difference':
      return { action: 'rollback', target: model?.artifact ?? null, why: 'the artifact before this one was worth more' };
    case 'bad-window':
      return { action: 'rollback', target: model?.artifact ?? null, why: 'it learned from broken days; the one before it did not' };
    case 'rules':
      return { action: 'pause-releases', target: null, why: 'whoever changed the rules has to take them back; no model is to be judged under them' };
    case 'drift':
    case 'cold-share':
      return { action: 'rebuild-window', target: null, why: 'a model that has seen what came since knows it' };
    case 'feature-mismatch':
      return { action: 'refresh-features', target: null, why: 'online values are made again from the data' };
    default:
      return null;
  }
}
