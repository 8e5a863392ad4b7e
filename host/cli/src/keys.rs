//! `bulkhead keys`: keys in the keystore, and what each may sign.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use bulkhead_signing::import::{MAX_IMPORT_BYTES, evm_from_hex, evm_from_v3, solana_from_json};
use bulkhead_signing::keystore::{KdfCost, KeyInfo, KeyName, Keystore, PrivateKey, Unlocked};
use bulkhead_signing::passphrase::{PassphraseSource, descriptor, private_file};
use bulkhead_signing::policy::Policy;
use comfy_table::Table;
use serde_json::{Value, json};

use crate::configuration;
use crate::key_arguments::{
    ImportFormat, KeyKind, KeysCommand, KeystoreArguments, PassphraseArguments, PolicyArguments,
};

/// What is asked for at the terminal.
const PASSPHRASE: &str = "passphrase of the keystore";
const NEW_PASSPHRASE: &str = "new passphrase of the keystore";
const IMPORT_PASSPHRASE: &str = "passphrase of the V3 keystore";

/// Does what is asked.
pub(crate) fn keys(command: &KeysCommand) -> Result<()> {
    protect_memory();
    match command {
        KeysCommand::New { keystore, passphrase, name, kind, policy, json } => {
            let (name, policy) = (name.parse()?, wanted(policy)?.unwrap_or_default());
            let key = PrivateKey::random((*kind).into())?;
            add(keystore, passphrase, name, &key, policy, *json)
        }
        KeysCommand::Import {
            keystore,
            passphrase,
            name,
            format,
            from,
            from_fd,
            import_passphrase_fd,
            import_passphrase_file,
            policy,
            json,
        } => {
            let (name, policy) = (name.parse()?, wanted(policy)?.unwrap_or_default());
            let text = match (from, from_fd) {
                (Some(path), _) => private_file(path, MAX_IMPORT_BYTES)?,
                (None, number) => descriptor(number.unwrap_or(0), MAX_IMPORT_BYTES)?,
            };
            let key = match format {
                ImportFormat::Hex => evm_from_hex(&text)?,
                ImportFormat::V3 => {
                    let source = source(*import_passphrase_fd, import_passphrase_file.as_ref());
                    evm_from_v3(&text, &source.passphrase(IMPORT_PASSPHRASE)?)?
                }
                ImportFormat::Solana => solana_from_json(&text)?,
            };
            add(keystore, passphrase, name, &key, policy, *json)
        }
        KeysCommand::List { keystore, json } => {
            let store = open(keystore)?;
            let keys = if store.exists() { store.list()? } else { Vec::new() };
            if *json {
                print_json(&Value::from(keys.iter().map(row).collect::<Vec<_>>()))?;
            } else if keys.is_empty() {
                anstream::println!("there is no key; `bulkhead keys new NAME` makes one");
            } else {
                anstream::println!("{}", table(&keys));
            }
            Ok(())
        }
        KeysCommand::ExportAddress { keystore, passphrase, name, prove, json } => {
            let (store, name) = (open(keystore)?, name.parse()?);
            let is_proof = *prove || passphrase.is_given();
            let info =
                if is_proof { unlock(&store, passphrase)?.open(&name)?.1 } else { store.info(&name)? };
            if *json {
                return print_json(&row(&info));
            }
            anstream::println!("{}", info.address);
            Ok(())
        }
        KeysCommand::Policy { keystore, passphrase, name, policy, json } => {
            let (store, name) = (open(keystore)?, name.parse()?);
            let info = match wanted(policy)? {
                Some(policy) => unlock(&store, passphrase)?.set_policy(&name, policy)?,
                None => store.info(&name)?,
            };
            if *json {
                return print_json(&row(&info));
            }
            anstream::print!("{}", info.policy.to_toml()?);
            Ok(())
        }
        KeysCommand::Rotate { keystore, passphrase, new_passphrase_fd, new_passphrase_file, json } => {
            let store = open(keystore)?;
            let old = passphrase_source(passphrase)?.passphrase(PASSPHRASE)?;
            let new =
                source(*new_passphrase_fd, new_passphrase_file.as_ref()).new_passphrase(NEW_PASSPHRASE)?;
            let keys = store.rotate(&old, &new, KdfCost::default())?;
            if *json {
                return print_json(&Value::from(keys.iter().map(row).collect::<Vec<_>>()));
            }
            anstream::println!("{} keys were encrypted anew and opened with the new passphrase", keys.len());
            anstream::eprintln!(
                "backups of before still open with the old passphrase: make new ones and destroy those"
            );
            Ok(())
        }
        KeysCommand::Remember { keystore, passphrase, name } => {
            let store = open(keystore)?;
            let passphrase = passphrase_source(passphrase)?.passphrase(PASSPHRASE)?;
            // One that opens nothing is not worth keeping.
            store.unlock(&passphrase)?;
            keyring::remember(name, &passphrase)?;
            anstream::println!(
                "the system's keyring keeps the passphrase as \"{name}\": --passphrase-keyring {name}"
            );
            Ok(())
        }
        KeysCommand::Forget { name } => {
            keyring::forget(name)?;
            anstream::println!("the system's keyring has forgotten \"{name}\"; the keys are as they were");
            Ok(())
        }
        KeysCommand::Remove { keystore, name, address, json } => {
            let (store, name): (Keystore, KeyName) = (open(keystore)?, name.parse()?);
            let info = store.info(&name)?;
            if info.address != *address {
                bail!("the address of \"{name}\" is {}, not {address}; nothing was removed", info.address);
            }
            store.remove(&name)?;
            if *json {
                return print_json(&row(&info));
            }
            anstream::println!("{name} ({address}) was removed");
            Ok(())
        }
    }
}

/// The keystore of a storage directory.
pub(crate) fn keystore_in(storage: &Path) -> Keystore {
    Keystore::at(storage.join("keys"))
}

/// Where the keys are, as the arguments or the configuration say.
pub(crate) fn open(arguments: &KeystoreArguments) -> Result<Keystore> {
    Ok(match &arguments.keys {
        Some(directory) => Keystore::at(directory.clone()),
        None => keystore_in(&storage(arguments)?),
    })
}

/// The storage directory of the configuration.
pub(crate) fn storage(arguments: &KeystoreArguments) -> Result<PathBuf> {
    Ok(configuration::layers(&arguments.configuration, None)?.read()?.storage)
}

pub(crate) fn unlock(store: &Keystore, passphrase: &PassphraseArguments) -> Result<Unlocked> {
    // Before anybody types a passphrase for nothing.
    if !store.exists() {
        store.list()?;
    }
    Ok(store.unlock(&passphrase_source(passphrase)?.passphrase(PASSPHRASE)?)?)
}

/// No core file holds a key, and no other process of the user reads one.
pub(crate) fn protect_memory() {
    for failed in bulkhead_signing::forbid_core_files() {
        tracing::warn!("{failed}");
    }
}

fn add(
    keystore: &KeystoreArguments,
    passphrase: &PassphraseArguments,
    name: KeyName,
    key: &PrivateKey,
    policy: Policy,
    json: bool,
) -> Result<()> {
    let store = open(keystore)?;
    let source = passphrase_source(passphrase)?;
    let unlocked = if store.exists() {
        store.unlock(&source.passphrase(PASSPHRASE)?)?
    } else {
        store.create(&source.new_passphrase(NEW_PASSPHRASE)?, KdfCost::default())?
    };
    let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let info = unlocked.add(name, key, policy, created)?;
    if json {
        return print_json(&row(&info));
    }
    anstream::println!("{}", info.address);
    anstream::eprintln!(
        "back up {} and, apart from it, the passphrase: nobody can make either anew",
        store.root().display()
    );
    if info.policy == Policy::default() {
        anstream::eprintln!(
            "the key may sign nothing yet: `bulkhead keys policy {} --policy FILE` says what it may",
            info.name
        );
    }
    Ok(())
}

fn wanted(arguments: &PolicyArguments) -> Result<Option<Policy>> {
    match &arguments.policy {
        Some(path) => {
            let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
            Ok(Some(Policy::from_toml(&text).with_context(|| path.display().to_string())?))
        }
        None => Ok(arguments.allow_anything.then(Policy::anything)),
    }
}

fn passphrase_source(arguments: &PassphraseArguments) -> Result<PassphraseSource> {
    match &arguments.passphrase_keyring {
        Some(name) => keyring::source(name),
        None => Ok(source(arguments.passphrase_fd, arguments.passphrase_file.as_ref())),
    }
}

/// What the system's keyring is for.
#[cfg(feature = "keyring")]
mod keyring {
    use anyhow::Result;
    use bulkhead_signing::Passphrase;
    use bulkhead_signing::keyring;
    use bulkhead_signing::passphrase::PassphraseSource;

    pub(super) fn source(name: &str) -> Result<PassphraseSource> {
        Ok(PassphraseSource::Keyring(name.to_owned()))
    }

    pub(super) fn remember(name: &str, passphrase: &Passphrase) -> Result<()> {
        Ok(keyring::remember(name, passphrase)?)
    }

    pub(super) fn forget(name: &str) -> Result<()> {
        Ok(keyring::forget(name)?)
    }
}

/// A binary that does not speak to keyrings says so.
#[cfg(not(feature = "keyring"))]
mod keyring {
    use anyhow::Result;
    use bulkhead_signing::Passphrase;
    use bulkhead_signing::passphrase::PassphraseSource;

    use crate::arguments::WrongUsage;

    const WITHOUT: &str = "this bulkhead was built without the system's keyring; add keyring to its features, or use \
                           --passphrase-file";

    pub(super) fn source(_: &str) -> Result<PassphraseSource> {
        Err(WrongUsage(WITHOUT.to_owned()).into())
    }

    pub(super) fn remember(_: &str, _: &Passphrase) -> Result<()> {
        Err(WrongUsage(WITHOUT.to_owned()).into())
    }

    pub(super) fn forget(_: &str) -> Result<()> {
        Err(WrongUsage(WITHOUT.to_owned()).into())
    }
}

fn source(number: Option<u32>, file: Option<&PathBuf>) -> PassphraseSource {
    match (number, file) {
        (Some(number), _) => PassphraseSource::Descriptor(number),
        (None, Some(path)) => PassphraseSource::File(path.clone()),
        (None, None) => PassphraseSource::Prompt,
    }
}

fn print_json(value: &Value) -> Result<()> {
    anstream::println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

fn created(info: &KeyInfo) -> Option<String> {
    let seconds = i64::try_from(info.created).ok()?;
    Some(jiff::Timestamp::from_second(seconds).ok()?.to_string())
}

fn row(info: &KeyInfo) -> Value {
    json!({
        "name": info.name,
        "kind": info.kind,
        "address": info.address,
        "created": created(info),
        "policy": info.policy,
    })
}

fn table(keys: &[KeyInfo]) -> Table {
    let mut table = Table::new();
    table
        .load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY)
        .set_header(["name", "kind", "address", "created", "may sign"]);
    for info in keys {
        let chains: Vec<String> = info.policy.chains.iter().map(|chain| chain.id.to_string()).collect();
        let may_sign = match () {
            () if info.policy.allow_anything => "anything".to_owned(),
            () if chains.is_empty() => "nothing".to_owned(),
            () => format!("on chain {}", chains.join(", ")),
        };
        table.add_row([
            info.name.to_string(),
            info.kind.to_string(),
            info.address.clone(),
            created(info).unwrap_or_default(),
            may_sign,
        ]);
    }
    table
}

impl From<KeyKind> for bulkhead_signing::keystore::KeyKind {
    fn from(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Evm => Self::Evm,
            KeyKind::Solana => Self::Solana,
        }
    }
}
