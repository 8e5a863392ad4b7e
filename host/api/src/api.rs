//! What every handler has at hand, and how it takes requests apart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts};
use bulkhead_core::time::Timestamp;
use bulkhead_store::clock::now;
use bulkhead_store::database::TokenRow;
use tokio::sync::{Semaphore, watch};

use crate::alerts::AlertDesk;
use crate::analytics::AnalyticsCache;
use crate::authorisation::Caller;
use crate::backtests::Backtests;
use crate::host_figures::HostFigures;
use crate::limits::Limits;
use crate::live::{Hub, Stream, Updates};
use crate::metrics::{KeptCounts, RequestCounts};
use crate::observer::RequestObserver;
use crate::plugins::PluginDirectory;
use crate::problem::Problem;
use crate::readers::Readers;
use crate::reconciliation::Reconciliations;
use crate::server::{Host, Settings};
use crate::sessions::Sessions;
use crate::tokens;
use crate::wallets::Challenges;

/// How often it is looked whether tokens were taken back.
const LOOK_AT_TOKENS: Duration = Duration::from_secs(2);

/// Uploads that are received at a time.
const RECEIVED_AT_ONCE: usize = 4;

/// Tokens by name.
type Tokens = Arc<BTreeMap<String, TokenRow>>;

/// Shared by all requests.
#[derive(Clone)]
pub(crate) struct Api(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) started: Timestamp,
    /// For all that is read.
    pub(crate) readers: Readers,
    /// For who may come in and what is changed: whatever takes long in `readers`, these don't wait for it.
    pub(crate) access: Readers,
    pub(crate) limits: Limits,
    pub(crate) counts: RequestCounts,
    pub(crate) counted: KeptCounts,
    pub(crate) figures: HostFigures,
    pub(crate) observer: Option<Arc<dyn RequestObserver>>,
    pub(crate) sessions: Sessions,
    pub(crate) challenges: Challenges,
    pub(crate) hub: Hub,
    /// Where live updates are sent.
    pub(crate) updates: Updates,
    pub(crate) analytics: AnalyticsCache,
    pub(crate) plugins: Arc<dyn PluginDirectory>,
    pub(crate) alerts: Arc<dyn AlertDesk>,
    pub(crate) reconciliations: Reconciliations,
    pub(crate) backtests: Arc<Backtests>,
    /// Makes the host look at once for what was asked of it.
    pub(crate) poke: Arc<dyn Fn() + Send + Sync>,
    /// Uploads that are being received, each of which may fill its share of memory.
    pub(crate) receiving: Semaphore,
    /// One upload at a time is looked into.
    pub(crate) uploads: Arc<Semaphore>,
    /// One test of the alerts at a time is sent.
    pub(crate) alert_tests: Arc<Semaphore>,
    /// When the last use of each token was written down.
    pub(crate) noted: Mutex<BTreeMap<String, Timestamp>>,
    /// The tokens as they were a moment ago; `None` before the first look.
    tokens: watch::Sender<Option<Tokens>>,
}

impl Api {
    pub(crate) fn new(
        settings: Settings,
        host: &Host,
        readers: Readers,
        access: Readers,
        counts: RequestCounts,
        updates: Updates,
    ) -> Self {
        Self(Arc::new(Shared {
            limits: Limits::new(settings.requests_per_minute),
            settings,
            started: now(),
            readers,
            access,
            counts,
            counted: KeptCounts::default(),
            figures: host.figures.clone(),
            observer: host.observer.clone(),
            sessions: Sessions::default(),
            challenges: Challenges::default(),
            hub: host.hub.clone(),
            updates,
            analytics: AnalyticsCache::default(),
            plugins: Arc::clone(&host.plugins),
            alerts: Arc::clone(&host.alerts),
            reconciliations: host.reconciliations.clone(),
            backtests: Backtests::new(Arc::clone(&host.backtests), host.backtest_directory.clone()),
            poke: Arc::clone(&host.poke),
            receiving: Semaphore::new(RECEIVED_AT_ONCE),
            uploads: Arc::new(Semaphore::new(1)),
            alert_tests: Arc::new(Semaphore::new(1)),
            noted: Mutex::default(),
            tokens: watch::Sender::new(None),
        }))
    }

    /// An account's live updates.
    pub(crate) fn stream(&self, account: &str) -> Result<Arc<Stream>, Problem> {
        let stream = self.hub.stream(account).cloned();
        stream.ok_or_else(|| Problem::unknown("account at work", account, "/api/v1/accounts"))
    }

    /// Looks at the tokens for ever, for those whose connections last.
    pub(crate) async fn look_at_tokens(self) {
        loop {
            // Without an answer those that were known stay good until it comes.
            if let Ok(rows) = self.access.ask(|database| Ok(database.tokens()?)).await {
                let tokens: BTreeMap<_, _> = rows.into_iter().map(|row| (row.name.clone(), row)).collect();
                self.tokens.send_if_modified(|known| {
                    let same = |before: &Tokens| {
                        before.len() == tokens.len()
                            && before
                                .values()
                                .zip(tokens.values())
                                .all(|(before, now)| before.name == now.name && before.revoked == now.revoked)
                    };
                    let modified = !known.as_ref().is_some_and(same);
                    *known = Some(Arc::new(tokens));
                    modified
                });
            }
            tokio::time::sleep(LOOK_AT_TOKENS).await;
        }
    }

    /// Waits until the caller may not be here any more.
    pub(crate) async fn ended(&self, caller: &Caller) {
        let expired = async {
            match caller.expires {
                Some(expires) => {
                    let left = expires.since(now()).nanos();
                    tokio::time::sleep(Duration::from_nanos(u64::try_from(left).unwrap_or(0))).await;
                }
                None => std::future::pending().await,
            }
        };
        let mut tokens = self.tokens.subscribe();
        // The host does not end before its callers do, so somebody goes on looking.
        let taken_back = async {
            let gone = tokens.wait_for(|tokens| {
                // One that is not known yet was made a moment ago; none is ever forgotten.
                let token = tokens.as_ref().and_then(|tokens| tokens.get(&caller.name));
                token.is_some_and(|token| tokens::role(token, now()).is_none())
            });
            if gone.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let logged_out = async {
            match caller.login {
                Some(login) => self.sessions.logged_out(login).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = expired => {}
            () = taken_back => {}
            () = logged_out => {}
        }
    }
}

impl std::ops::Deref for Api {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What a handler answers.
pub(crate) type Answer<T> = Result<Json<T>, Problem>;

/// A body of JSON.
#[derive(FromRequest)]
#[from_request(via(Json), rejection(Problem))]
pub(crate) struct Body<T>(pub(crate) T);

/// The query parameters.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(crate) struct Query<T>(pub(crate) T);

/// The variable parts of the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(crate) struct At<T>(pub(crate) T);
