use solana_account::Account;
use solana_address::{Address, address};
use solana_instruction::{AccountMeta, Instruction};

/// The first token program.
pub const TOKEN: Address = address!("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
/// The one with extensions.
pub const TOKEN_2022: Address = address!("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb");
/// What derives a wallet's account for a token.
pub const ASSOCIATED: Address = address!("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
/// Native currency as a token.
pub const WRAPPED_SOL: Address = address!("So11111111111111111111111111111111111111112");
/// The program of plain accounts.
pub const SYSTEM: Address = address!("11111111111111111111111111111111");
/// What sets a transaction's limits.
pub const COMPUTE_BUDGET: Address = address!("ComputeBudget111111111111111111111111111111");

const MINT_LEN: usize = 82;
const ACCOUNT_LEN: usize = 165;
/// What an account of each size must hold so as to stay, in lamports.
const RENT_PER_BYTE: u64 = 6_960;
const RENT_OVERHEAD: u64 = 128;

/// A token, as a test wants it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mint {
    /// Digits behind the point.
    pub decimals: u8,
    /// Who can make more of it.
    pub mint_authority: Option<Address>,
    /// Who can freeze accounts of it.
    pub freeze_authority: Option<Address>,
    /// It is of the newer program, and keeps so many basis points of each transfer.
    pub transfer_fee_bps: Option<u16>,
    /// It is of the newer program, and calls this one with each transfer.
    pub transfer_hook: Option<Address>,
}

impl Mint {
    /// A plain token.
    #[must_use]
    pub fn plain(decimals: u8) -> Self {
        Self { decimals, ..Self::default() }
    }

    /// The program that it is of.
    #[must_use]
    pub const fn program(&self) -> Address {
        if self.transfer_fee_bps.is_some() || self.transfer_hook.is_some() { TOKEN_2022 } else { TOKEN }
    }

    pub(crate) fn account(&self, supply: u64) -> Account {
        let mut data = vec![0; MINT_LEN];
        put_option(&mut data, 0, self.mint_authority);
        data[36..44].copy_from_slice(&supply.to_le_bytes());
        data[44] = self.decimals;
        data[45] = 1;
        put_option(&mut data, 46, self.freeze_authority);
        if self.program() == TOKEN_2022 {
            data.resize(ACCOUNT_LEN, 0);
            data.push(1);
        }
        if let Some(fee) = self.transfer_fee_bps {
            let mut extension = vec![0; 108];
            // Both of the epoch before and of this one.
            for at in [72, 90] {
                extension[at + 8..at + 16].copy_from_slice(&u64::MAX.to_le_bytes());
                extension[at + 16..at + 18].copy_from_slice(&fee.to_le_bytes());
            }
            put_extension(&mut data, 1, &extension);
        }
        if let Some(hook) = self.transfer_hook {
            let mut extension = vec![0; 64];
            extension[32..].copy_from_slice(hook.as_array());
            put_extension(&mut data, 14, &extension);
        }
        owned(self.program(), data)
    }

    pub(crate) fn token_account(&self, mint: Address, owner: Address, amount: u64) -> Account {
        let mut data = token_account_data(mint, owner, amount);
        if self.program() == TOKEN_2022 {
            data.push(2);
            if self.transfer_fee_bps.is_some() {
                put_extension(&mut data, 2, &[0; 8]);
            }
            if self.transfer_hook.is_some() {
                put_extension(&mut data, 15, &[0]);
            }
        }
        owned(self.program(), data)
    }
}

pub(crate) fn wrapped_account(owner: Address, amount: u64) -> Account {
    let mut data = token_account_data(WRAPPED_SOL, owner, amount);
    let rent = rent_of(data.len());
    data[109..113].copy_from_slice(&1_u32.to_le_bytes());
    data[113..121].copy_from_slice(&rent.to_le_bytes());
    Account { lamports: rent + amount, ..owned(TOKEN, data) }
}

fn token_account_data(mint: Address, owner: Address, amount: u64) -> Vec<u8> {
    let mut data = vec![0; ACCOUNT_LEN];
    data[..32].copy_from_slice(mint.as_array());
    data[32..64].copy_from_slice(owner.as_array());
    data[64..72].copy_from_slice(&amount.to_le_bytes());
    data[108] = 1;
    data
}

fn owned(owner: Address, data: Vec<u8>) -> Account {
    Account { lamports: rent_of(data.len()), data, owner, executable: false, rent_epoch: u64::MAX }
}

/// What an account of this size must hold so as to stay, in lamports.
#[must_use]
pub fn rent_of(bytes: usize) -> u64 {
    (bytes as u64 + RENT_OVERHEAD) * RENT_PER_BYTE
}

fn put_option(data: &mut [u8], at: usize, value: Option<Address>) {
    if let Some(value) = value {
        data[at] = 1;
        data[at + 4..at + 36].copy_from_slice(value.as_array());
    }
}

fn put_extension(data: &mut Vec<u8>, kind: u16, bytes: &[u8]) {
    data.extend(kind.to_le_bytes());
    data.extend(u16::try_from(bytes.len()).expect("extensions are short").to_le_bytes());
    data.extend(bytes);
}

/// The account for a token that belongs to a wallet.
#[must_use]
pub fn associated(wallet: Address, mint: Address, program: Address) -> Address {
    let seeds: [&[u8]; 3] = [wallet.as_array(), program.as_array(), mint.as_array()];
    Address::find_program_address(&seeds, &ASSOCIATED).0
}

/// A token account as a node would read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// Of which token.
    pub mint: Address,
    /// Whose.
    pub owner: Address,
    /// How much.
    pub amount: u64,
    /// The program of the token.
    pub program: Address,
}

pub(crate) fn holding(account: &Account) -> Option<Holding> {
    let is_token = account.owner == TOKEN && account.data.len() == ACCOUNT_LEN
        || account.owner == TOKEN_2022
            && (account.data.len() == ACCOUNT_LEN || account.data.get(ACCOUNT_LEN) == Some(&2));
    if !is_token || account.data[108] == 0 {
        return None;
    }
    let key = |at: usize| Address::new_from_array(account.data[at..at + 32].try_into().expect("32 bytes"));
    let amount = u64::from_le_bytes(account.data[64..72].try_into().expect("8 bytes"));
    Some(Holding { mint: key(0), owner: key(32), amount, program: account.owner })
}

/// Makes a wallet's token account, unless it is there.
#[must_use]
pub fn create_idempotent(payer: Address, wallet: Address, mint: Address, program: Address) -> Instruction {
    let accounts = vec![
        AccountMeta::new(payer, true),
        AccountMeta::new(associated(wallet, mint, program), false),
        AccountMeta::new_readonly(wallet, false),
        AccountMeta::new_readonly(mint, false),
        AccountMeta::new_readonly(SYSTEM, false),
        AccountMeta::new_readonly(program, false),
    ];
    Instruction { program_id: ASSOCIATED, accounts, data: vec![1] }
}

/// Moves lamports.
#[must_use]
pub fn transfer_lamports(from: Address, to: Address, lamports: u64) -> Instruction {
    let mut data = 2_u32.to_le_bytes().to_vec();
    data.extend(lamports.to_le_bytes());
    let accounts = vec![AccountMeta::new(from, true), AccountMeta::new(to, false)];
    Instruction { program_id: SYSTEM, accounts, data }
}

/// Counts what arrived in an account of native currency.
#[must_use]
pub fn sync_native(account: Address) -> Instruction {
    Instruction { program_id: TOKEN, accounts: vec![AccountMeta::new(account, false)], data: vec![17] }
}

/// Moves tokens.
#[must_use]
pub fn transfer_tokens(
    program: Address,
    from: Address,
    to: Address,
    owner: Address,
    amount: u64,
) -> Instruction {
    let mut data = vec![3];
    data.extend(amount.to_le_bytes());
    let accounts = vec![
        AccountMeta::new(from, false),
        AccountMeta::new(to, false),
        AccountMeta::new_readonly(owner, true),
    ];
    Instruction { program_id: program, accounts, data }
}

/// Lets somebody else take tokens.
#[must_use]
pub fn approve(
    program: Address,
    account: Address,
    delegate: Address,
    owner: Address,
    amount: u64,
) -> Instruction {
    let mut data = vec![4];
    data.extend(amount.to_le_bytes());
    let accounts = vec![
        AccountMeta::new(account, false),
        AccountMeta::new_readonly(delegate, false),
        AccountMeta::new_readonly(owner, true),
    ];
    Instruction { program_id: program, accounts, data }
}

/// Gives an account to somebody else.
#[must_use]
pub fn give_away(program: Address, account: Address, owner: Address, new: Address) -> Instruction {
    // The authority over the account, and a new one.
    let mut data = vec![6, 2, 1];
    data.extend(new.as_array());
    let accounts = vec![AccountMeta::new(account, false), AccountMeta::new_readonly(owner, true)];
    Instruction { program_id: program, accounts, data }
}

/// Lets somebody else close an account.
#[must_use]
pub fn let_close(program: Address, account: Address, owner: Address, other: Address) -> Instruction {
    // The authority to close it, and a new one.
    let mut data = vec![6, 3, 1];
    data.extend(other.as_array());
    let accounts = vec![AccountMeta::new(account, false), AccountMeta::new_readonly(owner, true)];
    Instruction { program_id: program, accounts, data }
}

/// Lets nobody else take tokens any more.
#[must_use]
pub fn revoke(program: Address, account: Address, owner: Address) -> Instruction {
    let accounts = vec![AccountMeta::new(account, false), AccountMeta::new_readonly(owner, true)];
    Instruction { program_id: program, accounts, data: vec![5] }
}

/// Closes a token account.
#[must_use]
pub fn close(program: Address, account: Address, to: Address, owner: Address) -> Instruction {
    let accounts = vec![
        AccountMeta::new(account, false),
        AccountMeta::new(to, false),
        AccountMeta::new_readonly(owner, true),
    ];
    Instruction { program_id: program, accounts, data: vec![9] }
}

/// The most that a transaction may compute.
#[must_use]
pub fn unit_limit(units: u32) -> Instruction {
    let mut data = vec![2];
    data.extend(units.to_le_bytes());
    Instruction { program_id: COMPUTE_BUDGET, accounts: Vec::new(), data }
}

/// What is offered for each unit, in millionths of a lamport.
#[must_use]
pub fn unit_price(price: u64) -> Instruction {
    let mut data = vec![3];
    data.extend(price.to_le_bytes());
    Instruction { program_id: COMPUTE_BUDGET, accounts: Vec::new(), data }
}
