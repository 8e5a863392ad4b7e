//! Signing for Solana.
//!
//! A host asks for a signature of a transaction together with what the transaction is for: so much of one token for at
//! least so much of another. The signer explains the transaction by that once more, without believing the host, see
//! [`verify_apart`](bulkhead_solana::verify::verify_apart); what can't be explained is refused. So the policy is about what
//! is asked for, and nothing else can happen.
//!
//! Where to start reading: [`policy`], then `judge`, which holds a request against it.

mod judge;
#[cfg(feature = "ledger")]
mod ledger;
mod local;
pub mod policy;
mod process;
mod refusal;
mod request;
mod spending;

#[cfg(feature = "ledger")]
pub use ledger::SolanaLedgerSigner;
pub use local::SolanaLocalSigner;
pub use policy::SolanaPolicy;
pub use process::SolanaProcessSigner;
pub(crate) use process::answer;
pub use refusal::SolanaRefusal;
pub use request::SolanaRequest;
pub(crate) use request::Written;

#[cfg(test)]
mod tests;
