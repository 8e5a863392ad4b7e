//! Holds a request against the policy, as far as one transaction alone shows. What has been signed before is in
//! [`spending`](super::spending).

use alloy_primitives::U256;
use bulkhead_solana::programs::{LAMPORTS_PER_SIGNATURE, TOKEN, TOKEN_2022, WRAPPED_SOL, associated_account};
use bulkhead_solana::verify::{Verified, verify_apart};

use super::policy::SolanaPolicy;
use super::refusal::SolanaRefusal;
use super::request::SolanaRequest;
use crate::policy::{Limit, Policy};

/// What native currency is called where others have a mint.
pub(super) const NATIVE: &str = "native";

/// What a new token account costs at most, in lamports: one of the program with extensions, and some of these.
pub(super) const MOST_RENT: u64 = 3_000_000;

/// A request that its policy lets through, and what is left to hold against the limits of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) verified: Verified,
    /// The mint of what is given, or "native".
    pub(super) token: String,
    /// How much of it is given.
    pub(super) amount: u64,
    /// The most lamports that it costs besides, without the rent of accounts.
    pub(super) fees: u64,
    /// Token accounts that it makes if they are not there, and that stay.
    pub(super) makes: Vec<String>,
    /// What may be given, and what fees may be, in 24 hours; `None` where the policy allows anything.
    pub(super) per_day: Option<(U256, U256)>,
}

/// Explains the transaction and checks what it is for.
pub(super) fn judge(request: &SolanaRequest, policy: &Policy) -> Result<Judged, SolanaRefusal> {
    let unexplained = |why: String| SolanaRefusal::Unexplained { why };
    let message = request.message().map_err(|error| unexplained(error.to_string()))?;
    let asked = &request.asked;
    let verified =
        verify_apart(&message, &request.claims, asked).map_err(|error| unexplained(error.to_string()))?;
    let token = if asked.given.is_native() { NATIVE.to_owned() } else { asked.given.mint.to_string() };
    for token in [&asked.given, &asked.got] {
        let is_known = [TOKEN, TOKEN_2022].contains(&token.program);
        if !is_known || (token.is_native() && token.program != TOKEN) {
            return Err(unexplained(format!("{} keeps no token {}", token.program, token.mint)));
        }
    }
    let (fees, makes) = (most_fees(&verified), stays(&verified));
    let mut judged = Judged { verified, token, amount: asked.amount, fees, makes, per_day: None };
    if policy.allow_anything {
        return Ok(judged);
    }
    let policy = policy.solana.as_ref().ok_or(SolanaRefusal::NoPolicy {})?;
    let router = asked.router.to_string();
    if !policy.routers.contains(&router) {
        return Err(SolanaRefusal::Router { program: router });
    }
    check_fees(&judged.verified, policy)?;
    if !asked.got.is_native() {
        let mint = asked.got.mint.to_string();
        policy.rule(&mint).ok_or(SolanaRefusal::Token { mint })?;
    }
    if judged.verified.summary().least == 0 {
        return Err(SolanaRefusal::ZeroMinimum {});
    }
    let limit = if asked.given.is_native() {
        policy.native
    } else {
        let rule = policy.rule(&judged.token);
        rule.ok_or_else(|| SolanaRefusal::Token { mint: judged.token.clone() })?.spend
    };
    let limit = limit.unwrap_or(Limit { per_transaction: U256::ZERO, per_day: U256::ZERO });
    if U256::from(judged.amount) > limit.per_transaction {
        let (token, amount, limit) = (judged.token, judged.amount, limit.per_transaction.to_string());
        return Err(SolanaRefusal::Spend { token, amount, limit });
    }
    judged.per_day = Some((limit.per_day, policy.max_fees_per_day));
    Ok(judged)
}

fn check_fees(verified: &Verified, policy: &SolanaPolicy) -> Result<(), SolanaRefusal> {
    let summary = verified.summary();
    if U256::from(summary.priority_fee) > policy.max_priority_fee {
        let (offered, limit) = (summary.priority_fee, policy.max_priority_fee.to_string());
        return Err(SolanaRefusal::PriorityFee { offered, limit });
    }
    let tips = verified.asked().tip.iter().flat_map(|tip| &tip.accounts);
    let is_listed = tips.into_iter().all(|account| policy.tip_accounts.contains(&account.to_string()));
    if summary.tip > 0 && (U256::from(summary.tip) > policy.max_tip || !is_listed) {
        return Err(SolanaRefusal::Tip { tip: summary.tip, limit: policy.max_tip.to_string() });
    }
    Ok(())
}

fn most_fees(verified: &Verified) -> u64 {
    let summary = verified.summary();
    LAMPORTS_PER_SIGNATURE.saturating_add(summary.priority_fee).saturating_add(summary.tip)
}

/// The account of wrapped SOL gives its rent back when it is unwrapped.
fn stays(verified: &Verified) -> Vec<String> {
    let (summary, owner) = (verified.summary(), verified.owner());
    let wrapped = associated_account(owner, WRAPPED_SOL, TOKEN);
    let stays = summary.creates.iter().filter(|made| !(summary.unwraps && **made == wrapped));
    stays.map(ToString::to_string).collect()
}
