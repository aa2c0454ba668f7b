/** The fates of rows that nobody may keep, or may not keep any longer: they stand nowhere. */
export const withheldFate = 'withheld';
export const expiredFate = 'expired';
/** Of rows with one of these, nothing goes into quarantine. */
export const keptNowhere = `('duplicate', '${withheldFate}', '${expiredFate}')`;
/** Another event than the one that has its id. */
export const conflictFate = 'event-id-conflict';
