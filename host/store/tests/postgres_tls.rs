//! Encrypted connections to a real Postgres server: who it is must be proved when the URL asks for it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

mod support;

use std::path::{Path, PathBuf};

use bulkhead_store::database::{Database, Options};
use bulkhead_store::storage::StoreError;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use support::postgres::{Cluster, shared};

/// An authority that vouches for servers.
fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

/// A server with a certificate for this name, and where it listens.
fn server(authority: &CertifiedIssuer<'static, KeyPair>, name: &str) -> (Cluster, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    let cluster = Cluster::start();
    let database = cluster.new_database();
    let (address, port) = cluster.listen_encrypted(&certificate.pem(), &key.serialize_pem());
    (cluster, format!("postgres://postgres@{address}:{port}/{database}"))
}

fn root(folder: &Path, name: &str, authority: &CertifiedIssuer<'static, KeyPair>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, authority.pem()).unwrap();
    path
}

fn open(url: &str) -> Result<Database, StoreError> {
    Database::open(&url.parse().unwrap(), Options::writer().migrating())
}

/// What a person is told who can do something about it; trying again would not help.
fn refused(url: &str) -> String {
    match open(url) {
        Err(error @ StoreError::Unsuitable(_)) => error.to_string(),
        other => panic!("{url}: {other:?}"),
    }
}

#[test]
fn a_server_is_trusted_when_the_root_vouches_for_it_and_not_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (authority("ours"), authority("another"));
    let (right, wrong) = (root(folder.path(), "right.pem", &ours), root(folder.path(), "wrong.pem", &other));
    let (_cluster, url) = server(&ours, &Cluster::address_of_this_process());
    let verified = |mode: &str, root: &Path| format!("{url}?sslmode={mode}&sslrootcert={}", root.display());

    let mut database = open(&verified("verify-full", &right)).unwrap();
    assert_eq!(database.shards().unwrap(), []);
    drop(database);
    for mode in ["verify-full", "verify-ca"] {
        let told = refused(&verified(mode, &wrong));
        for part in ["no encrypted connection", "UnknownIssuer", "sslrootcert"] {
            assert!(told.contains(part), "{mode}: {told}");
        }
    }
    // This only encrypts, whoever it is.
    open(&format!("{url}?sslmode=require")).unwrap();
    let told = refused(&verified("verify-full", &folder.path().join("missing.pem")));
    assert!(told.contains("sslrootcert"), "{told}");
}

#[test]
fn a_certificate_for_another_name_is_refused_when_the_name_matters() {
    let folder = tempfile::tempdir().unwrap();
    let ours = authority("ours");
    let right = root(folder.path(), "right.pem", &ours);
    let (_cluster, url) = server(&ours, "elsewhere.example");
    let told = refused(&format!("{url}?sslmode=verify-full&sslrootcert={}", right.display()));
    assert!(told.contains("no encrypted connection") && told.contains("not valid for name"), "{told}");
    open(&format!("{url}?sslmode=verify-ca&sslrootcert={}", right.display())).unwrap();
}

#[test]
fn a_server_without_encryption_is_refused_when_it_is_required() {
    let url = shared().url(&shared().new_database());
    for mode in ["require", "verify-ca", "verify-full"] {
        let told = refused(&format!("{url}&sslmode={mode}"));
        assert!(told.contains("no encrypted connection") && told.contains("sslmode"), "{told}");
    }
    open(&format!("{url}&sslmode=prefer")).unwrap();
}
