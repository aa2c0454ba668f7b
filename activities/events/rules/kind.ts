import { eventKinds } from '../../../models/contracts/event.ts';
import type { RecordRule } from './record-rule.ts';

const known: ReadonlySet<string> = new Set(eventKinds);

export const unknownKind: RecordRule = {
  name: 'unknown-kind',
  breaksSql: `(kind IS NULL OR kind NOT IN (${eventKinds.map((kind) => `'${kind}'`).join(', ')}))`,
  breaks: (row) => row.kind === null || !known.has(row.kind),
};
