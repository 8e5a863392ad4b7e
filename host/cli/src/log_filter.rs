//! Whose words can get into the log at all. How many of them do is up to the operator.
//!
//! The address of a server may hold a key, and libraries that talk to servers put addresses, headers and whole requests into
//! their spans and events once the operator asks for their details. Nobody can know what a next version of them tells, so what is
//! heard is listed, and everything else is not. Parts of the host name a server by its host alone.

use tracing::{Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

/// Libraries that are heard: they see no address of a server but that of the database, which they don't tell.
const LIBRARIES: [&str; 2] = ["sqlx", "wasmtime"];

/// What the subscriber is told, of all that the operator asks for.
pub(crate) fn filtered<S>(subscriber: S, asked_for: EnvFilter) -> impl Subscriber + for<'a> LookupSpan<'a>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    subscriber.with(asked_for.and_then(filter_fn(is_heard)))
}

fn is_heard(metadata: &Metadata<'_>) -> bool {
    let part = metadata.target().split("::").next().unwrap_or_default();
    part == "bulkhead" || part.starts_with("bulkhead_") || LIBRARIES.contains(&part)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::subscriber::with_default;
    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::{fmt, registry};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// What is written of what is said, when the operator asks for this.
    fn written(asked_for: &str, say: impl FnOnce()) -> String {
        let lines = Lines::default();
        let subscriber = filtered(registry(), EnvFilter::new(asked_for));
        let subscriber = subscriber.with(fmt::layer().with_writer(lines.clone()).with_ansi(false));
        with_default(subscriber, say);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_libraries_say_of_servers_is_not_heard_whatever_is_asked_for() {
        let asked = [
            "trace",
            "debug,alloy_transport_http=trace",
            "alloy_transport_http[ReqwestTransport]=trace",
            "[{url=https://node/planted}]=trace,hyper_util=trace",
        ];
        for asked_for in asked {
            let text = written(asked_for, || {
                let url = "https://node/planted";
                let span = tracing::error_span!(target: "alloy_transport_http::reqwest_transport", "ReqwestTransport", url);
                span.in_scope(|| {
                    tracing::error!(target: "alloy_rpc_client::call", url, "failed");
                    tracing::warn!(target: "hyper_util::client", "connecting to {url}");
                    tracing::trace!(target: "h2::codec", path = "/planted", "frame");
                    // Its own words are heard, and not those of the span around them.
                    tracing::error!(target: "bulkhead_evm::rpc::pool", endpoint = "node", "no answer");
                });
            });
            assert!(!text.contains("planted"), "{asked_for}: {text}");
        }
    }

    #[test]
    fn the_host_and_its_database_are_heard_as_the_operator_likes() {
        let say = || {
            tracing::debug!("one");
            tracing::debug!(target: "bulkhead_evm::rpc", "two");
            tracing::debug!(target: "sqlx::query", "three");
            tracing::error!(target: "bulkheads", "a stranger");
        };
        let all = written("debug", say);
        assert!(
            ["one", "two", "three"].iter().all(|word| all.contains(word)) && !all.contains("stranger"),
            "{all}"
        );
        let some = written("info,bulkhead_evm=debug", say);
        assert!(some.contains("two") && !some.contains("one") && !some.contains("three"), "{some}");
    }
}
