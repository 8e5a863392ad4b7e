//! Webhooks: JSON by POST, signed so that the receiver knows who it is from and when it was sent.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use ureq::Agent;

use crate::alert::Alert;
use crate::channel::Channel;
use crate::http::{self, Failure};
use crate::outbox::Parcel;
use crate::secret::Secret;
use crate::text::{shortened, time};

/// The version of the body's format. Fields are only ever added to a version.
const VERSION: u32 = 1;

/// Time until a receiver must have answered.
const ANSWER: Duration = Duration::from_secs(20);

/// Longest text, in characters.
const LONGEST_TEXT: usize = 4_000;

/// A webhook.
pub(crate) struct Webhook {
    agent: Agent,
    url: Secret,
    secret: Secret,
}

impl Webhook {
    pub(crate) fn new(url: Secret, secret: Secret) -> Self {
        Self { agent: http::agent(url.reveal()), url, secret }
    }
}

impl Channel for Webhook {
    fn send(&self, parcel: &mut Parcel) -> Result<(), Failure> {
        let body = body(&parcel.alert, &parcel.delivery).to_string();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let answer = self
            .agent
            .post(self.url.reveal())
            .config()
            .timeout_global(Some(ANSWER))
            .build()
            .header("content-type", "application/json")
            .header("bulkhead-signature", signature(&self.secret, now, &body))
            .header("bulkhead-delivery", &parcel.delivery)
            .send(body.as_bytes())
            .map_err(|error| http::failure(&error))?;
        let status = answer.status().as_u16();
        let why = format!("it answered with status {status}");
        match status {
            200..300 => Ok(()),
            408 | 425 | 429 | 500.. => Err(Failure::Passing { why, after: http::retry_after(&answer) }),
            300..400 => Err(Failure::Final {
                why: format!("{why}; redirects are not followed, configure the address itself"),
            }),
            _ => Err(Failure::Final { why }),
        }
    }
}

/// The header that says when the body was signed, and the signature over both.
fn signature(secret: &Secret, now: u64, body: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{now}.{body}").as_bytes());
    let bytes = mac.finalize().into_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={now},v1={hex}")
}

fn body(alert: &Alert, delivery: &str) -> Value {
    json!({
        "version": VERSION,
        "id": delivery,
        "kind": alert.kind.name(),
        "severity": alert.kind.severity().name(),
        "account": alert.account,
        "strategy": alert.strategy,
        "instrument": alert.instrument,
        "title": shortened(&alert.title, LONGEST_TEXT),
        "text": shortened(&alert.text, LONGEST_TEXT),
        "time": alert.time.map(time),
        "sequence": alert.sequence,
        "repeated": alert.repeated,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_hmac_sha256_over_time_and_body() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
        let signed = signature(&Secret::new("secret"), 1_700_000_000, "{\"a\":1}");
        assert_eq!(
            signed,
            "t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686"
        );
    }

    #[test]
    fn the_body_has_every_field_whatever_it_is_about() {
        let body = body(&Alert::test(), "d1");
        let expected = json!({
            "version": 1, "id": "d1", "kind": "test", "severity": "info", "account": null, "strategy": null,
            "instrument": null, "title": "test alert", "text": "This is a test. Alerts reach this channel.",
            "time": null, "sequence": null, "repeated": 0,
        });
        assert_eq!(body, expected);
    }
}
