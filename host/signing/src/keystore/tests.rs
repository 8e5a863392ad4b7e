use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use tempfile::TempDir;

use super::rotation::Progress;
use super::*;

const OLD: &str = "correct horse battery staple";
const NEW: &str = "another horse, another staple";

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned())
}

fn name(name: &str) -> KeyName {
    name.parse().unwrap()
}

/// A keystore with an EVM key "trading" and a Solana key "other".
fn keystore() -> (TempDir, Keystore, Unlocked) {
    let directory = TempDir::new().unwrap();
    let store = Keystore::at(directory.path().join("keys"));
    let unlocked = store.create(&passphrase(OLD), KdfCost::LEAST).unwrap();
    for (key, kind) in [("trading", KeyKind::Evm), ("other", KeyKind::Solana)] {
        unlocked
            .add(name(key), &PrivateKey::random(kind).unwrap(), Policy::default(), 1_700_000_000)
            .unwrap();
    }
    (directory, store, unlocked)
}

fn files(store: &Keystore) -> Vec<PathBuf> {
    let generation = store.generation(store.current().unwrap());
    directory::names(&generation).unwrap().iter().map(|name| generation.join(name)).collect()
}

#[test]
fn keys_are_there_again_with_the_passphrase_only() {
    let (_directory, store, unlocked) = keystore();
    let (key, info) = unlocked.open(&name("trading")).unwrap();
    assert_eq!(info.address, key.address());
    let again = store.unlock(&passphrase(OLD)).unwrap();
    assert_eq!(again.open(&name("trading")).unwrap().0.address(), key.address());
    assert_eq!(again.open(&name("other")).unwrap().1.kind, KeyKind::Solana);
    assert_eq!(again.list().unwrap(), store.list().unwrap());
    assert!(matches!(store.unlock(&passphrase(NEW)), Err(KeystoreError::Passphrase { .. })));
    assert!(matches!(again.open(&name("third")), Err(KeystoreError::NoKey { .. })));
}

#[test]
fn a_name_or_an_address_is_there_once() {
    let (_directory, _store, unlocked) = keystore();
    let (key, _) = unlocked.open(&name("trading")).unwrap();
    let same_address = unlocked.add(name("copy"), &key, Policy::default(), 0);
    assert!(matches!(same_address, Err(KeystoreError::Taken { name, .. }) if name.as_str() == "trading"));
    let another = PrivateKey::random(KeyKind::Evm).unwrap();
    assert!(matches!(
        unlocked.add(name("trading"), &another, Policy::default(), 0),
        Err(KeystoreError::Taken { .. })
    ));
    assert!(matches!(
        unlocked.add(name("master"), &another, Policy::default(), 0),
        Err(KeystoreError::Name { .. })
    ));
    for bad in ["", "-a", "a/b", "..", "A", "a b", &"a".repeat(65)] {
        assert!(bad.parse::<KeyName>().is_err(), "{bad}");
    }
}

#[test]
fn a_removed_key_is_gone() {
    let (_directory, store, unlocked) = keystore();
    assert_eq!(store.remove(&name("other")).unwrap().kind, KeyKind::Solana);
    assert!(matches!(store.remove(&name("other")), Err(KeystoreError::NoKey { .. })));
    assert_eq!(unlocked.list().unwrap().len(), 1);
}

#[test]
fn a_policy_can_be_replaced_and_is_bound_to_the_key() {
    let (_directory, store, unlocked) = keystore();
    unlocked.set_policy(&name("trading"), Policy::anything()).unwrap();
    let (_, info) = store.unlock(&passphrase(OLD)).unwrap().open(&name("trading")).unwrap();
    assert!(info.policy.allow_anything);
}

/// Whatever byte of whatever file is another, the keystore opens to nothing.
#[test]
fn every_flipped_byte_is_refused() {
    let (_directory, store, unlocked) = keystore();
    for path in files(&store) {
        let whole = fs::read(&path).unwrap();
        let is_master = path.ends_with(MASTER);
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1 << (place % 7);
            fs::write(&path, &changed).unwrap();
            let opened =
                if is_master { store.unlock(&passphrase(OLD)).map(drop) } else { unlocked.list().map(drop) };
            assert!(opened.is_err(), "byte {place} of {}", path.display());
        }
        fs::write(&path, &whole).unwrap();
    }
    assert_eq!(store.unlock(&passphrase(OLD)).unwrap().list().unwrap().len(), 2);
}

#[test]
fn files_can_not_be_swapped_cut_or_grown() {
    let (_directory, store, unlocked) = keystore();
    let generation = store.generation(1);
    let (trading, other) = (generation.join("trading.json"), generation.join("other.json"));
    let (first, second) = (fs::read(&trading).unwrap(), fs::read(&other).unwrap());
    fs::write(&trading, &second).unwrap();
    assert!(matches!(unlocked.open(&name("trading")), Err(KeystoreError::Damaged { .. })));
    // Under the name inside, but not the one it was encrypted with.
    let renamed = String::from_utf8(second.clone()).unwrap().replace("\"other\"", "\"trading\"");
    fs::write(&trading, renamed).unwrap();
    assert!(matches!(unlocked.open(&name("trading")), Err(KeystoreError::Damaged { .. })));
    for bytes in [&first[..first.len() - 1], &[first.as_slice(), b" "].concat(), b""] {
        fs::write(&trading, bytes).unwrap();
        assert!(matches!(unlocked.open(&name("trading")), Err(KeystoreError::Damaged { .. })));
    }
    fs::write(&trading, &first).unwrap();
    unlocked.open(&name("trading")).unwrap();
}

#[test]
fn a_policy_in_a_file_can_not_be_widened() {
    let (_directory, store, unlocked) = keystore();
    let path = store.generation(1).join("trading.json");
    let file: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mut wider: KeyFile = serde_json::from_value(file).unwrap();
    wider.public.policy = Policy::anything();
    write(&path, &wider).unwrap();
    assert!(matches!(unlocked.open(&name("trading")), Err(KeystoreError::Damaged { .. })));
}

#[test]
fn a_file_can_ask_neither_for_all_memory_nor_for_next_to_none() {
    let (_directory, store, _) = keystore();
    let path = store.master(1);
    let whole = String::from_utf8(fs::read(&path).unwrap()).unwrap();
    for (from, to) in [
        ("\"memory_kib\": 8192", "\"memory_kib\": 4294967295"),
        ("\"memory_kib\": 8192", "\"memory_kib\": 8"),
        ("\"passes\": 1", "\"passes\": 4294967295"),
        ("\"passes\": 1", "\"passes\": 0"),
        ("\"lanes\": 1", "\"lanes\": 16777215"),
        ("\"lanes\": 1", "\"lanes\": 0"),
    ] {
        let changed = whole.replace(from, to);
        assert_ne!(changed, whole);
        fs::write(&path, changed).unwrap();
        assert!(matches!(store.unlock(&passphrase(OLD)), Err(KeystoreError::KdfCost { .. })), "{to}");
    }
}

#[test]
fn everything_is_its_owners_alone_or_refused() {
    let (_directory, store, _) = keystore();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(store.root()), 0o700);
    assert_eq!(mode(&store.generation(1)), 0o700);
    let mut all = files(&store);
    all.extend([store.root().join(CURRENT), store.root().join(LOCK)]);
    for path in &all {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    fs::set_permissions(store.root(), Permissions::from_mode(0o750)).unwrap();
    assert!(matches!(store.unlock(&passphrase(OLD)), Err(KeystoreError::Open { mode: 0o750, .. })));
    fs::set_permissions(store.root(), Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(store.master(1), Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(store.unlock(&passphrase(OLD)), Err(KeystoreError::Open { mode: 0o644, .. })));
}

#[test]
fn a_keystore_is_made_once_and_with_a_passphrase_that_is_one() {
    let (_directory, store, _) = keystore();
    assert!(matches!(store.create(&passphrase(OLD), KdfCost::LEAST), Err(KeystoreError::Exists { .. })));
    let elsewhere = Keystore::at(store.root().join("elsewhere"));
    assert!(matches!(elsewhere.unlock(&passphrase(OLD)), Err(KeystoreError::Missing { .. })));
    assert!(matches!(
        elsewhere.create(&passphrase("short"), KdfCost::LEAST),
        Err(KeystoreError::ShortPassphrase)
    ));
    // Keys without `current` are somebody's; they are not taken for what an interruption left.
    fs::remove_file(store.root().join(CURRENT)).unwrap();
    assert!(matches!(store.create(&passphrase(OLD), KdfCost::LEAST), Err(KeystoreError::NoCurrent { .. })));
    assert_eq!(key_names(&store.generation(1)).unwrap().len(), 2);
}

#[test]
fn a_rotation_changes_the_passphrase_and_the_master_key_and_no_key() {
    let (_directory, store, before) = keystore();
    let infos = before.list().unwrap();
    assert_eq!(store.rotate(&passphrase(OLD), &passphrase(NEW), KdfCost::LEAST).unwrap(), infos);
    assert!(matches!(store.unlock(&passphrase(OLD)), Err(KeystoreError::Passphrase { .. })));
    let after = store.unlock(&passphrase(NEW)).unwrap();
    assert_eq!(after.list().unwrap(), infos);
    assert_ne!(after.master.bytes(), before.master.bytes());
    assert!(!store.generation(1).exists());
    // Whoever opened it before must not write with the old master key.
    let key = PrivateKey::random(KeyKind::Evm).unwrap();
    assert!(matches!(before.add(name("late"), &key, Policy::default(), 0), Err(KeystoreError::Rotated)));
    let wrong = store.rotate(&passphrase(OLD), &passphrase(NEW), KdfCost::LEAST);
    assert!(matches!(wrong, Err(KeystoreError::Passphrase { .. })));
}

/// Stopped after each step, the keystore holds every key under exactly one of both passphrases, and the next change
/// clears away what was left.
#[test]
fn an_interrupted_rotation_recovers_at_every_step() {
    let mut seen = Vec::new();
    for stop in 0.. {
        let (_directory, store, unlocked) = keystore();
        let infos = unlocked.list().unwrap();
        let mut left = stop;
        let mut last = None;
        let rotated =
            store.rotate_watched(&passphrase(OLD), &passphrase(NEW), KdfCost::LEAST, &mut |progress| {
                last = Some(progress);
                if left == 0 {
                    return Err(KeystoreError::Interrupted);
                }
                left -= 1;
                Ok(())
            });
        if rotated.is_ok() {
            break;
        }
        seen.extend(last);
        let is_switched = last == Some(Progress::Switched);
        let (works, fails) = if is_switched { (NEW, OLD) } else { (OLD, NEW) };
        assert!(
            matches!(store.unlock(&passphrase(fails)), Err(KeystoreError::Passphrase { .. })),
            "{last:?}"
        );
        let opened = store.unlock(&passphrase(works)).unwrap();
        assert_eq!(opened.list().unwrap(), infos, "{last:?}");
        // Another attempt, from what works to a third one.
        let third = passphrase("the third of the passphrases");
        assert_eq!(store.rotate(&passphrase(works), &third, KdfCost::LEAST).unwrap(), infos, "{last:?}");
        assert_eq!(store.unlock(&third).unwrap().list().unwrap(), infos);
        let left: Vec<_> = directory::names(store.root()).unwrap();
        assert_eq!(left.iter().filter(|name| name.starts_with(GENERATION)).count(), 1, "{last:?}: {left:?}");
    }
    let all = [
        Progress::Opened,
        Progress::MasterWritten,
        Progress::KeyWritten,
        Progress::KeyWritten,
        Progress::Proved,
        Progress::Switched,
    ];
    assert_eq!(seen, all);
}

#[test]
fn what_is_nowhere_else_is_never_cleared_away() {
    let (_directory, store, unlocked) = keystore();
    let stray = store.generation(9);
    make(&stray).unwrap();
    fs::copy(store.generation(1).join("trading.json"), stray.join("only-here.json")).unwrap();
    unlocked.set_policy(&name("trading"), Policy::anything()).unwrap();
    assert!(stray.join("only-here.json").exists());
}
