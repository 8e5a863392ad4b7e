/** A strategy's parameters: what it describes, joined with what is set, and what a person typed. */
import type { Parameter, ParameterValue, StrategyDetail } from '../api/documents';

export type Kind = 'flag' | 'integer' | 'number' | 'text';

const valueOf = (value: unknown): ParameterValue | null =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;

/** The parameters that a strategy describes, with what they are set to. */
export function parametersOf(detail: Pick<StrategyDetail, 'parameters'>): Parameter[] {
  return detail.parameters.flatMap((own) => {
    const initial = valueOf(own.default);
    return initial === null ? [] : [{ ...own, default: initial, value: valueOf(own.value) }];
  });
}

export function kindOf(parameter: Parameter): Kind {
  const told = parameter.type;
  if (told === 'flag' || told === 'integer' || told === 'number' || told === 'text') return told;
  if (typeof parameter.default === 'boolean') return 'flag';
  if (typeof parameter.default === 'number')
    return Number.isInteger(parameter.default) ? 'integer' : 'number';
  return 'text';
}

/** What was typed, as a value, or what is wrong with it. */
export function read(parameter: Parameter, typed: string): { value: ParameterValue } | { wrong: string } {
  const kind = kindOf(parameter);
  if (kind === 'flag') return { value: typed === 'true' };
  if (kind === 'text') return { value: typed };
  const number = Number(typed.trim());
  if (!typed.trim() || !Number.isFinite(number)) return { wrong: 'A number is needed.' };
  if (kind === 'integer' && !Number.isInteger(number)) return { wrong: 'A whole number is needed.' };
  const { minimum, maximum } = parameter;
  if (minimum != null && number < minimum) return { wrong: `It must be ${minimum} or more.` };
  if (maximum != null && number > maximum) return { wrong: `It must be ${maximum} or less.` };
  return { value: number };
}
