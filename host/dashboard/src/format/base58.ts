const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** Bytes as Solana writes keys and signatures. */
export function base58(bytes: Uint8Array): string {
  let number = bytes.reduce((value, byte) => value * 256n + BigInt(byte), 0n);
  let text = '';
  while (number > 0n) {
    text = (ALPHABET[Number(number % 58n)] ?? '') + text;
    number /= 58n;
  }
  // Each zero in front is a digit of its own.
  const zeros = bytes.findIndex((byte) => byte !== 0);
  return '1'.repeat(zeros < 0 ? bytes.length : zeros) + text;
}
