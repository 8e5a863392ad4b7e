/** A paged table with what stands in its place while it is loading, empty or not to be had. */
import type { ReactElement, ReactNode } from 'react';
import type { Paged } from '../paged';
import { Button } from './controls';
import { ProblemNote, Skeleton } from './feedback';
import { Table, type Column } from './table';

export function ListView<Row>({
  caption,
  list,
  columns,
  rowKey,
  empty,
  onOpen,
}: {
  caption: string;
  list: Paged<Row>;
  columns: readonly Column<Row>[];
  rowKey: (row: Row) => string | number;
  empty: ReactNode;
  onOpen?: (row: Row) => void;
}): ReactElement {
  if (list.problem) return <ProblemNote problem={list.problem} retry={list.reload} />;
  if (!list.rows) return <Skeleton lines={8} />;
  return (
    <>
      <Table
        caption={caption}
        columns={columns}
        rows={list.rows}
        rowKey={rowKey}
        empty={empty}
        {...(onOpen ? { onOpen } : {})}
      />
      {list.rows.length > 0 && (
        <div className="list-foot">
          <span className="faint">
            {list.rows.length} shown{list.hasMore ? '' : ', which is all'}
          </span>
          {list.hasMore && (
            <Button onClick={list.loadMore} busy={list.loadingMore}>
              {list.loadingMore ? 'Loading…' : 'Load more'}
            </Button>
          )}
        </div>
      )}
    </>
  );
}
