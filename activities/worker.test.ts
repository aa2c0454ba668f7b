import { ApplicationFailure } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { UnderstudyError } from '../models/contracts/problem.ts';
import type { Context } from './context.ts';
import { benchContext } from './events/testing.ts';
import { controlActivities } from './worker.ts';

/** What Temporal is told when an activity throws. */
async function failureOf(thrown: unknown): Promise<ApplicationFailure> {
  const context: Context = { ...benchContext('/nowhere'), submit: () => Promise.reject(thrown) };
  const { submitCandidate } = controlActivities(context);
  const outcome = await new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(submitCandidate, {} as never).catch((error) => error);
  expect(outcome).toBeInstanceOf(ApplicationFailure);
  return outcome as ApplicationFailure;
}

it.each([
  ['a mistake in code', new TypeError('x is not a function'), 'UND-INTERNAL', true],
  ['a name that is not there', new ReferenceError('x is not defined'), 'UND-INTERNAL', true],
  ['a length that cannot be', new RangeError('Invalid array length'), 'UND-INTERNAL', true],
  ['text that is not JSON', new SyntaxError('Unexpected token'), 'UND-INTERNAL', true],
  ['a document of another shape', z.string().safeParse(1).error, 'UND-INTERNAL', true],
  ['a network that fails', new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') }), 'UND-INTERNAL', false],
  ['what nobody knows', new Error('ENOSPC'), 'UND-INTERNAL', false],
  ["a user's mistake", new UnderstudyError('UND-CHARTER', 'three of them'), 'UND-CHARTER', true],
  ['a dependency that is away', new UnderstudyError('UND-MLFLOW', 'down'), 'UND-MLFLOW', false],
])('%s', async (_what, thrown, type, nonRetryable) => {
  expect(await failureOf(thrown)).toMatchObject({ type, nonRetryable });
});
