use solana_address::{Address, address};
use solana_instruction::{AccountMeta, Instruction};

/// Where the aggregator's program is, and the swap program in its place.
pub const ROUTER: Address = address!("JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4");

/// What is built of `program/swap.c`.
pub(crate) const BINARY: &[u8] = include_bytes!("../program/swap.so");

/// The program's number for a swap that brings too little.
pub const SLIPPAGE_EXCEEDED: u32 = 6001;

const ROUTE: [u8; 8] = [229, 23, 203, 151, 122, 227, 173, 42];
const ROUTE_V2: [u8; 8] = [187, 100, 250, 204, 49, 196, 175, 20];

/// The first byte of a step in a plan: a kind of pool that has nothing more to say.
const KIND_OF_POOL: u8 = 7;

/// A pool: whose vaults hold a constant product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// One mint, its token program and its vault.
    pub one: Side,
    /// The other.
    pub other: Side,
}

/// What a pool has of one token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    /// The token.
    pub mint: Address,
    /// The program of the token.
    pub token_program: Address,
    /// Where the pool keeps it.
    pub vault: Address,
}

/// Who owns all vaults.
#[must_use]
pub fn authority() -> Address {
    Address::find_program_address(&[b"pool"], &ROUTER).0
}

/// Whose signature marks the aggregator's events.
#[must_use]
pub fn event_authority() -> Address {
    Address::find_program_address(&[b"__event_authority"], &ROUTER).0
}

impl Pool {
    /// What is given and what is got, when this mint is given.
    #[must_use]
    pub fn sides(&self, given: Address) -> (Side, Side) {
        if self.one.mint == given { (self.one, self.other) } else { (self.other, self.one) }
    }
}

/// What so much brings at a pool that holds so much: the program's own formula.
#[must_use]
pub fn brings(amount: u64, held_in: u64, held_out: u64) -> u64 {
    let kept = amount / 10_000 * 9_970 + amount % 10_000 * 9_970 / 10_000;
    let out = u128::from(held_out) * u128::from(kept) / (u128::from(held_in) + u128::from(kept));
    out.try_into().expect("less than the pool holds")
}

/// A swap, as a trader asks for it.
#[derive(Debug, Clone, Copy)]
pub struct Swap {
    /// Who trades and signs.
    pub user: Address,
    /// What is given, and from which account.
    pub given: Side,
    /// The trader's account.
    pub source: Address,
    /// What is got.
    pub got: Side,
    /// The trader's account.
    pub destination: Address,
    /// Somebody else's account that gets it in place of the trader's.
    pub elsewhere: Option<Address>,
    /// How much is given.
    pub amount: u64,
    /// What it was said to bring.
    pub quoted: u64,
    /// How much less is fine.
    pub slippage_bps: u16,
    /// What the one who made the transaction keeps.
    pub platform_fee_bps: u8,
}

impl Swap {
    /// The older instruction.
    #[must_use]
    pub fn route(&self) -> Instruction {
        let mut data = ROUTE.to_vec();
        data.extend(1_u32.to_le_bytes());
        data.extend([KIND_OF_POOL, 100, 0, 1]);
        data.extend(self.amount.to_le_bytes());
        data.extend(self.quoted.to_le_bytes());
        data.extend(self.slippage_bps.to_le_bytes());
        data.push(self.platform_fee_bps);
        let accounts = vec![
            AccountMeta::new_readonly(self.given.token_program, false),
            AccountMeta::new_readonly(self.user, true),
            AccountMeta::new(self.source, false),
            AccountMeta::new(self.destination, false),
            self.elsewhere(),
            AccountMeta::new_readonly(self.got.mint, false),
            AccountMeta::new_readonly(ROUTER, false),
            AccountMeta::new_readonly(event_authority(), false),
            AccountMeta::new_readonly(ROUTER, false),
            AccountMeta::new_readonly(authority(), false),
            AccountMeta::new(self.given.vault, false),
            AccountMeta::new(self.got.vault, false),
            AccountMeta::new_readonly(self.given.mint, false),
            AccountMeta::new_readonly(self.got.token_program, false),
        ];
        Instruction { program_id: ROUTER, accounts, data }
    }

    /// The current instruction.
    #[must_use]
    pub fn route_v2(&self) -> Instruction {
        let mut data = ROUTE_V2.to_vec();
        data.extend(self.amount.to_le_bytes());
        data.extend(self.quoted.to_le_bytes());
        data.extend(self.slippage_bps.to_le_bytes());
        data.extend(u16::from(self.platform_fee_bps).to_le_bytes());
        data.extend(0_u16.to_le_bytes());
        data.extend(1_u32.to_le_bytes());
        data.push(KIND_OF_POOL);
        data.extend(10_000_u16.to_le_bytes());
        data.extend([0, 1]);
        let accounts = vec![
            AccountMeta::new_readonly(self.user, true),
            AccountMeta::new(self.source, false),
            AccountMeta::new(self.destination, false),
            AccountMeta::new_readonly(self.given.mint, false),
            AccountMeta::new_readonly(self.got.mint, false),
            AccountMeta::new_readonly(self.given.token_program, false),
            AccountMeta::new_readonly(self.got.token_program, false),
            self.elsewhere(),
            AccountMeta::new_readonly(event_authority(), false),
            AccountMeta::new_readonly(ROUTER, false),
            AccountMeta::new_readonly(authority(), false),
            AccountMeta::new(self.given.vault, false),
            AccountMeta::new(self.got.vault, false),
        ];
        Instruction { program_id: ROUTER, accounts, data }
    }

    fn elsewhere(&self) -> AccountMeta {
        match self.elsewhere {
            Some(account) => AccountMeta::new(account, false),
            // An account that is left out is named by the program itself.
            None => AccountMeta::new_readonly(ROUTER, false),
        }
    }
}
