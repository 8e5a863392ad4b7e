use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use solana_account::Account;
use solana_address::Address;
use solana_address_lookup_table_interface::state::{AddressLookupTable, LookupTableMeta};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::{AddressLookupTableAccount, VersionedMessage, v0};
use solana_signer::Signer as _;
use solana_transaction::versioned::VersionedTransaction;

use crate::ledger::{Ledger, VALID_BLOCKS};
use crate::program::{self, Pool, Side};
use crate::pushes::Pushes;
use crate::rpc::Server;
use crate::tokens::{self, Mint, TOKEN, WRAPPED_SOL, associated};

/// Lamports in a whole unit of native currency.
pub const SOL: u64 = 1_000_000_000;

/// When slots go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// All the time.
    Every(Duration),
    /// When the test says so.
    OnDemand,
}

/// How a chain is to be.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// When slots go by.
    pub pace: Pace,
    /// A block is confirmed when so many came after it.
    pub confirmed_after: u64,
    /// A block is final when so many came after it.
    pub final_after: u64,
    /// Where its first server listens; anywhere when 0.
    pub port: u16,
}

impl Default for Options {
    /// A fiftieth of a real chain's time.
    fn default() -> Self {
        Self { pace: Pace::Every(Duration::from_millis(8)), confirmed_after: 2, final_after: 32, port: 0 }
    }
}

/// A chain. It ends together with this value.
pub struct Chain {
    ledger: Arc<Mutex<Ledger>>,
    options: Options,
    ticking: Option<tokio::task::JoinHandle<()>>,
    server: Server,
    made: Mutex<u64>,
}

impl Chain {
    /// A chain with these options and one server.
    pub async fn start(options: Options) -> Self {
        let ledger = Arc::new(Mutex::new(Ledger::new()));
        let ticking = match options.pace {
            Pace::OnDemand => None,
            Pace::Every(time) => {
                let ledger = Arc::clone(&ledger);
                Some(tokio::spawn(async move {
                    let mut ticks = tokio::time::interval(time);
                    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                    loop {
                        ticks.tick().await;
                        ledger.lock().expect("nothing panics while it holds this").go_on(1);
                    }
                }))
            }
        };
        let server = Server::start(Arc::clone(&ledger), options, options.port).await;
        Self { ledger, options, ticking, server, made: Mutex::new(0) }
    }

    /// Where its first server answers.
    #[must_use]
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// Its first server.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// Another server of the same chain.
    pub async fn another_server(&self) -> Server {
        Server::start(Arc::clone(&self.ledger), self.options, 0).await
    }

    /// A server that pushes what happens.
    pub async fn pushes(&self) -> Pushes {
        Pushes::start(Arc::clone(&self.ledger), self.options).await
    }

    /// The chain itself, which stands still while it is looked at.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("nothing panics while it holds this")
    }

    pub(crate) fn shared(&self) -> Arc<Mutex<Ledger>> {
        Arc::clone(&self.ledger)
    }

    /// So many slots go by at once.
    pub fn advance(&self, slots: u64) {
        self.ledger().advance(slots);
    }

    /// So many slots go by that no transaction of before can land any more, and that this is final.
    pub fn expire_all(&self) {
        self.advance(2 * VALID_BLOCKS + self.options.final_after + 1);
    }

    /// A key that nobody had before.
    #[must_use]
    pub fn keypair(&self) -> Keypair {
        let mut made = self.made.lock().expect("nothing panics while it holds this");
        *made += 1;
        let mut secret = [7; 32];
        secret[..8].copy_from_slice(&made.to_le_bytes());
        Keypair::new_from_array(secret)
    }

    /// An address that nobody had before.
    #[must_use]
    pub fn address(&self) -> Address {
        self.keypair().pubkey()
    }

    /// Gives lamports to an address.
    pub fn give_lamports(&self, to: Address, lamports: u64) {
        let mut ledger = self.ledger();
        let mut account = ledger.account(&to).unwrap_or_default();
        account.lamports += lamports;
        ledger.set_account(to, account);
    }

    /// Lamports of an address.
    #[must_use]
    pub fn lamports(&self, of: Address) -> u64 {
        self.ledger().account(&of).map_or(0, |account| account.lamports)
    }

    /// A new token.
    #[must_use]
    pub fn mint(&self, mint: &Mint) -> Address {
        let address = self.address();
        self.ledger().set_account(address, mint.account(1_000_000_000_000_000_000));
        address
    }

    /// Gives tokens to a wallet, in the account that is derived for it.
    pub fn give_tokens(&self, mint: Address, to: Address, amount: u64) -> Address {
        let program = self.program_of(mint);
        let address = associated(to, mint, program);
        self.put_tokens(address, mint, to, amount);
        address
    }

    /// Puts a token account with just so much there.
    pub fn put_tokens(&self, at: Address, mint: Address, owner: Address, amount: u64) {
        let account = if mint == WRAPPED_SOL {
            tokens::wrapped_account(owner, amount)
        } else {
            self.described(mint).token_account(mint, owner, amount)
        };
        self.ledger().set_account(at, account);
    }

    /// What a token account holds; nothing when there is none.
    #[must_use]
    pub fn tokens_at(&self, at: Address) -> u64 {
        let account = self.ledger().account(&at);
        account.as_ref().and_then(tokens::holding).map_or(0, |holding| holding.amount)
    }

    /// What a wallet's own account of a token holds.
    #[must_use]
    pub fn tokens_of(&self, wallet: Address, mint: Address) -> u64 {
        self.tokens_at(associated(wallet, mint, self.program_of(mint)))
    }

    /// The program that a token is of.
    #[must_use]
    pub fn program_of(&self, mint: Address) -> Address {
        if mint == WRAPPED_SOL { TOKEN } else { self.described(mint).program() }
    }

    fn described(&self, mint: Address) -> Mint {
        let account = self.ledger().account(&mint).unwrap_or_else(|| panic!("{mint} is no mint"));
        let extension = account.data.get(166..170).map(|head| (head[0], head[2]));
        let fee = matches!(extension, Some((1, _)));
        let hook = matches!(extension, Some((14, _)));
        let word = |at: usize| u16::from_le_bytes([account.data[at], account.data[at + 1]]);
        Mint {
            decimals: account.data[44],
            transfer_fee_bps: fee.then(|| word(170 + 106)),
            transfer_hook: hook
                .then(|| Address::new_from_array(account.data[202..234].try_into().expect("32 bytes"))),
            ..Mint::default()
        }
    }

    /// Digits behind the point of a token.
    #[must_use]
    pub fn decimals(&self, mint: Address) -> u8 {
        if mint == WRAPPED_SOL { 9 } else { self.described(mint).decimals }
    }

    /// A pool with so much of two tokens.
    pub fn add_pool(&self, one: Address, of_one: u64, other: Address, of_other: u64) -> Pool {
        let side = |mint: Address, amount: u64| {
            let vault = self.address();
            self.put_tokens(vault, mint, program::authority(), amount);
            Side { mint, token_program: self.program_of(mint), vault }
        };
        Pool { one: side(one, of_one), other: side(other, of_other) }
    }

    /// Others trade until the pool holds this.
    pub fn set_pool(&self, pool: &Pool, of_one: u64, of_other: u64) {
        for (side, amount) in [(pool.one, of_one), (pool.other, of_other)] {
            self.put_tokens(side.vault, side.mint, program::authority(), amount);
        }
    }

    /// A lookup table with these addresses.
    pub fn add_table(&self, addresses: &[Address]) -> AddressLookupTableAccount {
        let key = self.address();
        let table = AddressLookupTable { meta: LookupTableMeta::default(), addresses: addresses.into() };
        let data = table.serialize_for_tests().expect("a table can be written");
        let owner = solana_address::address!("AddressLookupTab1e1111111111111111111111111");
        let lamports = tokens::rent_of(data.len());
        self.ledger()
            .set_account(key, Account { lamports, data, owner, executable: false, rent_epoch: u64::MAX });
        AddressLookupTableAccount { key, addresses: addresses.to_vec() }
    }

    /// Signs, sends and executes these at once.
    pub fn execute(&self, payer: &Keypair, instructions: &[Instruction]) -> Result<(), String> {
        let mut ledger = self.ledger();
        let (hash, _) = ledger.blockhash(0);
        let message =
            v0::Message::try_compile(&payer.pubkey(), instructions, &[], hash).expect("it can be compiled");
        let transaction =
            VersionedTransaction::try_new(VersionedMessage::V0(message), &[payer]).expect("it is signed");
        if let Some(validator) = ledger.validator() {
            return validator.execute(&transaction);
        }
        let signature = ledger.accept(transaction, true).map_err(|refusal| format!("{refusal:?}"))?;
        ledger.advance(1);
        let landed = ledger.landed(&signature).ok_or("it did not land")?;
        landed.result.clone().map_err(|error| error.to_string())
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        if let Some(ticking) = &self.ticking {
            ticking.abort();
        }
    }
}
