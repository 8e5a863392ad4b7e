//! HTTP to the aggregator, with its key, its limits, and its way to say no.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::Quota;
use reqwest::header::HeaderValue;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::wire::{Quoted, Refusal};
use super::{Ask, Quote, SwapError};
use crate::rpc::transport::{Failure, Line, without_secrets};
use crate::rpc::{EndpointSettings, InvalidAddress};

/// What an aggregator that works says to what it won't do; all else may pass.
const IS_FINAL: [u16; 5] = [400, 401, 403, 404, 422];

const MINUTE: Duration = Duration::from_secs(60);

/// What one order asks in a row, about.
const ONE_ORDER: NonZeroU32 = NonZeroU32::new(6).unwrap();

/// A key that is never shown.
#[derive(Clone)]
pub struct ApiKey(String);

impl ApiKey {
    /// This key.
    #[must_use]
    pub const fn new(key: String) -> Self {
        Self(key)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ApiKey(…)")
    }
}

/// Where the aggregator is and how it may be asked.
#[derive(Debug, Clone)]
pub struct JupiterSettings {
    /// Its address up to the path that names the form.
    pub url: String,
    /// The key that makes it answer more often.
    pub key: Option<ApiKey>,
    /// Most requests in a minute, which is what it counts by; no limit when absent.
    pub requests_per_minute: Option<NonZeroU32>,
    /// How long an answer may take.
    pub timeout: Duration,
}

pub(super) struct Api {
    line: Arc<Line>,
    key: Option<HeaderValue>,
}

/// Evenly over the minute, but for what one order asks in a row: it counts what came in any minute.
fn quota(per_minute: NonZeroU32) -> Option<Quota> {
    let quota = Quota::with_period(MINUTE / per_minute.get())?;
    Some(quota.allow_burst(per_minute.min(ONE_ORDER)))
}

impl Api {
    pub(super) fn new(settings: &JupiterSettings) -> Result<Self, InvalidAddress> {
        let endpoint = EndpointSettings {
            url: settings.url.clone(),
            requests_per_second: None,
            timeout: settings.timeout,
        };
        let line = Line::within(&endpoint, settings.requests_per_minute.and_then(quota))?;
        let key = settings.key.as_ref().map(|key| {
            let mut value = HeaderValue::from_str(&key.0).map_err(|_| InvalidAddress)?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Self { line: Arc::new(line), key: key.transpose()? })
    }

    pub(super) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Box<RawValue>, SwapError> {
        let request = self.line.client().get(self.address(path)?).query(query);
        self.answer(request).await
    }

    pub(super) async fn post(
        &self,
        path: &str,
        body: &(impl serde::Serialize + Sync),
    ) -> Result<Box<RawValue>, SwapError> {
        let request = self.line.client().post(self.address(path)?).json(body);
        self.answer(request).await
    }

    fn address(&self, path: &str) -> Result<reqwest::Url, SwapError> {
        let mut url = self.line.url().clone();
        let before = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{before}{path}"));
        Ok(url)
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Box<RawValue>, SwapError> {
        if let (false, Some(until)) = (self.line.is_awake(), self.line.rests_until()) {
            let wait = until.saturating_duration_since(Instant::now());
            return Err(SwapError::Unavailable(format!("it is left alone for {wait:.1?}")));
        }
        let request = match &self.key {
            Some(key) => request.header("x-api-key", key.clone()),
            None => request,
        };
        let answer = self.line.ask(request).await.map_err(unavailable)?;
        if let Some(id) = answer.headers.get("x-api-gateway-request-id") {
            tracing::debug!(
                ?id,
                status = answer.status.as_u16(),
                "the aggregator's own name for the request"
            );
        }
        if !answer.status.is_success() {
            if !IS_FINAL.contains(&answer.status.as_u16()) {
                let status = answer.status.as_u16();
                return Err(unavailable(self.line.note_broken(format!("it answers HTTP {status}"))));
            }
            self.line.note_success();
            let refusal = serde_json::from_slice::<Refusal>(&answer.body);
            return Err(SwapError::Refused(match refusal {
                Ok(refusal) => shown(&refusal),
                Err(_) => format!("HTTP {}", answer.status.as_u16()),
            }));
        }
        let unreadable = |_| unavailable(self.line.note_broken("its answer can't be read"));
        let raw: Box<RawValue> = serde_json::from_slice(&answer.body).map_err(unreadable)?;
        self.line.note_success();
        Ok(raw)
    }
}

fn unavailable(failure: Failure) -> SwapError {
    SwapError::Unavailable(match failure {
        Failure::Limited(pause) => format!("it is asked too often, and left alone for {pause:.1?}"),
        Failure::Broken(why) => why,
    })
}

fn shown(refusal: &Refusal) -> String {
    let code = refusal.error_code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
    without_secrets(&format!("{}{code}", refusal.error))
}

/// Reads what a quote says, and holds it against what was asked.
pub(super) fn quote(raw: Box<RawValue>, ask: &Ask, asked: Instant) -> Result<Quote, SwapError> {
    let quoted: Quoted = serde_json::from_str(raw.get())
        .map_err(|error| SwapError::Misfit(without_secrets(&error.to_string())))?;
    let misfit = |what: &str| Err(SwapError::Misfit(format!("{what} is another one than was asked for")));
    if (quoted.input_mint, quoted.output_mint) != (ask.input, ask.output) {
        return misfit("a token");
    }
    if quoted.in_amount != ask.amount {
        return misfit("the amount");
    }
    if quoted.swap_mode != "ExactIn" {
        return misfit("the kind of swap");
    }
    if quoted.slippage_bps != ask.slippage_bps {
        return misfit("the slippage");
    }
    Ok(Quote {
        in_amount: quoted.in_amount,
        out_amount: quoted.out_amount,
        least: quoted.other_amount_threshold,
        price_impact: quoted.price_impact_pct.unwrap_or_default().abs(),
        venues: quoted.route_plan.into_iter().map(|step| step.swap_info.label).collect(),
        asked,
        raw,
    })
}

/// What both forms are asked with.
pub(super) fn query(ask: &Ask) -> Vec<(&'static str, String)> {
    let mut query = vec![
        ("inputMint", ask.input.to_string()),
        ("outputMint", ask.output.to_string()),
        ("amount", ask.amount.to_string()),
        ("slippageBps", ask.slippage_bps.to_string()),
    ];
    if !ask.venues.is_empty() {
        query.push(("dexes", ask.venues.join(",")));
    }
    query
}
