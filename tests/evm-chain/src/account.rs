use alloy::primitives::keccak256;
use alloy::signers::local::PrivateKeySigner;

/// How many accounts have funds.
pub const ACCOUNTS: usize = 10;

/// An account with funds; the number is below [`ACCOUNTS`].
#[must_use]
pub fn account(number: usize) -> PrivateKeySigner {
    assert!(number < ACCOUNTS, "there are {ACCOUNTS} accounts, from 0 on");
    known(&format!("account {number}"))
}

/// Who deployed everything, owns the tokens and puts liquidity into pools. It is none of the accounts, so that their
/// transaction counts are the test's own.
#[must_use]
pub fn deployer() -> PrivateKeySigner {
    known("deployer")
}

fn known(name: &str) -> PrivateKeySigner {
    let key = keccak256(format!("a key of Bulkhead's tests that everybody knows: {name}"));
    PrivateKeySigner::from_bytes(&key).expect("a hash is a valid key but for a chance of 2^-128")
}
