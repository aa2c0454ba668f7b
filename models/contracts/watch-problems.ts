/** What may go wrong where alerts are told, and causes are mended: rows of the table in problem.ts. */
export const watchProblems = {
  'UND-MEND': {
    status: 409,
    exit: 5,
    retryable: false,
    title: 'The mend cannot be done',
    remedy: 'Do what is named by hand, or look again: `understudy root-cause SURFACE`.',
  },
  'UND-RECEIVER': {
    status: 502,
    exit: 7,
    retryable: true,
    title: 'Who is to be told cannot be reached',
    remedy:
      'Look at UNDERSTUDY_ALERT_WEBHOOK, UNDERSTUDY_ALERTMANAGER_URL and UNDERSTUDY_REPORT_WEBHOOK of the workers, and at what answers there. It is tried again until it takes it.',
  },
} as const;
