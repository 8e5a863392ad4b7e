//! Transactions that do more than was asked for, or something else.

use solana_address::{Address, address};
use solana_instruction::{AccountMeta, Instruction};

use super::transaction::Parts;
use crate::program::Swap;
use crate::tokens::{self, SYSTEM, TOKEN, associated};

const MEMO: Address = address!("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr");
const RECENT_BLOCKHASHES: Address = address!("SysvarRecentB1ockHashes11111111111111111111");

/// What the one who makes transactions does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tamper {
    /// What is bought goes to this wallet's account.
    OtherDestination(Address),
    /// It does so by the swap's own field for that.
    OtherDestinationField(Address),
    /// So much native currency goes to somebody else besides.
    ExtraTransfer(Address, u64),
    /// So many tokens of what is given go to somebody else's account besides.
    ExtraTokens(Address, u64),
    /// All that is given may be taken by somebody else from now on.
    Approval(Address),
    /// The account of what is bought becomes somebody else's.
    GivenAway(Address),
    /// The account of what is bought is closed, and what its rent was goes to somebody else.
    ClosedTo(Address),
    /// The trader's wallet itself is put under another program.
    Assigned(Address),
    /// So much is offered for each unit, in millionths of a lamport.
    RaisedFee(u64),
    /// Something else is bought.
    SwappedMint(Address),
    /// The table that the transaction uses holds other addresses than is said: this is the table's own.
    LyingTable(Address),
    /// More is given.
    MoreIn(u64),
    /// Less has to come.
    LessOut,
    /// The maker keeps a part.
    PlatformFee,
    /// Somebody else has to sign as well.
    OtherSigner(Address),
    /// Somebody else pays, so that it is not what was asked for.
    OtherPayer(Address),
    /// It does not expire, as it uses this account's nonce in place of a blockhash.
    DurableNonce(Address),
    /// A program that nobody asked for is called.
    OtherProgram,
    /// The swap is done by another program.
    OtherRouter(Address),
    /// The swap is there twice.
    Twice,
}

impl Tamper {
    pub(super) fn apply(self, parts: &mut Parts, swap: Swap, is_current: bool) {
        let user = swap.user;
        let made = |swap: Swap| if is_current { swap.route_v2() } else { swap.route() };
        match self {
            Self::OtherDestination(wallet) => {
                let destination = associated(wallet, swap.got.mint, swap.got.token_program);
                parts.setup.pop();
                parts.setup.push(tokens::create_idempotent(
                    user,
                    wallet,
                    swap.got.mint,
                    swap.got.token_program,
                ));
                parts.swap = made(Swap { destination, ..swap });
            }
            Self::OtherDestinationField(wallet) => {
                let elsewhere = associated(wallet, swap.got.mint, swap.got.token_program);
                parts.swap = made(Swap { elsewhere: Some(elsewhere), ..swap });
            }
            Self::ExtraTransfer(to, lamports) => {
                parts.other.push(tokens::transfer_lamports(user, to, lamports));
            }
            Self::ExtraTokens(to, amount) => {
                parts.other.push(tokens::transfer_tokens(
                    swap.given.token_program,
                    swap.source,
                    to,
                    user,
                    amount,
                ));
            }
            Self::Approval(thief) => {
                parts.other.push(tokens::approve(
                    swap.given.token_program,
                    swap.source,
                    thief,
                    user,
                    u64::MAX,
                ));
            }
            Self::GivenAway(thief) => {
                parts.other.push(tokens::give_away(swap.got.token_program, swap.destination, user, thief));
            }
            Self::ClosedTo(thief) => {
                parts.cleanup = Some(tokens::close(TOKEN, swap.source, thief, user));
            }
            Self::Assigned(program) => {
                let mut data = 1_u32.to_le_bytes().to_vec();
                data.extend(program.as_array());
                let accounts = vec![AccountMeta::new(user, true)];
                parts.other.push(Instruction { program_id: SYSTEM, accounts, data });
            }
            Self::RaisedFee(price) => {
                parts.budget.push(tokens::unit_limit(1_400_000));
                parts.budget.push(tokens::unit_price(price));
            }
            Self::SwappedMint(mint) => {
                let destination = associated(user, mint, swap.got.token_program);
                let got = crate::program::Side { mint, ..swap.got };
                parts.setup.pop();
                parts.setup.push(tokens::create_idempotent(user, user, mint, swap.got.token_program));
                parts.swap = made(Swap { got, destination, ..swap });
            }
            Self::LyingTable(key) => {
                // It is said that the trader's account stands there, and another one does.
                let addresses = vec![swap.destination, swap.given.vault, swap.got.vault];
                parts.tables = vec![solana_message::AddressLookupTableAccount { key, addresses }];
            }
            Self::MoreIn(amount) => parts.swap = made(Swap { amount, ..swap }),
            Self::LessOut => parts.swap = made(Swap { slippage_bps: 10_000, ..swap }),
            Self::PlatformFee => parts.swap = made(Swap { platform_fee_bps: 50, ..swap }),
            Self::OtherSigner(other) => {
                parts.swap.accounts.push(AccountMeta::new_readonly(other, true));
            }
            Self::OtherPayer(other) => parts.payer = other,
            Self::DurableNonce(nonce) => {
                let accounts = vec![
                    AccountMeta::new(nonce, false),
                    AccountMeta::new_readonly(RECENT_BLOCKHASHES, false),
                    AccountMeta::new_readonly(user, true),
                ];
                let advance =
                    Instruction { program_id: SYSTEM, accounts, data: 4_u32.to_le_bytes().to_vec() };
                parts.setup.insert(0, advance);
            }
            Self::OtherProgram => {
                let accounts = vec![AccountMeta::new_readonly(user, true)];
                parts.other.push(Instruction { program_id: MEMO, accounts, data: b"hello".to_vec() });
            }
            Self::OtherRouter(program) => parts.swap.program_id = program,
            Self::Twice => parts.other.push(parts.swap.clone()),
        }
    }
}
