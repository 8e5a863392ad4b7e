//! Market data of pools on a real node: what happens there is what strategies are told, whatever becomes of blocks,
//! servers and clocks.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alloy::primitives::{Address, U256};
use bulkhead_core::identifier::{InstrumentId, SignalId};
use bulkhead_core::input::{Input, InputKind};
use bulkhead_core::market::{Bar, MarketTrade, Quote};
use bulkhead_core::order::Side;
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_evm::pools::Version;
use bulkhead_evm::pools::feed::{Factories, FeedHealth, FeedStartError, Pace, PoolFeed, WatchedMarket};
use bulkhead_evm::rpc::{EndpointSettings, Endpoints};
use bulkhead_evm::settings::Token;
use bulkhead_evm_chain::{Chain, Fault, Faulty};

const X: InstrumentId = InstrumentId(5);
const PATIENCE: Duration = Duration::from_secs(30);
const SECOND: Span = Span::from_seconds(1);

fn units(whole: u64, decimals: u64) -> U256 {
    U256::from(whole) * U256::from(10).pow(U256::from(decimals))
}

fn endpoints(url: &str) -> Arc<Endpoints> {
    let timeout = Duration::from_millis(1_500);
    let settings = EndpointSettings { url: url.to_owned(), requests_per_second: None, timeout };
    Arc::new(Endpoints::new(bulkhead_evm_chain::chain::CHAIN_ID, &[settings]).unwrap())
}

fn token(symbol: &str, address: Address, decimals: u8) -> Token {
    Token { symbol: symbol.to_owned(), address, decimals, native: false }
}

/// A chain with a pool of PLAIN and DOLLAR at 2 dollars.
async fn market() -> (Chain, WatchedMarket) {
    let chain = Chain::start().await;
    let (plain, dollar) = (chain.deployed().tokens.plain, chain.deployed().tokens.dollar);
    let pool = chain.add_v2_pool(plain, units(1_000, 18), dollar, units(2_000, 6)).await;
    // What swaps of the test need approved is approved before they begin.
    chain.move_v2_price(dollar, plain, units(1, 6)).await;
    chain.mine(1).await;
    let market = WatchedMarket {
        instrument: X,
        symbol: "PLAIN-DOLLAR".to_owned(),
        pool,
        version: Version::V2,
        fee: 3_000,
        base: token("PLAIN", plain, 18),
        quote: token("DOLLAR", dollar, 6),
    };
    (chain, market)
}

/// A feed that is followed in a task of its own, and all that it told.
struct Followed {
    inputs: Arc<Mutex<Vec<Input>>>,
    health: Arc<FeedHealth>,
    /// So far the clock of the test is ahead of the machine's.
    ahead: Arc<AtomicI64>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

fn wall_clock() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap())
}

impl Followed {
    async fn start(url: &str, market: &WatchedMarket) -> Self {
        let pace = Pace {
            look_every: Duration::from_millis(30),
            blocks_arrive_within: Span::from_millis(300),
            ..Pace::default()
        };
        Self::at_pace(url, market, pace).await
    }

    async fn at_pace(url: &str, market: &WatchedMarket, pace: Pace) -> Self {
        let _ = tracing_subscriber::fmt().with_env_filter("bulkhead_evm=debug").with_test_writer().try_init();
        let feed = PoolFeed::open(endpoints(url), std::slice::from_ref(market), None, SECOND).await.unwrap();
        Self::of(feed.at_pace(pace))
    }

    fn of(feed: PoolFeed) -> Self {
        let health = feed.health();
        let (inputs, stop) = (Arc::<Mutex<Vec<Input>>>::default(), Arc::<AtomicBool>::default());
        let ahead = Arc::<AtomicI64>::default();
        let (told, stopped, shift) = (inputs.clone(), stop.clone(), ahead.clone());
        let now = move || wall_clock().plus(Span::from_nanos(shift.load(Ordering::SeqCst)));
        let tell = move |batch: Vec<Input>| {
            told.lock().unwrap().extend(batch);
            !stopped.load(Ordering::SeqCst)
        };
        // It has to be one that a runtime with several threads takes.
        let task = tokio::spawn(feed.follow(now, tell));
        Self { inputs, health, ahead, stop, task }
    }

    fn all(&self) -> Vec<Input> {
        self.inputs.lock().unwrap().clone()
    }

    /// Waits until something holds of all that was told, and gives that.
    async fn until(&self, what: &str, holds: impl Fn(&[Input]) -> bool) -> Vec<Input> {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let all = self.all();
            if holds(&all) {
                return all;
            }
            assert!(!self.task.is_finished(), "it ended");
            assert!(tokio::time::Instant::now() < end, "waited in vain until {what}: {all:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends it as its caller does, and gives all that it told.
    async fn end(self) -> Vec<Input> {
        self.stop.store(true, Ordering::SeqCst);
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap();
        let inputs = self.inputs.lock().unwrap().clone();
        assert!(inputs.is_sorted_by_key(|input| input.time), "{inputs:#?}");
        let bars = bars(&inputs);
        assert!(bars.iter().all(Bar::is_sound));
        assert!(bars.windows(2).all(|pair| pair[0].close_time() == pair[1].open_time), "no holes: {bars:#?}");
        for input in &inputs {
            if let InputKind::Bar(bar) = &input.kind {
                assert!(bar.close_time() <= input.time, "a bar of the future: {input:?}");
            }
        }
        inputs
    }
}

fn bars(inputs: &[Input]) -> Vec<Bar> {
    let bar = |input: &Input| if let InputKind::Bar(bar) = input.kind { Some(bar) } else { None };
    inputs.iter().filter_map(bar).collect()
}

fn trades(inputs: &[Input]) -> Vec<MarketTrade> {
    let trade = |input: &Input| if let InputKind::Trade(trade) = input.kind { Some(trade) } else { None };
    inputs.iter().filter_map(trade).collect()
}

fn quotes(inputs: &[Input]) -> Vec<Quote> {
    let quote = |input: &Input| if let InputKind::Quote(quote) = input.kind { Some(quote) } else { None };
    inputs.iter().filter_map(quote).collect()
}

fn timers(inputs: &[Input]) -> usize {
    inputs.iter().filter(|input| input.kind == InputKind::Timer).count()
}

#[tokio::test]
async fn swaps_are_trades_and_quotes_and_then_bars() {
    let (chain, market) = market().await;
    let (plain, dollar) = (market.base.address, market.quote.address);
    let feed = Followed::start(chain.url(), &market).await;
    let begun = feed.until("there is a price", |all| !quotes(all).is_empty()).await;
    let first = quotes(&begun)[0];
    assert!((first.middle() - 2.0).abs() < 0.01 && first.instrument == X, "{first:?}");

    chain.move_v2_price(dollar, plain, units(100, 6)).await;
    feed.until("the purchase is told", |all| trades(all).len() == 1).await;
    chain.move_v2_price(plain, dollar, units(20, 18)).await;
    let all = feed.until("the sale is told", |all| trades(all).len() == 2).await;
    let [buy, sale] = trades(&all)[..] else { panic!("{all:?}") };
    assert_eq!((buy.taker, sale.taker), (Side::Buy, Side::Sell));
    assert!((buy.price * buy.quantity - 100.0).abs() < 1e-6 && (sale.quantity - 20.0).abs() < 1e-9);
    // First who traded, then the price that it left.
    let place = all.iter().position(|input| input.kind == InputKind::Trade(buy)).unwrap();
    let InputKind::Quote(after) = all[place + 1].kind else { panic!("{:?}", all[place + 1]) };
    assert!(after.bid > first.bid);

    let enough = |all: &[Input]| {
        let bars = bars(all);
        let volume: f64 = bars.iter().map(|bar| bar.volume).sum();
        volume >= buy.quantity + sale.quantity - 1e-9 && bars.last().is_some_and(|bar| bar.volume == 0.0)
    };
    feed.until("the bars hold both", enough).await;
    let all = feed.end().await;
    let traded = bars(&all).into_iter().find(|bar| bar.volume > 0.0).unwrap();
    assert!((traded.open - buy.price).abs() < 1e-12);
    // A bar in which nothing happened is at the price that holds, not at that of the last trade.
    let (last, quote) = (bars(&all).pop().unwrap(), quotes(&all).pop().unwrap());
    for price in [last.open, last.close] {
        assert!((price - quote.middle()).abs() < 1e-9, "{last:?} {quote:?}");
    }
}

#[tokio::test]
async fn time_goes_on_where_nothing_happens_and_a_silent_chain_is_not_believed_for_ever() {
    let (chain, market) = market().await;
    let pace = Pace {
        look_every: Duration::from_millis(30),
        blocks_arrive_within: Span::from_millis(300),
        repeat_price_after: Span::from_seconds(3),
        ..Pace::default()
    };
    let feed = Followed::at_pace(chain.url(), &market, pace).await;
    let all = feed.until("time has passed", |all| timers(all) >= 2 && bars(all).len() >= 4).await;
    assert!(bars(&all).iter().all(|bar| bar.volume == 0.0) && trades(&all).is_empty());
    let all = feed.until("the price is told again", |all| quotes(all).len() >= 3).await;
    let [first, .., last] = quotes(&all)[..] else { panic!("{all:?}") };
    assert_eq!(Quote { time: last.time, ..first }, last);

    // Ten minutes later there is still no block. Time is told, and nothing else.
    let jump = Span::from_seconds(600);
    feed.ahead.store(jump.nanos(), Ordering::SeqCst);
    let before = wall_clock();
    let all = feed.until("the jump is told", |all| all.last().unwrap().time > before.plus(jump)).await;
    let known = (bars(&all).len(), quotes(&all).len());
    let all = feed.until("time passes", |now| timers(now) >= timers(&all) + 2).await;
    assert_eq!((bars(&all).len(), quotes(&all).len()), known);
    assert!(feed.health.age(before.plus(jump)).unwrap() > Span::from_seconds(590));

    // A block at last: what is missing follows, and the price holds again.
    chain.set_next_time(u64::try_from(before.plus(jump).seconds() + 10).unwrap()).await;
    chain.mine(1).await;
    feed.until("bars go on", |all| bars(all).len() > 600).await;
    feed.end().await;
}

#[tokio::test]
async fn a_server_that_dies_and_comes_back_leaves_no_hole() {
    let (mut chain, market) = market().await;
    let (plain, dollar) = (market.base.address, market.quote.address);
    let feed = Followed::start(chain.url(), &market).await;
    feed.until("there are bars", |all| !bars(all).is_empty()).await;
    assert_eq!((feed.health.failures(), feed.health.failing()), (0, None));

    chain.stop();
    let end = tokio::time::Instant::now() + PATIENCE;
    while feed.health.failures() < 2 {
        assert!(tokio::time::Instant::now() < end, "it fails");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(feed.health.failing().unwrap().contains("can't be asked"), "{:?}", feed.health.failing());
    let known = bars(&feed.all()).len();
    let dead = feed.all();
    let dead = feed.until("time passes", |all| timers(all) >= timers(&dead) + 3).await;
    assert_eq!(bars(&dead).len(), known, "nobody knows what happened in these seconds");

    chain.restart();
    chain.move_v2_price(dollar, plain, units(50, 6)).await;
    let traded = |all: &[Input]| bars(all).iter().any(|bar| bar.volume > 0.0);
    let all = feed.until("the trade is in a bar", traded).await;
    assert_eq!(trades(&all).len(), 1);
    assert_eq!(feed.health.failing(), None);
    assert_eq!(feed.health.last_block().unwrap().number, chain.block_number().await);
    feed.end().await;
}

#[tokio::test]
async fn what_a_reorganisation_takes_back_has_the_price_before_hold_again() {
    let (chain, market) = market().await;
    let (plain, dollar) = (market.base.address, market.quote.address);
    let feed = Followed::start(chain.url(), &market).await;
    let begun = feed.until("there is a price", |all| !quotes(all).is_empty()).await;
    let before = quotes(&begun)[0];
    chain.move_v2_price(dollar, plain, units(100, 6)).await;
    let moved = feed.until("the purchase is told", |all| trades(all).len() == 1).await;
    assert!(quotes(&moved).last().unwrap().bid > before.bid);

    chain.reorg(1).await;
    let back = |all: &[Input]| quotes(all).last().unwrap().bid < quotes(&moved).last().unwrap().bid;
    let all = feed.until("the price is back", back).await;
    assert!((quotes(&all).last().unwrap().bid - before.bid).abs() < 1e-12);
    chain.mine(3).await;
    let count = bars(&all).len() + 2;
    feed.until("bars go on", |all| bars(all).len() >= count).await;
    assert_eq!(
        trades(&feed.end().await).len(),
        1,
        "what was told can't be taken back, and is not told twice"
    );
}

#[tokio::test]
async fn a_clock_that_is_behind_the_chain_takes_time_nowhere_back() {
    let (chain, market) = market().await;
    let (plain, dollar) = (market.base.address, market.quote.address);
    let feed = Followed::start(chain.url(), &market).await;
    feed.until("there is a price", |all| !quotes(all).is_empty()).await;
    feed.ahead.store(Span::from_seconds(-300).nanos(), Ordering::SeqCst);
    chain.move_v2_price(dollar, plain, units(100, 6)).await;
    feed.until("it is told", |all| trades(all).len() == 1).await;
    // A block of next year is not believed: else nothing would have a time of its own until then.
    let year = u64::try_from(wall_clock().seconds()).unwrap() + 365 * 86_400;
    chain.set_next_time(year).await;
    chain.move_v2_price(dollar, plain, units(100, 6)).await;
    let all = feed.until("it is told", |all| trades(all).len() == 2).await;
    assert!(all.last().unwrap().time < wall_clock().plus(Span::from_seconds(16 * 60)));
    let all = feed.until("time is told", |now| timers(now) >= timers(&all) + 2).await;
    assert!(all.last().unwrap().time < wall_clock().plus(Span::from_seconds(16 * 60)));
    feed.end().await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_does_not_stop_time() {
    let (chain, market) = market().await;
    let front = Faulty::before(chain.url()).await;
    let feed = Followed::start(front.url(), &market).await;
    feed.until("there is a price", |all| !quotes(all).is_empty()).await;
    front.fail_all(Fault::Stall);
    let stalled = feed.all();
    feed.until("time passes", |all| timers(all) >= timers(&stalled) + 3).await;
    front.recover();
    let known = bars(&feed.all()).len();
    feed.until("bars go on", |all| bars(all).len() > known).await;
    assert!(feed.health.failures() > 0);
    feed.end().await;
}

#[tokio::test]
async fn what_is_configured_otherwise_than_the_chain_says_is_refused() {
    let (chain, market) = market().await;
    let (plain, dollar, weth) = (market.base.address, market.quote.address, chain.deployed().weth);
    let v3 = chain.add_v3_pool(plain, units(1_000, 18), dollar, units(2_000, 6), 500).await;
    let refused = async |markets: &[WatchedMarket]| {
        let opened = PoolFeed::open(endpoints(chain.url()), markets, None, SECOND).await;
        opened.unwrap_err()
    };
    let one = async |change: &dyn Fn(&mut WatchedMarket)| {
        let mut changed = market.clone();
        change(&mut changed);
        refused(&[changed]).await
    };
    let error = one(&|market| market.quote.decimals = 18).await;
    assert_eq!(
        error.to_string(),
        format!("PLAIN-DOLLAR: DOLLAR ({dollar}) has 6 decimals, and 18 are configured")
    );
    let error = one(&|market| market.base = token("WETH", weth, 18)).await;
    assert!(matches!(&error, FeedStartError::OtherTokens { base_address, .. } if *base_address == weth));
    let text = error.to_string();
    assert!(text.contains("PLAIN-DOLLAR: the pool") && text.contains(&plain.to_string()), "{text}");
    // An address without a contract, one of another kind, and one of another version.
    for pool in [Address::repeat_byte(9), plain, v3] {
        let error = one(&|market| market.pool = pool).await;
        assert!(
            matches!(&error, FeedStartError::OtherContract { contract, .. } if *contract == pool),
            "{error}"
        );
    }
    let error = one(&|market| (market.pool, market.version) = (v3, Version::V3)).await;
    let text = format!("PLAIN-DOLLAR: the pool {v3} charges 500 millionths, and 3000 are configured");
    assert_eq!(error.to_string(), text);
    assert!(matches!(refused(&[market.clone(), market.clone()]).await, FeedStartError::SamePool { .. }));
    assert_eq!(refused(&[]).await, FeedStartError::NoMarkets);
    let dead = endpoints("http://127.0.0.1:1");
    let error = PoolFeed::open(dead, std::slice::from_ref(&market), None, SECOND).await.unwrap_err();
    assert!(matches!(error, FeedStartError::Chain { .. }), "{error}");
    // With the order of the tokens the price is the other way round.
    let mut turned = market.clone();
    (turned.base, turned.quote) = (market.quote.clone(), market.base.clone());
    let feed = Followed::start(chain.url(), &turned).await;
    let all = feed.until("there is a price", |all| !quotes(all).is_empty()).await;
    assert!((quotes(&all)[0].middle() - 0.5).abs() < 0.01);
}

/// Pools for what is traded are told with what is in them, those of others are not; and that one is gone again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_pool_is_told_with_what_it_holds() {
    let chain = Chain::start().await;
    let deployed = chain.deployed().clone();
    let (plain, dollar) = (deployed.tokens.plain, deployed.tokens.dollar);
    let pool = chain.add_v3_pool(plain, units(1_000, 18), dollar, units(2_000, 6), 3_000).await;
    let market = WatchedMarket {
        instrument: X,
        symbol: "PLAIN-DOLLAR".to_owned(),
        pool,
        version: Version::V3,
        fee: 3_000,
        base: token("PLAIN", plain, 18),
        quote: token("DOLLAR", dollar, 6),
    };
    let factories = |address| Some(Factories { addresses: vec![address], signal: SignalId(0) });
    let open = |factory| {
        let markets = vec![market.clone()];
        let url = chain.url().to_owned();
        async move { PoolFeed::open(endpoints(&url), &markets, factories(factory), SECOND).await }
    };
    let nobody = Address::repeat_byte(7);
    assert_eq!(open(nobody).await.unwrap_err(), FeedStartError::NoFactory { factory: nobody });

    let pace = Pace { look_every: Duration::from_millis(30), ..Pace::default() };
    let followed = Followed::of(open(deployed.v2_factory).await.unwrap().at_pace(pace));
    followed.until("it follows", |all| !all.is_empty()).await;
    chain.add_v2_pool(deployed.weth, units(10, 18), dollar, units(20_000, 6)).await;
    chain.add_v2_pool(plain, units(1_000, 18), dollar, units(2_500, 6)).await;
    let signals = |all: &[Input]| -> Vec<_> {
        let signal = |input: &Input| match &input.kind {
            InputKind::Signal(signal) => Some((signal.instrument, signal.id, signal.value)),
            _ => None,
        };
        all.iter().filter_map(signal).collect()
    };
    let all = followed.until("the pool is told", |all| !signals(all).is_empty()).await;
    assert_eq!(signals(&all), [(X, SignalId(0), 2_500.0)]);
    chain.reorg(1).await;
    let all = followed.until("it is gone again", |all| signals(all).len() > 1).await;
    assert_eq!(signals(&all)[1], (X, SignalId(0), -2_500.0));
}
