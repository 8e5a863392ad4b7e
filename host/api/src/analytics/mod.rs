//! How an account did: sums over its closed trades and its equity, kept up to date as they come, so that asking again
//! reads only what is new.

mod growth;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bulkhead_core::time::Timestamp;
use bulkhead_store::database::Database;
use bulkhead_store::journal::ShardId;
use bulkhead_store::read_models::{AdjustmentRow, EquityRow, Place, TradeFilter, TradeRow};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use self::growth::Growth;
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

/// The sums of a strategy.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct StrategySums {
    /// Whose.
    name: String,
    /// Whether these are the trades that it made as a shadow.
    shadow: bool,
    /// Its profit over all that was deposited into the account, so that strategies can be compared; null before the
    /// account has traded.
    return_on_deposits: Option<f64>,
    /// The deepest fall of its profit from a peak, as a positive amount.
    max_drawdown: Decimal,
    /// Its sums.
    #[serde(flatten)]
    sums: TradeSums,
}

/// The sums of an instrument.
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
    /// What was made of the first point, as a fraction of it. What the owner brought or took meanwhile is no part of
    /// it, at what the books took it for: the time-weighted return.
    total_return: Option<f64>,
    /// The deepest fall from a peak, as a fraction. What the owner took is no fall.
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
    /// By strategy. One that was a shadow for a while is there twice.
    by_strategy: Vec<StrategySums>,
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

/// How deep the profit fell within a stretch of trades, so that stretches can be put together in whatever order they were
/// read. Losses are positive here.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Fall {
    whole: Decimal,
    /// The largest loss of trades from the first one on.
    first: Decimal,
    /// The largest loss of trades up to the last one.
    last: Decimal,
    deepest: Decimal,
}

impl Fall {
    fn of(trade: &TradeRow) -> Self {
        let whole = -trade.pnl.0;
        let loss = whole.max(Decimal::ZERO);
        Self { whole, first: loss, last: loss, deepest: loss }
    }

    /// This stretch and the one that follows it.
    fn then(self, next: Self) -> Result<Self, OutOfRange> {
        let plus = |sum: Decimal, more: Decimal| sum.checked_add(more).ok_or(OutOfRange);
        Ok(Self {
            whole: plus(self.whole, next.whole)?,
            first: self.first.max(plus(self.whole, next.first)?),
            last: next.last.max(plus(self.last, next.whole)?),
            deepest: self.deepest.max(next.deepest).max(plus(self.last, next.first)?),
        })
    }
}

/// What is kept of an account between two questions.
#[derive(Debug, Default)]
struct Kept {
    /// The newest trade that is in the sums.
    newest_trade: Option<Place>,
    /// The newest point of the equity that is in the sums.
    newest_point: Option<Timestamp>,
    /// By strategy and whether it was a shadow. All else is without shadows.
    strategies: BTreeMap<(u32, bool), TradeSums>,
    falls: BTreeMap<(u32, bool), Fall>,
    overall: TradeSums,
    instruments: BTreeMap<u32, TradeSums>,
    months: BTreeMap<String, TradeSums>,
    returns: [u64; BORDERS.len() + 1],
    equity: EquitySums,
    growth: Growth,
    /// The newest booked difference that is in the growth.
    newest_adjustment: Option<Place>,
}

fn place(adjustment: &AdjustmentRow) -> Place {
    Place { sequence: adjustment.sequence, ordinal: adjustment.ordinal }
}

/// What is kept of all accounts. Who asks has it until the answer is there, and others wait for it outside the database:
/// whoever asked beside would go through all trades from the first, and the more ask, the longer it would take.
#[derive(Debug, Default)]
pub(crate) struct AnalyticsCache(Arc<Mutex<BTreeMap<ShardId, Kept>>>);

impl Kept {
    fn add(&mut self, trade: &TradeRow) -> Result<(), OutOfRange> {
        self.strategies.entry((trade.strategy.0, trade.shadow)).or_default().add(trade)?;
        if trade.shadow {
            return Ok(());
        }
        self.overall.add(trade)?;
        self.instruments.entry(trade.instrument.0).or_default().add(trade)?;
        let month = time(trade.exit_time).get(..7).unwrap_or_default().to_owned();
        self.months.entry(month).or_default().add(trade)?;
        let cost = trade.entry_price.0.checked_mul(trade.quantity.0).filter(|cost| *cost > Decimal::ZERO);
        if let Some(part) = cost.and_then(|cost| trade.pnl.0.checked_div(cost)).and_then(|part| part.to_f64())
        {
            let bar = BORDERS.partition_point(|border| *border <= part);
            self.returns[bar] += 1;
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
        // They come newest first.
        let mut falls = BTreeMap::<_, Fall>::new();
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
                let later = falls.entry((trade.strategy.0, trade.shadow)).or_default();
                *later = Fall::of(trade).then(*later).map_err(out_of_range)?;
            }
            if page.len() < AT_ONCE {
                break;
            }
        }
        for (whose, later) in falls {
            let earlier = self.falls.entry(whose).or_default();
            *earlier = earlier.then(later).map_err(out_of_range)?;
        }
        self.newest_trade = newest.or(self.newest_trade);
        self.follow_equity(database, shard)
    }

    fn follow_equity(&mut self, database: &mut Database, shard: ShardId) -> Result<(), Problem> {
        loop {
            let page = database.equity(shard, self.newest_point, AT_ONCE)?;
            // After the page: what was brought before a point of it is there by then.
            let mut brought = self.brought(database, shard)?.into_iter().peekable();
            for row in &page {
                let mut sum = Decimal::ZERO;
                while let Some(adjustment) = brought.next_if(|adjustment| adjustment.sequence <= row.sequence)
                {
                    sum = sum.checked_add(adjustment.value.0).unwrap_or(sum);
                    self.newest_adjustment = Some(place(&adjustment));
                }
                self.follow(row, sum);
            }
            if page.len() < AT_ONCE {
                return Ok(());
            }
        }
    }

    /// Booked differences that are not in the growth yet, oldest first.
    fn brought(&self, database: &mut Database, shard: ShardId) -> Result<Vec<AdjustmentRow>, Problem> {
        let mut found = Vec::new();
        loop {
            let (before, after) = (found.len(), found.last().map(place));
            let page = database.adjustments(shard, after, AT_ONCE)?.into_iter();
            found.extend(page.take_while(|adjustment| self.newest_adjustment != Some(place(adjustment))));
            // What comes behind is known, or there is no more.
            if found.len() - before < AT_ONCE {
                found.reverse();
                return Ok(found);
            }
        }
    }

    fn follow(&mut self, row: &EquityRow, brought: Decimal) {
        let equity = row.equity.0;
        if self.equity.first.is_none() {
            self.equity.first = Some(equity);
            self.equity.since = Some(time(row.time));
        }
        self.equity.last = Some(equity);
        self.equity.until = Some(time(row.time));
        self.growth.follow(equity, brought);
        self.newest_point = Some(row.time);
    }

    fn told(&self, names: &Names, deposited: Option<Decimal>) -> Analytics {
        let of_deposits = |pnl: Decimal| pnl.checked_div(deposited?)?.to_f64();
        let strategy = |(whose, sums): (&(u32, bool), &TradeSums)| StrategySums {
            name: names.strategy(bulkhead_core::identifier::StrategyId(whose.0)),
            shadow: whose.1,
            return_on_deposits: of_deposits(sums.pnl),
            max_drawdown: self.falls.get(whose).map_or(Decimal::ZERO, |fall| fall.deepest),
            sums: sums.clone().finished(),
        };
        let instrument = |(id, sums): (&u32, &TradeSums)| NamedSums {
            name: names.symbol(bulkhead_core::identifier::InstrumentId(*id)),
            sums: sums.clone().finished(),
        };
        let month = |(month, sums): (&String, &TradeSums)| MonthSums {
            month: month.clone(),
            sums: sums.clone().finished(),
        };
        let bar = |(place, trades): (usize, &u64)| ReturnBar {
            from: place.checked_sub(1).and_then(|below| BORDERS.get(below)).copied(),
            until: BORDERS.get(place).copied(),
            trades: *trades,
        };
        let mut equity = self.equity.clone();
        equity.total_return = self.growth.total_return();
        equity.max_drawdown = self.growth.max_drawdown();
        Analytics {
            overall: self.overall.clone().finished(),
            by_strategy: self.strategies.iter().map(strategy).collect(),
            by_instrument: self.instruments.iter().map(instrument).collect(),
            monthly: self.months.iter().map(month).collect(),
            returns: self.returns.iter().enumerate().map(bar).collect(),
            equity,
        }
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
            // Taken out, so that a failure half-way leaves nothing half-summed.
            let mut kept = accounts.remove(&names.shard).unwrap_or_default();
            kept.catch_up(database, names.shard)?;
            let told = kept.told(&names, database.account(names.shard)?.map(|row| row.deposited.0));
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
            shadow: false,
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
    fn the_deepest_fall_is_the_same_however_the_trades_are_read() {
        // From 5 down to -4: 9. By hand, trade after trade.
        let pnls = [2, 3, -4, 1, -6, 8, -1];
        let stretch = |pnls: &[i64]| {
            pnls.iter()
                .rev()
                .fold(Fall::default(), |later, pnl| Fall::of(&trade(0, *pnl, 1)).then(later).unwrap())
        };
        assert_eq!(stretch(&pnls).deepest, Decimal::from(9));
        for cut in 0..=pnls.len() {
            let (earlier, later) = pnls.split_at(cut);
            assert_eq!(stretch(earlier).then(stretch(later)).unwrap(), stretch(&pnls), "cut at {cut}");
        }
        assert_eq!(stretch(&[1, 2]).deepest, Decimal::ZERO);
    }

    #[test]
    fn trades_of_a_shadow_stay_its_own() {
        let mut kept = Kept::default();
        kept.add(&trade(0, 3, 1)).unwrap();
        kept.add(&TradeRow { shadow: true, ..trade(0, 50, 2) }).unwrap();
        let pnl = |sums: &TradeSums| (sums.trades, sums.pnl);
        let three = (1, Decimal::from(3));
        assert_eq!(pnl(&kept.overall), three);
        assert_eq!(pnl(&kept.instruments[&0]), three);
        assert_eq!(kept.months.values().map(pnl).collect::<Vec<_>>(), [three]);
        assert_eq!(kept.returns.iter().sum::<u64>(), 1);
        assert_eq!(pnl(&kept.strategies[&(0, false)]), three);
        assert_eq!(pnl(&kept.strategies[&(0, true)]), (1, Decimal::from(50)));
    }

    #[test]
    fn each_return_is_in_one_bar() {
        let mut kept = Kept::default();
        // Of 100: exactly at a border, below all, above all, at nothing.
        for pnl in [1, -50, 50, 0] {
            kept.add(&trade(0, pnl, 1)).unwrap();
        }
        let bars = kept.returns;
        assert_eq!(bars.iter().sum::<u64>(), 4);
        let bar = |from: f64| BORDERS.iter().position(|border| *border >= from).unwrap() + 1;
        assert_eq!((bars[0], bars[bar(0.01)], bars[bar(0.0)], bars[BORDERS.len()]), (1, 1, 1, 1));
    }
}
