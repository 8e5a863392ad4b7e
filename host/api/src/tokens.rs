//! Tokens: 256 random bits that their holder shows with every request. Only their SHA-256 is kept: as they are
//! random, nothing slower is needed to keep them from being guessed.

use std::fmt;

use bulkhead_core::identifier::ContentHash;
use bulkhead_core::time::Timestamp;
use bulkhead_store::database::{Database, TokenRow};
use bulkhead_store::storage::StoreError;
use subtle::ConstantTimeEq as _;

/// What a secret begins with, so that people and scanners recognise one that got lost.
const PREFIX: &str = "bulkhead_";

/// Longest name of a token, in bytes.
const LONGEST_NAME: usize = 64;

/// What a token's holder may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Read everything.
    Viewer,
    /// Order, and close positions.
    Trader,
    /// Halt and resume; change weights, modes and parameters; bring strategies in, release and remove them.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Trader, Self::Operator, Self::Admin];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Trader => "trader",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A token that was just made. This is the only time that its secret is seen.
pub struct NewToken {
    /// What is written down.
    pub row: TokenRow,
    /// What its holder shows: the name and the random bits.
    pub secret: String,
}

impl fmt::Debug for NewToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NewToken").field("row", &self.row).finish_non_exhaustive()
    }
}

/// Why a token could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Its name would not be legible in logs and headers.
    #[error(
        "\"{0}\" is no name for a token: 1 to {LONGEST_NAME} letters, digits, \"-\", \"_\" and \".\" are expected"
    )]
    Name(String),
    /// The system gave no randomness.
    #[error("the system gives no random bits: {0}")]
    Random(getrandom::Error),
    /// It could not be written down.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a token and writes it down.
///
/// # Errors
///
/// [`TokenError`]; then there is no such token.
pub fn create(
    database: &mut Database,
    name: &str,
    role: Role,
    account: Option<&str>,
    now: Timestamp,
    expires: Option<Timestamp>,
) -> Result<NewToken, TokenError> {
    let legible = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(legible) {
        return Err(TokenError::Name(name.to_owned()));
    }
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).map_err(TokenError::Random)?;
    // Random bits are written as hexadecimal digits, as hashes are.
    let secret = format!("{PREFIX}{name}:{}", ContentHash::new(bits));
    let row = TokenRow {
        hash: ContentHash::of(&bits),
        name: name.to_owned(),
        role: role.name().to_owned(),
        account: account.map(str::to_owned),
        created: now,
        expires,
        revoked: None,
        last_used: None,
    };
    database.add_token(&row)?;
    Ok(NewToken { row, secret })
}

/// A secret as it was shown: whose it claims to be, and the hash of its bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) name: String,
    hash: ContentHash,
}

impl Shown {
    /// `None` for what can't be a token.
    pub(crate) fn read(secret: &str) -> Option<Self> {
        let (name, bits) = secret.strip_prefix(PREFIX)?.split_once(':')?;
        let bits = ContentHash::try_from(bits.to_owned()).ok()?;
        (name.len() <= LONGEST_NAME)
            .then(|| Self { name: name.to_owned(), hash: ContentHash::of(bits.bytes()) })
    }

    /// What its holder may do now; `None` when the token is unknown, another one, expired or taken back. How
    /// long it takes does not depend on how much of the secret is right.
    pub(crate) fn role(&self, known: Option<&TokenRow>, now: Timestamp) -> Option<Role> {
        let nobody = ContentHash::new([0; 32]);
        let hash = known.map_or(&nobody, |token| &token.hash);
        let same: bool = self.hash.bytes().ct_eq(hash.bytes()).into();
        known.filter(|_| same).and_then(|token| role(token, now))
    }
}

/// What a token's holder may do now; `None` when it has expired or was taken back.
pub(crate) fn role(token: &TokenRow, now: Timestamp) -> Option<Role> {
    let expired = token.expires.is_some_and(|expires| now >= expires);
    if expired || token.revoked.is_some() {
        return None;
    }
    Role::named(&token.role)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(bits: [u8; 32]) -> TokenRow {
        TokenRow {
            hash: ContentHash::of(&bits),
            name: "zoe".to_owned(),
            role: "trader".to_owned(),
            account: None,
            created: Timestamp::from_seconds(0),
            expires: Some(Timestamp::from_seconds(10)),
            revoked: None,
            last_used: None,
        }
    }

    #[test]
    fn a_token_is_good_for_its_holder_until_it_expires_or_is_taken_back() {
        let bits = [7; 32];
        let shown = Shown::read(&format!("bulkhead_zoe:{}", ContentHash::new(bits))).unwrap();
        assert_eq!(shown.name, "zoe");
        let row = row(bits);
        let at = Timestamp::from_seconds;
        assert_eq!(shown.role(Some(&row), at(9)), Some(Role::Trader));
        assert_eq!(shown.role(Some(&row), at(10)), None);
        assert_eq!(shown.role(None, at(9)), None);
        let revoked = TokenRow { revoked: Some(at(1)), ..row.clone() };
        assert_eq!(shown.role(Some(&revoked), at(9)), None);
        let other = TokenRow { hash: ContentHash::of(&[8; 32]), ..row.clone() };
        assert_eq!(shown.role(Some(&other), at(9)), None);
        let unheard = TokenRow { role: "root".to_owned(), ..row };
        assert_eq!(shown.role(Some(&unheard), at(9)), None);
    }

    #[test]
    fn what_is_no_token_is_none() {
        for text in ["", "bulkhead_", "bulkhead_zoe:", "bulkhead_zoe:12", "zoe:00", "bulkhead_zoe"] {
            assert_eq!(Shown::read(text), None, "{text}");
        }
    }
}
