/** Logging in by signing a challenge with the browser's wallet. The message moves no funds and is for this host alone. */
import { call } from './api/client';
import type { Schemas } from './api/client';
import { base58 } from './format/base58';

type Challenge = Schemas['ChallengeText'];

/** An EVM wallet as EIP-1193 has it. */
interface EvmProvider {
  request(call: { readonly method: string; readonly params?: readonly unknown[] }): Promise<unknown>;
}

/** A Solana wallet as Phantom and those like it have it. */
interface SolanaProvider {
  connect(): Promise<{ readonly publicKey: { toString(): string } }>;
  signMessage(message: Uint8Array, encoding: 'utf8'): Promise<{ readonly signature: Uint8Array }>;
}

interface Wallets {
  readonly ethereum?: EvmProvider;
  readonly solana?: SolanaProvider;
  readonly phantom?: { readonly solana?: SolanaProvider };
}

const wallets = (): Wallets => window as unknown as Wallets;

export type Chain = 'evm' | 'solana';

/** The kinds of wallets that this browser has. */
export function walletsHere(): Chain[] {
  const { ethereum, solana, phantom } = wallets();
  return [
    ...(ethereum ? (['evm'] as const) : []),
    ...(solana || phantom?.solana ? (['solana'] as const) : []),
  ];
}

export async function signIn(chain: Chain): Promise<void> {
  const { ethereum, solana, phantom } = wallets();
  const provider = phantom?.solana ?? solana;
  if (chain === 'evm' && ethereum) {
    const accounts = await ethereum.request({ method: 'eth_requestAccounts' });
    const address: unknown = Array.isArray(accounts) ? accounts[0] : undefined;
    if (typeof address !== 'string') throw new Error('the wallet gave no address');
    await answer(address, async (message) => {
      const signature = await ethereum.request({ method: 'personal_sign', params: [hex(message), address] });
      if (typeof signature !== 'string') throw new Error('the wallet gave no signature');
      return signature;
    });
  } else if (chain === 'solana' && provider) {
    const { publicKey } = await provider.connect();
    await answer(publicKey.toString(), async (message) => {
      const { signature } = await provider.signMessage(new TextEncoder().encode(message), 'utf8');
      return base58(signature);
    });
  } else throw new Error('there is no such wallet in this browser');
}

async function answer(address: string, sign: (message: string) => Promise<string>): Promise<void> {
  const challenge = await call<Challenge>('POST', 'session/challenge', { address });
  if (!challenge) throw new Error('the host gave no challenge');
  await call('POST', 'session/wallet', { address, signature: await sign(challenge.message) });
}

function hex(text: string): string {
  const bytes = Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, '0'));
  return `0x${bytes.join('')}`;
}
