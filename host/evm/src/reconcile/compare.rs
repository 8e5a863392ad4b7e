//! What differs between the books and the chain, and what follows from it.

use alloy::primitives::U256;
use bulkhead_core::reconciliation::Ignored;
use rust_decimal::Decimal;

use super::books::{BookedAsset, Books, TokenBooks};
use super::figures::Figures;
use crate::amounts::from_units;

/// Decimals of native currency on every EVM chain.
const NATIVE_DECIMALS: u8 = 18;

/// The name of the difference in transactions that are in blocks.
pub const TRANSACTIONS: &str = "transactions";

/// The name of the difference in transactions that wait for a block.
pub const PENDING: &str = "pending";

/// A purchase is allowed to cost a little more than it does, and what it did not cost stays allowed: so small a part of what
/// the books hold is no difference.
const LEFT_OF_PURCHASES: Decimal = Decimal::from_parts(5, 0, 0, false, 2);

/// What is no difference yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// A fraction of what the books say.
    pub fraction: Decimal,
    /// So much more, in the account's currency.
    pub dust: Decimal,
    /// Whether trading halts over what is there and not in the books, as it does over what is missing.
    pub surplus_halts: bool,
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// How much of a token is there.
    Balance,
    /// What a router may take of a token.
    Allowance,
    /// Transactions that are in blocks.
    Transactions,
    /// Transactions that wait for a block.
    Pending,
}

impl RowKind {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Balance => "balance",
            Self::Allowance => "allowance",
            Self::Transactions => "transactions",
            Self::Pending => "pending",
        }
    }
}

/// What is said of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Both say the same.
    Agrees,
    /// They say nearly the same.
    Tolerated,
    /// Orders on their way explain it.
    OnTheWay,
    /// A person says that it is fine.
    Ignored,
    /// Somebody should look, and trading goes on.
    Noted,
    /// Trading halts over it.
    Halts,
}

impl Verdict {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agrees => "agrees",
            Self::Tolerated => "tolerated",
            Self::OnTheWay => "on-the-way",
            Self::Ignored => "ignored",
            Self::Noted => "noted",
            Self::Halts => "halts",
        }
    }

    /// Whether somebody has to look.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Noted | Self::Halts)
    }
}

/// One thing that both speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name, by which a difference is ignored.
    pub subject: String,
    /// What it is about.
    pub kind: RowKind,
    /// Of which token; empty for transactions.
    pub token: String,
    /// What the books say.
    pub books: Decimal,
    /// What the chain says.
    pub chain: Decimal,
    /// So much more is there than the books say, or less when negative.
    pub difference: Decimal,
    /// The difference in the account's currency, if that is known.
    pub worth: Option<Decimal>,
    /// So large a difference is none, in the row's units.
    pub tolerance: Decimal,
    /// What is said of it.
    pub verdict: Verdict,
    /// The part of the difference that is fine, and who says so.
    pub ignored: Option<Ignored>,
    /// Where the token is booked; empty for what is not a balance.
    pub assets: Vec<BookedAsset>,
}

impl Row {
    /// The difference without what is ignored of it.
    #[must_use]
    pub fn unexplained(&self) -> Decimal {
        let fine = self.ignored.as_ref().map_or(Decimal::ZERO, |ignored| ignored.difference);
        self.difference.saturating_sub(fine)
    }

    /// In a few words, for people.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Self { token, books, chain, .. } = self;
        let (open, unexplained) = (books.normalize(), self.unexplained().normalize());
        let more = unexplained.abs();
        match self.kind {
            RowKind::Balance if unexplained.is_sign_negative() => {
                format!("{more} {token} is missing: the books say {open}, the chain {}", chain.normalize())
            }
            RowKind::Balance => {
                format!(
                    "{more} {token} is not in the books: they say {open}, the chain {}",
                    chain.normalize()
                )
            }
            RowKind::Allowance => {
                format!("{} may still take {} {token}", self.spender(), chain.normalize())
            }
            RowKind::Transactions if unexplained.is_sign_negative() => {
                format!("{more} transactions that landed are not in the chain any more")
            }
            RowKind::Transactions => {
                format!("{more} transactions of the address landed that the journal does not know")
            }
            RowKind::Pending => {
                format!("{more} transactions of the address wait for a block that the journal does not know")
            }
        }
    }

    fn spender(&self) -> &str {
        self.subject.rsplit(':').next().unwrap_or_default()
    }
}

/// The books held against the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciliation {
    /// What the chain said.
    pub figures: Figures,
    /// Everything that was compared.
    pub rows: Vec<Row>,
    /// What is to be ignored before an account orders for the first time, as it was there before; by name.
    pub baseline: Vec<(String, Decimal)>,
}

impl Reconciliation {
    /// Whether trading halts over something.
    #[must_use]
    pub fn halts(&self) -> bool {
        self.rows.iter().any(|row| row.verdict == Verdict::Halts)
    }

    /// The rows over which trading halts, in words; empty when there are none.
    #[must_use]
    pub fn why_it_halts(&self) -> String {
        self.told(|verdict| verdict == Verdict::Halts)
    }

    /// The rows that somebody should look at while trading goes on, in words.
    #[must_use]
    pub fn noted(&self) -> String {
        self.told(|verdict| verdict == Verdict::Noted)
    }

    /// Native currency at the address.
    #[must_use]
    pub fn native(&self) -> Decimal {
        decimal(self.figures.native, NATIVE_DECIMALS)
    }

    fn told(&self, which: impl Fn(Verdict) -> bool) -> String {
        let rows = self.rows.iter().filter(|row| which(row.verdict));
        rows.map(Row::in_words).collect::<Vec<_>>().join("; ")
    }
}

/// Compares. Nothing is asked and nothing is changed.
#[must_use]
pub fn compare(books: &Books, figures: &Figures, tolerance: &Tolerance) -> Reconciliation {
    let (mut rows, mut baseline) = (Vec::new(), Vec::new());
    // The first comparison of an account that has never ordered: what a person says later is not said again.
    let is_first = !books.has_ordered && !books.ignored.contains_key(TRANSACTIONS);
    for known in &books.tokens {
        let row = balance(books, known, figures, tolerance);
        let is_new = is_first && row.ignored.is_none();
        let is_surplus = row.difference > row.tolerance && !known.token.native;
        if is_new && is_surplus {
            baseline.push((row.subject.clone(), row.difference));
        }
        rows.push(row);
    }
    for ((token, spender), allowed) in &figures.allowances {
        let known = books.tokens.iter().find(|known| known.token.address == *token && !known.token.native);
        let Some(known) = known else { continue };
        let subject = format!("allowance:{}:{spender}", known.token.symbol);
        let chain = decimal(*allowed, known.token.decimals);
        let ignored = books.ignored.get(&subject).cloned();
        let tolerated = known.expected.abs().checked_mul(LEFT_OF_PURCHASES).unwrap_or_default();
        let verdict = match &ignored {
            _ if chain.is_zero() => Verdict::Agrees,
            _ if chain <= tolerated => Verdict::Tolerated,
            Some(fine) if chain <= fine.difference => Verdict::Ignored,
            _ if books.on_their_way => Verdict::OnTheWay,
            // A router that is traded with is trusted with a trade: nothing is missing.
            _ => Verdict::Noted,
        };
        rows.push(Row {
            subject,
            kind: RowKind::Allowance,
            token: known.token.symbol.clone(),
            books: Decimal::ZERO,
            chain,
            difference: chain,
            worth: known.price.and_then(|price| chain.checked_mul(price)),
            tolerance: tolerated,
            verdict,
            ignored,
            assets: Vec::new(),
        });
    }
    let mut transactions = transactions(books, figures);
    if transactions.ignored.is_none() {
        // How much landed before the journal counted is known only now, also of an account that has traded; and not
        // while some may or may not be in the block.
        if books.open_nonces.is_empty() {
            baseline.push((transactions.subject.clone(), transactions.difference));
        }
        transactions.verdict = Verdict::Ignored;
    }
    rows.push(transactions);
    rows.push(pending(books, figures));
    // What is about to be ignored is nothing to halt over.
    for row in &mut rows {
        if baseline.iter().any(|(subject, _)| *subject == row.subject) {
            row.verdict = Verdict::Ignored;
        }
    }
    Reconciliation { figures: figures.clone(), rows, baseline }
}

fn balance(books: &Books, known: &TokenBooks, figures: &Figures, tolerance: &Tolerance) -> Row {
    let token = &known.token;
    let units = match token.native {
        true => figures.native,
        false => figures.tokens.get(&token.address).copied().unwrap_or_default(),
    };
    let chain = decimal(units, token.decimals);
    let difference = chain.saturating_sub(known.expected);
    let subject = format!("balance:{}", token.symbol);
    let ignored = books.ignored.get(&subject).cloned();
    let dust =
        known.price.filter(|price| !price.is_zero()).and_then(|price| tolerance.dust.checked_div(price));
    let tolerated = known
        .expected
        .abs()
        .checked_mul(tolerance.fraction)
        .unwrap_or_default()
        .saturating_add(dust.unwrap_or_default());
    let mut row = Row {
        subject,
        kind: RowKind::Balance,
        token: token.symbol.clone(),
        books: known.expected,
        chain,
        difference,
        worth: known.price.and_then(|price| difference.checked_mul(price)),
        tolerance: tolerated,
        verdict: Verdict::Agrees,
        ignored,
        assets: known.assets.clone(),
    };
    let open = row.unexplained();
    let less_is_fine = open >= -known.may_be_less.saturating_add(tolerated);
    let more_is_fine = known.may_be_more || open <= tolerated;
    row.verdict = if open.abs() <= tolerated {
        match &row.ignored {
            Some(_) => Verdict::Ignored,
            None if open.is_zero() => Verdict::Agrees,
            None => Verdict::Tolerated,
        }
    } else if less_is_fine && more_is_fine {
        Verdict::OnTheWay
    } else if open.is_sign_negative() {
        Verdict::Halts
    } else if token.native {
        // What is there beside the books is for gas.
        Verdict::Agrees
    } else if tolerance.surplus_halts {
        Verdict::Halts
    } else {
        Verdict::Noted
    };
    row
}

/// Those in blocks that the journal does not know. Those on their way may be in a block or not.
fn transactions(books: &Books, figures: &Figures) -> Row {
    let (landed, mined) = (Decimal::from(books.landed), Decimal::from(figures.mined));
    let difference = mined - landed;
    let open = Decimal::from(books.open_nonces.len());
    let mut row = count(books, TRANSACTIONS, RowKind::Transactions, landed, mined, difference);
    let unexplained = row.unexplained();
    row.verdict = if unexplained.is_zero() {
        if row.ignored.is_some() { Verdict::Ignored } else { Verdict::Agrees }
    } else if unexplained.is_sign_positive() && unexplained <= open {
        Verdict::OnTheWay
    } else {
        Verdict::Halts
    };
    row
}

/// Those that wait for a block and were not signed for any order.
fn pending(books: &Books, figures: &Figures) -> Row {
    let pending = figures.pending.max(figures.mined);
    let known = books.open_nonces.range(figures.mined..pending).count();
    let (known, all) = (Decimal::from(known), Decimal::from(pending - figures.mined));
    let difference = all - known;
    let mut row = count(books, PENDING, RowKind::Pending, known, all, difference);
    let fine = row.ignored.as_ref().map_or(Decimal::ZERO, |ignored| ignored.difference);
    row.verdict = match difference {
        none if none.is_zero() => Verdict::Agrees,
        some if some <= fine => Verdict::Ignored,
        _ => Verdict::Halts,
    };
    row
}

fn count(
    books: &Books,
    subject: &str,
    kind: RowKind,
    in_books: Decimal,
    chain: Decimal,
    difference: Decimal,
) -> Row {
    Row {
        subject: subject.to_owned(),
        kind,
        token: String::new(),
        books: in_books,
        chain,
        difference,
        worth: None,
        tolerance: Decimal::ZERO,
        verdict: Verdict::Agrees,
        ignored: books.ignored.get(subject).cloned(),
        assets: Vec::new(),
    }
}

/// As the books write it. More than they can write is the most that they can: no permission is larger.
fn decimal(units: U256, decimals: u8) -> Decimal {
    from_units(units, decimals).unwrap_or(Decimal::MAX)
}

#[cfg(test)]
mod tests;
