import type { CheckName, CheckParams, Measured } from '../../models/contracts/assumption.ts';
import { inputError } from '../../models/contracts/problem.ts';
import { type Framing, type FramingInput, withFraming } from './open-framing.ts';
import { checks } from './registry.ts';

/**
 * Runs one check by its name, alone: what an audit does with an assumption. The same data, days, settings and parameters give the same value.
 * @throws UND-INPUT naming every mistake in the parameters; UND-NO-DATA
 */
export function runCheck(name: CheckName, params: CheckParams, input: FramingInput): Promise<Measured> {
  return withFraming(input, (framing) => measureCheck(framing, name, params));
}

/** The same of data that are open already. @throws UND-INPUT naming every mistake in the parameters */
export async function measureCheck(framing: Framing, name: CheckName, params: CheckParams): Promise<Measured> {
  const parsed = checks[name].params.safeParse(params);
  if (!parsed.success) throw inputError('UND-INPUT', `The parameters of ${name}`, parsed.error.issues);
  return checks[name].measure(framing, parsed.data);
}
