//! Logins of browsers. A page shows a token once and gets a cookie instead, which its scripts can't read. What the
//! cookie holds is random and means something only to this run of the host.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, header};
use bulkhead_core::identifier::ContentHash;
use bulkhead_core::time::{Span, Timestamp};
use tokio::sync::watch;

use crate::wallets::WalletAddress;

/// The cookie.
const COOKIE: &str = "bulkhead_session";

/// A cookie is replaced by a new one when it is older than this and its page asks how it stands.
const ROTATED_EVERY: Span = Span::from_seconds(15 * 60);

/// How long the one before is still taken, for what is on its way.
const GRACE: Span = Span::from_seconds(60);

/// Logins at a time; beyond that the oldest end.
const MOST: usize = 10_000;

/// What a login stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// The token of this name, as long as it is good.
    Token(String),
    /// A wallet, as long as the configuration knows it: as long as this run lasts.
    Wallet(WalletAddress),
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// What was shown for it.
    pub(crate) credential: Credential,
    /// Another one for each login, and the same when its cookie is replaced.
    pub(crate) login: u64,
    /// When the cookie was made.
    made: Timestamp,
    /// When it ends.
    pub(crate) expires: Timestamp,
}

/// All logins, by the hash of what their cookies hold.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    known: Mutex<BTreeMap<ContentHash, Session>>,
    /// Told whenever one was ended by its page.
    ended: watch::Sender<()>,
}

/// What the cookie of a login is to hold.
pub(crate) struct Secret(String);

impl Sessions {
    /// Begins a login that lasts so long.
    pub(crate) fn begin(
        &self,
        credential: Credential,
        now: Timestamp,
        lasts: Span,
    ) -> Result<Secret, getrandom::Error> {
        let login = getrandom::u64()?;
        self.add(Session { credential, login, made: now, expires: now.plus(lasts) }, now)
    }

    fn add(&self, session: Session, now: Timestamp) -> Result<Secret, getrandom::Error> {
        let mut bits = [0; 32];
        getrandom::fill(&mut bits)?;
        let mut sessions = self.lock();
        sessions.retain(|_, session| now < session.expires);
        if sessions.len() >= MOST
            && let Some(oldest) = sessions.iter().min_by_key(|(_, session)| session.made).map(|(key, _)| *key)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(ContentHash::of(&bits), session);
        Ok(Secret(ContentHash::new(bits).to_string()))
    }

    /// The login whose cookie came with a request. Only hashes are compared, and nobody can choose those.
    pub(crate) fn find(&self, headers: &HeaderMap, now: Timestamp) -> Option<(ContentHash, Session)> {
        let key = key(headers)?;
        let sessions = self.lock();
        sessions.get(&key).filter(|session| now < session.expires).map(|session| (key, session.clone()))
    }

    /// A new cookie in place of one that is old, which ends soon after. The login itself lasts no longer by it.
    pub(crate) fn rotate(&self, headers: &HeaderMap, now: Timestamp) -> Option<Secret> {
        let (key, session) = self.find(headers, now)?;
        if now < session.made.plus(ROTATED_EVERY) {
            return None;
        }
        let mut sessions = self.lock();
        let old = sessions.get_mut(&key)?;
        old.expires = old.expires.min(now.plus(GRACE));
        // It is not replaced again.
        old.made = now;
        drop(sessions);
        self.add(Session { made: now, ..session }, now).ok()
    }

    /// Ends the login whose cookie came with a request, under the cookies before as well.
    pub(crate) fn end(&self, headers: &HeaderMap) {
        let Some(key) = key(headers) else { return };
        let mut sessions = self.lock();
        if let Some(ended) = sessions.remove(&key) {
            sessions.retain(|_, session| session.login != ended.login);
            drop(sessions);
            self.ended.send_replace(());
        }
    }

    /// Waits until the login was ended by its page.
    pub(crate) async fn logged_out(&self, login: u64) {
        let mut ended = self.ended.subscribe();
        let gone = ended.wait_for(|()| self.lock().values().all(|session| session.login != login));
        // It ends with the host at the latest.
        if gone.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ContentHash, Session>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(headers: &HeaderMap) -> Option<ContentHash> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let secret = pairs.find(|(name, _)| *name == COOKIE)?.1;
    let bits = ContentHash::try_from(secret.to_owned()).ok()?;
    Some(ContentHash::of(bits.bytes()))
}

impl Secret {
    /// The header that sets the cookie. `secure` keeps it off unencrypted connections.
    pub(crate) fn header(&self, lasts: Span, secure: bool) -> String {
        header_of(&self.0, lasts.nanos() / 1_000_000_000, secure)
    }
}

/// The header that takes the cookie back.
pub(crate) fn ending_header(secure: bool) -> String {
    header_of("", 0, secure)
}

fn header_of(value: &str, seconds: i64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const HOUR: Span = Span::from_seconds(3_600);

    fn zoe() -> Credential {
        Credential::Token("zoe".to_owned())
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn with_cookie(secret: &Secret) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let cookie = format!("a=b; {COOKIE}={}", secret.0);
        headers.insert(header::COOKIE, HeaderValue::try_from(cookie).unwrap());
        headers
    }

    #[test]
    fn a_login_lasts_as_long_as_it_may() {
        let sessions = Sessions::default();
        let cookie = with_cookie(&sessions.begin(zoe(), at(0), HOUR).unwrap());
        assert_eq!(sessions.find(&cookie, at(3_599)).unwrap().1.credential, zoe());
        assert_eq!(sessions.find(&cookie, at(3_600)), None);
        assert_eq!(sessions.find(&HeaderMap::new(), at(0)), None);
        assert_eq!(sessions.find(&with_cookie(&Secret("nonsense".to_owned())), at(0)), None);
        sessions.end(&cookie);
        assert_eq!(sessions.find(&cookie, at(1)), None);
    }

    #[tokio::test]
    async fn who_waits_for_the_end_of_a_login_is_told_whatever_cookie_it_has_by_then() {
        let sessions = Sessions::default();
        let cookie = with_cookie(&sessions.begin(zoe(), at(0), HOUR).unwrap());
        let other =
            sessions.find(&with_cookie(&sessions.begin(zoe(), at(0), HOUR).unwrap()), at(0)).unwrap().1;
        let login = sessions.find(&cookie, at(0)).unwrap().1.login;
        let next = with_cookie(&sessions.rotate(&cookie, at(1_000)).unwrap());
        let ended = async {
            tokio::task::yield_now().await;
            sessions.end(&next);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = sessions.logged_out(login) => {}
            () = sessions.logged_out(other.login) => panic!("it is another login"),
            () = ended => {}
        }
        assert_eq!(sessions.find(&cookie, at(1_001)), None, "the cookie before is worth nothing either");
    }

    #[test]
    fn an_old_cookie_is_replaced_and_soon_worth_nothing() {
        let sessions = Sessions::default();
        let cookie = with_cookie(&sessions.begin(zoe(), at(0), HOUR).unwrap());
        assert!(sessions.rotate(&cookie, at(60)).is_none(), "it is new");
        let next = with_cookie(&sessions.rotate(&cookie, at(1_000)).unwrap());
        assert!(sessions.find(&cookie, at(1_059)).is_some());
        assert!(sessions.find(&cookie, at(1_060)).is_none());
        assert!(sessions.rotate(&cookie, at(1_001)).is_none(), "it is replaced once");
        assert!(sessions.find(&next, at(3_599)).is_some());
        assert!(sessions.find(&next, at(3_600)).is_none(), "the login lasts no longer by it");
    }

    #[test]
    fn scripts_and_other_sites_do_not_see_the_cookie() {
        let secret = Secret("0".to_owned());
        let header = secret.header(HOUR, true);
        assert_eq!(header, "bulkhead_session=0; Path=/; Max-Age=3600; HttpOnly; SameSite=Strict; Secure");
        assert!(!secret.header(HOUR, false).contains("Secure"));
    }
}
