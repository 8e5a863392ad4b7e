//! What each instruction is for.

use solana_address::Address;

use super::message::{Called, Resolved};
use super::router::{self, Route};
use super::{Asked, Refused, Unexplained};
use crate::fees::priority_fee;
use crate::programs::{
    ASSOCIATED_TOKEN, COMPUTE_BUDGET, MOST_UNITS, SYSTEM, TOKEN, TOKEN_2022, WRAPPED_SOL, associated_account,
};

pub(crate) const SET_UNIT_LIMIT: u8 = 2;
pub(crate) const SET_UNIT_PRICE: u8 = 3;
pub(crate) const TRANSFER_LAMPORTS: [u8; 4] = [2, 0, 0, 0];
const CREATE: u8 = 0;
const CREATE_IDEMPOTENT: u8 = 1;
const CLOSE_ACCOUNT: u8 = 9;
const SYNC_NATIVE: u8 = 17;

/// What was found in a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// How much it may compute; the chain's own limit when it does not say.
    pub units: Option<u32>,
    /// The price of a unit, in millionths of a lamport.
    pub price: u64,
    /// What is offered for being taken sooner, in lamports.
    pub priority_fee: u64,
    /// What is paid as a tip, in lamports.
    pub tip: u64,
    /// Token accounts that it makes, if they are not there.
    pub creates: Vec<Address>,
    /// Native currency that it wraps, in lamports.
    pub wraps: u64,
    /// Whether it unwraps all that is wrapped.
    pub unwraps: bool,
    /// What has to come at least, as the swap itself has it.
    pub least: u64,
}

#[derive(Default)]
struct Seen {
    summary: Summary,
    price: bool,
    wrapped: bool,
    synced: bool,
    swapped: bool,
}

pub(super) fn explain(resolved: &Resolved, asked: &Asked) -> Result<Summary, Refused> {
    let mut seen = Seen::default();
    for called in resolved.instructions() {
        let called = called?;
        let explained = match called.program {
            COMPUTE_BUDGET => seen.budget(&called),
            ASSOCIATED_TOKEN => seen.create(&called, asked),
            SYSTEM => seen.lamports(&called, asked),
            TOKEN | TOKEN_2022 => seen.tokens(&called, asked),
            program if program == asked.router => seen.swap(&called, asked),
            program => return Err(Refused::OtherProgram { number: called.number, program }),
        };
        explained.map_err(|what| Refused::Instruction { number: called.number, what })?;
    }
    let Seen { mut summary, swapped, .. } = seen;
    if !swapped {
        return Err(Refused::NoSwap);
    }
    // What stays wrapped could not be found by the next order.
    if asked.got.is_native() && !summary.unwraps {
        return Err(Refused::StaysWrapped);
    }
    summary.priority_fee = priority_fee(summary.units.unwrap_or(MOST_UNITS), summary.price);
    if summary.priority_fee > asked.most_priority {
        return Err(Refused::TooDear { offered: summary.priority_fee, most: asked.most_priority });
    }
    Ok(summary)
}

impl Seen {
    fn budget(&mut self, called: &Called<'_>) -> Result<(), Unexplained> {
        called.has_accounts(0)?;
        match called.data {
            [SET_UNIT_LIMIT, a, b, c, d] => {
                let units = u32::from_le_bytes([*a, *b, *c, *d]);
                once(self.summary.units.replace(units).is_some())
            }
            [SET_UNIT_PRICE, price @ ..] => {
                self.summary.price = u64::from_le_bytes(price.try_into().map_err(|_| Unexplained::Unknown)?);
                once(std::mem::replace(&mut self.price, true))
            }
            _ => Err(Unexplained::Unknown),
        }
    }

    /// A token account of the wallet itself, for what is given or got.
    fn create(&mut self, called: &Called<'_>, asked: &Asked) -> Result<(), Unexplained> {
        if !matches!(called.data, [] | [CREATE | CREATE_IDEMPOTENT]) {
            return Err(Unexplained::Unknown);
        }
        called.has_accounts(6)?;
        let mint = called.account(3)?;
        let token = if mint == asked.given.mint { &asked.given } else { &asked.got };
        called.is(3, "the token", token.mint)?;
        called.is(0, "who pays for the account", asked.owner)?;
        called.is(1, "the account", associated_account(asked.owner, token.mint, token.program))?;
        called.is(2, "the account's owner", asked.owner)?;
        called.is(4, "the system program", SYSTEM)?;
        called.is(5, "the token's program", token.program)?;
        if self.swapped {
            return Err(Unexplained::Misplaced);
        }
        let account = called.account(1)?;
        once(self.summary.creates.contains(&account))?;
        self.summary.creates.push(account);
        Ok(())
    }

    /// Wraps just what is given, or pays a tip that was asked for.
    fn lamports(&mut self, called: &Called<'_>, asked: &Asked) -> Result<(), Unexplained> {
        let (kind, lamports) = called.data.split_at_checked(4).ok_or(Unexplained::Unknown)?;
        let lamports = lamports.try_into().map(u64::from_le_bytes);
        let (true, Ok(lamports)) = (kind == TRANSFER_LAMPORTS, lamports) else {
            return Err(Unexplained::Unknown);
        };
        called.has_accounts(2)?;
        called.is(0, "who pays", asked.owner)?;
        if let Some(tip) = &asked.tip
            && tip.accounts.contains(&called.account(1)?)
        {
            once(self.summary.tip > 0)?;
            if lamports > tip.most {
                return Err(Unexplained::OtherAmount { what: "the tip", found: lamports, wanted: tip.most });
            }
            self.summary.tip = lamports;
            return Ok(());
        }
        if !asked.given.is_native() {
            return Err(Unexplained::Unknown);
        }
        called.is(1, "where the lamports go", asked.given.account_of(asked.owner))?;
        exactly("what is wrapped", lamports, asked.amount)?;
        if self.swapped {
            return Err(Unexplained::Misplaced);
        }
        once(std::mem::replace(&mut self.wrapped, true))?;
        self.summary.wraps = lamports;
        Ok(())
    }

    /// Counts what was wrapped, or unwraps everything.
    fn tokens(&mut self, called: &Called<'_>, asked: &Asked) -> Result<(), Unexplained> {
        let is_native = asked.given.is_native() || asked.got.is_native();
        if called.program != TOKEN || !is_native {
            return Err(Unexplained::Unknown);
        }
        let wrapped = associated_account(asked.owner, WRAPPED_SOL, TOKEN);
        match called.data {
            [SYNC_NATIVE] => {
                called.has_accounts(1)?;
                called.is(0, "what is counted", wrapped)?;
                if self.swapped {
                    return Err(Unexplained::Misplaced);
                }
                once(std::mem::replace(&mut self.synced, true))
            }
            [CLOSE_ACCOUNT] => {
                called.has_accounts(3)?;
                called.is(0, "what is closed", wrapped)?;
                called.is(1, "who gets what was in it", asked.owner)?;
                called.is(2, "who closes it", asked.owner)?;
                if !self.swapped {
                    return Err(Unexplained::Misplaced);
                }
                once(std::mem::replace(&mut self.summary.unwraps, true))
            }
            _ => Err(Unexplained::Unknown),
        }
    }

    fn swap(&mut self, called: &Called<'_>, asked: &Asked) -> Result<(), Unexplained> {
        once(std::mem::replace(&mut self.swapped, true))?;
        let route = router::read_route(called.data, &called.accounts, asked.router)?;
        self.summary.least = matches(&route, asked)?;
        if let Some(touched) = called.accounts.iter().find(|account| asked.untouched.contains(account)) {
            return Err(Unexplained::Touches(*touched));
        }
        Ok(())
    }
}

/// Holds a swap against what was asked for, and says what it brings at least.
fn matches(route: &Route, asked: &Asked) -> Result<u64, Unexplained> {
    same("who trades", route.authority, asked.owner)?;
    same("where it is taken from", route.source, asked.given.account_of(asked.owner))?;
    let destination = asked.got.account_of(asked.owner);
    same("where it goes", route.destination, destination)?;
    if let Some(elsewhere) = route.elsewhere {
        same("where it goes in the end", elsewhere, destination)?;
    }
    if let Some(mint) = route.source_mint {
        same("what is given", mint, asked.given.mint)?;
    }
    same("what is got", route.destination_mint, asked.got.mint)?;
    if let Some(program) = route.source_program {
        same("the program of what is given", program, asked.given.program)?;
    }
    if let Some(program) = route.destination_program {
        same("the program of what is got", program, asked.got.program)?;
    }
    same("the program that it names as itself", route.program, asked.router)?;
    exactly("what is given", route.in_amount, asked.amount)?;
    exactly("the part that others keep", route.platform_fee_bps.into(), 0)?;
    exactly("the part of a better price that others keep", route.positive_slippage_bps.into(), 0)?;
    let least = route.least()?;
    if least < asked.least {
        return Err(Unexplained::TooLittle { found: least, wanted: asked.least });
    }
    Ok(least)
}

fn once(before: bool) -> Result<(), Unexplained> {
    if before { Err(Unexplained::Repeated) } else { Ok(()) }
}

fn exactly(what: &'static str, found: u64, wanted: u64) -> Result<(), Unexplained> {
    if found == wanted { Ok(()) } else { Err(Unexplained::OtherAmount { what, found, wanted }) }
}

fn same(role: &'static str, found: Address, wanted: Address) -> Result<(), Unexplained> {
    if found == wanted { Ok(()) } else { Err(Unexplained::OtherAccount { role, found, wanted }) }
}

impl Called<'_> {
    fn has_accounts(&self, wanted: usize) -> Result<(), Unexplained> {
        let found = self.accounts.len();
        if found == wanted { Ok(()) } else { Err(Unexplained::Accounts { found, wanted }) }
    }

    fn account(&self, index: usize) -> Result<Address, Unexplained> {
        let found = self.accounts.len();
        self.accounts.get(index).copied().ok_or(Unexplained::Accounts { found, wanted: index + 1 })
    }

    fn is(&self, index: usize, role: &'static str, wanted: Address) -> Result<(), Unexplained> {
        same(role, self.account(index)?, wanted)
    }
}
