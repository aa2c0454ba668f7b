/** What may go wrong where something is signed, or kept for those who do not trust us: rows of the table in problem.ts. */
export const ledgerProblems = {
  'UND-SIGNING-KEY': {
    status: 500,
    exit: 2,
    retryable: false,
    title: 'There is no key to sign with',
    remedy:
      'Set UNDERSTUDY_SIGNING_KEY for the workers: `understudy keys` makes one. A ledger that is signed stays so: it takes the key that is named, or one that was handed it over.',
  },
  'UND-LEDGER': {
    status: 500,
    exit: 1,
    retryable: false,
    title: 'The ledger is not as it was written',
    remedy:
      'The first record that differs is named. Keep the copy as it is, compare it with an earlier export or checkpoint, and find out who could write there.',
  },
} as const;
