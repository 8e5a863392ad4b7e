//! The swap program does what its formula says, in both forms, and the chain in front of it behaves like one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use bulkhead_solana_chain::chain::SOL;
use bulkhead_solana_chain::ledger::Delivery;
use bulkhead_solana_chain::program::{Pool, Swap, brings};
use bulkhead_solana_chain::tokens::{Mint, TOKEN_2022, create_idempotent};
use bulkhead_solana_chain::{Chain, Options, Pace};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer as _;

struct Bed {
    chain: Chain,
    trader: Keypair,
    base: Address,
    quote: Address,
    pool: Pool,
}

async fn bed(base: Mint) -> Bed {
    let chain = Chain::start(Options { pace: Pace::OnDemand, ..Options::default() }).await;
    let trader = chain.keypair();
    chain.give_lamports(trader.pubkey(), 10 * SOL);
    let (base, quote) = (chain.mint(&base), chain.mint(&Mint::plain(6)));
    let pool = chain.add_pool(base, 1_000_000_000_000, quote, 5_000_000_000);
    chain.give_tokens(quote, trader.pubkey(), 100_000_000);
    Bed { chain, trader, base, quote, pool }
}

impl Bed {
    fn swap(&self, amount: u64, quoted: u64) -> Swap {
        let (given, got) = self.pool.sides(self.quote);
        let user = self.trader.pubkey();
        let own = |mint, program| bulkhead_solana_chain::tokens::associated(user, mint, program);
        Swap {
            user,
            given,
            source: own(given.mint, given.token_program),
            got,
            destination: own(got.mint, got.token_program),
            elsewhere: None,
            amount,
            quoted,
            slippage_bps: 50,
            platform_fee_bps: 0,
        }
    }

    fn execute(&self, swap: Instruction) -> Result<(), String> {
        let owner = self.trader.pubkey();
        let create = create_idempotent(owner, owner, self.base, self.chain.program_of(self.base));
        self.chain.execute(&self.trader, &[create, swap])
    }
}

#[tokio::test]
async fn both_forms_bring_what_the_formula_says() {
    let bed = bed(Mint::plain(9)).await;
    let expected = brings(1_000_000, 5_000_000_000, 1_000_000_000_000);
    bed.execute(bed.swap(1_000_000, expected).route_v2()).unwrap();
    let owner = bed.trader.pubkey();
    assert_eq!(bed.chain.tokens_of(owner, bed.base), expected);
    assert_eq!(bed.chain.tokens_of(owner, bed.quote), 99_000_000);
    let more = brings(2_000_000, 5_001_000_000, 1_000_000_000_000 - expected);
    bed.execute(bed.swap(2_000_000, more).route()).unwrap();
    assert_eq!(bed.chain.tokens_of(owner, bed.base), expected + more);
}

#[tokio::test]
async fn a_swap_that_brings_too_little_undoes_itself() {
    let bed = bed(Mint::plain(9)).await;
    let expected = brings(1_000_000, 5_000_000_000, 1_000_000_000_000);
    let error = bed.execute(bed.swap(1_000_000, expected * 102 / 100).route_v2()).unwrap_err();
    assert!(error.contains("6001"), "{error}");
    assert_eq!(bed.chain.tokens_of(bed.trader.pubkey(), bed.quote), 100_000_000);
}

#[tokio::test]
async fn a_token_that_keeps_a_part_is_held_against_what_arrives() {
    let bed = bed(Mint { transfer_fee_bps: Some(100), ..Mint::plain(9) }).await;
    assert_eq!(bed.chain.program_of(bed.base), TOKEN_2022);
    let expected = brings(1_000_000, 5_000_000_000, 1_000_000_000_000);
    let error = bed.execute(bed.swap(1_000_000, expected).route_v2()).unwrap_err();
    assert!(error.contains("6001"), "{error}");
    bed.execute(bed.swap(1_000_000, expected * 99 / 100).route_v2()).unwrap();
    let came = bed.chain.tokens_of(bed.trader.pubkey(), bed.base);
    assert!(came.abs_diff(expected * 99 / 100) <= 1, "{came} of {expected}");
}

#[tokio::test]
async fn what_is_lost_held_or_on_a_fork_is_not_there() {
    let bed = bed(Mint::plain(9)).await;
    let expected = brings(1_000_000, 5_000_000_000, 1_000_000_000_000);
    let swap = |amount| bed.swap(amount, 1).route_v2();
    bed.execute(swap(1_000_000)).unwrap();
    let came = || bed.chain.tokens_of(bed.trader.pubkey(), bed.base);
    assert_eq!(came(), expected);
    bed.chain.ledger().deliver(Delivery::Lost);
    assert_eq!(bed.execute(swap(1_000_001)), Err("it did not land".to_owned()));
    bed.chain.ledger().deliver(Delivery::Held);
    assert_eq!(bed.execute(swap(1_000_002)), Err("it did not land".to_owned()));
    assert_eq!(came(), expected);
    bed.chain.ledger().release();
    bed.chain.advance(1);
    assert!(came() > expected);
    let before = came();
    bed.chain.ledger().deliver(Delivery::OnFork);
    bed.execute(swap(1_000_003)).unwrap();
    assert!(came() > before);
    bed.chain.ledger().abandon_fork();
    assert_eq!(came(), before);
}
