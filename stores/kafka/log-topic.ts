import type { Mistake } from '../../models/contracts/problem.ts';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import type { Kafka } from './kafka-client.ts';

export const topicOf = ({ surface, stream }: { surface: string; stream: string }): string => `understudy.${surface}.${stream}`;
/** Which segments there are. Compacted: it keeps one message a segment for ever, and can be read by all who reach the brokers. */
export const indexTopicOf = (topic: string): string => `${topic}.segments`;

/**
 * The two topics of a stream, made where they are not there yet.
 * @returns the partitions of the first
 * @throws UND-LOG-TOPIC where a topic would lose what was acknowledged, naming each setting that must be another.
 */
export async function ensureTopics(kafka: Kafka, topic: string): Promise<number> {
  const { partitions, replicas } = kafka.settings;
  const durable = {
    'unclean.leader.election.enable': 'false',
    'min.insync.replicas': replicas > 1 ? '2' : '1',
    // Otherwise a broker answers when a batch is in its memory: enough where another has it too.
    ...(replicas > 1 ? {} : { 'flush.messages': '1' }),
  };
  await ensureTopic(kafka, { name: indexTopicOf(topic), partitions: 1, replicas, configs: { ...durable, 'cleanup.policy': 'compact' } });
  const forEver = { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1' };
  return ensureTopic(kafka, { name: topic, partitions, replicas, configs: { ...durable, ...forEver } });
}

type Wanted = { name: string; partitions: number; replicas: number; configs: Readonly<Record<string, string>> };

async function ensureTopic(kafka: Kafka, wanted: Wanted): Promise<number> {
  let found = await kafka.topic(wanted.name);
  if (found === undefined) {
    await kafka.createTopic(wanted);
    // Asks until every partition has a leader.
    await kafka.offsets(wanted.name, 'end');
    found = await kafka.topic(wanted.name);
  }
  const mistakes = topicMistakes({
    configs: await kafka.configs(wanted.name),
    replicas: found?.replicas ?? wanted.replicas,
    policy: wanted.configs['cleanup.policy'] ?? 'delete',
  });
  if (mistakes.length > 0)
    throw new UnderstudyError(
      'UND-LOG-TOPIC',
      `The topic ${wanted.name} would lose what was acknowledged: ${mistakes.map(({ path, message }) => `${path.slice(1)} ${message}`).join('; ')}`,
      { mistakes },
    );
  return found?.partitions ?? wanted.partitions;
}

/** What is wrong with the settings of a topic that must keep all that was acknowledged. */
export function topicMistakes({ configs, replicas, policy }: { configs: ReadonlyMap<string, string>; replicas: number; policy: string }): Mistake[] {
  const mistakes: Mistake[] = [];
  const must = (name: string, ...allowed: string[]) => {
    const is = configs.get(name) ?? '';
    if (!allowed.includes(is)) mistakes.push({ path: `/${name}`, message: `is ${is === '' ? 'not known' : is} and must be ${allowed.join(' or ')}` });
  };
  must('cleanup.policy', policy);
  // The log is taken in anew when the rules change, and what was sealed may wait for days to be taken in at all.
  if (policy === 'delete') {
    must('retention.ms', '-1');
    must('retention.bytes', '-1');
  }
  must('unclean.leader.election.enable', 'false');
  const synced = configs.get('flush.messages') === '1';
  if (replicas < 2) must('flush.messages', '1');
  else if (!synced && !(Number(configs.get('min.insync.replicas')) >= 2))
    mistakes.push({ path: '/min.insync.replicas', message: `is ${configs.get('min.insync.replicas')} and must be 2 or more` });
  return mistakes;
}
