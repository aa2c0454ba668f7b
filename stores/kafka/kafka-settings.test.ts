import { describe, expect, it } from 'vitest';
import { UnderstudyError } from '../../models/contracts/problem.ts';
import { kafkaSettings } from './kafka-settings.ts';
import { topicMistakes } from './log-topic.ts';
import { partitionFor } from './recover-segments.ts';
import { type Entry, parseSegmentName, segmentName } from './segment-index.ts';

describe('what the environment says of the Kafka log', () => {
  it('is taken from the URL and from variables of their own', () => {
    expect(kafkaSettings({ url: 'kafka://a:9092,b.example:9093' })).toEqual({ brokers: ['a:9092', 'b.example:9093'], partitions: 12, replicas: 3 });
    const ca = '-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n';
    expect(kafkaSettings({ url: 'kafkas://[::1]:9092/?replicas=2&partitions=4', username: 'me', password: 'p@:/', mechanism: 'PLAIN', ca })).toEqual({
      brokers: ['[::1]:9092'],
      tls: { ca },
      sasl: { mechanism: 'PLAIN', username: 'me', password: 'p@:/' },
      partitions: 4,
      replicas: 2,
    });
    expect(kafkaSettings({ url: 'kafkas://a:9092', username: 'me', password: 'p' })).toMatchObject({ tls: {}, sasl: { mechanism: 'SCRAM-SHA-512' } });
  });

  it.each([
    ['another kind of URL', { url: 'http://a:9092' }, 'kafka://host:port'],
    ['a password in the URL', { url: 'kafka://me:secret@a:9092' }, 'holds a password'],
    ['no port', { url: 'kafka://a' }, 'host:port'],
    ['a setting that is not known', { url: 'kafka://a:1?partition=3' }, 'partition'],
    ['no partitions', { url: 'kafka://a:1?partitions=0' }, 'partitions'],
    ['a name without a password', { url: 'kafka://a:1', username: 'me' }, 'password'],
    ['a mechanism that is not known', { url: 'kafka://a:1', username: 'me', password: 'p', mechanism: 'GSSAPI' }, 'mechanism'],
    ['an authority where nothing is encrypted', { url: 'kafka://a:1', ca: '-----BEGIN CERTIFICATE-----' }, 'kafkas://'],
    ['an authority that is a path', { url: 'kafkas://a:1', ca: '/etc/ca.pem' }, 'PEM'],
  ])('is refused for %s, which it names, and gives no secret away', (_what, given, named) => {
    const refused = () => kafkaSettings(given);
    expect(refused).toThrow(UnderstudyError);
    expect(refused).toThrow(expect.objectContaining({ code: 'UND-ENVIRONMENT', message: expect.stringContaining(named) }));
    expect(refused).not.toThrow(/secret/);
  });
});

describe('the settings of a topic', () => {
  const sound = { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1', 'unclean.leader.election.enable': 'false' };
  const mistakes = (configs: Record<string, string>, replicas: number, policy = 'delete') =>
    topicMistakes({ configs: new Map(Object.entries({ ...sound, ...configs })), replicas, policy }).map(({ path }) => path);

  it.each([
    ['one replica that syncs each batch', { 'flush.messages': '1' }, 1, []],
    ['one replica that does not', { 'flush.messages': '9223372036854775807', 'min.insync.replicas': '1' }, 1, ['/flush.messages']],
    ['three replicas, two of which have it', { 'min.insync.replicas': '2' }, 3, []],
    ['three replicas, one of which may be alone', { 'min.insync.replicas': '1' }, 3, ['/min.insync.replicas']],
    ['a week of retention', { 'min.insync.replicas': '2', 'retention.ms': '604800000' }, 3, ['/retention.ms']],
    ['a size that is kept', { 'min.insync.replicas': '2', 'retention.bytes': '1000000' }, 3, ['/retention.bytes']],
    ['a leader that may lack records', { 'min.insync.replicas': '2', 'unclean.leader.election.enable': 'true' }, 3, ['/unclean.leader.election.enable']],
  ])('%s', (_what, configs, replicas, expected) => {
    expect(mistakes(configs, replicas)).toEqual(expected);
  });

  it('of the index must be compaction alone, where time and size do not count', () => {
    expect(mistakes({ 'cleanup.policy': 'compact', 'retention.ms': '1', 'min.insync.replicas': '2' }, 3, 'compact')).toEqual([]);
    expect(mistakes({ 'cleanup.policy': 'compact,delete', 'min.insync.replicas': '2' }, 3, 'compact')).toEqual(['/cleanup.policy']);
  });
});

it('a writer keeps its partition, and a new one has the partition that the fewest have', () => {
  const entries = new Map<string, Entry>();
  const begin = (writer: string, sequence: number, partition: number) => {
    const name = segmentName(writer, sequence, 'a.life');
    entries.set(name, { place: { name, partition, from: 0 }, writtenMs: 0 });
  };
  const of = (writer: string, partitions: number) => partitionFor(entries, { writer, partitions });
  expect(of('r1', 3)).toBe(0);
  begin('r1', 1, 0);
  begin('r1-b', 1, 1);
  expect(of('r2', 3)).toBe(2);
  expect(of('r2', 2)).toBe(0);
  begin('r1', 2, 2);
  expect([of('r1', 3), of('r1-b', 3), of('r2', 3)]).toEqual([2, 1, 0]);
});

it('the name of a segment says whose it is', () => {
  expect(parseSegmentName(segmentName('r1-00000007~b', 12, 'x.y.1'))).toEqual({ writer: 'r1-00000007~b', sequence: 12, life: 'x.y.1' });
  expect(parseSegmentName('r1')).toBeUndefined();
});
