import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { promisify } from 'node:util';
import { expect, inject, it, onTestFinished } from 'vitest';
import { readEnvironment } from '../cli/environment.ts';
import { temporalAnswers } from '../cli/system/start-servers.ts';
import { startSystem } from '../cli/system/start-system.ts';
import { withTemporal } from '../cli/temporal.ts';

/** A certificate of its own authority for 127.0.0.1, by the Python that has MLflow (and so `cryptography`). */
const makeCertificate = `
import datetime, ipaddress, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "temporal")])
now = datetime.datetime.now(datetime.timezone.utc)
certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
    .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(hours=1))
    .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("temporal")]), critical=False)
    .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True).sign(key, hashes.SHA256()))
open(sys.argv[1] + "/cert.pem", "wb").write(certificate.public_bytes(serialization.Encoding.PEM))
open(sys.argv[1] + "/key.pem", "wb").write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
`;

/** TLS in front of the test's Temporal, as a cluster of somebody's own has it. */
async function temporalBehindTls(): Promise<{ address: string; certificate: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'understudy-tls-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await promisify(execFile)(inject('mlflowPython'), ['-c', makeCertificate, folder]);
  const certificate = join(folder, 'cert.pem');
  const [host = '', port = ''] = inject('temporalAddress').split(':');
  const proxy = createServer({ cert: await readFile(certificate), key: await readFile(join(folder, 'key.pem')), ALPNProtocols: ['h2'] }, (socket) => {
    const upstream = connect({ host, port: Number(port) });
    socket.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
    upstream.on('error', () => socket.destroy()).on('close', () => socket.destroy());
    socket.pipe(upstream).pipe(socket);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void proxy.close());
  return { address: `127.0.0.1:${(proxy.address() as AddressInfo).port}`, certificate };
}

it("a Temporal of one's own behind TLS: found with its variables, not without; commands and workers reach it", { timeout: 90_000 }, async () => {
  const { address, certificate } = await temporalBehindTls();
  const env = { TEMPORAL_ADDRESS: address, TEMPORAL_TLS: 'true', TEMPORAL_TLS_SERVER_CA_CERT_PATH: certificate, TEMPORAL_TLS_SERVER_NAME: 'temporal' };
  const asked = { address, namespace: 'default', timeoutMs: 10_000 };
  expect(await temporalAnswers({ ...asked, timeoutMs: 2_000, env: { TEMPORAL_ADDRESS: address } })).toBe(false);
  expect(await temporalAnswers({ ...asked, env })).toBe(true);
  const context = { env: readEnvironment(env), cwd: tmpdir(), now: Date.now };
  const stateDir = await mkdtemp(join(tmpdir(), 'understudy-tls-state-'));
  onTestFinished(() => rm(stateDir, { recursive: true, force: true, maxRetries: 5 }));
  expect(await withTemporal(context, stateDir, async (client) => (await client.workflowService.getSystemInfo({})).serverVersion)).not.toBe('');

  const system = await startSystem({
    stateDir,
    temporalAddress: address,
    temporalNamespace: 'default',
    mlflowUri: inject('mlflowUrl'),
    ports: { serving: 0 },
    say: () => undefined,
    env: { ...process.env, ...env },
  });
  onTestFinished(() => system.stop());
  expect(system.children.map(({ name }) => name)).toEqual(['worker-control', 'worker-training', 'serving']);
  await expect
    .poll(
      () =>
        withTemporal(context, stateDir, async (client) => {
          const queue = await client.workflowService.describeTaskQueue({ namespace: 'default', taskQueue: { name: 'understudy' }, taskQueueType: 1 });
          return (queue.pollers ?? []).some(({ identity }) => identity?.startsWith(`${system.children[0]?.pid()}@`));
        }),
      { timeout: 30_000 },
    )
    .toBe(true);
});
