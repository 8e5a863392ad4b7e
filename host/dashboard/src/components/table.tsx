/** Tables: aligned columns, cards on a narrow screen, sorting where it is asked for. */
import { useState, type ReactElement, type ReactNode } from 'react';
import { Icon } from './icons';

export interface Column<Row> {
  readonly name: string;
  readonly title: string;
  readonly cell: (row: Row) => ReactNode;
  /** Right-aligned figures. */
  readonly numeric?: boolean;
  /** What it is sorted by; the column can't be sorted without. */
  readonly order?: (a: Row, b: Row) => number;
  /** Stands at the top of a card. */
  readonly lead?: boolean;
  /** May break into lines. */
  readonly wraps?: boolean;
}

interface Sorting {
  readonly name: string;
  readonly descending: boolean;
}

export function Table<Row>({
  caption,
  columns,
  rows,
  rowKey,
  onOpen,
  empty,
  sortedBy,
  dense = false,
}: {
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string | number;
  /** What a click on a row, or Enter on its first cell, does. */
  onOpen?: (row: Row) => void;
  empty: ReactNode;
  sortedBy?: Sorting;
  /** For lists in a corner of a page: no cards, fewer margins. */
  dense?: boolean;
}): ReactElement {
  const [sorting, setSorting] = useState<Sorting | null>(sortedBy ?? null);
  const order = columns.find((column) => column.name === sorting?.name)?.order;
  const shown = order ? [...rows].sort((a, b) => (sorting?.descending ? order(b, a) : order(a, b))) : rows;
  if (rows.length === 0) return <>{empty}</>;
  return (
    <div
      className={`table-scroll ${dense ? 'dense' : 'cards'}`}
      tabIndex={0}
      role="region"
      aria-label={caption}
    >
      <table>
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => {
              const active = sorting?.name === column.name;
              const direction = active ? (sorting.descending ? 'descending' : 'ascending') : 'none';
              return (
                <th
                  key={column.name}
                  scope="col"
                  className={column.numeric ? 'numeric' : ''}
                  aria-sort={column.order ? direction : undefined}
                >
                  {column.order ? (
                    <button
                      type="button"
                      onClick={() =>
                        setSorting({ name: column.name, descending: active ? !sorting.descending : true })
                      }
                    >
                      {column.title}
                    </button>
                  ) : (
                    column.title
                  )}
                </th>
              );
            })}
            {onOpen && <th className="opener" aria-label="Details" />}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <tr key={rowKey(row)} className={onOpen ? 'opens' : ''} onClick={onOpen && (() => onOpen(row))}>
              {columns.map((column) => (
                <td
                  key={column.name}
                  data-title={column.title}
                  className={`${column.numeric ? 'numeric' : ''} ${column.lead ? 'lead' : ''} ${column.wraps ? 'wraps' : ''}`}
                >
                  {column.cell(row)}
                </td>
              ))}
              {onOpen && (
                <td className="opener">
                  <button
                    type="button"
                    className="button icon-only small"
                    aria-label="Show details"
                    onClick={(event) => {
                      event.stopPropagation();
                      onOpen(row);
                    }}
                  >
                    <Icon name="chevron" size={14} />
                  </button>
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
