//! An account with a real engine, on a real node with real pools: what an order does is what it does in the host, but
//! for the sequencer, in whose place the engine takes news at once.
#![allow(dead_code, reason = "each test uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alloy::consensus::SignableTransaction as _;
use alloy::primitives::{Address, U256};
use alloy::signers::SignerSync as _;
use alloy::signers::local::PrivateKeySigner;
use async_trait::async_trait;
use bulkhead_core::engine::{Engine, EngineSettings};
use bulkhead_core::identifier::{ContentHash, InstrumentId, OrderId, StrategyId};
use bulkhead_core::input::{
    Actor, Command, Deployment, HaltAction, Input, InputKind, ManualAmount, ManualOrder, StrategyMode,
};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::market::Quote;
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::order::{Pricing, Side};
use bulkhead_core::output::Output;
use bulkhead_core::risk::RiskLimits;
use bulkhead_core::strategy::{
    Action, Description, Event, Fault, InstanceConfig, Needs, SavedState, Strategy, StrategySource,
};
use bulkhead_core::time::Timestamp;
use bulkhead_core::venue::outside::Request;
use bulkhead_core::venue::paper::PaperSettings;
use bulkhead_core::venue::{Execution, VenueMessage, VenueNews};
use bulkhead_evm::amounts::from_units;
use bulkhead_evm::executor::{Executor, StartError};
use bulkhead_evm::fees::FeeLimits;
use bulkhead_evm::rpc::{EndpointSettings, Endpoints};
use bulkhead_evm::settings::{ChainSettings, GasValue, Market, Route, Token, TransferFees};
use bulkhead_evm_chain::account::account;
use bulkhead_evm_chain::{Chain, Options};
use bulkhead_signing::policy::Refusal;
use bulkhead_signing::{EvmSigner, Purpose, SignedTransaction, SigningError, SigningRequest, Step};
use bulkhead_venue::{ChainExecutor as _, Journal, JournalError, Ticket};
use rust_decimal::Decimal;

pub(crate) const X: InstrumentId = InstrumentId(0);
pub(crate) const TRADER: StrategyId = StrategyId(0);
const PATIENCE: Duration = Duration::from_secs(20);

/// A strategy that only a person trades with.
struct Idle;

impl Strategy for Idle {
    fn on_events(&mut self, events: &[Event], _: &mut Vec<Action>) -> Result<usize, Fault> {
        Ok(events.len())
    }

    fn save(&mut self) -> Result<SavedState, Fault> {
        Ok(SavedState { schema: 1, bytes: Vec::new() })
    }

    fn restore(&mut self, _: &SavedState) -> Result<(), Fault> {
        Ok(())
    }
}

struct Source;

impl StrategySource for Source {
    fn describe(&self, _: &ContentHash) -> Result<Description, Fault> {
        Ok(Description {
            name: "idle".to_owned(),
            version: "1.0.0".to_owned(),
            state_schema: 1,
            parameters: Vec::new(),
            needs: Needs::default(),
            warm_up_bars: 0,
        })
    }

    fn instantiate(&self, _: &ContentHash, _: &InstanceConfig) -> Result<Box<dyn Strategy>, Fault> {
        Ok(Box::new(Idle))
    }
}

/// Signs with a key that everybody knows, and keeps each nonce for what it signed first with it, as any signer does.
pub(crate) struct KnownKey {
    pub(crate) key: PrivateKeySigner,
    pub(crate) kept: Mutex<BTreeMap<u64, Purpose>>,
}

#[async_trait]
impl EvmSigner for KnownKey {
    fn address(&self) -> Address {
        self.key.address()
    }

    fn name(&self) -> &str {
        "the test's key"
    }

    async fn sign(&self, request: SigningRequest) -> Result<SignedTransaction, SigningError> {
        let (chain, nonce) = (request.transaction.chain_id, request.transaction.nonce);
        let first = self.kept.lock().unwrap().entry(nonce).or_insert_with(|| request.purpose.clone()).clone();
        if first != request.purpose && request.purpose.step != Step::Cancel {
            return Err(SigningError::Refused(Refusal::NonceTaken { chain, nonce, first }));
        }
        let hash = request.transaction.signature_hash();
        let signature = self.key.sign_hash_sync(&hash).expect("a key in memory signs");
        SignedTransaction::from_signature(&request, signature, self.key.address(), "the test's key")
    }
}

/// When the host dies, counted in news that are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// Just before the news of this number are written.
    Before(usize),
    /// Just after, before anybody learns that they are.
    After(usize),
}

pub(crate) type Hook = Box<dyn FnOnce() -> futures_util::future::BoxFuture<'static, ()> + Send>;

/// What the process would lose in a crash is not in here; the engine stands for its journal.
pub(crate) struct Books {
    pub(crate) engine: Engine,
    /// The names of all stages and ends so far.
    pub(crate) told: Vec<String>,
    /// When each of them was told.
    pub(crate) told_at: Vec<Instant>,
    /// What the engine wants of the executor.
    requests: Vec<(OrderId, Request)>,
    pub(crate) refused: Vec<String>,
    news: usize,
}

#[derive(Clone)]
pub(crate) struct TestJournal {
    books: Arc<Mutex<Books>>,
    death: Option<Death>,
    /// Done once, just before a stage of this name is written down.
    hook: Arc<Mutex<Option<(&'static str, Hook)>>>,
}

impl Books {
    pub(crate) fn step(&mut self, kind: InputKind) -> Vec<Output> {
        let mut outputs = Vec::new();
        let time = self.engine.now().max(now());
        self.engine.step(&Input { time, kind }, &mut outputs);
        for output in &outputs {
            match output {
                Output::VenueRequested { order, request } => self.requests.push((*order, request.clone())),
                Output::StageReached(reached) => self.told.push(reached.stage.name().to_owned()),
                Output::OrderChanged(change) => {
                    self.told.push(format!("{} {}", change.state.name(), change.reason).trim().to_owned());
                }
                Output::InputRefused { reason, .. } => self.refused.push(reason.clone()),
                _ => {}
            }
        }
        self.told_at.resize_with(self.told.len(), Instant::now);
        outputs
    }

    pub(crate) fn tickets(&self) -> Vec<Ticket> {
        let outside = self.engine.outside().unwrap();
        let open = self.engine.orders().filter_map(|order| {
            let known = outside.order(order.terms().id)?;
            Some(Ticket {
                terms: order.terms().clone(),
                budget: order.reserved_money(),
                attempts: known.attempts().clone(),
                cancel_asked: known.cancel_asked(),
            })
        });
        open.collect()
    }
}

impl TestJournal {
    /// Whether the host is dead now, before or after these news were written down.
    fn write_down(&self, order: OrderId, news: VenueNews) -> Result<bool, JournalError> {
        let mut books = self.books.lock().unwrap();
        let number = books.news;
        books.news += 1;
        match self.death {
            Some(Death::Before(at)) if number >= at => return Ok(true),
            Some(Death::After(at)) if number > at => return Ok(true),
            _ => {}
        }
        let refusals = books.refused.len();
        books.step(InputKind::Venue(Box::new(VenueMessage { order, news })));
        if let Some(reason) = books.refused.get(refusals) {
            return Err(JournalError::Refused(reason.clone()));
        }
        Ok(matches!(self.death, Some(Death::After(at)) if number == at))
    }
}

impl Journal for TestJournal {
    async fn record(&self, order: OrderId, news: VenueNews) -> Result<(), JournalError> {
        let hook = {
            let mut hook = self.hook.lock().unwrap();
            let is_it = |name: &str| matches!(&news, VenueNews::Stage(stage) if stage.name() == name);
            if hook.as_ref().is_some_and(|(name, _)| is_it(name)) { hook.take() } else { None }
        };
        if let Some((_, hook)) = hook {
            hook().await;
        }
        if self.write_down(order, news)? {
            return pending().await;
        }
        Ok(())
    }

    async fn halt(&self, reason: String) -> Result<(), JournalError> {
        let mut books = self.books.lock().unwrap();
        let actor = Actor::Host("executor".to_owned());
        let action = HaltAction::StopEntries;
        books.step(InputKind::command(actor, Command::Halt { reason, action }));
        Ok(())
    }
}

/// An account on a chain.
pub(crate) struct Account {
    pub(crate) chain: Chain,
    pub(crate) books: Arc<Mutex<Books>>,
    pub(crate) settings: ChainSettings,
    pub(crate) key: PrivateKeySigner,
    pub(crate) signer: Arc<KnownKey>,
    pub(crate) urls: Vec<String>,
    pub(crate) executor: Option<Executor<Endpoints, TestJournal>>,
    pub(crate) hook: Arc<Mutex<Option<(&'static str, Hook)>>>,
    pub(crate) cash: Decimal,
}

pub(crate) fn units(amount: u64, decimals: u8) -> U256 {
    U256::from(amount) * U256::from(10).pow(U256::from(decimals))
}

pub(crate) fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap())
}

pub(crate) fn token(symbol: &str, address: Address, decimals: u8) -> Token {
    Token { symbol: symbol.to_owned(), address, decimals, native: false }
}

impl Account {
    /// PLAIN for DOLLAR in a pool of V2 at a price of 100, with 10,000 dollars.
    pub(crate) async fn start(options: Options) -> Self {
        let chain = Chain::start_with(options).await;
        let (plain, dollar) = (chain.deployed().tokens.plain, chain.deployed().tokens.dollar);
        let weth = chain.deployed().weth;
        let router = chain.deployed().v2_router;
        chain.add_v2_pool(plain, units(10_000, 18), dollar, units(1_000_000, 6)).await;
        chain.add_v2_pool(weth, units(1_000, 18), dollar, units(2_000_000, 6)).await;
        let market = Market {
            instrument: X,
            base: token("PLAIN", plain, 18),
            quote: token("DOLLAR", dollar, 6),
            routes: vec![Route::V2 { router, path: vec![dollar, plain] }],
            transfer_fees: TransferFees::Refused,
        };
        let gas = GasValue::Route(Route::V2 { router, path: vec![dollar, weth] });
        Self::trading(chain, market, gas, 10_000).await
    }

    /// Trades one market with so much of its quote token.
    pub(crate) async fn trading(chain: Chain, market: Market, gas: GasValue, cash: u64) -> Self {
        let _ = tracing_subscriber::fmt().with_env_filter("bulkhead_evm=debug").with_test_writer().try_init();
        let key = account(0);
        if !market.quote.native {
            chain.give(market.quote.address, key.address(), units(cash, market.quote.decimals)).await;
        }
        let mut settings = ChainSettings::new(chain.id(), vec![market], gas);
        settings.poll = Duration::from_millis(20);
        settings.confirmations = 1;
        settings.resale_known_for = None;
        // The engine is told one price, whatever a test's pools say.
        settings.most_off_reference_bps = None;
        settings.fees = FeeLimits { most: 50_000_000_000, least_tip: 1_000_000_000 };
        settings.market_order_timeout = Duration::from_secs(30);
        let cash = Decimal::from(cash);
        let mut engine_settings = EngineSettings::new(vec![Instrument::new("X-USD", 6, 8)], Money(cash));
        engine_settings.venue = PaperSettings::exact(Decimal::ZERO);
        engine_settings.risk = RiskLimits::none();
        engine_settings.risk.reserve_margin = Decimal::new(5, 2);
        let engine = Engine::new(engine_settings, Box::new(Source)).unwrap().executing(Execution::Outside);
        let mut books = Books {
            engine,
            told: Vec::new(),
            told_at: Vec::new(),
            requests: Vec::new(),
            refused: Vec::new(),
            news: 0,
        };
        let deployment = Deployment {
            slot: "idle".to_owned(),
            version: ContentHash::of(b"idle"),
            mode: StrategyMode::Live,
            weight: Decimal::ONE,
            instruments: Vec::new(),
            parameters: Default::default(),
        };
        books.step(InputKind::command(Actor::Host("test".to_owned()), Command::Deploy(deployment)));
        let urls = vec![chain.url().to_owned()];
        let mut account = Self {
            chain,
            books: Arc::new(Mutex::new(books)),
            settings,
            signer: Arc::new(KnownKey { key: key.clone(), kept: Mutex::default() }),
            key,
            urls,
            executor: None,
            hook: Arc::default(),
            cash,
        };
        account.price(100.0);
        account
    }

    pub(crate) fn price(&mut self, price: f64) {
        let time = now();
        let quote = Quote {
            instrument: X,
            time,
            bid: price,
            ask: price,
            bid_size: 1e9,
            ask_size: 1e9,
            liquidity: 1e9,
        };
        let mut books = self.books.lock().unwrap();
        let mut outputs = Vec::new();
        books.engine.step(&Input { time, kind: InputKind::Quote(quote) }, &mut outputs);
    }

    /// Starts the executor on what the journal holds, as a host does that dies when it is told.
    pub(crate) async fn begin_dying(&mut self, death: Option<Death>) -> Result<(), StartError> {
        let endpoints: Vec<EndpointSettings> = self
            .urls
            .iter()
            .map(|url| EndpointSettings {
                url: url.clone(),
                requests_per_second: None,
                timeout: Duration::from_millis(1_500),
            })
            .collect();
        let chain = Endpoints::new(self.settings.chain_id, &endpoints).unwrap();
        let journal = TestJournal { books: self.books.clone(), death, hook: self.hook.clone() };
        let open = {
            let mut books = self.books.lock().unwrap();
            books.news = 0;
            books.requests.clear();
            books.tickets()
        };
        let signer = self.signer.clone();
        let name = "main".to_owned();
        let started = Executor::start(name, self.settings.clone(), chain, journal, signer, open).await?;
        self.executor = Some(started);
        Ok(())
    }

    pub(crate) async fn begin(&mut self) {
        self.begin_dying(None).await.unwrap();
    }

    /// The process ends: what is not in the journal is forgotten.
    pub(crate) async fn die(&mut self) {
        self.executor.take().unwrap().stop().await;
    }

    /// Orders by hand, and has the executor do what the engine asks for.
    pub(crate) fn order(&self, side: Side, quantity: &str) -> OrderId {
        self.order_at(side, quantity, Pricing::Market)
    }

    pub(crate) fn order_at(&self, side: Side, quantity: &str, pricing: Pricing) -> OrderId {
        let order = ManualOrder {
            slot: "idle".to_owned(),
            instrument: X,
            side,
            amount: ManualAmount::Quantity(Quantity(decimal(quantity))),
            pricing,
            exits: None,
        };
        let command = Command::PlaceOrder(Box::new(order));
        let outputs = self.command(command);
        let accepted = outputs.iter().find_map(|output| match output {
            Output::OrderAccepted(terms) => Some(terms.id),
            _ => None,
        });
        accepted.unwrap_or_else(|| panic!("the gate refused: {outputs:?}"))
    }

    pub(crate) fn command(&self, command: Command) -> Vec<Output> {
        let outputs = {
            let mut books = self.books.lock().unwrap();
            books.step(InputKind::command(Actor::Person("anna".to_owned()), command))
        };
        self.hand_over();
        outputs
    }

    fn hand_over(&self) {
        let Some(executor) = &self.executor else { return };
        let (requests, tickets) = {
            let mut books = self.books.lock().unwrap();
            (std::mem::take(&mut books.requests), books.tickets())
        };
        for (order, request) in requests {
            match request {
                Request::Execute { .. } => {
                    let ticket = tickets.iter().find(|ticket| ticket.terms.id == order);
                    executor.execute(ticket.unwrap().clone());
                }
                Request::Cancel => executor.cancel(order),
            }
        }
    }

    /// Waits until something holds of the books.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Books) -> bool) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while !holds(&self.books.lock().unwrap()) {
            if tokio::time::Instant::now() > end {
                let books = self.books.lock().unwrap();
                panic!("waited in vain until {what}; told: {:#?}, refused: {:#?}", books.told, books.refused);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until no order is open.
    pub(crate) async fn all_ended(&self) {
        self.until("all orders have ended", |books| books.engine.orders().count() == 0).await;
    }

    /// Whether the host has come to its death.
    pub(crate) fn is_dead(&self, death: Death) -> bool {
        let news = self.news();
        match death {
            Death::Before(at) | Death::After(at) => news > at,
        }
    }

    /// What was written down since the last start, or was to be.
    pub(crate) fn news(&self) -> usize {
        self.books.lock().unwrap().news
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.books.lock().unwrap().told.clone()
    }

    pub(crate) fn held(&self) -> Decimal {
        let books = self.books.lock().unwrap();
        let books = books.engine.ledger().sub_ledger(TRADER).unwrap();
        books.position(X).map_or(Decimal::ZERO, |position| position.quantity.0)
    }

    pub(crate) fn cash_and_fees(&self) -> (Decimal, Decimal) {
        let books = self.books.lock().unwrap();
        let ledger = books.engine.ledger();
        (ledger.cash().0, ledger.sub_ledger(TRADER).unwrap().fees().0)
    }

    pub(crate) fn halted(&self) -> Option<String> {
        self.books.lock().unwrap().engine.halted().map(str::to_owned)
    }

    /// The books hold what the chain does. Gas is paid in native currency, and booked in the quote token.
    pub(crate) async fn books_equal_the_chain(&self) {
        let market = &self.settings.markets[0];
        let owner = self.key.address();
        let base = self.chain.balance_of(market.base.address, owner).await;
        let quote = self.chain.balance_of(market.quote.address, owner).await;
        let (cash, fees) = self.cash_and_fees();
        assert_eq!(from_units(base, market.base.decimals).unwrap(), self.held().normalize(), "base");
        let in_books = (cash + fees).normalize();
        assert_eq!(from_units(quote, market.quote.decimals).unwrap(), in_books, "quote: {cash} and {fees}");
    }

    /// Trades of the account that landed, whether they succeeded or not.
    pub(crate) async fn nonce(&self) -> u64 {
        self.chain.transaction_count(self.key.address()).await
    }
}

pub(crate) fn limit(price: &str) -> Pricing {
    Pricing::Limit(Price(decimal(price)))
}
