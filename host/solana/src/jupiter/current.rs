use async_trait::async_trait;
use solana_address::Address;
use tokio::time::Instant;

use super::api::{self, Api};
use super::wire::Built;
use super::{Ask, JupiterSettings, Offer, Parts, Quote, SwapApi, SwapError};
use crate::rpc::InvalidAddress;

/// The current form, `swap/v2/build`: quote and instructions in one answer, to be sent over one's own servers.
pub struct Current(Api);

impl Current {
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
impl SwapApi for Current {
    async fn quote(&self, ask: &Ask) -> Result<Quote, SwapError> {
        let mut query = api::query(ask);
        query.push(("taker", ask.taker.to_string()));
        let asked = Instant::now();
        let raw = self.0.get("/swap/v2/build", &query).await?;
        api::quote(raw, ask, asked)
    }

    async fn offer(&self, quote: &Quote, _: Address, _: u64) -> Result<Offer, SwapError> {
        let built: Built = serde_json::from_str(quote.raw.get())
            .map_err(|error| SwapError::Misfit(crate::rpc::transport::without_secrets(&error.to_string())))?;
        let mut instructions = built.setup_instructions;
        instructions.push(built.swap_instruction);
        instructions.extend(built.cleanup_instruction);
        instructions.extend(built.other_instructions);
        let tables = built.addresses_by_lookup_table_address.unwrap_or_default().into_keys();
        let tables = tables.map(|table| table.parse()).collect::<Result<_, _>>();
        let tables =
            tables.map_err(|_| SwapError::Misfit("a lookup table's address can't be read".to_owned()))?;
        Ok(Offer::Parts(Parts { instructions, tables }))
    }
}
