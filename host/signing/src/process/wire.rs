//! What is said over the socket: frames of JSON, each after its length in four bytes, most significant first. One answer
//! for each request, in order.

use std::io;
use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::policy::Refusal;
use crate::request::{MAX_TRANSACTION_BYTES, Purpose};

/// The most bytes of a frame: the largest transaction in hexadecimal digits, and its purpose.
pub(super) const MAX_FRAME_BYTES: usize = 2 * MAX_TRANSACTION_BYTES + 4096;
/// How long a frame may take once it has begun.
pub(super) const FRAME_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Which keys there are.
    Keys {},
    /// A signature of the transaction of this payload.
    Sign { address: Address, payload: Bytes, purpose: Purpose },
    /// A signature for Solana of what is explained there.
    #[cfg(feature = "solana")]
    SignSolana { request: Box<crate::solana::Written> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Answer {
    Keys {
        keys: Vec<Key>,
    },
    Signed {
        raw: Bytes,
        hash: B256,
    },
    Refused {
        refusal: Refusal,
    },
    #[cfg(feature = "solana")]
    SignedSolana {
        /// In base 58.
        signature: String,
    },
    #[cfg(feature = "solana")]
    RefusedSolana {
        refusal: crate::solana::SolanaRefusal,
    },
    Unavailable {
        why: String,
    },
    /// The signer can't vouch for what it made; a person has to look.
    Wrong {
        why: String,
    },
    /// The request is none.
    Malformed {
        why: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Key {
    pub(crate) name: String,
    /// As its chains write it.
    pub(crate) address: String,
}

/// Why there is no frame.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("the connection ended")]
    Ended,
    #[error("it began to say something and did not finish within {} s", FRAME_TIMEOUT.as_secs())]
    Stalled,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it said something of {0} bytes, of {MAX_FRAME_BYTES} at most")]
    TooLong(usize),
    #[error("it said something that is not understood: {0}")]
    NotUnderstood(String),
}

/// The next frame. It is waited for as long as it takes; once begun it has to be there soon.
pub(super) async fn read<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<T, FrameError> {
    let mut length = [0; 4];
    match stream.read(&mut length[..1]).await? {
        0 => Err(FrameError::Ended),
        _ => timeout(FRAME_TIMEOUT, read_rest(stream, length)).await.map_err(|_| FrameError::Stalled)?,
    }
}

async fn read_rest<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
    mut length: [u8; 4],
) -> Result<T, FrameError> {
    stream.read_exact(&mut length[1..]).await.map_err(ended)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_FRAME_BYTES {
        return Err(FrameError::TooLong(length));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.map_err(ended)?;
    serde_json::from_slice(&bytes).map_err(|error| FrameError::NotUnderstood(error.to_string()))
}

fn ended(error: io::Error) -> FrameError {
    if error.kind() == io::ErrorKind::UnexpectedEof { FrameError::Ended } else { error.into() }
}

pub(super) async fn write<T: Serialize>(
    stream: &mut (impl AsyncWrite + Unpin),
    value: &T,
) -> Result<(), FrameError> {
    let json = serde_json::to_vec(value).map_err(|error| FrameError::NotUnderstood(error.to_string()))?;
    let length = u32::try_from(json.len()).ok().filter(|_| json.len() <= MAX_FRAME_BYTES);
    let length = length.ok_or(FrameError::TooLong(json.len()))?;
    let frame = [length.to_be_bytes().as_slice(), &json].concat();
    let written = timeout(FRAME_TIMEOUT, async {
        stream.write_all(&frame).await?;
        stream.flush().await
    });
    Ok(written.await.map_err(|_| FrameError::Stalled)??)
}
