//! HTTP as all channels use it: bounded in time, with what a failure means for those who wait.

use std::time::Duration;

use ureq::Agent;

/// Time to connect.
const CONNECT: Duration = Duration::from_secs(10);

/// What an answer may be long, in bytes.
pub(crate) const LONGEST_ANSWER: u64 = 4 * 1024 * 1024;

/// A server is left alone for so long at most, whatever it asks for.
const LONGEST_REST: Duration = Duration::from_secs(3_600);

/// Why something was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It may pass.
    Passing {
        /// What happened.
        why: String,
        /// The server wants to be left alone for so long, within bounds.
        after: Option<Duration>,
    },
    /// It may pass, and concerns some of the places that a channel tells; others are told meanwhile.
    InPart {
        /// What happened.
        why: String,
        /// Those places want to be left alone for so long, within bounds.
        after: Option<Duration>,
    },
    /// Trying again would not help.
    Final {
        /// What happened.
        why: String,
    },
}

impl Failure {
    pub(crate) const fn passing(why: String) -> Self {
        Self::Passing { why, after: None }
    }

    pub(crate) fn why(&self) -> &str {
        match self {
            Self::Passing { why, .. } | Self::InPart { why, .. } | Self::Final { why } => why,
        }
    }
}

/// Makes what requests to an address are sent with.
pub(crate) fn agent(address: &str) -> Agent {
    bulkhead_outbound::configured(address).timeout_connect(Some(CONNECT)).build().into()
}

/// What went wrong with a request.
pub(crate) fn failure(error: &ureq::Error) -> Failure {
    let why = bulkhead_outbound::why(error);
    if bulkhead_outbound::is_of_address(error) { Failure::Final { why } } else { Failure::passing(why) }
}

/// What the server says about when to come back. Only seconds are understood; a date is treated as nothing said.
pub(crate) fn retry_after<T>(response: &ureq::http::Response<T>) -> Option<Duration> {
    let text = response.headers().get("retry-after")?.to_str().ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // More digits than fit are as long as anything.
    is_number.then(|| rest(text.parse().unwrap_or(u64::MAX)))
}

/// So many seconds of rest, within bounds.
pub(crate) fn rest(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_left_alone_within_bounds() {
        let asked = |text: &str| {
            retry_after(&ureq::http::Response::builder().header("retry-after", text).body(()).unwrap())
        };
        assert_eq!(asked(" 7 "), Some(Duration::from_secs(7)));
        for huge in ["3601", "18446744073709551615", "99999999999999999999999"] {
            assert_eq!(asked(huge), Some(LONGEST_REST), "{huge}");
        }
        for other in ["", "-1", "1.5", "Wed, 21 Oct 2015 07:28:00 GMT"] {
            assert_eq!(asked(other), None, "{other}");
        }
    }
}
