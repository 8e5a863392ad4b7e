//! A connection that speaks the first version of HTTP only.
//!
//! The library that serves knows version 2 as well and finds out by itself which one is spoken. One connection of
//! version 2 carries many requests at a time and may be silent between them, which no limit here counts; and nobody
//! who speaks to this API needs it. So a connection that begins as one of version 2 ends there.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What every connection of HTTP/2 begins with, and none of HTTP/1.1 may (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Reads until it is the beginning of HTTP/2.
#[derive(Debug)]
pub(crate) struct FirstVersion<S> {
    inner: S,
    /// Bytes that were as the preface has them; `None` once one was not.
    alike: Option<usize>,
}

impl<S> FirstVersion<S> {
    pub(crate) const fn new(inner: S) -> Self {
        Self { inner, alike: Some(0) }
    }

    /// Takes what was read; whether it may go on.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let Some(alike) = self.alike else { return true };
        let expected = &PREFACE[alike..];
        let most = bytes.len().min(expected.len());
        if bytes[..most] != expected[..most] {
            self.alike = None;
            return true;
        }
        self.alike = Some(alike + most);
        alike + most < PREFACE.len()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstVersion<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        if self.take(&buffer.filled()[before..]) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "HTTP/2 is not spoken here")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstVersion<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a connection whose bytes come so many at a time may go on.
    fn goes_on(bytes: &[u8], at_a_time: usize) -> bool {
        let mut connection = FirstVersion::new(());
        bytes.chunks(at_a_time).all(|part| connection.take(part))
    }

    #[test]
    fn the_beginning_of_http_2_ends_it_however_it_comes() {
        let more = [PREFACE, b"\0\0\0\x04\0\0\0\0\0"].concat();
        let request = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
        let body = [&b"POST / HTTP/1.1\r\nContent-Length: 24\r\n\r\n"[..], PREFACE].concat();
        for at_a_time in [1, 3, 24, 100] {
            assert!(!goes_on(PREFACE, at_a_time));
            assert!(!goes_on(&more, at_a_time));
            assert!(goes_on(request, at_a_time));
            assert!(goes_on(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r!", at_a_time));
            assert!(goes_on(&body, at_a_time), "further on it is as good as any other text");
        }
    }
}
