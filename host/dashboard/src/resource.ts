/** Reading from the API in a page: what was read stays while it is read again, so that nothing jumps. */
import { useCallback, useEffect, useRef, useState } from 'react';
import { asProblem, type Problem } from './api/problem';

export interface Resource<T> {
  readonly data: T | null;
  readonly problem: Problem | null;
  readonly loading: boolean;
  readonly reload: () => void;
}

interface Loaded<T> {
  readonly key: string;
  readonly data: T | null;
  readonly problem: Problem | null;
}

/** Least time between two readings that live events ask for. */
const PAUSE = 2000;

/**
 * Reads with `load` whenever `key` changes, and again, not too often, whenever `version` does. A null key reads
 * nothing.
 */
export function useResource<T>(key: string | null, load: () => Promise<T>, version = 0): Resource<T> {
  const [loaded, setLoaded] = useState<Loaded<T> | null>(null);
  const [busy, setBusy] = useState(true);
  const [asked, setAsked] = useState(0);
  const loader = useRef(load);
  useEffect(() => {
    loader.current = load;
  });
  const last = useRef<{ key: string | null; at: number }>({ key: null, at: 0 });
  const wanted = useRef<string | null>(null);

  useEffect(() => {
    wanted.current = key;
    if (key === null) return undefined;
    // A reading that has begun goes on when the same is to be read again, or a busy stream would never show any.
    const isStale = (): boolean => wanted.current !== key;
    const wait = last.current.key === key ? Math.max(0, last.current.at + PAUSE - Date.now()) : 0;
    const read = async (): Promise<void> => {
      last.current = { key, at: Date.now() };
      setBusy(true);
      try {
        const data = await loader.current();
        if (!isStale()) setLoaded({ key, data, problem: null });
      } catch (error) {
        if (isStale()) return;
        const problem = asProblem(error);
        setLoaded((before) => ({ key, data: before?.key === key ? before.data : null, problem }));
      } finally {
        if (!isStale()) setBusy(false);
      }
    };
    const timer = setTimeout(() => void read(), wait);
    return () => {
      clearTimeout(timer);
    };
  }, [key, version, asked]);
  useEffect(
    () => () => {
      wanted.current = null;
    },
    [],
  );

  const reload = useCallback(() => {
    last.current = { key: null, at: 0 };
    setAsked((count) => count + 1);
  }, []);
  const current = loaded?.key === key ? loaded : null;
  return {
    data: current?.data ?? null,
    problem: current?.problem ?? null,
    loading: key !== null && busy && current === null,
    reload,
  };
}
