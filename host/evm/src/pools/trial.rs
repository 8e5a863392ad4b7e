//! Trying several calls one after the other without sending anything.

use alloy::eips::BlockId;
use alloy::primitives::{Address, Bytes, TxKind, U256, hex};
use alloy::rpc::types::simulate::{SimBlock, SimulatePayload};
use alloy::rpc::types::state::{AccountOverride, StateOverride};
use alloy::rpc::types::{TransactionInput, TransactionRequest};
use alloy::sol;
use alloy::sol_types::SolCall as _;

use crate::chain::ChainError;
use crate::rpc::Endpoints;

sol! {
    struct Call { address to; uint256 value; bytes data; }
    struct Answer { bool success; bytes data; }
    function run(Call[] calls) external returns (Answer[] answers);
}

/// The code of `Calls.sol`: solc 0.8.37, for Cancun, optimised for 200 runs, without metadata. A test compiles it anew.
pub(super) const CALLS: &str = include_str!("calls.hex");

/// Most gas that a trial may use.
const GAS: u64 = 30_000_000;

/// What a call gave, or what it was refused with.
pub(super) type Outcome = Result<Bytes, Bytes>;

/// Makes the calls as this address, which has no code, on the state after a block. `changed` is what is different there.
///
/// Nodes that can try several calls do so, and the address is one of a person. On others it is a contract while it lasts,
/// which a token may hold against it.
pub(super) async fn run(
    endpoints: &Endpoints,
    from: Address,
    calls: &[Call],
    block: BlockId,
    mut changed: StateOverride,
) -> Result<Vec<Outcome>, ChainError> {
    let request = |call: &Call| TransactionRequest {
        from: Some(from),
        to: Some(TxKind::Call(call.to)),
        value: Some(call.value),
        gas: Some(GAS / u64::try_from(calls.len()).unwrap_or(u64::MAX).max(1)),
        input: TransactionInput::both(call.data.clone()),
        ..TransactionRequest::default()
    };
    let simulated =
        SimBlock::default().with_state_overrides(changed.clone()).extend_calls(calls.iter().map(request));
    let payload = SimulatePayload::default().extend(simulated);
    let answers: Vec<Outcome> = match endpoints.simulate(&payload, block).await? {
        Some(blocks) => blocks
            .into_iter()
            .flat_map(|block| block.calls)
            .map(|call| {
                // What is refused has its data in either place, as nodes differ.
                let refused = || call.error.as_ref().and_then(|error| error.data.clone());
                if call.status { Ok(call.return_data) } else { Err(refused().unwrap_or(call.return_data)) }
            })
            .collect(),
        None => {
            let code = hex::decode(CALLS.trim()).map_err(|_| malformed("its own code"))?;
            let own: &mut AccountOverride = changed.entry(from).or_default();
            own.code = Some(code.into());
            let input = runCall { calls: calls.to_vec() }.abi_encode();
            let request =
                TransactionRequest::default().from(from).to(from).gas_limit(GAS).input(input.into());
            let answer = endpoints.call_over(request, block, changed).await?;
            let answers = runCall::abi_decode_returns(&answer).map_err(|_| malformed("what came of them"))?;
            answers
                .into_iter()
                .map(|answer| if answer.success { Ok(answer.data) } else { Err(answer.data) })
                .collect()
        }
    };
    if answers.len() == calls.len() { Ok(answers) } else { Err(malformed("how many calls there were")) }
}

/// A call that pays nothing.
pub(super) fn call(to: Address, data: Vec<u8>) -> Call {
    Call { to, value: U256::ZERO, data: data.into() }
}

fn malformed(what: &str) -> ChainError {
    ChainError::Malformed(format!("a trial of several calls: {what}"))
}
