import { useState, type ReactElement } from 'react';
import { change, get, path } from '../api/client';
import type { Order, OrderDetail } from '../api/documents';
import { Button, Status } from '../components/controls';
import { Empty, ProblemNote, Skeleton } from '../components/feedback';
import { Money, Percent, Price, Quantity, Side } from '../components/figures';
import { Filters, useFilter } from '../components/filters';
import { ListView } from '../components/list-view';
import { Overlay } from '../components/overlay';
import { PageHead } from '../components/page-head';
import { StrategyTag } from '../components/strategy-tag';
import { Table } from '../components/table';
import { failed, succeeded } from '../components/toasts';
import { dateTime, shortDateTime } from '../format/time';
import { useStream } from '../live/live';
import type { StreamState } from '../live/stream';
import { usePaged } from '../paged';
import { useResource } from '../resource';
import { setQuery, useRoute } from '../router';
import { useForbidden } from '../session';

const STATUSES = [
  'accepted',
  'in-flight',
  'working',
  'partially-filled',
  'filled',
  'cancelled',
  'rejected',
  'expired',
];
const ORIGINS = [
  'strategy',
  'manual',
  'stop-loss',
  'breakeven',
  'trailing-stop',
  'take-profit',
  'time-stop',
  'operator',
];
const ENDED = ['filled', 'cancelled', 'rejected', 'expired'];

const changesOf = ({ counts, snapshots }: StreamState): number =>
  (counts['order-accepted'] ?? 0) + (counts['order-changed'] ?? 0) + (counts['filled'] ?? 0) + snapshots;

export function OrdersPage({ account }: { account: string }): ReactElement {
  const { query } = useRoute();
  const { status, origin, strategy, instrument, from, until } = useFilter();
  const version = useStream(changesOf);
  const list = usePaged<Order>(
    path('accounts', account, 'orders'),
    { status, origin, strategy, instrument, from, until },
    ({ id }) => id,
    version,
  );
  const opened = query.get('order');
  return (
    <div className="page">
      <PageHead title="Orders" hint="Every order that passed the gate, the newest first." />
      <Filters account={account} statuses={STATUSES} origins={ORIGINS} />
      <section className="panel flush" aria-label="Orders">
        <ListView
          caption="Orders"
          list={list}
          rowKey={({ id }) => id}
          onOpen={({ id }) => setQuery({ order: String(id) })}
          empty={
            <Empty title="No order matches" icon="orders">
              Strategies propose; what passes the risk gate is listed here. Take a filter away to see more.
            </Empty>
          }
          columns={[
            { name: 'id', title: 'Order', cell: ({ id }) => <span className="number faint">{id}</span> },
            {
              name: 'created',
              title: 'Created (UTC)',
              cell: ({ created }) => (
                <span className="number" title={dateTime(created)}>
                  {shortDateTime(created)}
                </span>
              ),
            },
            { name: 'side', title: 'Side', cell: ({ side }) => <Side side={side} /> },
            {
              name: 'instrument',
              title: 'Instrument',
              lead: true,
              cell: (order) => <b>{order.instrument}</b>,
            },
            {
              name: 'quantity',
              title: 'Quantity',
              numeric: true,
              cell: ({ quantity }) => <Quantity value={quantity} />,
            },
            {
              name: 'filled',
              title: 'Filled',
              numeric: true,
              cell: ({ filled }) => <Quantity value={filled} />,
            },
            {
              name: 'limit',
              title: 'Limit',
              numeric: true,
              cell: ({ limit_price }) =>
                limit_price ? <Price value={limit_price} /> : <span className="faint">market</span>,
            },
            {
              name: 'reference',
              title: 'Reference',
              numeric: true,
              cell: (order) => <Price value={order.reference_price} />,
            },
            { name: 'strategy', title: 'Strategy', cell: (order) => <StrategyTag name={order.strategy} /> },
            { name: 'origin', title: 'Origin', cell: ({ origin }) => origin },
            { name: 'status', title: 'Status', cell: (order) => <Status value={order.status} /> },
          ]}
        />
      </section>
      {opened && (
        <OrderDrawer
          account={account}
          id={opened}
          version={version}
          onClose={() => setQuery({ order: null })}
        />
      )}
    </div>
  );
}

function OrderDrawer({
  account,
  id,
  version,
  onClose,
}: {
  account: string;
  id: string;
  version: number;
  onClose: () => void;
}): ReactElement {
  const detail = useResource(
    `order ${account} ${id}`,
    () => get<OrderDetail>(path('accounts', account, 'orders', id)),
    version,
  );
  const order = detail.data?.order;
  return (
    <Overlay
      title={`Order ${id}`}
      kind="drawer"
      onClose={onClose}
      footer={
        order &&
        !ENDED.includes(order.status) && (
          <CancelButton account={account} order={order} onDone={detail.reload} />
        )
      }
    >
      {detail.loading && <Skeleton lines={10} />}
      {detail.problem && !detail.data && <ProblemNote problem={detail.problem} retry={detail.reload} />}
      {order && (
        <div className="stack">
          <div className="order-title">
            <Side side={order.side} />
            <span className="medium">
              <Quantity value={order.quantity} /> {order.instrument}
            </span>
            <Status value={order.status} />
          </div>
          <dl className="pairs">
            <Pair title="Strategy">
              <StrategyTag name={order.strategy} />
            </Pair>
            <Pair title="Origin">{order.origin}</Pair>
            <Pair title="Limit">{order.limit_price ? <Price value={order.limit_price} /> : 'market'}</Pair>
            <Pair title="Price when it was accepted">
              <Price value={order.reference_price} />
            </Pair>
            <Pair title="Filled">
              <Quantity value={order.filled} />
            </Pair>
            <Pair title="Confidence">
              <Percent value={order.confidence} digits={0} />
            </Pair>
            <Pair title="Why">{order.reason || '–'}</Pair>
            {order.end_reason && <Pair title="Why it ended">{order.end_reason}</Pair>}
            <Pair title="Journal sequence">
              <span className="number">{order.sequence}</span>
            </Pair>
          </dl>
          <h3>Its life</h3>
          <ol className="timeline">
            {detail.data.transitions.map((step) => (
              <li key={`${step.sequence} ${step.status}`}>
                <Status value={step.status} />
                <time className="number">{dateTime(step.time)}</time>
                <span className="faint">
                  filled <Quantity value={step.filled} />
                  {step.reason && `, ${step.reason}`}
                </span>
              </li>
            ))}
          </ol>
          <h3>Fills</h3>
          <Table
            dense
            caption={`Fills of order ${id}`}
            rows={detail.data.fills}
            rowKey={(fill) => `${fill.sequence} ${fill.time} ${fill.quantity}`}
            empty={<Empty title="Not executed yet" />}
            columns={[
              {
                name: 'time',
                title: 'Time (UTC)',
                cell: ({ time }) => <span className="number">{shortDateTime(time)}</span>,
              },
              {
                name: 'quantity',
                title: 'Quantity',
                numeric: true,
                cell: ({ quantity }) => <Quantity value={quantity} />,
              },
              { name: 'price', title: 'Price', numeric: true, cell: ({ price }) => <Price value={price} /> },
              {
                name: 'fee',
                title: 'Fee, USD',
                numeric: true,
                cell: ({ fee }) => <Money value={fee} digits={4} />,
              },
              { name: 'cause', title: 'Cause', cell: ({ cause }) => cause.replace(/-/g, ' ') },
            ]}
          />
        </div>
      )}
    </Overlay>
  );
}

function Pair({ title, children }: { title: string; children: React.ReactNode }): ReactElement {
  return (
    <div>
      <dt>{title}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function CancelButton({
  account,
  order,
  onDone,
}: {
  account: string;
  order: Order;
  onDone: () => void;
}): ReactElement {
  const [busy, setBusy] = useState(false);
  const forbidden = useForbidden('trader');
  const cancel = async (): Promise<void> => {
    setBusy(true);
    try {
      await change(path('accounts', account, 'orders', order.id, 'cancel'));
      succeeded(`Order ${order.id} is being taken back.`);
      onDone();
    } catch (error) {
      failed(`Order ${order.id} was not taken back`, error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Button tone="danger" busy={busy} forbidden={forbidden} onClick={() => void cancel()}>
      Cancel this order
    </Button>
  );
}
