//! Leaders who trade on a real virtual machine, and a feed that watches them.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Input, InputKind};
use bulkhead_core::time::Timestamp;
use bulkhead_solana::programs::TOKEN;
use bulkhead_solana::rpc::{EndpointSettings, Endpoints};
use bulkhead_solana::settings::{Market, Token};
use bulkhead_solana::wallets::book::{BookError, Progress, Standing, TrackedWallet, WatchBook, Watched};
use bulkhead_solana::wallets::feed::{WalletFeed, WatchHealth, WatchStartError};
use bulkhead_solana::wallets::pushes::PushSettings;
use bulkhead_solana::wallets::report::ScanReport;
use bulkhead_solana::wallets::settings::{WatchName, WatchSettings, signal_names};
use bulkhead_solana::wallets::trade::LeaderTrade;
use bulkhead_solana_chain::chain::SOL;
use bulkhead_solana_chain::ledger::Ledger;
use bulkhead_solana_chain::program::{Pool, Swap};
use bulkhead_solana_chain::rpc::GENESIS_HASH;
use bulkhead_solana_chain::tokens::{
    Mint, WRAPPED_SOL, associated, close, create_idempotent, sync_native, transfer_lamports,
};
use bulkhead_solana_chain::{Chain, Options, Pace};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signature::Signature;
use solana_signer::Signer as _;

pub(crate) const X: InstrumentId = InstrumentId(4);
const PATIENCE: Duration = Duration::from_secs(30);
const DOLLAR: u64 = 1_000_000;
const WHOLE: u64 = 1_000_000_000;

/// What is written down outlives a feed, as a database does.
#[derive(Debug, Clone, Default)]
pub(crate) struct TestBook(Arc<Mutex<Written>>);

#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) wallets: Vec<TrackedWallet>,
    pub(crate) standings: BTreeMap<Watched, Standing>,
    pub(crate) undone: BTreeSet<Signature>,
    /// It can't be written to.
    pub(crate) is_full: bool,
}

impl TestBook {
    pub(crate) fn written(&self) -> std::sync::MutexGuard<'_, Written> {
        self.0.lock().unwrap()
    }

    /// All trades of a wallet that were not taken back.
    pub(crate) fn trades(&self, wallet: Address) -> Vec<LeaderTrade> {
        let written = self.written();
        let standing = written.standings.get(&Watched::Wallet(wallet));
        standing.map(|standing| standing.trades.clone()).unwrap_or_default()
    }
}

impl WatchBook for TestBook {
    async fn wallets(&self) -> Result<Vec<TrackedWallet>, BookError> {
        Ok(self.written().wallets.clone())
    }

    async fn standing(&self, watched: &Watched) -> Result<Standing, BookError> {
        let mut standing = self.written().standings.get(watched).cloned().unwrap_or_default();
        let done = standing.cursor.map_or(0, |cursor| cursor.slot);
        standing.trades.retain(|trade| !trade.is_final || trade.slot > done);
        standing.pools.retain(|pool| !pool.is_final || pool.slot > done);
        Ok(standing)
    }

    async fn record(&self, progress: Vec<Progress>) -> Result<(), BookError> {
        let mut written = self.written();
        if written.is_full {
            return Err(BookError("the disk is full".to_owned()));
        }
        for Progress { watched, cursor, trades, pools, finals, undone } in progress {
            written.undone.extend(&undone);
            let standing = written.standings.entry(watched).or_default();
            standing.cursor = cursor.or(standing.cursor);
            let gone = |signature: &Signature| {
                undone.contains(signature) || trades.iter().any(|new| new.signature == *signature)
            };
            standing.trades.retain(|old| !gone(&old.signature));
            standing.trades.extend(trades);
            standing.pools.extend(pools);
            for trade in standing.trades.iter_mut().filter(|trade| finals.contains(&trade.signature)) {
                trade.is_final = true;
            }
            for pool in standing.pools.iter_mut().filter(|pool| finals.contains(&pool.signature)) {
                pool.is_final = true;
            }
        }
        Ok(())
    }
}

pub(crate) struct Bed {
    pub(crate) chain: Arc<Chain>,
    pub(crate) leaders: Vec<Keypair>,
    pub(crate) base: Address,
    pub(crate) dollar: Address,
    pub(crate) pool: Pool,
    pub(crate) sol: Pool,
    pub(crate) book: TestBook,
    pub(crate) settings: WatchSettings,
    pub(crate) urls: Vec<String>,
    pub(crate) pushes: Vec<PushSettings>,
    /// All that strategies were ever told, by every feed: the signal, the instrument and the value.
    pub(crate) told: Arc<Mutex<Vec<Input>>>,
}

/// A feed at work.
pub(crate) struct Watching {
    pub(crate) health: Arc<WatchHealth>,
    task: tokio::task::JoinHandle<()>,
    stops: Arc<AtomicBool>,
}

impl Bed {
    /// So many leaders with dollars, and slots that go by when the test says so.
    pub(crate) async fn new(leaders: usize) -> Self {
        let _ =
            tracing_subscriber::fmt().with_env_filter("bulkhead_solana=debug").with_test_writer().try_init();
        let chain = Chain::start(Options { pace: Pace::OnDemand, ..Options::default() }).await;
        let base = chain.mint(&Mint::plain(9));
        let dollar = chain.mint(&Mint::plain(6));
        let pool = chain.add_pool(base, 10_000 * WHOLE, dollar, 1_000_000 * DOLLAR);
        let sol = chain.add_pool(WRAPPED_SOL, 10_000 * WHOLE, base, 20_000 * WHOLE);
        let leaders: Vec<Keypair> = (0..leaders).map(|_| chain.keypair()).collect();
        let mut wallets = Vec::new();
        for (number, leader) in leaders.iter().enumerate() {
            chain.give_lamports(leader.pubkey(), 100 * SOL);
            chain.give_tokens(dollar, leader.pubkey(), 10_000 * DOLLAR);
            let name = WatchName::new(&format!("leader-{number}")).unwrap();
            wallets.push(TrackedWallet { name, address: leader.pubkey() });
        }
        let token = |mint, decimals| Token { symbol: "T".to_owned(), mint, program: TOKEN, decimals };
        let market = Market { instrument: X, base: token(base, 9), quote: token(dollar, 6) };
        let mut settings = WatchSettings::new(vec![market]);
        settings.look_every = Duration::from_millis(20);
        settings.look_after_push = Duration::from_millis(5);
        settings.slots_to_disappear = 4;
        let book = TestBook::default();
        book.written().wallets = wallets;
        let urls = vec![chain.url().to_owned()];
        let (pushes, told) = (Vec::new(), Arc::default());
        Self { chain: Arc::new(chain), leaders, base, dollar, pool, sol, book, settings, urls, pushes, told }
    }

    /// The same, and watching has begun, so that all that happens from now on is new.
    pub(crate) async fn begun(leaders: usize) -> Self {
        let bed = Self::new(leaders).await;
        bed.one_look().await;
        bed
    }

    pub(crate) fn endpoints(&self) -> Arc<Endpoints> {
        let endpoint = |url: &String| EndpointSettings {
            url: url.clone(),
            requests_per_second: None,
            timeout: Duration::from_millis(500),
        };
        let endpoints: Vec<EndpointSettings> = self.urls.iter().map(endpoint).collect();
        Arc::new(Endpoints::new(GENESIS_HASH, &endpoints).unwrap())
    }

    pub(crate) fn signals(&self) -> Vec<String> {
        let written = self.book.written();
        signal_names(written.wallets.iter().map(|wallet| &wallet.name), true)
    }

    pub(crate) async fn watch(&self) -> Watching {
        self.watch_with(self.book.clone(), self.settings.clone()).await.unwrap()
    }

    pub(crate) async fn watch_with<B: WatchBook>(
        &self,
        book: B,
        settings: WatchSettings,
    ) -> Result<Watching, WatchStartError> {
        let signals = self.signals();
        let feed = WalletFeed::open(self.endpoints(), book, settings, self.pushes.clone(), &signals).await?;
        let (health, told) = (feed.health(), Arc::clone(&self.told));
        let stops = Arc::new(AtomicBool::new(false));
        let (chain, stop) = (Arc::clone(&self.chain), Arc::clone(&stops));
        let now = move || Timestamp::from_seconds(Ledger::time_of(chain.ledger().slot()));
        let tell = move |inputs: Vec<Input>| {
            told.lock().unwrap().extend(inputs);
            !stop.load(Ordering::SeqCst)
        };
        let task = tokio::spawn(feed.follow(now, tell));
        Ok(Watching { health, task, stops })
    }

    /// A feed that begins, looks once, and ends.
    pub(crate) async fn one_look(&self) -> ScanReport {
        let settings = WatchSettings { look_every: Duration::from_secs(3_600), ..self.settings.clone() };
        let watching = self.watch_with(self.book.clone(), settings).await.unwrap();
        watching.looks(1).await;
        let report = watching.health.last_look().unwrap();
        watching.kill().await;
        report
    }

    /// What strategies were told: by which leader's signal, and how much.
    pub(crate) fn told(&self) -> Vec<(u32, f64)> {
        let told = self.told.lock().unwrap();
        assert!(told.is_sorted_by_key(|input| input.time), "time went back");
        let signals = told.iter().filter_map(|input| match input.kind {
            InputKind::Signal(signal) => {
                assert_eq!(signal.instrument, X);
                assert!(signal.time <= input.time);
                Some((signal.id.0, signal.value))
            }
            _ => None,
        });
        signals.collect()
    }

    pub(crate) fn swap(&self, pool: &Pool, leader: usize, given: Address, amount: u64) -> Instruction {
        let (given, got) = pool.sides(given);
        let user = self.leaders[leader].pubkey();
        let own = |mint, program| associated(user, mint, program);
        let swap = Swap {
            user,
            given,
            source: own(given.mint, given.token_program),
            got,
            destination: own(got.mint, got.token_program),
            elsewhere: None,
            amount,
            quoted: 1,
            slippage_bps: 0,
            platform_fee_bps: 0,
        };
        swap.route_v2()
    }

    pub(crate) fn execute(&self, leader: usize, instructions: &[Instruction]) -> Result<(), String> {
        self.chain.execute(&self.leaders[leader], instructions)
    }

    fn account(&self, leader: usize, mint: Address) -> Instruction {
        let owner = self.leaders[leader].pubkey();
        create_idempotent(owner, owner, mint, TOKEN)
    }

    /// A leader buys for so many dollars; how much came.
    pub(crate) fn buy(&self, leader: usize, dollars: u64) -> f64 {
        let owner = self.leaders[leader].pubkey();
        let held = || self.chain.tokens_of(owner, self.base);
        let before = held();
        let swap = self.swap(&self.pool, leader, self.dollar, dollars * DOLLAR);
        self.execute(leader, &[self.account(leader, self.base), swap]).unwrap();
        whole(held() - before)
    }

    /// A leader sells everything; how much that was.
    pub(crate) fn sell(&self, leader: usize) -> f64 {
        let held = self.chain.tokens_of(self.leaders[leader].pubkey(), self.base);
        self.execute(leader, &[self.swap(&self.pool, leader, self.base, held)]).unwrap();
        whole(held)
    }

    /// A leader buys with native currency, which is wrapped for it and unwrapped after; how much came.
    pub(crate) fn buy_with_sol(&self, leader: usize, lamports: u64) -> f64 {
        let owner = self.leaders[leader].pubkey();
        let wrapped = associated(owner, WRAPPED_SOL, TOKEN);
        let held = || self.chain.tokens_of(owner, self.base);
        let before = held();
        let instructions = [
            self.account(leader, self.base),
            self.account(leader, WRAPPED_SOL),
            transfer_lamports(owner, wrapped, lamports),
            sync_native(wrapped),
            self.swap(&self.sol, leader, WRAPPED_SOL, lamports),
            close(TOKEN, wrapped, owner, owner),
        ];
        self.execute(leader, &instructions).unwrap();
        whole(held() - before)
    }

    /// Everything that happened is confirmed.
    pub(crate) fn confirm(&self) {
        self.chain.advance(2);
    }

    /// Everything that happened is final.
    pub(crate) fn finalize(&self) {
        self.chain.advance(32);
    }

    /// Waits until something holds.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while !holds() {
            assert!(
                tokio::time::Instant::now() < end,
                "waited in vain until {what}; told: {:?}",
                self.told()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What a leader's signal said.
    pub(crate) fn told_of(&self, leader: usize) -> Vec<f64> {
        sizes(&self.told(), leader)
    }

    /// The same as [`Self::told_just`], but what one leader does may be told before what another did earlier.
    pub(crate) async fn told_each(&self, watching: &Watching, expected: &[(u32, f64)]) {
        self.until(&format!("{expected:?} is told"), || self.told().len() >= expected.len()).await;
        watching.looks(watching.health.totals().looks + 3).await;
        for leader in 0..self.leaders.len() {
            assert_eq!(self.told_of(leader), sizes(expected, leader));
        }
    }

    /// Waits until so many signals were told, and that no more come.
    pub(crate) async fn told_just(&self, watching: &Watching, expected: &[(u32, f64)]) {
        self.until(&format!("{expected:?} is told"), || self.told().len() >= expected.len()).await;
        watching.looks(watching.health.totals().looks + 3).await;
        assert_eq!(self.told(), expected);
    }
}

impl Watching {
    /// Waits until it has looked so often.
    pub(crate) async fn looks(&self, times: u64) {
        let end = tokio::time::Instant::now() + PATIENCE;
        while self.health.totals().looks < times {
            assert!(tokio::time::Instant::now() < end, "it does not look: {:?}", self.health);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The process ends, wherever it is.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// It is told to stop, and does.
    pub(crate) async fn stop(self) {
        self.stops.store(true, Ordering::SeqCst);
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

fn sizes(told: &[(u32, f64)], leader: usize) -> Vec<f64> {
    told.iter().filter(|(signal, _)| *signal as usize == leader).map(|(_, size)| *size).collect()
}

pub(crate) fn calls(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "as strategies are told")]
fn whole(units: u64) -> f64 {
    rust_decimal::prelude::ToPrimitive::to_f64(&bulkhead_solana::amounts::from_units(units, 9))
        .unwrap_or(units as f64)
}
