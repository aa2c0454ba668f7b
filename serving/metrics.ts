import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Everything this replica counts, in a registry of its own. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const latencyBuckets = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5];
  return {
    registry,
    requests: new Histogram({
      name: 'understudy_http_request_seconds',
      help: 'Time from the first byte of a request to its answer',
      labelNames: ['route', 'status'],
      buckets: latencyBuckets,
      registers,
    }),
    slates: new Counter({
      name: 'understudy_slates_total',
      help: 'Slates by variant and by the rung that answered',
      labelNames: ['surface', 'variant', 'rung'],
      registers,
    }),
    model: new Histogram({
      name: 'understudy_model_seconds',
      help: 'Time inside one graph',
      labelNames: ['surface', 'variant'],
      buckets: latencyBuckets,
      registers,
    }),
    stages: new Histogram({
      name: 'understudy_stage_seconds',
      help: 'Time of a slate by stage (serving/stage-times.ts)',
      labelNames: ['surface', 'stage'],
      buckets: [0.0001, 0.0005, ...latencyBuckets],
      registers,
    }),
    eventAge: new Histogram({
      name: 'understudy_event_age_seconds',
      help: 'Age of accepted events when they came in',
      labelNames: ['surface'],
      buckets: [1, 10, 60, 300, 900, 3_600, 21_600, 86_400],
      registers,
    }),
    breakersOpen: new Gauge({
      name: 'understudy_breaker_open',
      help: '1 where slates do not wait for this artifact, since it was too slow lately',
      labelNames: ['surface', 'artifact'],
      registers,
    }),
    threadsReady: new Gauge({
      name: 'understudy_model_threads_ready',
      help: 'Threads that can answer for the champion',
      labelNames: ['surface'],
      registers,
    }),
    modelFailures: new Counter({ name: 'understudy_model_failures_total', help: 'Questions that a model did not answer', labelNames: ['surface'], registers }),
    modelThreads: new Counter({
      name: 'understudy_model_thread_events_total',
      help: 'Model threads that crashed, hung or were started again',
      labelNames: ['surface', 'event'],
      registers,
    }),
    events: new Counter({ name: 'understudy_events_total', help: 'Posted events by what became of them', labelNames: ['surface', 'status'], registers }),
    ruleWarnings: new Counter({
      name: 'understudy_rule_warnings_total',
      help: 'Accepted events that broke a record rule which only warns',
      labelNames: ['surface', 'rule'],
      registers,
    }),
    logFailures: new Counter({ name: 'understudy_log_failures_total', help: 'Records that a log refused', labelNames: ['surface', 'stream'], registers }),
    damagedSegments: new Gauge({
      name: 'understudy_log_damaged_segments',
      help: 'Log segments that could not be read back whole at start',
      labelNames: ['surface'],
      registers,
    }),
    tornBytes: new Counter({
      name: 'understudy_log_torn_bytes_total',
      help: 'Bytes of half-written records cut off at start',
      labelNames: ['surface', 'stream'],
      registers,
    }),
    failedLooks: new Counter({ name: 'understudy_deployment_failed_looks_total', help: 'Deployments or profiles that could not be read', registers }),
    generation: new Gauge({ name: 'understudy_deployment_generation', help: 'Generation in force', labelNames: ['surface'], registers }),
    refused: new Gauge({
      name: 'understudy_deployment_refused_generation',
      help: 'Newest generation that this replica refused; 0 for none',
      labelNames: ['surface'],
      registers,
    }),
  };
}
export type Metrics = ReturnType<typeof createMetrics>;
