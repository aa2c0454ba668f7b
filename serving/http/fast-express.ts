import { createServer, IncomingMessage, type Server, ServerResponse } from 'node:http';
import express, { type Express } from 'express';

/**
 * An Express application and a node:http server that makes its requests and responses with the application's own prototypes. Express sets the
 * prototype of both on each request, which costs most of its time; here they have it from birth, and setting it again is a no-op. Use
 * Routers: a mounted sub-application brings prototypes of its own and undoes this.
 */
export function createFastExpress(): { app: Express; listen: () => Server } {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');

  function FastRequest(...args: unknown[]): object {
    return Reflect.construct(IncomingMessage, args, FastRequest);
  }
  FastRequest.prototype = app.request;
  function FastResponse(...args: unknown[]): object {
    return Reflect.construct(ServerResponse, args, FastResponse);
  }
  FastResponse.prototype = app.response;

  return {
    app,
    listen: () =>
      createServer(
        { IncomingMessage: FastRequest as unknown as typeof IncomingMessage, ServerResponse: FastResponse as unknown as typeof ServerResponse },
        app,
      ),
  };
}
