import { inject } from 'vitest';
import { logReadingSuite } from '../../testing-log-reading.ts';
import { eventLogSuite } from '../../testing-log-suite.ts';
import { settingsFor } from '../testing-broker.ts';

const start = (partitions: number) => async () => ({
  where: { stateDir: '/nowhere', kafka: { ...settingsFor(inject('kafkaAddress')), partitions } },
  stop: async () => undefined,
});
eventLogSuite('Kafka', 6, start(3));
eventLogSuite('Kafka, all writers in one partition', 2, start(1));
logReadingSuite('Kafka', 8, start(3));
logReadingSuite('Kafka, all writers in one partition', 8, start(1));
