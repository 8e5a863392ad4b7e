import { lazy, Suspense, type ReactElement } from 'react';
import { Empty, Skeleton } from '../components/feedback';
import { OverviewPage } from '../pages/overview';
import { useRoute } from '../router';
import { ErrorBoundary } from './error-boundary';

const MarketPage = lazy(() => import('../pages/market').then((page) => ({ default: page.MarketPage })));
const StrategiesPage = lazy(() =>
  import('../pages/strategies').then((page) => ({ default: page.StrategiesPage })),
);
const StrategyPage = lazy(() => import('../pages/strategy').then((page) => ({ default: page.StrategyPage })));
const PositionsPage = lazy(() =>
  import('../pages/positions').then((page) => ({ default: page.PositionsPage })),
);
const OrdersPage = lazy(() => import('../pages/orders').then((page) => ({ default: page.OrdersPage })));
const TradesPage = lazy(() => import('../pages/trades').then((page) => ({ default: page.TradesPage })));
const RefusalsPage = lazy(() => import('../pages/refusals').then((page) => ({ default: page.RefusalsPage })));
const AnalyticsPage = lazy(() =>
  import('../pages/analytics').then((page) => ({ default: page.AnalyticsPage })),
);
const BacktestPage = lazy(() => import('../pages/backtest').then((page) => ({ default: page.BacktestPage })));
const SettingsPage = lazy(() => import('../pages/settings').then((page) => ({ default: page.SettingsPage })));
const AlertsPage = lazy(() => import('../pages/alerts').then((page) => ({ default: page.AlertsPage })));
const AuditPage = lazy(() => import('../pages/audit').then((page) => ({ default: page.AuditPage })));
const TokensPage = lazy(() => import('../pages/tokens').then((page) => ({ default: page.TokensPage })));

/** The page that the address names. */
export function CurrentPage({ account }: { account: string }): ReactElement {
  const page = useRoute().parts[0] ?? '';
  return (
    <ErrorBoundary key={page}>
      <Suspense fallback={<Skeleton height={360} />}>
        <Page account={account} />
      </Suspense>
    </ErrorBoundary>
  );
}

function Page({ account }: { account: string }): ReactElement {
  const { parts } = useRoute();
  const [page = '', detail] = parts;
  switch (page) {
    case '':
      return <OverviewPage account={account} />;
    case 'market':
      return <MarketPage account={account} />;
    case 'strategies':
      return detail ? <StrategyPage account={account} name={detail} /> : <StrategiesPage account={account} />;
    case 'positions':
      return <PositionsPage account={account} />;
    case 'orders':
      return <OrdersPage account={account} />;
    case 'trades':
      return <TradesPage account={account} />;
    case 'refusals':
      return <RefusalsPage account={account} />;
    case 'analytics':
      return <AnalyticsPage account={account} />;
    case 'backtest':
      return <BacktestPage account={account} />;
    case 'settings':
      return <SettingsPage account={account} />;
    case 'alerts':
      return <AlertsPage account={account} />;
    case 'audit':
      return <AuditPage account={account} />;
    case 'tokens':
      return <TokensPage />;
    default:
      return (
        <Empty title="There is no such page" icon="warning">
          <a href="#/">To the overview</a>
        </Empty>
      );
  }
}
