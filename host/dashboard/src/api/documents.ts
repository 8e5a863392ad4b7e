/** The API's documents: those of its description by their names, and those that it does not describe. */
import type { Schemas } from './client';

export type Account = Schemas['AccountSummary'];
export type Order = Schemas['Order'];
export type OrderDetail = Schemas['OrderDetail'];
export type Fill = Schemas['Fill'];
export type Trade = Schemas['Trade'];
export type Equity = Schemas['Equity'];
export type Strategy = Schemas['Strategy'];
export type Settings = Schemas['Settings'];
export type AuditEntry = Schemas['AuditEntry'];
export type PluginVersion = Schemas['PluginVersion'];

export type Role = 'viewer' | 'trader' | 'operator' | 'admin';

export interface Session {
  readonly name: string;
  readonly role: Role;
  /** The only account that it may see; all when null. */
  readonly account?: string | null;
  readonly expires?: string | null;
}

export interface Bar {
  readonly time: string;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
}

export interface RefusalCount {
  readonly code: string;
  readonly strategy: string;
  readonly instrument: string;
  readonly count: number;
  readonly last_time: string;
  readonly last_facts: string;
}

export interface Token {
  readonly name: string;
  readonly role: string;
  readonly account?: string | null;
  readonly created: string;
  readonly expires?: string | null;
  readonly revoked?: string | null;
  readonly last_used?: string | null;
}

export type ParameterValue = string | number | boolean;

export interface Parameter {
  readonly name: string;
  readonly meaning: string;
  readonly type?: string;
  readonly default: ParameterValue;
  readonly value?: ParameterValue | null;
  readonly minimum?: number | null;
  readonly maximum?: number | null;
}
