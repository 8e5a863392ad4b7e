use rust_decimal::Decimal;

use super::books::{Books, TokenBooks};
use super::figures::{Beside, Figures, Permission, PermissionKind, TransactionCounts};
use super::row::{Row, RowKind, Verdict};

/// The name of the difference in transactions that are in blocks.
pub const TRANSACTIONS: &str = "transactions";

/// The name of the difference in transactions that wait for a block.
pub const PENDING: &str = "pending";

/// The name of the difference in tokens that are not traded.
pub const OTHER_TOKENS: &str = "other-tokens";

/// The name of what token accounts hold so as to stay.
pub const RENT: &str = "rent";

/// So many tokens that are not traded are named to people; anybody can send some.
const MOST_NAMED: usize = 5;

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

    fn told(&self, which: impl Fn(Verdict) -> bool) -> String {
        let rows = self.rows.iter().filter(|row| which(row.verdict));
        rows.map(Row::in_words).collect::<Vec<_>>().join("; ")
    }
}

/// Compares. Nothing is asked and nothing is changed.
#[must_use]
pub fn compare(books: &Books, figures: &Figures, tolerance: &Tolerance) -> Reconciliation {
    let (mut rows, mut baseline) = (Vec::new(), Vec::new());
    // The first comparison of an account that has never ordered, which sets something of what there is aside: what a
    // person says later is not said again.
    let counted = if figures.transactions.is_some() { TRANSACTIONS } else { OTHER_TOKENS };
    let is_first = !books.has_ordered && !books.ignored.contains_key(counted);
    for known in &books.tokens {
        let row = balance(books, known, figures, tolerance);
        let is_new = is_first && row.ignored.is_none();
        let is_surplus = row.difference > row.tolerance && !known.token.is_native;
        if is_new && is_surplus {
            baseline.push((row.subject.clone(), row.difference));
        }
        rows.push(row);
    }
    for permission in &figures.permissions {
        let known = books.tokens.iter().find(|known| known.token.id == permission.token);
        rows.extend(known.map(|known| self::permission(books, known, permission)));
    }
    if let Some(counts) = &figures.transactions {
        let mut transactions = transactions(books, counts);
        if transactions.ignored.is_none() {
            // How much landed before the journal counted is known only now, also of an account that has traded; and not
            // while some may or may not be in the block.
            if books.open_nonces.is_empty() {
                baseline.push((transactions.subject.clone(), transactions.difference));
            }
            transactions.verdict = Verdict::Ignored;
        }
        rows.push(transactions);
        rows.push(pending(books, counts));
    }
    if let Some(beside) = &figures.beside {
        let others = other_tokens(books, beside);
        if others.ignored.is_none() {
            baseline.push((others.subject.clone(), others.difference));
        }
        rows.push(others);
        rows.push(Row {
            token: beside.native.clone(),
            ..count(books, RENT, RowKind::Rent, Decimal::ZERO, beside.rent)
        });
    }
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
    let chain = match token.is_native {
        true => figures.native,
        false => figures.balances.get(&token.id).copied().unwrap_or_default(),
    };
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
        details: String::new(),
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
    } else if token.is_native {
        // What is there beside the books is for gas.
        Verdict::Agrees
    } else if tolerance.surplus_halts {
        Verdict::Halts
    } else {
        Verdict::Noted
    };
    row
}

/// What somebody else may do with a token. What a router may take is little, or an order's doing, or no loss yet: it is
/// trusted with a trade. Nobody else has any business there.
fn permission(books: &Books, known: &TokenBooks, permission: &Permission) -> Row {
    let (name, kind, chain, tolerated) = match permission.kind {
        PermissionKind::Router(amount) => {
            let left = known.expected.abs().checked_mul(LEFT_OF_PURCHASES).unwrap_or_default();
            ("allowance", RowKind::Allowance, amount, left)
        }
        PermissionKind::Delegate(amount) => ("delegate", RowKind::Delegate, amount, Decimal::ZERO),
        PermissionKind::CloseAuthority => {
            ("close-authority", RowKind::CloseAuthority, Decimal::ONE, Decimal::ZERO)
        }
    };
    let subject = format!("{name}:{}:{}", known.token.symbol, permission.who);
    let ignored = books.ignored.get(&subject).cloned();
    let verdict = match &ignored {
        _ if chain.is_zero() => Verdict::Agrees,
        _ if chain <= tolerated => Verdict::Tolerated,
        Some(fine) if chain <= fine.difference => Verdict::Ignored,
        _ if kind != RowKind::Allowance => Verdict::Halts,
        _ if books.on_their_way => Verdict::OnTheWay,
        // Nothing is missing.
        _ => Verdict::Noted,
    };
    let is_amount = kind != RowKind::CloseAuthority;
    Row {
        subject,
        kind,
        token: known.token.symbol.clone(),
        books: Decimal::ZERO,
        chain,
        difference: chain,
        worth: known.price.filter(|_| is_amount).and_then(|price| chain.checked_mul(price)),
        tolerance: tolerated,
        verdict,
        ignored,
        assets: Vec::new(),
        details: String::new(),
    }
}

/// Those in blocks that the journal does not know. Those on their way may be in a block or not.
fn transactions(books: &Books, counts: &TransactionCounts) -> Row {
    let (landed, mined) = (Decimal::from(books.landed), Decimal::from(counts.mined));
    let open = Decimal::from(books.open_nonces.len());
    let mut row = count(books, TRANSACTIONS, RowKind::Transactions, landed, mined);
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
fn pending(books: &Books, counts: &TransactionCounts) -> Row {
    let pending = counts.pending.max(counts.mined);
    let known = books.open_nonces.range(counts.mined..pending).count();
    let (known, all) = (Decimal::from(known), Decimal::from(pending - counts.mined));
    let mut row = count(books, PENDING, RowKind::Pending, known, all);
    let fine = row.ignored.as_ref().map_or(Decimal::ZERO, |ignored| ignored.difference);
    row.verdict = match row.difference {
        none if none.is_zero() => Verdict::Agrees,
        some if some <= fine => Verdict::Ignored,
        _ => Verdict::Halts,
    };
    row
}

/// Tokens that nobody trades here. Anybody can send some, so they are told and hold up nothing.
fn other_tokens(books: &Books, beside: &Beside) -> Row {
    let there = Decimal::from(beside.tokens.len());
    let mut row = count(books, OTHER_TOKENS, RowKind::OtherTokens, Decimal::ZERO, there);
    row.verdict = match &row.ignored {
        None if there.is_zero() => Verdict::Agrees,
        Some(fine) if there <= fine.difference => Verdict::Ignored,
        _ => Verdict::Noted,
    };
    let named: Vec<&str> = beside.tokens.iter().take(MOST_NAMED).map(String::as_str).collect();
    row.details = named.join(", ");
    if let Some(more) = beside.tokens.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        row.details.push_str(&format!(" and {more} more"));
    }
    row
}

/// What is counted, or can only be told.
fn count(books: &Books, subject: &str, kind: RowKind, in_books: Decimal, chain: Decimal) -> Row {
    Row {
        subject: subject.to_owned(),
        kind,
        token: String::new(),
        books: in_books,
        chain,
        difference: chain.saturating_sub(in_books),
        worth: None,
        tolerance: Decimal::ZERO,
        verdict: Verdict::Agrees,
        ignored: books.ignored.get(subject).cloned(),
        assets: Vec::new(),
        details: String::new(),
    }
}

#[cfg(test)]
mod tests;
