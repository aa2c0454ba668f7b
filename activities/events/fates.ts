import type { IngestManifest } from '../../models/contracts/window.ts';

/** The fates of rows that nobody may keep, or may not keep any longer: they stand nowhere. */
export const withheldFate = 'withheld';
export const expiredFate = 'expired';
/** Of rows with one of these, nothing goes into quarantine. */
export const keptNowhere = `('duplicate', '${withheldFate}', '${expiredFate}')`;
/** Another event than the one that has its id. */
export const conflictFate = 'event-id-conflict';

/** Rows that say how a source is today: those that are too old do not. */
export const rowsOfToday = ({ input, expired = 0 }: IngestManifest['counts']): number => input - expired;
