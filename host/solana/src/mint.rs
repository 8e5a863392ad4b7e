//! What a token's own program lets others do with it, read from its mint.

use solana_account::Account;
use solana_address::Address;

use crate::programs::{TOKEN, TOKEN_2022};

/// The bytes of a mint before its extensions.
const MINT: usize = 82;
/// Where the kind of an account with extensions stands, and what a mint's is.
const KIND_AT: usize = 165;
const KIND_OF_MINT: u8 = 1;

/// Kinds of extensions that change what a holder can rely on.
const TRANSFER_FEE: u16 = 1;
const DEFAULT_STATE: u16 = 6;
const NON_TRANSFERABLE: u16 = 9;
const PERMANENT_DELEGATE: u16 = 12;
const TRANSFER_HOOK: u16 = 14;
const PAUSABLE: u16 = 26;

/// Kinds that change nothing for a holder: who may close a mint of which there is nothing, confidential transfers, interest
/// and scales that only show another number, pointers and metadata, groups.
const HARMLESS: [u16; 11] = [3, 4, 10, 16, 18, 19, 20, 21, 22, 23, 25];

/// The state of a token account that can't be used.
const FROZEN: u8 = 2;

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mint {
    /// The program that it is of.
    pub program: Address,
    /// Digits behind the point.
    pub decimals: u8,
    /// How much there is, in its smallest units.
    pub supply: u64,
    /// Who can make more of it.
    pub mint_authority: Option<Address>,
    /// Who can freeze accounts of it.
    pub freeze_authority: Option<Address>,
    /// What is kept of each transfer, in basis points: the more of what is kept now and from the next epoch on.
    pub transfer_fee_bps: u16,
    /// A program that is called with each transfer, and can refuse it.
    pub transfer_hook: Option<Address>,
    /// Who can take it out of any account.
    pub permanent_delegate: Option<Address>,
    /// Whether somebody can stop all transfers.
    pub is_pausable: bool,
    /// Who can change later what is kept of transfers, or which program has a say in them.
    pub changes_terms: Option<Address>,
    /// A kind of extension that nothing is known of.
    pub unknown_extension: Option<u16>,
    /// Whether it can't be transferred at all.
    pub is_stuck: bool,
    /// Whether new accounts of it are frozen.
    pub begins_frozen: bool,
}

/// An account that is no mint that can be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no mint of a token program")]
pub struct NoMint;

/// Reads a mint.
///
/// # Errors
///
/// [`NoMint`] when the account is something else, or cut off.
pub fn read_mint(account: &Account) -> Result<Mint, NoMint> {
    let data = account.data.as_slice();
    let is_right = match account.owner {
        TOKEN => data.len() == MINT,
        TOKEN_2022 => data.len() == MINT || data.get(KIND_AT) == Some(&KIND_OF_MINT),
        _ => false,
    };
    if !is_right || data.get(45) != Some(&1) {
        return Err(NoMint);
    }
    let mut mint = Mint {
        program: account.owner,
        decimals: *data.get(44).ok_or(NoMint)?,
        supply: u64::from_le_bytes(array(data, 36)?),
        mint_authority: optional(data, 0)?,
        freeze_authority: optional(data, 46)?,
        transfer_fee_bps: 0,
        transfer_hook: None,
        permanent_delegate: None,
        is_pausable: false,
        changes_terms: None,
        unknown_extension: None,
        is_stuck: false,
        begins_frozen: false,
    };
    let mut rest = data.get(KIND_AT + 1..).unwrap_or_default();
    while let Some((head, after)) = rest.split_first_chunk::<4>() {
        let (kind, length) = (u16::from_le_bytes([head[0], head[1]]), u16::from_le_bytes([head[2], head[3]]));
        if kind == 0 {
            break;
        }
        let (value, next) = after.split_at_checked(length.into()).ok_or(NoMint)?;
        mint.extend(kind, value)?;
        rest = next;
    }
    Ok(mint)
}

impl Mint {
    fn extend(&mut self, kind: u16, value: &[u8]) -> Result<(), NoMint> {
        match kind {
            TRANSFER_FEE => {
                let (older, newer) =
                    (u16::from_le_bytes(array(value, 88)?), u16::from_le_bytes(array(value, 106)?));
                self.transfer_fee_bps = older.max(newer);
                self.changes_terms = self.changes_terms.or(unless_zero(array(value, 0)?));
            }
            TRANSFER_HOOK => {
                self.transfer_hook = unless_zero(array(value, 32)?);
                self.changes_terms = self.changes_terms.or(unless_zero(array(value, 0)?));
            }
            PERMANENT_DELEGATE => self.permanent_delegate = unless_zero(array(value, 0)?),
            DEFAULT_STATE => self.begins_frozen = value.first() == Some(&FROZEN),
            NON_TRANSFERABLE => self.is_stuck = true,
            PAUSABLE => self.is_pausable = true,
            kind if HARMLESS.contains(&kind) => {}
            kind => self.unknown_extension = Some(kind),
        }
        Ok(())
    }
}

/// What the operator puts up with in a token that is bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protection {
    /// Somebody may make more of it.
    pub mint_authority: bool,
    /// Somebody may freeze the wallet's account of it, stop all transfers, or take it out of the wallet.
    pub freeze_authority: bool,
    /// A program may have a say in each transfer.
    pub transfer_hook: bool,
    /// Somebody may change later what is kept of transfers, or which program has a say in them.
    pub changing_terms: bool,
    /// The most that may be kept of each transfer, in basis points.
    pub transfer_fee_bps: u16,
    /// The most that the ten largest accounts may hold together, in basis points of all there is. Pools count, too.
    pub largest_holders_bps: Option<u16>,
}

impl Default for Protection {
    /// Nobody has a say over it, and nothing is kept; who holds it is not looked at.
    fn default() -> Self {
        Self {
            mint_authority: false,
            freeze_authority: false,
            transfer_hook: false,
            changing_terms: false,
            transfer_fee_bps: 0,
            largest_holders_bps: None,
        }
    }
}

/// Why a token is not bought.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsafe {
    /// Its supply is not fixed.
    #[error("{0} can make more of it")]
    MintAuthority(Address),
    /// Accounts of it can be frozen.
    #[error("{0} can freeze it")]
    FreezeAuthority(Address),
    /// It can be taken away.
    #[error("{0} can take it out of any account")]
    PermanentDelegate(Address),
    /// Transfers can be stopped, or don't begin.
    #[error("its transfers can be stopped")]
    Stoppable,
    /// A program has a say.
    #[error("{0} has a say in each of its transfers")]
    TransferHook(Address),
    /// What holds today need not hold tomorrow.
    #[error("{0} can change what it keeps of transfers, or which program has a say in them")]
    ChangingTerms(Address),
    /// Nobody here knows what it means.
    #[error("it has an extension of kind {0}, of which nothing is known")]
    UnknownExtension(u16),
    /// A part is kept.
    #[error("it keeps {found} basis points of each transfer, and at most {most} are allowed")]
    TransferFee {
        /// What is kept.
        found: u16,
        /// The bound.
        most: u16,
    },
    /// Few hold most of it.
    #[error("its ten largest accounts hold {found} basis points of it, and at most {most} are allowed")]
    Concentrated {
        /// What they hold.
        found: u64,
        /// The bound.
        most: u16,
    },
}

impl Protection {
    /// Holds a token against this.
    ///
    /// # Errors
    ///
    /// The first reason not to buy it.
    pub fn check(&self, mint: &Mint) -> Result<(), Unsafe> {
        if mint.is_stuck || mint.begins_frozen {
            return Err(Unsafe::Stoppable);
        }
        if let (Some(authority), false) = (mint.mint_authority, self.mint_authority) {
            return Err(Unsafe::MintAuthority(authority));
        }
        if !self.freeze_authority {
            if let Some(authority) = mint.freeze_authority {
                return Err(Unsafe::FreezeAuthority(authority));
            }
            if let Some(delegate) = mint.permanent_delegate {
                return Err(Unsafe::PermanentDelegate(delegate));
            }
            if mint.is_pausable {
                return Err(Unsafe::Stoppable);
            }
        }
        if let (Some(hook), false) = (mint.transfer_hook, self.transfer_hook) {
            return Err(Unsafe::TransferHook(hook));
        }
        if mint.transfer_fee_bps > self.transfer_fee_bps {
            return Err(Unsafe::TransferFee { found: mint.transfer_fee_bps, most: self.transfer_fee_bps });
        }
        if let (Some(authority), false) = (mint.changes_terms, self.changing_terms) {
            return Err(Unsafe::ChangingTerms(authority));
        }
        if let Some(kind) = mint.unknown_extension {
            return Err(Unsafe::UnknownExtension(kind));
        }
        Ok(())
    }

    /// Holds what the largest accounts hold against this.
    ///
    /// # Errors
    ///
    /// [`Unsafe::Concentrated`].
    pub fn check_holders(&self, largest: &[u64], supply: u64) -> Result<(), Unsafe> {
        let Some(most) = self.largest_holders_bps else { return Ok(()) };
        let held = largest.iter().take(10).fold(0_u64, |sum, held| sum.saturating_add(*held));
        let found = crate::amounts::share_up(held, 10_000, supply);
        if found > most.into() { Err(Unsafe::Concentrated { found, most }) } else { Ok(()) }
    }
}

fn array<const N: usize>(data: &[u8], at: usize) -> Result<[u8; N], NoMint> {
    data.get(at..).and_then(|rest| rest.first_chunk()).copied().ok_or(NoMint)
}

fn optional(data: &[u8], at: usize) -> Result<Option<Address>, NoMint> {
    match u32::from_le_bytes(array(data, at)?) {
        0 => Ok(None),
        1 => Ok(Some(Address::new_from_array(array(data, at + 4)?))),
        _ => Err(NoMint),
    }
}

fn unless_zero(bytes: [u8; 32]) -> Option<Address> {
    (bytes != [0; 32]).then(|| Address::new_from_array(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(number: u8) -> Address {
        Address::new_from_array([number; 32])
    }

    fn account(owner: Address, extensions: &[(u16, Vec<u8>)]) -> Account {
        let mut data = vec![0; MINT];
        data[36..44].copy_from_slice(&1_000_u64.to_le_bytes());
        data[44..46].copy_from_slice(&[6, 1]);
        if owner == TOKEN_2022 {
            data.resize(KIND_AT, 0);
            data.push(KIND_OF_MINT);
            for (kind, value) in extensions {
                data.extend(kind.to_le_bytes());
                data.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
                data.extend(value);
            }
        }
        Account { lamports: 1, data, owner, executable: false, rent_epoch: 0 }
    }

    fn found(kind: u16, value: Vec<u8>) -> Result<(), Unsafe> {
        let mint = read_mint(&account(TOKEN_2022, &[(18, vec![0; 64]), (kind, value)])).unwrap();
        Protection::default().check(&mint)
    }

    #[test]
    fn a_plain_token_is_fine() {
        let mint = read_mint(&account(TOKEN, &[])).unwrap();
        assert_eq!((mint.decimals, mint.supply), (6, 1_000));
        assert_eq!(Protection::default().check(&mint), Ok(()));
    }

    #[test]
    fn whoever_has_a_say_is_found() {
        let mut plain = account(TOKEN, &[]);
        plain.data[0] = 1;
        plain.data[4..36].fill(7);
        let mint = read_mint(&plain).unwrap();
        assert_eq!(Protection::default().check(&mint), Err(Unsafe::MintAuthority(key(7))));
        plain.data[0] = 0;
        plain.data[46] = 1;
        plain.data[50..82].fill(8);
        let mint = read_mint(&plain).unwrap();
        assert_eq!(Protection::default().check(&mint), Err(Unsafe::FreezeAuthority(key(8))));
        let lenient = Protection { freeze_authority: true, ..Protection::default() };
        assert_eq!(lenient.check(&mint), Ok(()));
    }

    #[test]
    fn extensions_are_recognised() {
        let mut fee = vec![0; 108];
        fee[106..108].copy_from_slice(&300_u16.to_le_bytes());
        assert_eq!(found(TRANSFER_FEE, fee), Err(Unsafe::TransferFee { found: 300, most: 0 }));
        let mut hook = vec![0; 64];
        assert_eq!(found(TRANSFER_HOOK, hook.clone()), Ok(()));
        hook[32..].fill(9);
        assert_eq!(found(TRANSFER_HOOK, hook), Err(Unsafe::TransferHook(key(9))));
        assert_eq!(found(PERMANENT_DELEGATE, vec![5; 32]), Err(Unsafe::PermanentDelegate(key(5))));
        assert_eq!(found(NON_TRANSFERABLE, vec![]), Err(Unsafe::Stoppable));
        assert_eq!(found(DEFAULT_STATE, vec![FROZEN]), Err(Unsafe::Stoppable));
        assert_eq!(found(PAUSABLE, vec![0; 33]), Err(Unsafe::Stoppable));
    }

    #[test]
    fn who_may_change_the_terms_later_is_found_and_so_is_what_nobody_knows() {
        let mut fee = vec![0; 108];
        fee[..32].fill(7);
        assert_eq!(found(TRANSFER_FEE, fee), Err(Unsafe::ChangingTerms(key(7))));
        let mut hook = vec![0; 64];
        hook[..32].fill(7);
        assert_eq!(found(TRANSFER_HOOK, hook), Err(Unsafe::ChangingTerms(key(7))));
        assert_eq!(found(HARMLESS[0], vec![7; 32]), Ok(()));
        assert_eq!(found(999, vec![]), Err(Unsafe::UnknownExtension(999)));
    }

    #[test]
    fn few_holders_are_found() {
        let protection = Protection { largest_holders_bps: Some(5_000), ..Protection::default() };
        assert_eq!(protection.check_holders(&[300, 200], 1_000), Ok(()));
        let found = Unsafe::Concentrated { found: 5_010, most: 5_000 };
        assert_eq!(protection.check_holders(&[300, 201], 1_000), Err(found));
        assert!(protection.check_holders(&[1], 0).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_bring_the_reader_down(data in prop::collection::vec(any::<u8>(), 0..400), newer: bool) {
            let owner = if newer { TOKEN_2022 } else { TOKEN };
            let _ = read_mint(&Account { lamports: 1, data, owner, executable: false, rent_epoch: 0 });
        }
    }
}
