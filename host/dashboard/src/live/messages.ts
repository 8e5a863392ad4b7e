/** What the host says on `GET /api/v1/accounts/{account}/live`, as its description has it. */
import type { Schemas } from '../api/client';

export type Message = Schemas['LiveMessage'];
export type LiveEvent = Schemas['LiveEvent'];
export type LiveView = Schemas['LiveView'];
export type QualityView = Schemas['QualityView'];
export type LiveStrategy = Schemas['StrategyView'];
export type LivePosition = Schemas['PositionView'];
export type LiveBar = Schemas['LiveBar'];

/** The message of one kind. */
export type MessageOf<Kind extends Message['kind']> = Extract<Message, { kind: Kind }>;

/** The host's own close code: the token or the login has ended. */
export const CLOSED_SESSION_ENDED = 4001;
