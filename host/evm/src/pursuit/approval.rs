//! Letting a router take what an order gives, and no more.
//!
//! An approval sets what may be taken and does not add to it, so an order that approves for itself alone would take away
//! what another one needs. It approves for all that have not sent their trade yet. Nonces are given out one after the other,
//! and the amounts are looked at while the nonce is held: what was sent before has taken its part when the approval lands.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alloy::consensus::TxEip1559;
use alloy::primitives::{Address, Bytes, TxKind, U256};
use alloy::rpc::types::TransactionRequest;
use alloy::sol_types::SolCall as _;
use bulkhead_core::identifier::OrderId;
use bulkhead_core::venue::stage::{Attempt, Landing, Purpose, Stage};
use bulkhead_signing::SigningError;
use bulkhead_signing::policy::Refusal;
use bulkhead_venue::Journal;

use super::Pursuit;
use super::sending::Sending;
use super::trade::{Needs, Stop, refused, shown};
use crate::chain::{At, Chain, ChainError};
use crate::contracts::Erc20;
use crate::fees::GasPrice;
use crate::revert;
use crate::route;
use crate::settings::Token;

/// An order that has approved so often and still may not trade is refused.
const MOST_APPROVALS: usize = 4;

/// A token, and who is to take it.
type Pair = (Address, Address);

/// What orders under way take of allowances.
#[derive(Debug, Default)]
pub struct Claims(BTreeMap<Pair, BTreeMap<OrderId, Claim>>);

#[derive(Debug, Clone, Copy)]
struct Claim {
    amount: U256,
    /// Whether the trade that takes it was sent.
    sent: bool,
}

impl Claims {
    fn others(&self, pair: Pair, order: OrderId) -> impl Iterator<Item = (OrderId, Claim)> {
        let claims = self.0.get(&pair).into_iter().flatten().map(|(order, claim)| (*order, *claim));
        claims.filter(move |(other, _)| *other != order)
    }

    /// What others will have taken before an order may rely on what is left: those whose trades are on their way, and those
    /// that came before it.
    fn before(&self, pair: Pair, order: OrderId) -> U256 {
        let counts = |(other, claim): &(OrderId, Claim)| claim.sent || *other < order;
        sum(self.others(pair, order).filter(counts))
    }

    /// What others are still going to take.
    fn to_come(&self, pair: Pair, order: OrderId) -> U256 {
        sum(self.others(pair, order).filter(|(_, claim)| !claim.sent))
    }

    /// Whether nobody who came before still waits.
    fn is_first(&self, pair: Pair, order: OrderId) -> bool {
        !self.others(pair, order).any(|(other, claim)| !claim.sent && other < order)
    }
}

fn sum(claims: impl Iterator<Item = (OrderId, Claim)>) -> U256 {
    claims.fold(U256::ZERO, |sum, (_, claim)| sum.saturating_add(claim.amount))
}

/// An order's claim, until this is dropped.
pub(super) struct Claimed {
    claims: Arc<Mutex<Claims>>,
    pair: Pair,
    order: OrderId,
}

impl Claimed {
    fn new(claims: &Arc<Mutex<Claims>>, pair: Pair, order: OrderId, amount: U256) -> Self {
        let claim = Claim { amount, sent: false };
        locked(claims).0.entry(pair).or_default().insert(order, claim);
        Self { claims: Arc::clone(claims), pair, order }
    }

    /// The trade that takes it was sent.
    pub(super) fn sent(&self) {
        if let Some(claim) = locked(&self.claims).0.get_mut(&self.pair).and_then(|of| of.get_mut(&self.order))
        {
            claim.sent = true;
        }
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        let mut claims = locked(&self.claims);
        if let Some(of) = claims.0.get_mut(&self.pair) {
            of.remove(&self.order);
            if of.is_empty() {
                claims.0.remove(&self.pair);
            }
        }
    }
}

fn locked(claims: &Mutex<Claims>) -> MutexGuard<'_, Claims> {
    claims.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C: Chain, J: Journal> Pursuit<C, J> {
    /// Lets the router take just what it needs, if it may not yet. A transaction for that is an approval of this order.
    pub(super) async fn ensure_approved(
        &mut self,
        token: &Token,
        router: Address,
        amount: U256,
        price: GasPrice,
    ) -> Result<(), Stop> {
        let desk = self.desk.clone();
        let (pair, order) = ((token.address, router), self.terms.id);
        // The old claim goes first: else it would take the new one with it.
        self.claimed = None;
        self.claimed = Some(Claimed::new(&desk.claims, pair, order, amount));
        let function = Erc20::allowanceCall { owner: self.account(), spender: router };
        let allowed = route::read(&desk.chain, token.address, &function, At::Latest).await?;
        let needed = amount.saturating_add(locked(&desk.claims).before(pair, order));
        if allowed >= needed {
            return Ok(());
        }
        let approvals = |attempt: &&Attempt| attempt.transaction.purpose == Purpose::Approval;
        let done = self.attempts.as_slice().iter().filter(approvals).count();
        let landed = self.attempts.as_slice().iter().rfind(approvals).map(|last| last.landing);
        if matches!(landed, Some(Landing::Included(_) | Landing::Succeeded(_) | Landing::Failed(_)))
            && done >= MOST_APPROVALS
        {
            let why = format!(
                "the approval of {} changed nothing: {} may be taken, and {} is needed",
                token.symbol,
                shown(allowed, token),
                shown(needed, token)
            );
            return Err(refused(why));
        }
        let request = |value: U256| {
            let call = Erc20::approveCall { spender: router, value };
            let data: Bytes = call.abi_encode().into();
            TransactionRequest::default().from(self.account()).to(token.address).input(data.into())
        };
        // Some tokens change an allowance only from or to nothing.
        let mut first_to_nothing = false;
        let mut tried = desk.chain.call(request(amount), At::Latest).await;
        if matches!(tried, Err(ChainError::Reverted(_))) && !allowed.is_zero() {
            first_to_nothing = true;
            tried = desk.chain.call(request(U256::ZERO), At::Latest).await;
        }
        let failed = |why: String| refused(format!("{} can't be approved: {why}", token.symbol));
        match tried {
            Ok(answer) if refuses(&answer) => return Err(failed("its contract answers no".to_owned())),
            Ok(_) => {}
            Err(ChainError::Reverted(data)) => return Err(failed(revert::decode(&data))),
            Err(error) => return Err(error.into()),
        }
        let estimated = if first_to_nothing { U256::ZERO } else { amount };
        let gas = desk.chain.estimate_gas(request(estimated)).await?;
        let gas_limit = desk.settings.gas_limit(gas);
        let native = U256::from(gas_limit).saturating_mul(U256::from(price.most));
        let needs = Needs { given: Token { native: true, ..token.clone() }, amount: U256::ZERO, native };
        self.check_balances(&needs).await?;
        self.reach(Stage::Checked).await?;
        let mut alone = false;
        loop {
            let lease = desk.lane.lease(&desk.chain).await?;
            let for_others = locked(&desk.claims).to_come(pair, order);
            let value = match (first_to_nothing, alone) {
                (true, _) => U256::ZERO,
                (false, true) => amount,
                (false, false) => amount.saturating_add(for_others),
            };
            let transaction = TxEip1559 {
                chain_id: desk.settings.chain_id,
                nonce: lease.nonce(),
                gas_limit,
                max_fee_per_gas: price.most,
                max_priority_fee_per_gas: price.tip,
                to: TxKind::Call(token.address),
                value: U256::ZERO,
                access_list: Default::default(),
                input: Erc20::approveCall { spender: router, value }.abi_encode().into(),
            };
            match self.sign_and_send_leased(transaction, Purpose::Approval, 0, lease).await? {
                Sending::Out | Sending::First => return Err(Stop::First),
                Sending::Later(why) => return Err(Stop::Later(why)),
                // The key may approve for one transaction and not for several: then one comes after the other.
                Sending::NotSigned(SigningError::Refused(Refusal::Approval { .. })) if value > amount => {
                    if !locked(&desk.claims).is_first(pair, order) {
                        return Err(Stop::Later(
                            "orders before it are to trade the same token first".to_owned(),
                        ));
                    }
                    alone = true;
                }
                Sending::NotSigned(error) => return Err(failed(error.to_string())),
            }
        }
    }
}

/// A token may answer nothing when it has approved, but if it answers, it must be yes.
fn refuses(answer: &Bytes) -> bool {
    answer.len() >= 32 && answer.iter().take(32).all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: Pair = (Address::ZERO, Address::ZERO);

    #[test]
    fn those_before_and_those_under_way_come_first() {
        let claims = Arc::new(Mutex::new(Claims::default()));
        let claim = |order, amount: u64| Claimed::new(&claims, PAIR, OrderId(order), U256::from(amount));
        let before = |order| locked(&claims).before(PAIR, OrderId(order));
        let to_come = |order| locked(&claims).to_come(PAIR, OrderId(order));
        let (first, second, third) = (claim(1, 1), claim(2, 20), claim(3, 300));
        assert_eq!([before(1), before(2), before(3)], [0, 1, 21].map(U256::from));
        assert_eq!([to_come(1), to_come(2), to_come(3)], [320, 301, 21].map(U256::from));
        assert!(locked(&claims).is_first(PAIR, OrderId(1)) && !locked(&claims).is_first(PAIR, OrderId(2)));
        // What is under way takes its part, whoever was first.
        third.sent();
        assert_eq!([before(1), to_come(1)], [300, 20].map(U256::from));
        drop((first, third));
        assert!(locked(&claims).is_first(PAIR, OrderId(2)));
        drop(second);
        assert!(locked(&claims).0.is_empty());
    }
}
