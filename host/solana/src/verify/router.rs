//! The aggregator's own instructions, as far as the trader's side of them goes.
//!
//! In the current ones the numbers stand first and the plan of pools behind them. In the older ones the plan stands first,
//! so it has to be read to its end: reading the numbers from the end of the bytes would let somebody append false ones,
//! which the program itself ignores.

use solana_address::Address;

use super::plan;
use crate::amounts::share;

const ROUTE: [u8; 8] = [229, 23, 203, 151, 122, 227, 173, 42];
const SHARED_ROUTE: [u8; 8] = [193, 32, 155, 51, 65, 214, 156, 129];
const ROUTE_V2: [u8; 8] = [187, 100, 250, 204, 49, 196, 175, 20];
const SHARED_ROUTE_V2: [u8; 8] = [209, 152, 83, 147, 124, 254, 216, 233];

/// A whole, in basis points.
const WHOLE: u16 = 10_000;

/// Why a swap can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// It is none of the aggregator's swaps of an exact amount.
    #[error("it is none of the swaps that are known")]
    Unknown,
    /// It ends too early, or too late.
    #[error("it does not end where it should")]
    Length,
    /// A pool of the plan is of a kind whose arguments are not known.
    #[error("pools of kind {0} are not known")]
    Kind(u8),
    /// It names too few accounts.
    #[error("it names {0} accounts, too few for a swap")]
    Accounts(usize),
    /// It would be content with less than nothing.
    #[error("a slippage of {0} basis points makes no sense")]
    Slippage(u16),
}

/// What a swap says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Who trades.
    pub authority: Address,
    /// What is given is taken from here.
    pub source: Address,
    /// What is got goes here,
    pub destination: Address,
    /// or here, if this is given.
    pub elsewhere: Option<Address>,
    /// The token that is given, if it says so.
    pub source_mint: Option<Address>,
    /// The token that is got.
    pub destination_mint: Address,
    /// The program of what is given, if it says so.
    pub source_program: Option<Address>,
    /// The program of what is got, if it says so.
    pub destination_program: Option<Address>,
    /// The aggregator's program, as it is named among the accounts.
    pub program: Address,
    /// How much is given.
    pub in_amount: u64,
    /// How much was said to come.
    pub quoted_out_amount: u64,
    /// How much less is fine.
    pub slippage_bps: u16,
    /// The part that whoever made the transaction keeps.
    pub platform_fee_bps: u16,
    /// The part of what comes beyond the quote that others keep.
    pub positive_slippage_bps: u16,
}

impl Route {
    /// What comes at least, or the swap undoes itself.
    ///
    /// # Errors
    ///
    /// [`RouteError::Slippage`] when it is more than the whole.
    pub fn least(&self) -> Result<u64, RouteError> {
        let rest = WHOLE.checked_sub(self.slippage_bps).ok_or(RouteError::Slippage(self.slippage_bps))?;
        Ok(share(self.quoted_out_amount, rest.into(), WHOLE.into()))
    }
}

/// Reads a swap from its instruction.
///
/// # Errors
///
/// [`RouteError`] when it is none that is known.
pub fn read_route(data: &[u8], accounts: &[Address], router: Address) -> Result<Route, RouteError> {
    let (kind, data) = data.split_first_chunk::<8>().ok_or(RouteError::Unknown)?;
    let at = |index: usize| accounts.get(index).copied().ok_or(RouteError::Accounts(accounts.len()));
    // An account that is left out is named by the program itself.
    let optional = |index: usize| at(index).map(|account| (account != router).then_some(account));
    match *kind {
        ROUTE => {
            let numbers = plan::after(data)?;
            let numbers = old_numbers(numbers)?;
            Ok(Route {
                authority: at(1)?,
                source: at(2)?,
                destination: at(3)?,
                elsewhere: optional(4)?,
                source_mint: None,
                destination_mint: at(5)?,
                source_program: None,
                destination_program: None,
                program: at(8)?,
                ..numbers
            })
        }
        SHARED_ROUTE => {
            let (_, data) = data.split_first().ok_or(RouteError::Length)?;
            let numbers = old_numbers(plan::after(data)?)?;
            Ok(Route {
                authority: at(2)?,
                source: at(3)?,
                destination: at(6)?,
                elsewhere: None,
                source_mint: Some(at(7)?),
                destination_mint: at(8)?,
                source_program: None,
                destination_program: None,
                program: at(12)?,
                ..numbers
            })
        }
        ROUTE_V2 => Ok(Route {
            authority: at(0)?,
            source: at(1)?,
            destination: at(2)?,
            elsewhere: optional(7)?,
            source_mint: Some(at(3)?),
            destination_mint: at(4)?,
            source_program: Some(at(5)?),
            destination_program: Some(at(6)?),
            program: at(9)?,
            ..numbers(data)?
        }),
        SHARED_ROUTE_V2 => {
            let (_, data) = data.split_first().ok_or(RouteError::Length)?;
            Ok(Route {
                authority: at(1)?,
                source: at(2)?,
                destination: at(5)?,
                elsewhere: None,
                source_mint: Some(at(6)?),
                destination_mint: at(7)?,
                source_program: Some(at(8)?),
                destination_program: Some(at(9)?),
                program: at(11)?,
                ..numbers(data)?
            })
        }
        _ => Err(RouteError::Unknown),
    }
}

/// The current form's numbers, with the plan behind them.
fn numbers(data: &[u8]) -> Result<Route, RouteError> {
    let mut reader = Reader(data);
    let route = Route {
        in_amount: u64::from_le_bytes(reader.next()?),
        quoted_out_amount: u64::from_le_bytes(reader.next()?),
        slippage_bps: u16::from_le_bytes(reader.next()?),
        platform_fee_bps: u16::from_le_bytes(reader.next()?),
        positive_slippage_bps: u16::from_le_bytes(reader.next()?),
        ..EMPTY
    };
    // How many pools there are; which of them is of no matter to the trader.
    reader.skip(4)?;
    Ok(route)
}

/// The older form's numbers, which end it.
fn old_numbers(data: &[u8]) -> Result<Route, RouteError> {
    let mut reader = Reader(data);
    let route = Route {
        in_amount: u64::from_le_bytes(reader.next()?),
        quoted_out_amount: u64::from_le_bytes(reader.next()?),
        slippage_bps: u16::from_le_bytes(reader.next()?),
        platform_fee_bps: u8::from_le_bytes(reader.next()?).into(),
        ..EMPTY
    };
    if reader.0.is_empty() { Ok(route) } else { Err(RouteError::Length) }
}

const NOBODY: Address = Address::new_from_array([0; 32]);

const EMPTY: Route = Route {
    authority: NOBODY,
    source: NOBODY,
    destination: NOBODY,
    elsewhere: None,
    source_mint: None,
    destination_mint: NOBODY,
    source_program: None,
    destination_program: None,
    program: NOBODY,
    in_amount: 0,
    quoted_out_amount: 0,
    slippage_bps: 0,
    platform_fee_bps: 0,
    positive_slippage_bps: 0,
};

pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    pub(super) fn next<const N: usize>(&mut self) -> Result<[u8; N], RouteError> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or(RouteError::Length)?;
        self.0 = rest;
        Ok(*bytes)
    }

    pub(super) fn skip(&mut self, bytes: usize) -> Result<(), RouteError> {
        self.0 = self.0.get(bytes..).ok_or(RouteError::Length)?;
        Ok(())
    }
}
