import { type EventKind, eventKinds } from '../contracts/event.ts';
import type { ContractRule } from '../contracts/record-rules.ts';
import type { RowRule } from './record-rule.ts';

const known: ReadonlySet<string> = new Set(eventKinds);

const unknownKind: RowRule = {
  name: 'unknown-kind',
  breaksSql: () => `(kind IS NULL OR kind NOT IN (${eventKinds.map((kind) => `'${kind}'`).join(', ')}))`,
  breaks: (row) => row.kind === null || !known.has(row.kind),
};

/** A kind that is nothing without a number. */
const tellsNothing = (name: ContractRule, kind: EventKind, column: string, field: 'dwellMs' | 'rating'): RowRule => ({
  name,
  breaksSql: () => `(kind = '${kind}' AND ${column} IS NULL)`,
  breaks: (row) => row.kind === kind && row[field] === null,
});

export const kindRules: RowRule[] = [
  unknownKind,
  tellsNothing('missing-dwell', 'dwell', 'dwell_ms', 'dwellMs'),
  tellsNothing('missing-rating', 'rating', 'rating', 'rating'),
];
