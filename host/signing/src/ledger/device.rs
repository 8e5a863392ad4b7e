//! One app on one device: what it is asked, and how it answers.

use super::{Transport, TransportError};

/// The app that must be open on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum App {
    Ethereum,
    #[cfg(feature = "solana")]
    Solana,
}

impl App {
    const fn name(self) -> &'static str {
        match self {
            Self::Ethereum => "Ethereum",
            #[cfg(feature = "solana")]
            Self::Solana => "Solana",
        }
    }
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotDone {
    /// A person or the app said no.
    Refused(String),
    /// It may go better in a while.
    Unavailable(String),
    /// What came back is no answer.
    Wrong(&'static str),
}

/// A device with an app.
pub(crate) struct Device {
    app: App,
    transport: Box<dyn Transport>,
}

impl Device {
    pub(crate) fn new(app: App, transport: Box<dyn Transport>) -> Self {
        Self { app, transport }
    }

    /// The data of an answer, when the device did what it was asked.
    pub(crate) fn ask(&mut self, command: &[u8]) -> Result<Vec<u8>, NotDone> {
        let answered = self.transport.exchange(command);
        let bytes = answered.map_err(|error: TransportError| NotDone::Unavailable(error.to_string()))?;
        let (data, status) = Status::split(&bytes).ok_or(NotDone::Wrong("it has no status"))?;
        match status {
            Status::Done => Ok(data.to_vec()),
            Status::RejectedByUser | Status::DataRefused => Err(NotDone::Refused(status.words(self.app))),
            Status::Locked | Status::WrongApp | Status::Other(_) => {
                Err(NotDone::Unavailable(status.words(self.app)))
            }
        }
    }

    /// The answer to the last of several commands that belong together.
    pub(crate) fn ask_all(&mut self, commands: &[Vec<u8>]) -> Result<Vec<u8>, NotDone> {
        let mut last = Vec::new();
        for command in commands {
            last = self.ask(command)?;
        }
        Ok(last)
    }
}

/// How an answer ends. The apps have most of them in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Done,
    RejectedByUser,
    /// The app does not sign such data.
    DataRefused,
    /// The device waits for its code.
    Locked,
    /// Another app is open, or none.
    WrongApp,
    Other(u16),
}

impl Status {
    /// The data of an answer and how it ends.
    fn split(answer: &[u8]) -> Option<(&[u8], Self)> {
        let (data, status) = answer.split_last_chunk::<2>()?;
        let status = match u16::from_be_bytes(*status) {
            0x9000 => Self::Done,
            0x6985 | 0x5501 => Self::RejectedByUser,
            0x6a80..=0x6a83 | 0x6984 | 0x6501 | 0x6808 => Self::DataRefused,
            0x5515 | 0x6804 | 0x6b0c | 0x6982 => Self::Locked,
            0x6511 | 0x6700 | 0x6d00 | 0x6e00 | 0x6e01 => Self::WrongApp,
            other => Self::Other(other),
        };
        Some((data, status))
    }

    fn words(self, app: App) -> String {
        let app = app.name();
        match self {
            Self::Done => "done".to_owned(),
            Self::RejectedByUser => "it was refused on the device".to_owned(),
            Self::DataRefused => format!(
                "the {app} app does not sign this; what it can't explain needs \"blind signing\" in the app's settings"
            ),
            Self::Locked => "the device is locked".to_owned(),
            Self::WrongApp => format!("the {app} app is not open on the device"),
            Self::Other(status) => format!("the device answered with status {status:#06x}"),
        }
    }
}
