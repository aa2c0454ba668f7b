import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { createFastExpress } from './fast-express.ts';

it('makes requests and responses with the prototypes that Express would set', async () => {
  const { app, listen } = createFastExpress();
  app.get('/', (request, response) => {
    response.json({ query: request.query, is: request.accepts('json') });
  });
  const server = listen();
  const born: boolean[] = [];
  // Before Express has seen them.
  server.prependListener('request', (request, response) =>
    born.push(Object.getPrototypeOf(request) === app.request, Object.getPrototypeOf(response) === app.response),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/?a=1`);
    expect(await response.json()).toEqual({ query: { a: '1' }, is: 'json' });
    expect(response.headers.get('x-powered-by')).toBeNull();
    expect(born).toEqual([true, true]);
  } finally {
    server.close();
  }
});
