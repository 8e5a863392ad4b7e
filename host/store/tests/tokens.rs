//! Tokens of the admin API, which are written beside the writer.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

mod support;

use bulkhead_core::identifier::ContentHash;
use bulkhead_core::time::Timestamp;
use bulkhead_store::database::{DatabaseUrl, TokenRow};
use bulkhead_store::storage::StoreError;
use support::{Place, on_both};

on_both! {
    tokens_are_written_beside_the_writer,
    a_name_is_given_once,
    a_copy_knows_the_tokens,
}

fn token(name: &str) -> TokenRow {
    TokenRow {
        hash: ContentHash::of(name.as_bytes()),
        name: name.to_owned(),
        role: "viewer".to_owned(),
        account: Some("main".to_owned()),
        created: Timestamp::from_seconds(1),
        expires: Some(Timestamp::from_seconds(100)),
        revoked: None,
        last_used: None,
    }
}

fn tokens_are_written_beside_the_writer(place: &Place) {
    let _writer = place.writer();
    let mut beside = place.reader();
    beside.add_token(&token("zoe")).unwrap();
    beside.add_token(&token("alice")).unwrap();
    assert!(beside.token_used("zoe", Timestamp::from_seconds(5)).unwrap());
    assert!(beside.revoke_token("zoe", Timestamp::from_seconds(7)).unwrap());
    assert!(beside.revoke_token("zoe", Timestamp::from_seconds(9)).unwrap());
    assert!(!beside.revoke_token("nobody", Timestamp::from_seconds(9)).unwrap());
    let zoe = TokenRow {
        last_used: Some(Timestamp::from_seconds(5)),
        revoked: Some(Timestamp::from_seconds(7)),
        ..token("zoe")
    };
    assert_eq!(place.reader().tokens().unwrap(), [token("alice"), zoe.clone()]);
    assert_eq!(place.reader().token("zoe").unwrap(), Some(zoe));
    assert_eq!(place.reader().token("nobody").unwrap(), None);
}

fn a_name_is_given_once(place: &Place) {
    let _writer = place.writer();
    let mut beside = place.reader();
    beside.add_token(&token("zoe")).unwrap();
    beside.revoke_token("zoe", Timestamp::from_seconds(7)).unwrap();
    let again = TokenRow { hash: ContentHash::of(b"another"), ..token("zoe") };
    assert!(matches!(beside.add_token(&again), Err(StoreError::Exists(_))));
}

fn a_copy_knows_the_tokens(place: &Place) {
    let mut store = place.writer();
    store.add_token(&token("zoe")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = DatabaseUrl::file(folder.path().join("copy.db"));
    store.copy_to(&copy).unwrap();
    let mut copy =
        bulkhead_store::database::Database::open(&copy, bulkhead_store::database::Options::reader());
    assert_eq!(copy.as_mut().unwrap().tokens().unwrap(), [token("zoe")]);
}
