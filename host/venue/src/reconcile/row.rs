use bulkhead_core::reconciliation::Ignored;
use rust_decimal::Decimal;

use super::books::BookedAsset;

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// How much of a token is there.
    Balance,
    /// What a router may take of a token.
    Allowance,
    /// What somebody else may take of a token.
    Delegate,
    /// That somebody else may close the account of a token.
    CloseAuthority,
    /// Transactions that are in blocks.
    Transactions,
    /// Transactions that wait for a block.
    Pending,
    /// Tokens that are there and not traded.
    OtherTokens,
    /// Native currency that token accounts hold so as to stay.
    Rent,
}

impl RowKind {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Balance => "balance",
            Self::Allowance => "allowance",
            Self::Delegate => "delegate",
            Self::CloseAuthority => "close-authority",
            Self::Transactions => "transactions",
            Self::Pending => "pending",
            Self::OtherTokens => "other-tokens",
            Self::Rent => "rent",
        }
    }

    /// Whether it is about one token.
    #[must_use]
    pub const fn is_of_token(self) -> bool {
        match self {
            Self::Balance | Self::Allowance | Self::Delegate | Self::CloseAuthority | Self::Rent => true,
            Self::Transactions | Self::Pending | Self::OtherTokens => false,
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
    /// Of which token; empty for what is not about one.
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
    /// What else people should know of it; mostly nothing.
    pub details: String,
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
        let Self { token, books, chain, details, .. } = self;
        let (open, unexplained) = (books.normalize(), self.unexplained().normalize());
        let (more, chain) = (unexplained.abs(), chain.normalize());
        match self.kind {
            RowKind::Balance if unexplained.is_sign_negative() => {
                format!("{more} {token} is missing: the books say {open}, the chain {chain}")
            }
            RowKind::Balance => {
                format!("{more} {token} is not in the books: they say {open}, the chain {chain}")
            }
            RowKind::Allowance => {
                format!("{} may still take {chain} {token}", self.who())
            }
            RowKind::Delegate => {
                format!("{} may take {chain} {token}, and no order had that allowed", self.who())
            }
            RowKind::CloseAuthority => {
                format!("{} may close the account that holds {token}", self.who())
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
            RowKind::OtherTokens => {
                format!(
                    "{more} more tokens than before are there that are not traded; all of them: {details}"
                )
            }
            RowKind::Rent => format!("{chain} {token} is bound in token accounts"),
        }
    }

    /// Who has a permission, which is the last part of its name.
    fn who(&self) -> &str {
        self.subject.rsplit(':').next().unwrap_or_default()
    }
}
