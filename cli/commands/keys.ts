import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { emit } from '../output.ts';

/** `understudy keys`: fresh secrets, printed and kept nowhere. */
export function keysCommand(): Command {
  return new Command('keys')
    .description('make the secrets of a system: printed once, kept nowhere; put them where your environment comes from')
    .option('--json', 'one JSON document on stdout')
    .action(({ json }: { json?: boolean }) => {
      const keys = {
        UNDERSTUDY_PSEUDONYM_KEY: randomBytes(32).toString('base64url'),
        UNDERSTUDY_PAYLOAD_KEY: randomBytes(32).toString('base64url'),
        UNDERSTUDY_SIGNING_KEY: generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'),
      };
      const text = Object.entries(keys).map(([name, value]) => `${name}=${value}`);
      emit({ json: json === true, document: keys, text: text.join('\n') });
    });
}
