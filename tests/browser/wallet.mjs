// A Solana wallet that signs whatever it is asked to.
import { generateKeyPairSync, sign } from 'node:crypto';

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

function base58(bytes) {
  let number = BigInt(`0x${bytes.toString('hex')}`);
  let text = '';
  for (; number > 0n; number /= 58n) text = ALPHABET[Number(number % 58n)] + text;
  const zeros = bytes.findIndex((byte) => byte !== 0);
  return '1'.repeat(zeros) + text;
}

export class Wallet {
  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    this.key = privateKey;
    this.address = base58(Buffer.from(publicKey.export({ format: 'jwk' }).x, 'base64url'));
    this.signed = [];
  }

  /** The signature's bytes, as a list. */
  sign(message) {
    this.signed.push(message);
    return [...sign(null, Buffer.from(message), this.key)];
  }
}
