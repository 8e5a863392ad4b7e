//! The command line of `bulkhead keys` and `bulkhead signer`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::arguments::ConfigurationArguments;

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key, and the keystore if there is none.
    New {
        #[command(flatten)]
        keystore: KeystoreArguments,
        #[command(flatten)]
        passphrase: PassphraseArguments,
        /// What the key is called.
        name: String,
        /// What it signs for.
        #[arg(long, value_enum, default_value_t = KeyKind::Evm)]
        kind: KeyKind,
        #[command(flatten)]
        policy: PolicyArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take over a key that another program made.
    Import {
        #[command(flatten)]
        keystore: KeystoreArguments,
        #[command(flatten)]
        passphrase: PassphraseArguments,
        /// What the key is called here.
        name: String,
        /// What the key is in.
        #[arg(long, value_enum)]
        format: ImportFormat,
        /// The file with the key, which only its owner may read.
        #[arg(long, value_name = "FILE", conflicts_with = "from_fd")]
        from: Option<PathBuf>,
        /// The open file descriptor to read the key from; 0 is standard input.
        #[arg(long, value_name = "NUMBER", required_unless_present = "from")]
        from_fd: Option<u32>,
        /// The open file descriptor to read the passphrase of a V3 keystore from; asked for at the terminal when left out.
        #[arg(long, value_name = "NUMBER", conflicts_with = "import_passphrase_file")]
        import_passphrase_fd: Option<u32>,
        /// The file with the passphrase of a V3 keystore.
        #[arg(long, value_name = "FILE")]
        import_passphrase_file: Option<PathBuf>,
        #[command(flatten)]
        policy: PolicyArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the keys, without their secrets. Needs no passphrase.
    List {
        #[command(flatten)]
        keystore: KeystoreArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a key's address. Needs no passphrase; with one, the address is proved to be the key's.
    ExportAddress {
        #[command(flatten)]
        keystore: KeystoreArguments,
        #[command(flatten)]
        passphrase: PassphraseArguments,
        /// The key.
        name: String,
        /// Open the key and see that the address is its own.
        #[arg(long)]
        prove: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what a key may sign, or replace it. A signer that runs keeps what it started with.
    Policy {
        #[command(flatten)]
        keystore: KeystoreArguments,
        #[command(flatten)]
        passphrase: PassphraseArguments,
        /// The key.
        name: String,
        #[command(flatten)]
        policy: PolicyArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Have the system's keyring keep the keystore's passphrase, once it has opened the keystore. Needs the feature
    /// `keyring`.
    Remember {
        #[command(flatten)]
        keystore: KeystoreArguments,
        #[command(flatten)]
        passphrase: PassphraseArguments,
        /// What it is called there.
        name: String,
    },
    /// Have the system's keyring forget a passphrase. Needs the feature `keyring`.
    Forget {
        /// What it is called there.
        name: String,
    },
    /// Encrypt all keys anew under another passphrase and another master key.
    Rotate {
        #[command(flatten)]
        keystore: KeystoreArguments,
        #[command(flatten)]
        passphrase: PassphraseArguments,
        /// The open file descriptor to read the new passphrase from; asked for at the terminal when left out.
        #[arg(long, value_name = "NUMBER", conflicts_with = "new_passphrase_file")]
        new_passphrase_fd: Option<u32>,
        /// The file with the new passphrase.
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove a key for good. What its address holds is lost unless the key is elsewhere too.
    Remove {
        #[command(flatten)]
        keystore: KeystoreArguments,
        /// The key.
        name: String,
        /// The key's address, to be sure.
        #[arg(long)]
        address: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Where the keys are.
#[derive(Debug, Args)]
pub(crate) struct KeystoreArguments {
    #[command(flatten)]
    pub(crate) configuration: ConfigurationArguments,
    /// The directory with the keys; "keys" in the storage directory when left out.
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: Option<PathBuf>,
}

/// Where the keystore's passphrase comes from: the terminal when none of these is given.
#[derive(Debug, Args)]
pub(crate) struct PassphraseArguments {
    /// The name under which the system's keyring keeps the passphrase; `keys remember` has it kept. Needs the feature
    /// `keyring`.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["passphrase_fd", "passphrase_file"])]
    pub(crate) passphrase_keyring: Option<String>,
    /// The open file descriptor to read the passphrase from.
    #[arg(long, value_name = "NUMBER", conflicts_with = "passphrase_file")]
    pub(crate) passphrase_fd: Option<u32>,
    /// The file with the passphrase, which only its owner may read, such as systemd's credentials.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

impl PassphraseArguments {
    /// Whether it comes from somewhere else than the terminal.
    pub(crate) const fn is_given(&self) -> bool {
        self.passphrase_keyring.is_some() || self.passphrase_fd.is_some() || self.passphrase_file.is_some()
    }
}

/// What a key may sign: nothing when neither is given.
#[derive(Debug, Args)]
pub(crate) struct PolicyArguments {
    /// A TOML file that says what the key may sign.
    #[arg(long, value_name = "FILE", conflicts_with = "allow_anything")]
    pub(crate) policy: Option<PathBuf>,
    /// Let the key sign anything. For test chains only.
    #[arg(long)]
    pub(crate) allow_anything: bool,
}

/// What a key signs for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyKind {
    /// EVM chains.
    Evm,
    /// Solana.
    Solana,
}

/// What a key that is imported is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportFormat {
    /// 64 hexadecimal digits.
    Hex,
    /// Ethereum's V3 keystore, as of Geth.
    V3,
    /// The JSON keypair of solana-keygen.
    Solana,
}

#[derive(Debug, Args)]
pub(crate) struct SignerArguments {
    #[command(flatten)]
    pub(crate) keystore: KeystoreArguments,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArguments,
    /// The keys to sign with; every EVM key when left out.
    #[arg(long, value_name = "NAME")]
    pub(crate) key: Vec<String>,
    /// Where it listens; "signer/socket" in the storage directory when left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) socket: Option<PathBuf>,
    /// The number of the user whose processes may ask for signatures; the signer's own user when left out.
    #[arg(long, value_name = "UID")]
    pub(crate) client: Option<u32>,
}
