import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { openAsker } from './ask.ts';

const open = () => {
  const input = new PassThrough();
  const asker = openAsker({ input, output: new PassThrough() });
  return { input, asker };
};

it('keeps lines that come before they are asked for', async () => {
  const { input, asker } = open();
  input.write('one\ntwo\nthree\n');
  expect([await asker.ask('? '), await asker.ask('? '), await asker.ask('? ')]).toEqual(['one', 'two', 'three']);
  const late = asker.ask('? ');
  input.write('four\n');
  expect(await late).toBe('four');
  asker.close();
});

it('an end instead of an answer is a coded error', async () => {
  const { input, asker } = open();
  const asked = asker.ask('? ');
  input.end('');
  await expect(asked).rejects.toMatchObject({ code: 'UND-INPUT', message: expect.stringContaining('--yes') });
  await expect(asker.ask('? ')).rejects.toMatchObject({ code: 'UND-INPUT' });
});
