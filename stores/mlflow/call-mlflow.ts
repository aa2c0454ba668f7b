import { setTimeout as delay } from 'node:timers/promises';
import { UnderstudyError } from '../../models/contracts/problem.ts';

export type Caller = (method: string, url: string, body: string | Uint8Array | undefined) => Promise<Uint8Array>;

/** Calls of one server: one that does not answer, or answers 5xx, is asked again for a while. Each throws UND-MLFLOW with the server's own message. */
export function createCaller({ base, token, retryForMs }: { base: string; token: string | undefined; retryForMs: number }): Caller {
  return async (method, url, body) => {
    const deadline = performance.now() + retryForMs;
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await once(method, url, body).catch(
        (cause: unknown) => new UnderstudyError('UND-MLFLOW', `MLflow does not answer at ${base}`, { cause }),
      );
      if (!(outcome instanceof UnderstudyError)) return outcome;
      const waitMs = Math.min(2_000, 100 * 2 ** attempt);
      if (outcome.details.final === true || performance.now() + waitMs > deadline) throw outcome;
      await delay(waitMs);
    }
  };

  async function once(method: string, url: string, body: string | Uint8Array | undefined): Promise<Uint8Array | UnderstudyError> {
    const response = await fetch(`${base}${url}`, {
      method,
      ...(body === undefined ? {} : { body: body as NonNullable<RequestInit['body']> }),
      headers: {
        ...(typeof body === 'string' ? { 'content-type': 'application/json' } : {}),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      signal: AbortSignal.timeout(30_000),
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (response.ok) return bytes;
    const { message, code } = explain(bytes);
    return new UnderstudyError('UND-MLFLOW', `${method} ${url.split('?')[0]}: ${response.status} ${message}`, {
      details: { mlflowCode: code, final: response.status < 500 && response.status !== 429 },
    });
  }
}

function explain(bytes: Uint8Array): { message: string; code: string } {
  const text = Buffer.from(bytes).toString('utf8');
  try {
    const { message = '', error_code: code = '' } = JSON.parse(text) as { message?: string; error_code?: string };
    return { message: message.slice(0, 500), code };
  } catch {
    return { message: text.slice(0, 200), code: '' };
  }
}
