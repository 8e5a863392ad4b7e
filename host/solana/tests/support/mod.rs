//! An account with a real engine, on a real virtual machine with real token programs: what an order does is what it does
//! in the host, but for the sequencer, in whose place the engine takes news at once.
#![allow(dead_code, reason = "each test uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

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
use bulkhead_solana::amounts::from_units;
use bulkhead_solana::executor::{Executor, StartError};
use bulkhead_solana::jupiter::{Current, JupiterSettings, Older, SwapApi};
use bulkhead_solana::rpc::bundles::{Bundles, Fallback};
use bulkhead_solana::rpc::{EndpointSettings, Endpoints};
use bulkhead_solana::settings::{FeeValue, Market, SolanaSettings, Token};
use bulkhead_solana::signer::{SignerError, SolanaSigner};
use bulkhead_solana::verify::Verified;
use bulkhead_solana_chain::chain::SOL;
use bulkhead_solana_chain::jupiter::Jupiter;
use bulkhead_solana_chain::program::Pool;
use bulkhead_solana_chain::rpc::GENESIS_HASH;
use bulkhead_solana_chain::tokens::{Mint, WRAPPED_SOL};
use bulkhead_solana_chain::{Chain, Options};
use bulkhead_venue::{ChainExecutor as _, Journal, JournalError, Ticket};
use rust_decimal::Decimal;
use solana_address::Address;
use solana_keypair::Keypair;
use solana_signature::Signature;
use solana_signer::Signer as _;

pub(crate) const X: InstrumentId = InstrumentId(0);
pub(crate) const TRADER: StrategyId = StrategyId(0);
const PATIENCE: Duration = Duration::from_secs(30);

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

/// Signs everything that was verified with a key that everybody knows, and counts.
pub(crate) struct KnownKey {
    pub(crate) key: Keypair,
    pub(crate) signed: Mutex<usize>,
    /// It gives signatures of something else.
    pub(crate) lies: Mutex<bool>,
}

#[async_trait]
impl SolanaSigner for KnownKey {
    fn address(&self) -> Address {
        self.key.pubkey()
    }

    fn name(&self) -> &str {
        "the test's key"
    }

    async fn sign(&self, _: &str, transaction: &Verified) -> Result<Signature, SignerError> {
        *self.signed.lock().unwrap() += 1;
        let message = if *self.lies.lock().unwrap() { vec![1] } else { transaction.signing_payload() };
        Ok(self.key.sign_message(&message))
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

type Hook = Box<dyn FnOnce() + Send>;

/// What the process would lose in a crash is not in here; the engine stands for its journal.
pub(crate) struct Books {
    pub(crate) engine: Engine,
    /// The names of all stages and ends so far.
    pub(crate) told: Vec<String>,
    /// When each of these was.
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
            self.told_at.resize_with(self.told.len(), Instant::now);
        }
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
            hook();
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

/// Which of the aggregator's forms is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Current,
    Older,
}

/// An account on a chain.
pub(crate) struct Account {
    pub(crate) chain: Arc<Chain>,
    pub(crate) jupiter: Jupiter,
    pub(crate) books: Arc<Mutex<Books>>,
    pub(crate) settings: SolanaSettings,
    pub(crate) signer: Arc<KnownKey>,
    pub(crate) form: Form,
    pub(crate) urls: Vec<String>,
    pub(crate) executor: Option<Executor<Bundles<Endpoints>, TestJournal>>,
    pub(crate) hook: Arc<Mutex<Option<(&'static str, Hook)>>>,
    /// Where bundles go, and what if they get nowhere.
    pub(crate) bundles: (String, Fallback),
    pub(crate) pool: Pool,
    pub(crate) base: Address,
    pub(crate) dollar: Address,
}

/// What the clock says: orders have their time, also while the host is down.
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap())
}

pub(crate) fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(crate) const CASH: u64 = 10_000;
const DOLLAR: u64 = 1_000_000;
const WHOLE: u64 = 1_000_000_000;

impl Account {
    /// PLAIN for DOLLAR at a price of 100, with 10,000 dollars and 10 SOL at 200 dollars each.
    pub(crate) async fn start(form: Form) -> Self {
        Self::trading(form, Mint::plain(9), Options::default()).await
    }

    pub(crate) async fn trading(form: Form, mint: Mint, options: Options) -> Self {
        let chain = Arc::new(Chain::start(options).await);
        let base = chain.mint(&mint);
        Self::on(chain, form, base, mint.program()).await
    }

    /// SOL itself for dollars.
    pub(crate) async fn trading_sol(form: Form) -> Self {
        Self::trading_sol_on(form, Options::default()).await
    }

    pub(crate) async fn trading_sol_on(form: Form, options: Options) -> Self {
        let chain = Arc::new(Chain::start(options).await);
        Self::on(chain, form, WRAPPED_SOL, bulkhead_solana::programs::TOKEN).await
    }

    async fn on(chain: Arc<Chain>, form: Form, base: Address, program: Address) -> Self {
        // A bench has nobody who reads that.
        if cfg!(test) {
            let _ = tracing_subscriber::fmt()
                .with_env_filter("bulkhead_solana=debug")
                .with_test_writer()
                .try_init();
        }
        let key = chain.keypair();
        let dollar = chain.mint(&Mint::plain(6));
        let pool = chain.add_pool(base, 10_000 * WHOLE, dollar, 1_000_000 * DOLLAR);
        let sol = chain.add_pool(WRAPPED_SOL, 10_000 * WHOLE, dollar, 2_000_000 * DOLLAR);
        let pools = if base == WRAPPED_SOL { vec![pool] } else { vec![pool, sol] };
        chain.give_lamports(key.pubkey(), 10 * SOL);
        chain.give_tokens(dollar, key.pubkey(), CASH * DOLLAR);
        let jupiter = Jupiter::start(&chain, &pools).await;
        let token = |symbol: &str, mint, program, decimals| Token {
            symbol: symbol.to_owned(),
            mint,
            program,
            decimals,
        };
        let market = Market {
            instrument: X,
            base: token("PLAIN", base, program, 9),
            quote: token("DOLLAR", dollar, bulkhead_solana::programs::TOKEN, 6),
        };
        let mut settings = SolanaSettings::new(GENESIS_HASH.to_owned(), vec![market], FeeValue::Quoted);
        settings.poll = Duration::from_millis(20);
        settings.resend_after = Duration::from_millis(100);
        settings.quote_pause = Duration::from_millis(20);
        settings.market_order_timeout = Duration::from_secs(20);
        let cash = Decimal::from(CASH);
        let mut engine_settings = EngineSettings::new(vec![Instrument::new("X-USD", 6, 9)], Money(cash));
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
        let signer = KnownKey { key, signed: Mutex::new(0), lies: Mutex::new(false) };
        let mut account = Self {
            chain,
            jupiter,
            books: Arc::new(Mutex::new(books)),
            settings,
            signer: Arc::new(signer),
            form,
            urls,
            executor: None,
            hook: Arc::default(),
            bundles: ("http://127.0.0.1:1".to_owned(), Fallback::BundlesOnly),
            pool,
            base,
            dollar,
        };
        account.price(100.0);
        account
    }

    pub(crate) fn owner(&self) -> Address {
        self.signer.key.pubkey()
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
        let timeout = Duration::from_millis(1_500);
        let endpoints: Vec<EndpointSettings> = self
            .urls
            .iter()
            .map(|url| EndpointSettings { url: url.clone(), requests_per_second: None, timeout })
            .collect();
        let cluster = Endpoints::new(&self.settings.genesis_hash, &endpoints).unwrap();
        let tips = self.settings.tip_accounts();
        let (url, fallback) = self.bundles.clone();
        let bundles = EndpointSettings { url, requests_per_second: None, timeout };
        let cluster = Bundles::new(cluster, &bundles, tips, fallback).unwrap();
        let jupiter = JupiterSettings {
            url: self.jupiter.url().to_owned(),
            key: None,
            requests_per_minute: None,
            timeout,
        };
        let swaps: Arc<dyn SwapApi> = match self.form {
            Form::Current => Arc::new(Current::new(&jupiter).unwrap()),
            Form::Older => Arc::new(Older::new(&jupiter).unwrap()),
        };
        let journal = TestJournal { books: self.books.clone(), death, hook: self.hook.clone() };
        let open = {
            let mut books = self.books.lock().unwrap();
            books.news = 0;
            books.requests.clear();
            books.tickets()
        };
        let (name, settings) = ("main".to_owned(), self.settings.clone());
        let signer = self.signer.clone();
        let started = Executor::start(name, settings, cluster, swaps, journal, signer, open).await?;
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

    /// Something happens just before a stage is written down.
    pub(crate) fn before(&self, stage: &'static str, hook: impl FnOnce() + Send + 'static) {
        *self.hook.lock().unwrap() = Some((stage, Box::new(hook)));
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

    /// Waits until a stage was told so many times.
    pub(crate) async fn told_times(&self, stage: &str, times: usize) {
        let count = |books: &Books| books.told.iter().filter(|told| *told == stage).count();
        self.until(&format!("{stage} was told {times} times"), |books| count(books) >= times).await;
    }

    /// Waits until no order is open.
    pub(crate) async fn all_ended(&self) {
        self.until("all orders have ended", |books| books.engine.orders().count() == 0).await;
    }

    /// Whether the host has come to its death.
    pub(crate) fn is_dead(&self, death: Death) -> bool {
        let news = self.books.lock().unwrap().news;
        match death {
            Death::Before(at) | Death::After(at) => news > at,
        }
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.books.lock().unwrap().told.clone()
    }

    pub(crate) fn last_told(&self) -> String {
        self.told().last().cloned().unwrap_or_default()
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

    pub(crate) fn dollars(&self) -> Decimal {
        from_units(self.chain.tokens_of(self.owner(), self.dollar), 6)
    }

    /// The books hold what the chain does. Fees are paid in SOL, and booked in dollars.
    pub(crate) fn books_equal_the_chain(&self) {
        let base = from_units(self.chain.tokens_of(self.owner(), self.base), 9);
        let (cash, fees) = self.cash_and_fees();
        assert_eq!(base, self.held().normalize(), "base: {:?}", self.told());
        assert_eq!(self.dollars(), (cash + fees).normalize(), "quote: {cash} and {fees}: {:?}", self.told());
    }

    /// How many transactions of the wallet landed, whether they succeeded or not.
    pub(crate) fn landed(&self) -> usize {
        self.chain.ledger().landed_of(&self.owner())
    }

    /// How many transactions were signed.
    pub(crate) fn signed(&self) -> usize {
        *self.signer.signed.lock().unwrap()
    }
}

pub(crate) fn limit(price: &str) -> Pricing {
    Pricing::Limit(Price(decimal(price)))
}
