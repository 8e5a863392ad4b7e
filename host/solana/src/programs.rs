use solana_address::{Address, address};

/// Plain accounts and lamports.
pub const SYSTEM: Address = address!("11111111111111111111111111111111");
/// What sets a transaction's limits and what it offers.
pub const COMPUTE_BUDGET: Address = address!("ComputeBudget111111111111111111111111111111");
/// The first token program.
pub const TOKEN: Address = address!("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
/// The token program with extensions.
pub const TOKEN_2022: Address = address!("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb");
/// What derives a wallet's account of a token.
pub const ASSOCIATED_TOKEN: Address = address!("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
/// Owner of lookup tables.
pub const LOOKUP_TABLES: Address = address!("AddressLookupTab1e1111111111111111111111111");
/// Jupiter's aggregator, version 6.
pub const JUPITER: Address = address!("JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4");
/// Native currency as a token.
pub const WRAPPED_SOL: Address = address!("So11111111111111111111111111111111111111112");

/// Digits behind the point of native currency.
pub const SOL_DECIMALS: u8 = 9;
/// Lamports that each signature costs.
pub const LAMPORTS_PER_SIGNATURE: u64 = 5_000;
/// A blockhash is good for so many blocks.
pub const BLOCKHASH_BLOCKS: u64 = 150;
/// The most that a transaction can compute.
pub const MOST_UNITS: u32 = 1_400_000;

/// The account of a token that is derived for a wallet.
#[must_use]
pub fn associated_account(wallet: Address, mint: Address, token_program: Address) -> Address {
    let seeds: [&[u8]; 3] = [wallet.as_array(), token_program.as_array(), mint.as_array()];
    Address::find_program_address(&seeds, &ASSOCIATED_TOKEN).0
}
