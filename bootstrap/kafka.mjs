/** A Kafka for tests: one broker in KRaft mode, from its jars, under a Java that is there; nothing else starts one. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { building } from './building.mjs';
import { lastWords, runCommand } from './child.mjs';
import { withLock } from './lock.mjs';
import { isExecutable, onPath } from './paths.mjs';
import { SetupError } from './problem.mjs';
import { Progress } from './progress.mjs';

/** Group, artifact, version and SHA-256 of what a broker loads, of Kafka's dependencies: compression and connectors are left out. */
const jars = `
org.apache.kafka kafka_2.13 4.4.0 76d3314f873571677ff98620ab9a431e508e3687f921a3df4f70d692a970475e
org.apache.kafka kafka-clients 4.4.0 1ab07317eb6633241392449d329dbdc5d9251e6ffc4926860f42dd966e88bdf9
org.apache.kafka kafka-coordinator-common 4.4.0 e380267a17981edbadaa2e2e785f18dc1b5671abf2d1084eb7da06a765c71d0c
org.apache.kafka kafka-group-coordinator 4.4.0 3fc830ace54f6a13f9f536bc0564bf39a68797365a4c4b194bd7db4fb893b2bc
org.apache.kafka kafka-group-coordinator-api 4.4.0 bf11d7586c7363ba72a16ac5ef80c65365de9166469f7f6fc4ac5d2e0a98213a
org.apache.kafka kafka-metadata 4.4.0 6c52de74ecd670332e1e1324f5d40311275ac49b22699b6722e5fb07dd266fcb
org.apache.kafka kafka-raft 4.4.0 687f278ce5d82b7f53644643e21e1a7452530f202826108990f0fe4f3d334d4f
org.apache.kafka kafka-server 4.4.0 5f5456c2976203525080220212639f7033274b94458ceabf44197f4800bd615c
org.apache.kafka kafka-server-common 4.4.0 e50931831a27a2f3eb6cf74e8d63cc325b4e98656f30e94f8829297951ca5080
org.apache.kafka kafka-share-coordinator 4.4.0 6969a7961ca98d37a039bbe0af0fe761d6b0dd07ca9666802f47821167afbb6e
org.apache.kafka kafka-storage 4.4.0 9eaa4dafacc251080ece0efa8511283da5de6931e843457f6af87f02f9b50039
org.apache.kafka kafka-storage-api 4.4.0 edd47a86cdce283fc15d033090417a5dec29642eb807713f2e807e3c46b5ca46
org.apache.kafka kafka-transaction-coordinator 4.4.0 1d5324d59776d6b7f324cfdc87647b1e88f9823332201c0324e7ae9f210d915d
com.dynatrace.hash4j hash4j 0.22.0 23028a3fd006e530bf495f551083208187cafd8f80624d048eba56442f16a50e
com.fasterxml.jackson.core jackson-annotations 2.21 53ca085f4a150f703f49e1aabd935bd03b43e1ea3d55d135438292af22cef56b
com.fasterxml.jackson.core jackson-core 2.21.7 8c5623b98f32d5f7e1287ff61ed50e08ab7b11381e991fff89327faabba42261
com.fasterxml.jackson.core jackson-databind 2.21.7 1290c2795e93e8a6861a6c4d9ff0d844d32f5ea178362cb2721edf5561e828b1
com.fasterxml.jackson.dataformat jackson-dataformat-yaml 2.21.7 df2b3e6a194181dc067b7211d750926b4ae9e4f3c892a0005b8219a9b59be681
com.fasterxml.jackson.datatype jackson-datatype-jdk8 2.21.7 b8f62f98363ed9aa259b3a479a64fcbe7e081158a8bec6733972e900d12f4e47
com.github.ben-manes.caffeine caffeine 3.2.0 ec411dfdf0c03f25218648ce89861630b71680e5858a9a7278ebac8e55cab3d7
com.google.re2j re2j 1.8 7b52c72156dd7f98b3237a5b35c1d34fba381b21048c89208913ad80a45dfbd7
com.typesafe.scala-logging scala-logging_2.13 3.9.6 0ad0c3f4d89d538b3b6c300158555e266aa69cf1b5f6522aba8b5bad238eb994
com.yammer.metrics metrics-core 2.2.0 6b7a14a6f34c10f8683f7b5e2f39df0f07b58c7dff0e468ebbc713905c46979c
commons-validator commons-validator 1.10.1 ed74711a78d793ca37f6075e4a1e93d107233dfd20d0bb17e32bad88d38e56aa
net.sf.jopt-simple jopt-simple 5.0.4 df26cc58f235f477db07f753ba5a3ab243ebe5789d9f89ecf68dd62ea9a66c28
net.sourceforge.argparse4j argparse4j 0.7.0 65ceb669d88f63306c680f8088bbf765bbca72d288a61a03703000076c3d3f56
org.apache.logging.log4j log4j-api 2.25.5 64777f73ea0b3104c04eb82befbdccc30a425a19e83ad06cb2f93aa303511863
org.apache.logging.log4j log4j-core 2.25.5 050c4f85deb48b055e9c041ac39043fbb79ce477841a11a1eb2969c86c6a0072
org.hdrhistogram HdrHistogram 2.2.2 22d1d4316c4ec13a68b559e98c8256d69071593731da96136640f864fa14fad8
org.pcollections pcollections 4.0.2 2bbeef5797a241300c4f7513cd546239629ed7deda4fc0c31df90bb95f5f13ef
org.scala-lang scala-library 2.13.18 4e85d96ff7bc7dc627985523c3541b9917aaa08e956391380c42db21a2c4e5a0
org.slf4j slf4j-api 1.7.36 d3ef575e3e4979678dc01bf1dcce51021493b4d11fb7f1be8ad982877c16a1c0
org.slf4j slf4j-simple 1.7.36 2f39bed943d624dfa8f4102d0571283a10870b6aa36f197a8a506f147010c10f
`
  .trim()
  .split('\n')
  .map((line) => {
    const [group = '', artifact = '', version = '', sha256 = ''] = line.split(' ');
    return { group, artifact, version, sha256, file: `${artifact}-${version}.jar` };
  });

const oldestJava = 17;
const ways =
  `Set UNDERSTUDY_TEST_KAFKA=host:port to a broker for tests, or install Java ${oldestJava} or later, and let the jars be had: put Maven's mvn on PATH (its ` +
  'settings say from where), or set UNDERSTUDY_MAVEN_URL to a repository in Maven’s layout.';

/** @typedef {{ java: string, classPath: string }} Kafka */

/** @param {string} cache @returns {string} named for what is in it */
const home = (cache) => join(cache, 'kafka', createHash('sha256').update(JSON.stringify(jars)).digest('hex').slice(0, 12));
const classPathOf = (/** @type {string} */ directory) => jars.map(({ file }) => join(directory, file)).join(delimiter);

/**
 * @param {{ cache: string, env: NodeJS.ProcessEnv, progress?: Progress }} setup
 * @returns {Promise<Kafka>}
 * @throws {SetupError} UND-SETUP naming every way and why it did not do
 */
export async function ensureKafka({ cache, env, progress = new Progress() }) {
  const java = await findJava(env);
  if (java === undefined) throw new SetupError('UND-SETUP', `A Kafka broker cannot be had: no Java ${oldestJava} or later is in JAVA_HOME or on PATH.`, ways);
  if (existsSync(home(cache))) return { java, classPath: classPathOf(home(cache)) };
  const task = progress.begin('Kafka', 'fetching the jars of a broker, 29 MB');
  /** @type {string[]} */
  const reasons = [];
  await withLock({ path: join(cache, 'locks', 'kafka.lock'), note: task.note }, async (childFile) => {
    if (existsSync(home(cache))) return;
    await building(join(cache, 'kafka'), async (directory) => {
      const had = (await byUrl({ directory, env, reasons })) || (await byMaven({ directory, cache, env, reasons, childFile }));
      if (had) renameSync(directory, home(cache));
    });
  });
  if (!existsSync(home(cache))) {
    task.failed('cannot be had');
    throw new SetupError('UND-SETUP', `A Kafka broker cannot be had: ${reasons.join('; ')}.`, ways);
  }
  task.done(`ready (${home(cache)})`);
  return { java, classPath: classPathOf(home(cache)) };
}

/** @param {NodeJS.ProcessEnv} env */
async function findJava(env) {
  const own = env.JAVA_HOME ? [join(env.JAVA_HOME, 'bin', 'java')].filter(isExecutable) : [];
  for (const path of [...own, ...onPath('java', env)]) {
    const answer = await runCommand(path, ['-version'], { env, timeoutMs: 20_000 });
    if (answer.ok && Number(/version "(\d+)/.exec(answer.output)?.[1]) >= oldestJava) return path;
  }
  return undefined;
}

/** @param {{ directory: string, env: NodeJS.ProcessEnv, reasons: string[] }} options */
async function byUrl({ directory, env, reasons }) {
  const base = env.UNDERSTUDY_MAVEN_URL?.replace(/\/+$/, '');
  if (!base) {
    reasons.push('UNDERSTUDY_MAVEN_URL names no repository');
    return false;
  }
  for (const { group, artifact, version, file, sha256 } of jars) {
    try {
      const response = await fetch(`${base}/${group.replaceAll('.', '/')}/${artifact}/${version}/${file}`, { signal: AbortSignal.timeout(120_000) });
      if (!response.ok) throw new Error(`it answers ${response.status}`);
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (digestOf(bytes) !== sha256) throw new Error('its SHA-256 is not the one that is known');
      writeFileSync(join(directory, file), bytes);
    } catch (error) {
      const { cause, message } = /** @type {Error} */ (error);
      reasons.push(`UNDERSTUDY_MAVEN_URL has no ${file}: ${cause instanceof Error ? cause.message || message : message}`);
      return false;
    }
  }
  return true;
}

const digestOf = (/** @type {Uint8Array} */ bytes) => createHash('sha256').update(bytes).digest('hex');

/** @param {{ directory: string, cache: string, env: NodeJS.ProcessEnv, reasons: string[], childFile: string }} options */
async function byMaven({ directory, cache, env, reasons, childFile }) {
  const mvn = onPath('mvn', env)[0];
  if (mvn === undefined) {
    reasons.push('mvn is not on PATH');
    return false;
  }
  const pom = join(directory, 'pom.xml');
  const only = '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>';
  const dependencies = jars.map(
    ({ group, artifact, version }) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>${only}</dependency>`,
  );
  writeFileSync(
    pom,
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>understudy</groupId><artifactId>kafka</artifactId>` +
      `<version>1</version><dependencies>${dependencies.join('')}</dependencies></project>`,
  );
  const args = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${directory}`];
  const outcome = await runCommand(mvn, args, { env, timeoutMs: 600_000, logFile: join(cache, 'logs', 'kafka.log'), childFile });
  if (!outcome.ok) {
    reasons.push(`mvn cannot fetch the jars: ${lastWords(outcome)}`);
    return false;
  }
  const wrong = jars.find(({ file, sha256 }) => !existsSync(join(directory, file)) || digestOf(readFileSync(join(directory, file))) !== sha256);
  if (wrong !== undefined) reasons.push(`the ${wrong.file} that mvn has fetched is not the one that is known`);
  return wrong === undefined;
}

/** @typedef {{ address: string, port: number, directory: string, child: import('node:child_process').ChildProcess, stop: () => Promise<void> }} Broker */

/**
 * One broker on loopback that keeps its data in a temporary folder until `stop`. With the port and the folder of one that was killed it is that one again.
 * @param {{ kafka: Kafka, again?: Pick<Broker, 'port' | 'directory'>, properties?: Record<string, string>, format?: string[] }} options
 * `format`: more arguments for the tool that lays out the data, such as the names and passwords that the broker knows
 * @returns {Promise<Broker>}
 */
export async function startKafka({ kafka, again, properties = {}, format = [] }) {
  const directory = again?.directory ?? mkdtempSync(join(tmpdir(), 'understudy-kafka-'));
  // Somebody may take a port between the look and the start.
  for (let tries = 1; ; tries += 1) {
    const port = again?.port ?? (await freePort());
    const child = await run({ kafka, directory, format, settings: { ...settingsOf({ port, controller: await freePort(), directory }), ...properties } });
    if (child !== undefined) {
      const ended = once(child, 'exit');
      const kill = () => void child.kill('SIGKILL');
      process.once('exit', kill);
      const stop = async () => {
        process.off('exit', kill);
        kill();
        if (child.exitCode === null && child.signalCode === null) await ended;
        rmSync(directory, { recursive: true, force: true });
      };
      return { address: `127.0.0.1:${port}`, port, directory, child, stop };
    }
    if (tries < 5) continue;
    rmSync(directory, { recursive: true, force: true });
    throw new SetupError('UND-SETUP', 'the Kafka broker does not start; see what it said above', ways);
  }
}

/** @param {{ port: number, controller: number, directory: string }} where @returns {Record<string, string>} */
const settingsOf = ({ port, controller, directory }) => ({
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.quorum.voters': `1@127.0.0.1:${controller}`,
  listeners: `CLIENT://127.0.0.1:${port},BROKER://127.0.0.1:0,CONTROLLER://127.0.0.1:${controller}`,
  'advertised.listeners': `CLIENT://127.0.0.1:${port},BROKER://127.0.0.1:0`,
  'listener.security.protocol.map': 'CLIENT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT',
  'controller.listener.names': 'CONTROLLER',
  'inter.broker.listener.name': 'BROKER',
  'log.dirs': join(directory, 'data'),
  'offsets.topic.replication.factor': '1',
  'auto.create.topics.enable': 'false',
});

/**
 * @param {{ kafka: Kafka, directory: string, settings: Record<string, string>, format: string[] }} options
 * @returns {Promise<import('node:child_process').ChildProcess | undefined>}
 */
async function run({ kafka: { java, classPath }, directory, settings, format }) {
  const file = join(directory, 'server.properties');
  const escaped = Object.entries(settings).map(([key, value]) => `${key}=${value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n`);
  writeFileSync(file, escaped.join(''));
  const options = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', classPath];
  const tool = ['kafka.tools.StorageTool', 'format', '--ignore-formatted', '-t', 'dW5kZXJzdHVkeS10ZXN0cw', '-c', file, ...format];
  const formatted = await runCommand(java, [...options, ...tool]);
  if (!formatted.ok) {
    process.stderr.write(formatted.output);
    return undefined;
  }
  const child = spawn(java, [...options, 'kafka.Kafka', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  const started = await new Promise((resolve) => {
    // Taken for as long as it runs: it would wait for us otherwise.
    child.stderr.on('data', (chunk) => {
      said = (said + String(chunk)).slice(-20_000);
      if (said.includes('Kafka Server started')) resolve(true);
    });
    child.on('error', () => resolve(false));
    child.on('exit', () => resolve(false));
  });
  if (started) return child;
  process.stderr.write(said);
  return undefined;
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address());
  probe.close();
  await once(probe, 'close');
  return port;
}
