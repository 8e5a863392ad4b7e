//! Names of things. Each kind has a type of its own, so that one can't be passed for another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty), $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

number!(
    /// An instrument, by its place in the host's instrument list.
    InstrumentId(u32), "instrument-"
);
number!(
    /// A strategy slot of the account: it outlives the versions that run in it.
    StrategyId(u32), "strategy-"
);
number!(
    /// An order, unique and rising in the account. Doubles as the order's idempotency key.
    OrderId(u64), "order-"
);
number!(
    /// A strategy's own number for one of its orders.
    OrderTag(u32), "tag-"
);
number!(
    /// A signal's number, by its place in the host's signal list.
    SignalId(u32), "signal-"
);

/// The SHA-256 of a plugin file: what identifies a strategy version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentHash([u8; 32]);

/// A text that is not a content hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{found}\" is not a content hash: 64 hexadecimal digits are expected")]
pub struct InvalidContentHash {
    found: String,
}

impl ContentHash {
    /// From the hash function's output.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash of some content.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(content).into())
    }

    /// The raw bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first twelve digits, enough for people to tell versions apart.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl From<ContentHash> for String {
    fn from(hash: ContentHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for ContentHash {
    type Error = InvalidContentHash;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let invalid = || InvalidContentHash { found: text.clone() };
        if text.len() != 64 || !text.is_ascii() {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| invalid())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_hash_survives_its_text_form() {
        let hash = ContentHash::of(b"plugin");
        assert_eq!(ContentHash::try_from(hash.to_string()), Ok(hash));
        assert_eq!(hash.short().len(), 12);
    }

    #[test]
    fn what_is_not_a_hash_is_refused() {
        for text in ["", "abc", &"g".repeat(64), &"é".repeat(32)] {
            assert!(ContentHash::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
