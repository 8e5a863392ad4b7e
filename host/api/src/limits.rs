//! How much may be asked: so many requests a minute for each token, and for each address, whose requests without
//! a valid token count too.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::connections::customer;
use crate::problem::{Kind, Problem};

/// An address may ask as much as so many tokens, as several programs may share it.
const TOKENS_BEHIND_AN_ADDRESS: u32 = 4;

/// Logins of an address in a minute, whether or not they succeed.
const LOGINS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// After so many requests the limiters forget whoever has not asked for a while.
const FORGET_EVERY: u32 = 1024;

pub(crate) struct Limits {
    tokens: DefaultKeyedRateLimiter<String>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    logins: DefaultKeyedRateLimiter<IpAddr>,
    asked: AtomicU32,
}

impl Limits {
    pub(crate) fn new(requests_per_minute: NonZeroU32) -> Self {
        let of_address = requests_per_minute
            .saturating_mul(NonZeroU32::new(TOKENS_BEHIND_AN_ADDRESS).unwrap_or(NonZeroU32::MIN));
        Self {
            tokens: RateLimiter::keyed(Quota::per_minute(requests_per_minute)),
            addresses: RateLimiter::keyed(Quota::per_minute(of_address)),
            logins: RateLimiter::keyed(Quota::per_minute(LOGINS_PER_MINUTE)),
            asked: AtomicU32::new(0),
        }
    }

    /// Counts a request of an address.
    pub(crate) fn address(&self, address: IpAddr) -> Result<(), Problem> {
        if self.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(FORGET_EVERY) {
            self.tokens.retain_recent();
            self.addresses.retain_recent();
            self.logins.retain_recent();
        }
        self.addresses.check_key(&customer(address)).map_err(|_| too_many("this address"))
    }

    /// Counts a login from an address.
    pub(crate) fn login(&self, address: IpAddr) -> Result<(), Problem> {
        self.logins.check_key(&customer(address)).map_err(|_| {
            Problem::new(Kind::TooManyRequests, "too many logins from this address; try again in a minute")
        })
    }

    /// Counts a request of a token.
    pub(crate) fn token(&self, name: &str) -> Result<(), Problem> {
        self.tokens.check_key(&name.to_owned()).map_err(|_| too_many("this token"))
    }
}

fn too_many(whose: &str) -> Problem {
    Problem::new(
        Kind::TooManyRequests,
        format!("{whose} asks too often; ask less often, or raise api.requests_per_minute"),
    )
}
