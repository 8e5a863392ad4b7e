use async_trait::async_trait;
use solana_address::Address;
use tokio::time::Instant;

use super::api::{self, Api};
use super::wire::{SwapRequest, SwapResponse};
use super::{Ask, JupiterSettings, Offer, Quote, SwapApi, SwapError};
use crate::rpc::InvalidAddress;
use crate::verify::decode;

/// The older form: `swap/v1/quote`, and `swap/v1/swap` for a whole transaction.
pub struct Older(Api);

impl Older {
    /// An aggregator there.
    ///
    /// # Errors
    ///
    /// [`InvalidAddress`] when nobody can be asked there.
    pub fn new(settings: &JupiterSettings) -> Result<Self, InvalidAddress> {
        Api::new(settings).map(Self)
    }
}

#[async_trait]
impl SwapApi for Older {
    async fn quote(&self, ask: &Ask) -> Result<Quote, SwapError> {
        let mut query = api::query(ask);
        query.push(("swapMode", "ExactIn".to_owned()));
        let asked = Instant::now();
        let raw = self.0.get("/swap/v1/quote", &query).await?;
        api::quote(raw, ask, asked)
    }

    async fn offer(&self, quote: &Quote, taker: Address, priority_fee: u64) -> Result<Offer, SwapError> {
        let request = SwapRequest {
            user_public_key: taker.to_string(),
            quote_response: &quote.raw,
            wrap_and_unwrap_sol: true,
            dynamic_compute_unit_limit: true,
            prioritization_fee_lamports: priority_fee,
        };
        let raw = self.0.post("/swap/v1/swap", &request).await?;
        let misfit = |why: String| SwapError::Misfit(crate::rpc::transport::without_secrets(&why));
        let answer: SwapResponse =
            serde_json::from_str(raw.get()).map_err(|error| misfit(error.to_string()))?;
        let message = decode(&answer.swap_transaction).map_err(|error| misfit(error.to_string()))?;
        Ok(Offer::Whole(message))
    }
}
