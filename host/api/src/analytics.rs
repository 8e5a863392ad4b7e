//! How an account did: sums over its closed trades and its equity, kept up to date as they come, so that asking again
//! reads only what is new.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bulkhead_core::input::StrategyMode;
use bulkhead_core::time::Timestamp;
use bulkhead_store::database::Database;
use bulkhead_store::journal::ShardId;
use bulkhead_store::read_models::{EquityRow, Place, TradeFilter, TradeRow};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use crate::api::{Answer, Api, At};
use crate::documents::time;
use crate::names::Names;
use crate::problem::{Kind, Problem};

/// Rows that are read at a time.
const AT_ONCE: usize = 2_000;

/// Borders between the bars of the distribution of returns, as fractions.
const BORDERS: [f64; 14] =
    [-0.2, -0.1, -0.05, -0.03, -0.02, -0.01, -0.005, 0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1];

/// Sums over closed trades, after fees.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct TradeSums {
    /// How many were closed.
    trades: u64,
    /// How many with a profit.
    wins: u64,
    /// How many with a loss.
    losses: u64,
    /// Wins of all trades, 0 to 1; null without a trade.
    win_rate: Option<f64>,
    /// Profit of all.
    pnl: Decimal,
    /// Profit of those that won.
    gross_profit: Decimal,
    /// Loss of those that lost, as a positive amount.
    gross_loss: Decimal,
    /// Gross profit over gross loss; null without a loss.
    profit_factor: Option<f64>,
    /// Profit of a trade on average; null without a trade.
    expectancy: Option<Decimal>,
    /// Fees of entries and exits.
    fees: Decimal,
    /// The largest profit; null without a trade.
    best: Option<Decimal>,
    /// The largest loss; null without a trade.
    worst: Option<Decimal>,
    /// How long a trade was held on average, in seconds of event time; null without a trade.
    mean_holding_seconds: Option<f64>,
    #[serde(skip)]
    held_nanos: i128,
}

/// The sums of a strategy or an instrument.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct NamedSums {
    /// Whose.
    name: String,
    /// Its sums.
    #[serde(flatten)]
    sums: TradeSums,
}

/// The sums of a month.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct MonthSums {
    /// In UTC by the exits, such as 2026-01.
    month: String,
    /// Its sums.
    #[serde(flatten)]
    sums: TradeSums,
}

/// How many trades returned so much.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct ReturnBar {
    /// Returns from this fraction on; null for the lowest.
    from: Option<f64>,
    /// Returns below this fraction; null for the highest.
    until: Option<f64>,
    /// How many.
    trades: u64,
}

/// What the equity did, by the points that are kept of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct EquitySums {
    /// The first point; null before there is one.
    first: Option<Decimal>,
    /// The last point.
    last: Option<Decimal>,
    /// The last over the first, less one.
    total_return: Option<f64>,
    /// The deepest fall from a peak, as a fraction.
    max_drawdown: Option<f64>,
    /// When the first point was.
    since: Option<String>,
    /// When the last point was.
    until: Option<String>,
}

/// How an account did. Trades of shadows count in `by_strategy` only.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Analytics {
    /// Of all strategies that trade the account's capital.
    overall: TradeSums,
    /// By strategy, shadows among them.
    by_strategy: Vec<NamedSums>,
    /// By instrument.
    by_instrument: Vec<NamedSums>,
    /// By month, oldest first.
    monthly: Vec<MonthSums>,
    /// How many trades returned how much of what they cost.
    returns: Vec<ReturnBar>,
    /// The equity.
    equity: EquitySums,
}

/// Sums that can't be put together.
#[derive(Debug)]
struct OutOfRange;

impl TradeSums {
    fn add(&mut self, trade: &TradeRow) -> Result<(), OutOfRange> {
        let (pnl, fees) = (trade.pnl.0, trade.fees.0);
        let plus = |sum: Decimal, more: Decimal| sum.checked_add(more).ok_or(OutOfRange);
        self.trades += 1;
        self.pnl = plus(self.pnl, pnl)?;
        self.fees = plus(self.fees, fees)?;
        if pnl > Decimal::ZERO {
            self.wins += 1;
            self.gross_profit = plus(self.gross_profit, pnl)?;
        } else if pnl < Decimal::ZERO {
            self.losses += 1;
            self.gross_loss = plus(self.gross_loss, -pnl)?;
        }
        self.best = Some(self.best.map_or(pnl, |best| best.max(pnl)));
        self.worst = Some(self.worst.map_or(pnl, |worst| worst.min(pnl)));
        self.held_nanos += i128::from(trade.exit_time.since(trade.entry_time).nanos());
        Ok(())
    }

    /// With what follows from the sums.
    #[expect(clippy::cast_precision_loss, reason = "these are for people, who read a few digits")]
    fn finished(mut self) -> Self {
        if self.trades > 0 {
            let trades = self.trades as f64;
            self.win_rate = Some(self.wins as f64 / trades);
            self.expectancy =
                self.pnl.checked_div(self.trades.into()).map(|mean| mean.round_dp(8).normalize());
            self.mean_holding_seconds = Some(self.held_nanos as f64 / 1e9 / trades);
        }
        let (profit, loss) = (self.gross_profit.to_f64(), self.gross_loss.to_f64());
        self.profit_factor = profit.zip(loss.filter(|loss| *loss > 0.0)).map(|(profit, loss)| profit / loss);
        self
    }
}

/// What is kept of an account between two questions.
#[derive(Debug, Default)]
struct Kept {
    /// The newest trade that is in the sums.
    newest_trade: Option<Place>,
    /// The newest point of the equity that is in the sums.
    newest_point: Option<Timestamp>,
    strategies: BTreeMap<u32, TradeSums>,
    instruments: BTreeMap<(u32, u32), TradeSums>,
    months: BTreeMap<(u32, String), TradeSums>,
    returns: BTreeMap<u32, [u64; BORDERS.len() + 1]>,
    equity: EquitySums,
    peak: Decimal,
    deepest: f64,
}

/// What is kept of all accounts. Who asks has it until the answer is there, and others wait for it outside the database:
/// whoever asked beside would go through all trades from the first, and the more ask, the longer it would take.
#[derive(Debug, Default)]
pub(crate) struct AnalyticsCache(Arc<Mutex<BTreeMap<ShardId, Kept>>>);

impl Kept {
    fn add(&mut self, trade: &TradeRow) -> Result<(), OutOfRange> {
        let (strategy, instrument) = (trade.strategy.0, trade.instrument.0);
        self.strategies.entry(strategy).or_default().add(trade)?;
        self.instruments.entry((strategy, instrument)).or_default().add(trade)?;
        let month = time(trade.exit_time).get(..7).unwrap_or_default().to_owned();
        self.months.entry((strategy, month)).or_default().add(trade)?;
        let cost = trade.entry_price.0.checked_mul(trade.quantity.0).filter(|cost| *cost > Decimal::ZERO);
        if let Some(part) = cost.and_then(|cost| trade.pnl.0.checked_div(cost)).and_then(|part| part.to_f64())
        {
            let bar = BORDERS.partition_point(|border| *border <= part);
            self.returns.entry(strategy).or_default()[bar] += 1;
        }
        Ok(())
    }

    /// Reads what came since the last time.
    fn catch_up(&mut self, database: &mut Database, shard: ShardId) -> Result<(), Problem> {
        let out_of_range = |OutOfRange| {
            Problem::new(
                Kind::Internal,
                "the sums of the account's trades leave the range of decimal numbers",
            )
        };
        let (mut after, mut newest) = (None, None);
        'pages: loop {
            let page = database.trades(shard, &TradeFilter::default(), after, AT_ONCE)?;
            for trade in &page {
                let place = Place { sequence: trade.sequence, ordinal: trade.ordinal };
                if self.newest_trade == Some(place) {
                    break 'pages;
                }
                newest.get_or_insert(place);
                after = Some(place);
                self.add(trade).map_err(out_of_range)?;
            }
            if page.len() < AT_ONCE {
                break;
            }
        }
        self.newest_trade = newest.or(self.newest_trade);
        self.follow_equity(database, shard)
    }

    fn follow_equity(&mut self, database: &mut Database, shard: ShardId) -> Result<(), Problem> {
        loop {
            let page = database.equity(shard, self.newest_point, AT_ONCE)?;
            for row in &page {
                self.follow(row);
            }
            if page.len() < AT_ONCE {
                return Ok(());
            }
        }
    }

    fn follow(&mut self, row: &EquityRow) {
        let equity = row.equity.0;
        if self.equity.first.is_none() {
            self.equity.first = Some(equity);
            self.equity.since = Some(time(row.time));
        }
        self.equity.last = Some(equity);
        self.equity.until = Some(time(row.time));
        self.peak = self.peak.max(equity);
        if let Some(fall) = (self.peak - equity).checked_div(self.peak).and_then(|fall| fall.to_f64()) {
            self.deepest = self.deepest.max(fall);
        }
        self.newest_point = Some(row.time);
    }

    fn told(&self, names: &Names, shadows: &[u32]) -> Result<Analytics, OutOfRange> {
        let counts = |strategy: &u32| !shadows.contains(strategy);
        let mut overall = TradeSums::default();
        let mut by_instrument: BTreeMap<u32, TradeSums> = BTreeMap::new();
        let mut monthly: BTreeMap<&str, TradeSums> = BTreeMap::new();
        let mut bars = [0; BORDERS.len() + 1];
        for (_, sums) in self.strategies.iter().filter(|(strategy, _)| counts(strategy)) {
            overall.merge(sums)?;
        }
        for ((_, instrument), sums) in self.instruments.iter().filter(|((strategy, _), _)| counts(strategy)) {
            by_instrument.entry(*instrument).or_default().merge(sums)?;
        }
        for ((_, month), sums) in self.months.iter().filter(|((strategy, _), _)| counts(strategy)) {
            monthly.entry(month).or_default().merge(sums)?;
        }
        for (_, of_strategy) in self.returns.iter().filter(|(strategy, _)| counts(strategy)) {
            bars.iter_mut().zip(of_strategy).for_each(|(all, more)| *all += more);
        }
        let strategy = |(id, sums): (&u32, &TradeSums)| NamedSums {
            name: names.strategy(bulkhead_core::identifier::StrategyId(*id)),
            sums: sums.clone().finished(),
        };
        let instrument = |(id, sums): (u32, TradeSums)| NamedSums {
            name: names.symbol(bulkhead_core::identifier::InstrumentId(id)),
            sums: sums.finished(),
        };
        let month =
            |(month, sums): (&str, TradeSums)| MonthSums { month: month.to_owned(), sums: sums.finished() };
        let bar = |(place, trades): (usize, u64)| ReturnBar {
            from: place.checked_sub(1).and_then(|below| BORDERS.get(below)).copied(),
            until: BORDERS.get(place).copied(),
            trades,
        };
        let mut equity = self.equity.clone();
        let ends = equity.first.zip(equity.last);
        equity.total_return = ends.and_then(|(first, last)| (last - first).checked_div(first)?.to_f64());
        equity.max_drawdown = equity.first.map(|_| self.deepest);
        Ok(Analytics {
            overall: overall.finished(),
            by_strategy: self.strategies.iter().map(strategy).collect(),
            by_instrument: by_instrument.into_iter().map(instrument).collect(),
            monthly: monthly.into_iter().map(month).collect(),
            returns: bars.into_iter().enumerate().map(bar).collect(),
            equity,
        })
    }
}

impl TradeSums {
    fn merge(&mut self, more: &Self) -> Result<(), OutOfRange> {
        let plus = |sum: Decimal, more: Decimal| sum.checked_add(more).ok_or(OutOfRange);
        self.trades += more.trades;
        self.wins += more.wins;
        self.losses += more.losses;
        self.pnl = plus(self.pnl, more.pnl)?;
        self.fees = plus(self.fees, more.fees)?;
        self.gross_profit = plus(self.gross_profit, more.gross_profit)?;
        self.gross_loss = plus(self.gross_loss, more.gross_loss)?;
        // None is below every number.
        self.best = self.best.max(more.best);
        self.worst = [self.worst, more.worst].into_iter().flatten().min();
        self.held_nanos += more.held_nanos;
        Ok(())
    }
}

/// How the account did: overall, by strategy, by instrument, by month, and how its returns are spread.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/analytics",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name")),
    responses((status = 200, description = "How it did", body = Analytics)),
)]
pub(crate) async fn analytics(State(api): State<Api>, At(account): At<String>) -> Answer<Analytics> {
    let mut accounts = Arc::clone(&api.analytics.0).lock_owned().await;
    api.readers
        .ask(move |database| {
            let names = Names::read(database, &account)?;
            let shadows: Vec<u32> = database
                .slots(names.shard)?
                .iter()
                .filter(|slot| slot.mode == StrategyMode::Shadow)
                .map(|slot| slot.strategy.0)
                .collect();
            // Taken out, so that a failure half-way leaves nothing half-summed.
            let mut kept = accounts.remove(&names.shard).unwrap_or_default();
            kept.catch_up(database, names.shard)?;
            let told = kept.told(&names, &shadows).map_err(|OutOfRange| {
                Problem::new(Kind::Internal, "the sums of the account's trades leave the range of decimals")
            })?;
            accounts.insert(names.shard, kept);
            Ok(told)
        })
        .await
        .map(Json)
}

#[cfg(test)]
mod tests {
    use bulkhead_core::identifier::{InstrumentId, StrategyId};
    use bulkhead_core::money::{Money, Price, Quantity};
    use bulkhead_core::order::Side;
    use bulkhead_core::strategy::FillCause;
    use bulkhead_store::journal::Sequence;

    use super::*;

    fn trade(strategy: u32, pnl: i64, day: i64) -> TradeRow {
        TradeRow {
            shard: ShardId(1),
            sequence: Sequence(day.unsigned_abs()),
            ordinal: 0,
            strategy: StrategyId(strategy),
            instrument: InstrumentId(0),
            side: Side::Buy,
            entry_time: Timestamp::from_seconds((day - 1) * 86_400),
            exit_time: Timestamp::from_seconds(day * 86_400),
            entry_price: Price(Decimal::from(100)),
            exit_price: Price(Decimal::from(100)),
            quantity: Quantity(Decimal::ONE),
            fees: Money(Decimal::ONE),
            pnl: Money(pnl.into()),
            exit_reason: FillCause::Order,
        }
    }

    #[test]
    fn sums_are_those_of_the_trades() {
        let mut sums = TradeSums::default();
        for pnl in [6, -2, -1, 0] {
            sums.add(&trade(0, pnl, 1)).unwrap();
        }
        let sums = sums.finished();
        assert_eq!((sums.trades, sums.wins, sums.losses), (4, 1, 2));
        assert_eq!((sums.pnl, sums.fees), (Decimal::from(3), Decimal::from(4)));
        assert_eq!((sums.win_rate, sums.profit_factor), (Some(0.25), Some(2.0)));
        assert_eq!(sums.expectancy, Some(Decimal::new(75, 2)));
        assert_eq!((sums.best, sums.worst), (Some(Decimal::from(6)), Some(Decimal::from(-2))));
        assert_eq!(sums.mean_holding_seconds, Some(86_400.0));
        let nothing = TradeSums::default().finished();
        assert_eq!((nothing.win_rate, nothing.expectancy, nothing.profit_factor), (None, None, None));
    }

    #[test]
    fn parts_put_together_are_the_whole() {
        let trades: Vec<_> = (1..60).map(|day| trade(0, day % 7 - 3, day)).collect();
        let sum = |trades: &[TradeRow]| {
            let mut sums = TradeSums::default();
            trades.iter().try_for_each(|trade| sums.add(trade)).unwrap();
            sums
        };
        let mut parts = sum(&trades[..20]);
        parts.merge(&sum(&trades[20..])).unwrap();
        assert_eq!(parts, sum(&trades));
        let mut from_nothing = TradeSums::default();
        from_nothing.merge(&sum(&trades)).unwrap();
        assert_eq!(from_nothing, sum(&trades));
    }

    #[test]
    fn each_return_is_in_one_bar() {
        let mut kept = Kept::default();
        // Of 100: exactly at a border, below all, above all, at nothing.
        for pnl in [1, -50, 50, 0] {
            kept.add(&trade(0, pnl, 1)).unwrap();
        }
        let bars = kept.returns[&0];
        assert_eq!(bars.iter().sum::<u64>(), 4);
        let bar = |from: f64| BORDERS.iter().position(|border| *border >= from).unwrap() + 1;
        assert_eq!((bars[0], bars[bar(0.01)], bars[bar(0.0)], bars[BORDERS.len()]), (1, 1, 1, 1));
    }
}
