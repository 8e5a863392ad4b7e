/** How long to wait before connecting again: doubled from half a second up to 15 s, and up to half less by
 * chance, so that many pages don't come back at once. */
export function waitBeforeAttempt(attempt: number, random: () => number = Math.random): number {
  const longest = Math.min(15_000, 500 * 2 ** Math.min(attempt, 10));
  return Math.round(longest * (0.5 + random() / 2));
}
