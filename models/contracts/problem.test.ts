import { expect, it } from 'vitest';
import { readEnvironment } from '../../cli/environment.ts';
import { readServingEnvironment } from '../../serving/environment.ts';
import { problems, toProblemDetails, UnderstudyError } from './problem.ts';

const thrownBy = (work: () => unknown): UnderstudyError => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(UnderstudyError);
    return error as UnderstudyError;
  }
  throw new Error('nothing was thrown');
};

it('the environment: every variable that is wrong is named, and the value is not told', () => {
  const secret = 'hunter2';
  const command = thrownBy(() => readEnvironment({ MLFLOW_TRACKING_URI: 'nowhere', UNDERSTUDY_APPROVER_KEY: secret, UNDERSTUDY_STATE: '' }));
  expect(command.code).toBe('UND-ENVIRONMENT');
  expect(command.mistakes.map(({ path }) => path).sort()).toEqual(['/MLFLOW_TRACKING_URI', '/UNDERSTUDY_APPROVER_KEY', '/UNDERSTUDY_STATE']);
  for (const { path } of command.mistakes) expect(command.message).toContain(path);
  expect(command.message).not.toContain(secret);

  const serving = thrownBy(() => readServingEnvironment({ UNDERSTUDY_PORT: '70000', UNDERSTUDY_REPLICA: 'Not A Name', UNDERSTUDY_MODEL_THREADS: 'many' }));
  expect(serving.code).toBe('UND-ENVIRONMENT');
  expect(serving.mistakes.map(({ path }) => path).sort()).toEqual(['/UNDERSTUDY_MODEL_THREADS', '/UNDERSTUDY_PORT', '/UNDERSTUDY_REPLICA']);
});

it('an environment without mistakes gives its defaults', () => {
  expect(readEnvironment({})).toMatchObject({ UNDERSTUDY_STATE: '.understudy', TEMPORAL_NAMESPACE: 'default' });
  expect(readServingEnvironment({ UNDERSTUDY_KEYS: 'a, b,,' })).toMatchObject({ port: 4600, keys: ['a', 'b'], adminKey: null });
});

it('every code makes a whole problem document; what broke inside is not told', () => {
  for (const [code, row] of Object.entries(problems)) {
    const document = toProblemDetails(new UnderstudyError(code as keyof typeof problems, 'this time'));
    const detail = code === 'UND-INTERNAL' ? row.title : 'this time';
    const { title, status, remedy } = row;
    expect(document).toEqual({ type: `urn:understudy:problem:${code}`, title, status, detail, code, remedy });
    expect(status >= 400 && status < 600 && row.exit > 0, code).toBe(true);
  }
  const broken = JSON.stringify(toProblemDetails(new TypeError('secret: hunter2')));
  expect(broken).not.toContain('hunter2');
  expect(broken).not.toContain('.ts');
});

it('an error adds fields of its own', () => {
  const document = toProblemDetails(new UnderstudyError('UND-NO-DATA', 'too few', { details: { missingDays: 3 }, mistakes: [{ path: '/a', message: 'b' }] }));
  expect(document).toMatchObject({ code: 'UND-NO-DATA', missingDays: 3, mistakes: [{ path: '/a', message: 'b' }] });
});
