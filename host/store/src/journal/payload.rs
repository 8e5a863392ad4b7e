//! How payloads are written: [postcard](https://postcard.jamesmunns.com/wire-format) compressed with zstd. Inputs
//! of the market are made into columns before that; see [`super::encode_market`].
//!
//! Postcard has no names in it, so the types' layout is the format. A change of a type in it needs another
//! number in [`ENCODING`] and a reader for the old one:
//!
//! | encoding | differs from the one before in |
//! |---|---|
//! | 1 | |
//! | 2 | commands say who asked, and of which version settings are a change: [`decode_commands`]; snapshots hold what the configuration asked for |
//! | 3 | openings say where orders are executed: [`decode_opening`]; snapshots hold the venue outside |
//! | 4 | snapshots hold what is known of the world outside beside the books |

use bulkhead_core::engine::EngineSettings;
use bulkhead_core::input::Input;
use bulkhead_core::output::Output;
use bulkhead_core::venue::Execution;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::first_encoding::FirstInput;
use super::record::Sequence;

/// The encoding that is written.
pub const ENCODING: i16 = 4;

/// A payload that claims to be larger is not unpacked: nothing that is written comes near it.
const LARGEST: u64 = 1 << 30;

/// Fast enough not to hold up the journal. Higher levels gain a twentieth for several times the work.
const LEVEL: i32 = 1;

/// What a shard began with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opening<E = Execution> {
    /// What the engine was set up with.
    pub settings: EngineSettings,
    /// Which market the inputs come from: the same name is the same sequence of inputs, so that a feed that
    /// can be read again goes on where the journal ends. Empty for a feed that can't.
    pub feed: String,
    /// The versions that made the journal, for people.
    pub made_by: String,
    /// Where the account's orders are executed. An account on paper never becomes one with real money, nor the other
    /// way round.
    pub execution: E,
}

/// An output and the input that caused it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumberedOutput {
    /// The input.
    pub sequence: Sequence,
    /// The output.
    pub output: Output,
}

/// A payload that can't be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Made by a newer version of the program.
    #[error(
        "it is written in encoding {found}; this version of bulkhead reads up to {ENCODING}: use a newer one"
    )]
    Newer {
        /// The encoding.
        found: i16,
    },
    /// Not what an encoder wrote.
    #[error("it can't be read: {0}")]
    Malformed(String),
    /// It can't be written.
    #[error("it can't be written: {0}")]
    Unwritable(String),
}

/// Writes a payload in the current [`ENCODING`].
///
/// # Errors
///
/// [`PayloadError::Unwritable`] when the compressor fails.
pub fn encode<T: Serialize + ?Sized>(content: &T) -> Result<Vec<u8>, PayloadError> {
    let plain =
        postcard::to_allocvec(content).map_err(|error| PayloadError::Unwritable(error.to_string()))?;
    zstd::bulk::compress(&plain, LEVEL).map_err(|error| PayloadError::Unwritable(error.to_string()))
}

/// Reads a record of commands in any encoding.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_commands(encoding: i16, payload: &[u8]) -> Result<Vec<Input>, PayloadError> {
    match encoding {
        1 => Ok(decode::<Vec<FirstInput>>(encoding, payload)?.into_iter().map(Input::from).collect()),
        _ => decode(encoding, payload),
    }
}

/// Reads an opening record in any encoding.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_opening(encoding: i16, payload: &[u8]) -> Result<Opening, PayloadError> {
    match encoding {
        1 | 2 => {
            let Opening { settings, feed, made_by, execution: () } = decode(encoding, payload)?;
            Ok(Opening { settings, feed, made_by, execution: Execution::Paper })
        }
        _ => decode(encoding, payload),
    }
}

/// Reads a payload whose type is the same in this encoding as in the current one. Whatever the bytes are, no more than 1 GiB is unpacked from them; what that
/// decodes to may take some times as much.
///
/// # Errors
///
/// [`PayloadError`] when the encoding is newer or the bytes are not what an encoder wrote.
pub fn decode<T: DeserializeOwned>(encoding: i16, payload: &[u8]) -> Result<T, PayloadError> {
    if encoding > ENCODING {
        return Err(PayloadError::Newer { found: encoding });
    }
    if encoding < 1 {
        return Err(PayloadError::Malformed(format!("there is no encoding {encoding}")));
    }
    let malformed = |error: &dyn std::fmt::Display| PayloadError::Malformed(error.to_string());
    let size = zstd::zstd_safe::get_frame_content_size(payload).ok().flatten();
    let size = size.ok_or_else(|| PayloadError::Malformed("it does not say how large it is".to_owned()))?;
    if size > LARGEST {
        return Err(PayloadError::Malformed(format!("it unpacks to more than {LARGEST} bytes")));
    }
    let size = usize::try_from(size).map_err(|error| malformed(&error))?;
    let plain = zstd::bulk::decompress(payload, size).map_err(|error| malformed(&error))?;
    let (content, rest) = postcard::take_from_bytes(&plain).map_err(|error| malformed(&error))?;
    if !rest.is_empty() {
        return Err(PayloadError::Malformed(format!("{} bytes follow its end", rest.len())));
    }
    Ok(content)
}
