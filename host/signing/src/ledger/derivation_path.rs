//! Which of the many keys of a seed is meant (BIP-32).

use std::fmt;
use std::str::FromStr;

/// Set in an index that is hardened.
const HARDENED: u32 = 1 << 31;
/// The most that the apps take.
const MAX_INDICES: usize = 10;

/// Which of the keys of a seed is meant, such as `m/44'/60'/0'/0/0`, the first for EVM chains that Ledger's own software
/// makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivationPath(Vec<u32>);

/// A text that is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no derivation path such as m/44'/60'/0'/0/0 (1 to {MAX_INDICES} numbers below 2147483648)"
)]
pub struct InvalidDerivationPath(String);

impl DerivationPath {
    /// That of the first account that Ledger's own software makes for Solana.
    #[must_use]
    pub fn solana() -> Self {
        Self(vec![HARDENED | 44, HARDENED | 501, HARDENED])
    }

    /// As the device takes it: how many indices, then each.
    pub(super) fn encoded(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + 4 * self.0.len());
        bytes.push(u8::try_from(self.0.len()).unwrap_or(u8::MAX));
        for index in &self.0 {
            bytes.extend_from_slice(&index.to_be_bytes());
        }
        bytes
    }
}

/// That of the first account for EVM chains.
impl Default for DerivationPath {
    fn default() -> Self {
        Self(vec![HARDENED | 44, HARDENED | 60, HARDENED, 0, 0])
    }
}

impl fmt::Display for DerivationPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("m")?;
        for index in &self.0 {
            let mark = if index & HARDENED == 0 { "" } else { "'" };
            write!(formatter, "/{}{mark}", index & !HARDENED)?;
        }
        Ok(())
    }
}

impl FromStr for DerivationPath {
    type Err = InvalidDerivationPath;

    fn from_str(text: &str) -> Result<Self, InvalidDerivationPath> {
        let invalid = || InvalidDerivationPath(text.to_owned());
        let indices: Option<Vec<u32>> =
            text.strip_prefix("m/").ok_or_else(invalid)?.split('/').map(index).collect();
        match indices {
            Some(indices) if indices.len() <= MAX_INDICES => Ok(Self(indices)),
            _ => Err(invalid()),
        }
    }
}

fn index(text: &str) -> Option<u32> {
    let (digits, mark) = text.strip_suffix(['\'', 'h']).map_or((text, 0), |digits| (digits, HARDENED));
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    let index: u32 = is_number.then(|| digits.parse().ok()).flatten()?;
    (index < HARDENED).then_some(index | mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_written() {
        let path: DerivationPath = "m/44'/60'/0'/0/0".parse().unwrap();
        assert_eq!(path, DerivationPath::default());
        assert_eq!(path.to_string(), "m/44'/60'/0'/0/0");
        assert_eq!(DerivationPath::solana().to_string(), "m/44'/501'/0'");
        let other: DerivationPath = "m/44h/60h/2147483647h/3".parse().unwrap();
        assert_eq!(other.to_string(), "m/44'/60'/2147483647'/3");
        assert_eq!(other.encoded()[..5], [4, 0x80, 0, 0, 44]);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "",
            "m",
            "m/",
            "44'/60'",
            "m/2147483648",
            "m/-1",
            "m/+1",
            "m/1''",
            "m/1//2",
            "m/0/0/0/0/0/0/0/0/0/0/0",
        ] {
            assert!(text.parse::<DerivationPath>().is_err(), "{text}");
        }
    }
}
