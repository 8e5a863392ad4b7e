/** State outside of React: small stores that pages subscribe to by selector, so that a change of one figure
 * renders what shows it and nothing else. */
import { useCallback, useSyncExternalStore } from 'react';

export interface Store<T> {
  readonly get: () => T;
  readonly set: (next: T) => void;
  readonly subscribe: (listener: () => void) => () => void;
}

export function createStore<T>(initial: T): Store<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set: (next) => {
      if (Object.is(next, value)) return;
      value = next;
      for (const listener of [...listeners]) listener();
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** What `select` takes of the store. It must give the same object as long as nothing changed. */
export function useStore<T, S>(store: Store<T>, select: (value: T) => S): S {
  const snapshot = useCallback(() => select(store.get()), [store, select]);
  return useSyncExternalStore(store.subscribe, snapshot);
}

const whole = <T>(value: T): T => value;

export const useWhole = <T>(store: Store<T>): T => useStore<T, T>(store, whole);
