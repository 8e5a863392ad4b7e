/** A strategy's parameters: what it describes, joined with what is set, and what a person typed. */
import type { Parameter, ParameterValue } from '../api/documents';

export type Kind = 'flag' | 'integer' | 'number' | 'text';

const record = (value: unknown): Record<string, unknown> | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;

const valueOf = (value: unknown): ParameterValue | null =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;

const numberOf = (value: unknown): number | null => {
  const number = typeof value === 'string' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : null;
};

/** From what the host tells of a strategy; null when it does not describe them. */
export function parametersOf(document: Readonly<Record<string, unknown>>): Parameter[] | null {
  const described = document['parameters'];
  if (!Array.isArray(described)) return null;
  return described.flatMap((each: unknown) => {
    const own = record(each);
    const name = own?.['name'];
    const initial = valueOf(own?.['default']);
    if (!own || typeof name !== 'string' || initial === null) return [];
    return [
      {
        name,
        meaning: typeof own['meaning'] === 'string' ? own['meaning'] : '',
        ...(typeof own['type'] === 'string' ? { type: own['type'] } : {}),
        default: initial,
        value: valueOf(own['value']),
        minimum: numberOf(own['minimum']),
        maximum: numberOf(own['maximum']),
      },
    ];
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
