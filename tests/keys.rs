//! The commands for keys as a person uses them, in the real binary.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use support::{bulkhead, json, succeed};

const FIRST: &str = "correct horse battery staple";
const SECOND: &str = "another passphrase of some length";

/// A key that everybody knows, and its address.
const KNOWN: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const ITS_ADDRESS: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

/// A directory with passphrases in files that only their owner may read.
fn place() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in [("first", FIRST), ("second", SECOND), ("known", KNOWN)] {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    directory
}

fn keys(directory: &Path, arguments: &[&str]) -> Output {
    bulkhead(directory).arg("keys").args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// What a command that fails complains of.
fn complaint(directory: &Path, arguments: &[&str]) -> String {
    let output = keys(directory, arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

const WITH_FIRST: [&str; 2] = ["--passphrase-file", "first"];
const WITH_SECOND: [&str; 2] = ["--passphrase-file", "second"];

#[test]
fn a_keys_life_from_its_making_to_its_end() {
    let place = place();
    let place = place.path();
    let with = |words: &[&'static str], more: &[&'static str]| [&["keys"], words, more].concat();
    let made = json(place, &with(&["new", "trading", "--json"], &WITH_FIRST));
    let address = made["address"].as_str().unwrap().to_owned();
    let imported = ["import", "known", "--format", "hex", "--from", "known", "--json"];
    assert_eq!(json(place, &with(&imported, &WITH_FIRST))["address"], ITS_ADDRESS);

    let listed = json(place, &["keys", "list", "--json"]);
    let mut names: Vec<&str> =
        listed.as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["known", "trading"]);
    let proved = succeed(place, &with(&["export-address", "trading", "--prove"], &WITH_FIRST));
    assert_eq!(proved.trim(), address);

    // A passphrase that is not the keystore's opens and changes nothing.
    assert!(
        complaint(place, &["export-address", "trading", "--passphrase-file", "second"])
            .contains("passphrase")
    );
    let rotation = ["rotate", "--new-passphrase-file", "second"];
    succeed(place, &with(&rotation, &WITH_FIRST));
    complaint(place, &["export-address", "trading", "--passphrase-file", "first"]);
    succeed(place, &with(&["export-address", "trading", "--prove"], &WITH_SECOND));

    // Who removes a key names its address.
    let refused = complaint(place, &["remove", "trading", "--address", ITS_ADDRESS]);
    assert!(refused.contains("nothing was removed") && refused.contains(&address), "{refused}");
    succeed(place, &["keys", "remove", "trading", "--address", &address]);
    assert_eq!(json(place, &["keys", "list", "--json"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_passphrase_comes_through_a_descriptor_and_never_from_a_file_that_others_may_read() {
    let place = place();
    let place = place.path();
    let through_input = bulkhead(place)
        .args(["keys", "new", "trading", "--passphrase-fd", "0"])
        .stdin(std::fs::File::open(place.join("first")).unwrap())
        .output()
        .unwrap();
    assert!(through_input.status.success(), "{}", String::from_utf8_lossy(&through_input.stderr));
    std::fs::set_permissions(place.join("first"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = complaint(place, &["export-address", "trading", "--passphrase-file", "first"]);
    assert!(refused.contains("open to others") && !refused.contains(FIRST), "{refused}");
    // There is no flag for the passphrase itself.
    assert!(complaint(place, &["new", "other", "--passphrase", FIRST]).contains("unexpected argument"));
}

#[test]
fn an_imported_key_that_is_none_is_refused_without_being_shown() {
    let place = place();
    let bad = format!("{}zz", &KNOWN[2..]);
    std::fs::write(place.path().join("known"), &bad).unwrap();
    let import = ["import", "known", "--format", "hex", "--from", "known", "--passphrase-file", "first"];
    let refused = complaint(place.path(), &import);
    assert!(!refused.contains(&bad) && !refused.contains(&KNOWN[10..30]), "{refused}");
}

/// A Secret Service of its own, as on a desktop where somebody has logged in.
#[cfg(all(target_os = "linux", feature = "keyring"))]
fn on_a_desktop(directory: &Path, arguments: &[&str]) -> Output {
    /// Unlocks a keyring, then becomes what its arguments say.
    const DESKTOP: &str =
        r#"printf unlocked | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec "$@""#;
    Command::new("dbus-run-session")
        .args(["--", "sh", "-c", DESKTOP, "sh"])
        .arg(env!("CARGO_BIN_EXE_bulkhead"))
        .args(arguments)
        .current_dir(directory)
        .env("XDG_DATA_HOME", directory.join("data"))
        .env("XDG_RUNTIME_DIR", directory)
        .env("BULKHEAD__STORAGE", directory.join("storage"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
#[cfg(all(target_os = "linux", feature = "keyring"))]
fn the_systems_keyring_keeps_a_passphrase_until_it_is_to_forget_it() {
    if std::env::var_os("BULKHEAD_SECRET_SERVICE").is_none() {
        eprintln!("there is no Secret Service here; `cargo xtask test` gets one");
        return;
    }
    let place = place();
    let place = place.path();
    let address = json(place, &["keys", "new", "trading", "--json", "--passphrase-file", "first"]);
    let address = address["address"].as_str().unwrap();
    let prove = ["keys", "export-address", "trading", "--passphrase-keyring", "main"];
    let text = |output: Output| {
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.success(), out, err)
    };
    let (known, _, why) = text(on_a_desktop(place, &prove));
    assert!(!known && why.contains("bulkhead keys remember main"), "{why}");
    // What opens nothing is not kept.
    let (kept, ..) = text(on_a_desktop(place, &["keys", "remember", "main", "--passphrase-file", "second"]));
    assert!(!kept);
    let (kept, said, why) =
        text(on_a_desktop(place, &["keys", "remember", "main", "--passphrase-file", "first"]));
    assert!(kept && !said.contains(FIRST), "{said} {why}");
    let (opened, said, why) = text(on_a_desktop(place, &prove));
    assert!(opened && said.trim() == address, "{said} {why}");
    let (forgotten, ..) = text(on_a_desktop(place, &["keys", "forget", "main"]));
    let (opened, ..) = text(on_a_desktop(place, &prove));
    assert!(forgotten && !opened);
    // Where nobody has logged in there is no keyring, and that is said.
    let without = bulkhead(place).args(prove).env_remove("DBUS_SESSION_BUS_ADDRESS").output().unwrap();
    let (opened, _, why) = text(without);
    assert!(!opened && why.contains("keyring"), "{why}");
}
