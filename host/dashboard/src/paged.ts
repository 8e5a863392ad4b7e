/** Lists that are read page by page, the newest first, and kept up to date at their head. */
import { useCallback, useEffect, useState } from 'react';
import { get, url, type PageOf, type Query } from './api/client';
import { asProblem, type Problem } from './api/problem';
import { failed } from './components/toasts';
import { useResource } from './resource';

export interface Paged<Row> {
  readonly rows: readonly Row[] | null;
  readonly problem: Problem | null;
  readonly loading: boolean;
  readonly hasMore: boolean;
  readonly loadingMore: boolean;
  readonly loadMore: () => void;
  readonly reload: () => void;
}

interface Known<Row> {
  readonly key: string;
  readonly rows: readonly Row[];
  readonly next: string | null;
}

/**
 * What is known once the first page was read again. Rows of it replace those known; older ones stay as long as the
 * two overlap, as else there would be a hole between them.
 */
export function withFirstPage<Row>(
  first: PageOf<Row>,
  known: { readonly rows: readonly Row[]; readonly next: string | null } | null,
  keyOf: (row: Row) => string | number,
): { rows: readonly Row[]; next: string | null } {
  const alone = { rows: first.items, next: first.next ?? null };
  const end = first.items.at(-1);
  if (!known || end === undefined) return alone;
  const at = known.rows.findIndex((row) => keyOf(row) === keyOf(end));
  if (at < 0) return alone;
  const older = known.rows.slice(at + 1);
  return older.length === 0 ? alone : { rows: [...first.items, ...older], next: known.next };
}

export function usePaged<Row>(
  address: string,
  query: Query,
  keyOf: (row: Row) => string | number,
  version = 0,
  limit = 100,
): Paged<Row> {
  const key = url(address, { ...query, limit });
  const first = useResource(key, () => get<PageOf<Row>>(address, { ...query, limit }), version);
  const [known, setKnown] = useState<Known<Row> | null>(null);
  const [loadingMore, setLoadingMore] = useState(false);
  const { data, reload } = first;
  useEffect(() => {
    if (!data) return;
    setKnown((before) => ({ key, ...withFirstPage(data, before?.key === key ? before : null, keyOf) }));
    // What a row is told apart by never changes for a list.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [data, key]);
  const current = known?.key === key ? known : null;
  const next = current?.next ?? null;
  const loadMore = useCallback(() => {
    if (next === null) return;
    setLoadingMore(true);
    get<PageOf<Row>>(address, { ...query, limit, after: next })
      .then((page) =>
        setKnown((before) =>
          before?.key === key && before.next === next
            ? { key, rows: [...before.rows, ...page.items], next: page.next ?? null }
            : before,
        ),
      )
      .catch((error: unknown) => failed('No more could be loaded', asProblem(error)))
      .finally(() => setLoadingMore(false));
    // `key` is made of the address, the query and the limit.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [key, next]);
  return {
    rows: current?.rows ?? null,
    problem: current ? null : first.problem,
    loading: first.loading,
    hasMore: next !== null,
    loadingMore,
    loadMore,
    reload,
  };
}

/** All rows of a list that is read page by page, up to `most` pages. */
export async function allPages<Row>(address: string, query: Query, most: number): Promise<Row[]> {
  const rows: Row[] = [];
  let after: string | null = null;
  for (let page = 0; page < most; page += 1) {
    const read: PageOf<Row> = await get<PageOf<Row>>(address, { ...query, limit: 1000, after });
    rows.push(...read.items);
    after = read.next ?? null;
    if (after === null) break;
  }
  return rows;
}
