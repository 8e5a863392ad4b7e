/** An error of the API, RFC 9457, or of the way to it. */
export class Problem extends Error {
  readonly status: number;
  /** Stable, such as `urn:bulkhead:problem:unknown-route`. */
  readonly type: string;
  readonly title: string;
  readonly requestId: string | null;

  constructor(status: number, type: string, title: string, detail: string, requestId: string | null) {
    super(detail);
    this.status = status;
    this.type = type;
    this.title = title;
    this.requestId = requestId;
  }

  is(kind: string): boolean {
    return this.type.endsWith(`:${kind}`);
  }

  /** The host is older than this page, or has no such thing yet. */
  get isMissingRoute(): boolean {
    return this.is('unknown-route') || this.is('wrong-method');
  }
}

const textOf = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : otherwise);

/** Reads an answer that is no success. */
export async function problemOf(response: Response): Promise<Problem> {
  let body: Record<string, unknown> = {};
  try {
    const parsed: unknown = await response.json();
    if (typeof parsed === 'object' && parsed !== null) body = parsed as Record<string, unknown>;
  } catch {
    // A proxy may answer with a page of its own.
  }
  const requestId = textOf(body['request_id'], '') || response.headers.get('x-request-id');
  return new Problem(
    response.status,
    textOf(body['type'], 'about:blank'),
    textOf(body['title'], `The host answered with status ${response.status}`),
    textOf(body['detail'], `The host answered with status ${response.status}.`),
    requestId,
  );
}

/** Anything thrown, as a problem. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(
    0,
    'about:blank',
    'The host can\u2019t be reached',
    'The host does not answer. Is it running, and can this browser reach it?',
    null,
  );
}
