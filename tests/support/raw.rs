//! A client that speaks as it likes: bytes on a connection, without the manners of a library.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use super::host::PATIENCE;

/// A connection to a host.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// Sends bytes; whether the host still takes them.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// All that comes until the host closes the connection.
    pub(crate) fn rest(&mut self) -> String {
        let mut all = Vec::new();
        match self.0.read_to_end(&mut all) {
            Ok(_) => {}
            // What was still on its way to it when it closed makes it so.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("it is not closed: {error}; until then {}", String::from_utf8_lossy(&all)),
        }
        String::from_utf8_lossy(&all).into_owned()
    }

    /// What comes until there is this in it.
    pub(crate) fn until(&mut self, part: &str) -> String {
        let mut all = Vec::new();
        let mut byte = [0];
        while !String::from_utf8_lossy(&all).contains(part) {
            assert_eq!(self.0.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&all));
            all.push(byte[0]);
        }
        String::from_utf8_lossy(&all).into_owned()
    }
}

/// Sends bytes on a connection of their own; all that comes back until it is closed.
pub(crate) fn exchange(address: &str, bytes: &[u8]) -> String {
    let mut connection = Raw::connect(address);
    connection.send(bytes);
    connection.rest()
}

/// The statuses of the answers in it.
pub(crate) fn statuses(text: &str) -> Vec<u16> {
    let answers = text.split("HTTP/1.1 ").skip(1);
    answers.map(|answer| answer.get(..3).and_then(|status| status.parse().ok()).unwrap_or(0)).collect()
}
