/** The API's documents by their names. */
import type { Schemas } from './client';

export type Account = Schemas['AccountSummary'];
export type Order = Schemas['Order'];
export type OrderDetail = Schemas['OrderDetail'];
export type Fill = Schemas['Fill'];
export type Trade = Schemas['Trade'];
export type Adjusted = Schemas['Adjusted'];
export type Equity = Schemas['Equity'];
export type Strategy = Schemas['Strategy'];
export type Settings = Schemas['Settings'];
export type AuditEntry = Schemas['AuditEntry'];
export type AlertEntry = Schemas['AlertEntry'];
export type ChannelTest = Schemas['ChannelTest'];
export type PluginVersion = Schemas['PluginVersion'];

export type Bar = Schemas['LiveBar'];
export type RefusalCount = Schemas['RefusalCount'];
export type FaultEntry = Schemas['FaultEntry'];
export type LogEntry = Schemas['LogEntry'];
export type Token = Schemas['Token'];
export type StrategyDetail = Schemas['StrategyDetail'];
export type Session = Schemas['Login'];

export type Analytics = Schemas['Analytics'];
export type TradeSums = Schemas['TradeSums'];

export type Role = 'viewer' | 'trader' | 'operator' | 'admin';

export type ParameterValue = string | number | boolean;

/** A parameter as the form needs it. */
export interface Parameter {
  readonly name: string;
  readonly meaning: string;
  readonly type?: string;
  readonly default: ParameterValue;
  readonly value?: ParameterValue | null;
  readonly minimum?: number | null;
  readonly maximum?: number | null;
}
