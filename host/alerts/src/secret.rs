//! Secrets: where they are named, never what they are.

use std::fmt;
use std::path::PathBuf;

/// A secret. Neither `Debug` nor an error shows it, and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// A secret can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It is no reference.
    #[error(
        "is no reference: env:NAME or file:PATH is expected, so that the secret itself stays out of the configuration"
    )]
    NoReference,
    /// The variable is not set.
    #[error("names the environment variable {0}, which is not set or not text")]
    Unset(String),
    /// The file can't be read.
    #[error("names the file {path}, which can't be read: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is nothing in it.
    #[error("names something empty ({0})")]
    Empty(String),
}

impl Secret {
    /// The secret itself.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret, for who must send or sign with it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Reads what `env:NAME` or `file:PATH` refers to. Space around it is left out, as files end with a line break.
///
/// # Errors
///
/// [`SecretError`], which says what is missing and shows nothing of what is there.
pub fn read_reference(
    reference: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Secret, SecretError> {
    let text = if let Some(name) = reference.strip_prefix("env:") {
        variable(name).ok_or_else(|| SecretError::Unset(name.to_owned()))?
    } else if let Some(path) = reference.strip_prefix("file:") {
        let path = PathBuf::from(path);
        std::fs::read_to_string(&path).map_err(|source| SecretError::Unreadable { path, source })?
    } else {
        return Err(SecretError::NoReference);
    };
    match text.trim() {
        "" => Err(SecretError::Empty(reference.to_owned())),
        secret => Ok(Secret::new(secret)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const PLANTED: &str = "planted-secret";

    #[test]
    fn a_secret_is_read_from_where_it_is_kept_and_shown_nowhere() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, " {PLANTED}").unwrap();
        let variable = |name: &str| (name == "TOKEN").then(|| PLANTED.to_owned());
        for reference in ["env:TOKEN".to_owned(), format!("file:{}", file.path().display())] {
            let secret = read_reference(&reference, variable).unwrap();
            assert_eq!(secret.reveal(), PLANTED);
            assert!(!format!("{secret:?}").contains(PLANTED));
        }
        let errors = ["env:OTHER", "file:/nowhere/at/all", PLANTED];
        let errors = errors.map(|reference| read_reference(reference, variable).unwrap_err());
        assert!(matches!(errors[0], SecretError::Unset(_)));
        assert!(matches!(errors[1], SecretError::Unreadable { .. }));
        assert!(
            !format!("{0} {0:?}", errors[2]).contains(PLANTED),
            "a secret in the wrong place is not repeated"
        );
    }
}
