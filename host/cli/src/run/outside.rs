//! A venue outside, as an account at work sees it.

use std::sync::Arc;

use anyhow::Result;
use bulkhead_alerts::Notices;
use bulkhead_api::Reconciliations;
use bulkhead_core::engine::Engine;
use bulkhead_core::identifier::OrderId;
use bulkhead_core::input::InputKind;
use bulkhead_core::output::Output;
use bulkhead_core::venue::outside::Request;
use bulkhead_store::journal::Sequence;

/// Executes an account's orders outside, beside the thread that trades. Nothing here waits.
pub(crate) trait Outside {
    /// What the venue says next and is to be stepped.
    fn next(&mut self) -> Option<InputKind>;

    /// What [`Self::next`] gave is this input of the journal; why the engine could not use it, if it could not.
    fn stepped(&mut self, sequence: Sequence, refused: Option<String>);

    /// Everything up to this input is durable.
    fn durable(&mut self, until: Sequence);

    /// What the engine wants done for an order is durable.
    fn requested(&mut self, engine: &Engine, order: OrderId, request: &Request);

    /// Something that the engine did is durable.
    fn told(&mut self, output: &Output);

    /// The engine is as it is now. Called again and again.
    fn look(&mut self, engine: &Engine);
}

/// Who is told what is found out about an account beside its journal.
#[derive(Clone, Default)]
#[cfg_attr(not(feature = "evm"), expect(dead_code, reason = "nothing is found out about paper"))]
pub(crate) struct Told {
    pub(crate) reconciliations: Reconciliations,
    pub(crate) notices: Option<Notices>,
}

/// Starts it, with what the engine says is on its way. The function wakes the thread that trades.
pub(crate) type StartOutside =
    Box<dyn FnOnce(&Engine, Arc<dyn Fn() + Send + Sync>, Told) -> Result<Box<dyn Outside>> + Send>;
