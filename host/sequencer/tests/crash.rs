//! The process dies at every write, the database fails in every way: what was handed out is in the journal,
//! and the run goes on as if nothing had happened.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bulkhead_core::identifier::{ContentHash, InstrumentId, OrderId};
use bulkhead_core::input::{
    Actor, Command, Deployment, HaltAction, Input, InputKind, ManualAmount, ManualOrder, StrategyMode,
};
use bulkhead_core::money::Quantity;
use bulkhead_core::order::{Pricing, Side};
use bulkhead_core::venue::Execution;
use bulkhead_sequencer::recovery::{begin, recover};
use bulkhead_sequencer::replay::Replay;
use bulkhead_sequencer::sequencer::{JournalEvent, JournalStatus, Policy, Position, Sequencer};
use bulkhead_store::journal::{NumberedOutput, Opening, Sequence, ShardId};
use bulkhead_store::storage::{Outcome, Request, Storage as _, StoreError};
use proptest::prelude::*;
use rust_decimal::Decimal;
use support::database::{Database, Trouble};
use support::market::{bars, deployments, host, settings};
use support::strategy::Source;

const SHARD: ShardId = ShardId(0);

/// Groups by number alone, so that a run is the same each time.
fn policy(group_inputs: usize, snapshot_inputs: u64) -> Policy {
    Policy {
        group_inputs,
        snapshot_inputs,
        group_delay: Duration::from_secs(3_600),
        snapshot_delay: Duration::from_secs(3_600),
        ..Policy::default()
    }
}

fn opening() -> Opening {
    Opening {
        settings: settings(),
        feed: "test".to_owned(),
        made_by: "test".to_owned(),
        execution: Execution::Paper,
    }
}

fn position(database: &Database) -> Position {
    let mut storage = database.clone();
    match recover(&mut storage, SHARD, &Source).unwrap() {
        Some(recovered) => recovered.position,
        None => begin(&mut storage, SHARD, &opening(), &Source).unwrap(),
    }
}

/// Runs to the end of the market or of the process. `None` when the process died.
fn run(
    database: &Database,
    market: &[Input],
    policy: Policy,
    handed_out: &mut Vec<NumberedOutput>,
) -> Option<String> {
    let position = position(database);
    let fresh = position.chain.sequence().0 == 0;
    let from_feed = usize::try_from(position.feed_inputs).unwrap();
    let deployed = position.engine.slots().len();
    let mut sequencer = Sequencer::start(position, Box::new(database.clone()), policy).unwrap();
    assert!(!fresh || deployed == 0);
    let commands = deployments().into_iter().skip(deployed);
    let commands =
        commands.map(|command| Input { time: Default::default(), kind: InputKind::command(host(), command) });
    // After a crash between the deployments, the rest of them comes before the market.
    let market = market[from_feed..].iter().cloned();
    let inputs = commands.map(|input| (None, input)).chain((from_feed..).map(Some).zip(market));
    let requests = database.clone().requests(SHARD).unwrap();
    for (place, input) in inputs {
        for request in requests.iter().filter(|request| place == Some(moment(request.id))) {
            if !take_up(request, &mut sequencer, database, handed_out) {
                return None;
            }
        }
        let input = Input { time: input.time.max(sequencer.engine().now()), ..input };
        while !sequencer.has_room() {
            if !is_alive(&sequencer.wait(Duration::from_millis(1), handed_out), database) {
                return None;
            }
        }
        sequencer.step(input);
        if !is_alive(&sequencer.released(handed_out), database) {
            return None;
        }
    }
    let mut digest = None;
    let closed = sequencer.close(Duration::from_secs(60), handed_out);
    let closed = closed.map(|engine| digest = Some(engine.digest().to_string()));
    is_alive(&closed, database).then_some(digest).flatten()
}

/// Before which input of the market a request is taken up.
fn moment(request: i64) -> usize {
    5 * usize::try_from(request).unwrap()
}

/// As the host does it. Whether the process lived on.
fn take_up(
    request: &Request,
    sequencer: &mut Sequencer,
    database: &Database,
    handed_out: &mut Vec<NumberedOutput>,
) -> bool {
    while !sequencer.has_room() {
        if !is_alive(&sequencer.wait(Duration::from_millis(1), handed_out), database) {
            return false;
        }
    }
    match serde_json::from_str(&request.command) {
        Ok(command) => drop(sequencer.answer(request.id, Actor::Person(request.actor.clone()), command)),
        Err(error) => sequencer.refuse(request.id, error.to_string()),
    }
    is_alive(&sequencer.released(handed_out), database)
}

/// What operators ask for: each of another kind, and what should become of it.
fn requests() -> Vec<(String, &'static str)> {
    let json = |command: &Command| serde_json::to_string(command).unwrap();
    let halt = Command::Halt { reason: "a look".to_owned(), action: HaltAction::CancelOrders };
    let Some(Command::Deploy(deployment)) = deployments().into_iter().next() else { unreachable!() };
    let unknown = ContentHash::of(b"nobody has it");
    let deploy = Command::Deploy(Deployment { version: unknown, ..deployment });
    let off = Command::SetMode { slot: "slow".to_owned(), mode: StrategyMode::Off };
    let missing = Command::Release { slot: "no such slot".to_owned() };
    vec![
        (json(&halt), "applied"),
        ("{".to_owned(), "unreadable"),
        (json(&missing), "refused"),
        (json(&Command::Resume {}), "applied"),
        (json(&deploy), "refused"),
        (json(&off), "applied"),
        ("no command".to_owned(), "unreadable"),
        (json(&by_hand("slow", Side::Buy)), "applied"),
        (json(&by_hand("nobody", Side::Buy)), "refused"),
        (json(&Command::CancelOrder { order: OrderId(1) }), "refused"),
    ]
}

/// A small order.
fn by_hand(slot: &str, side: Side) -> Command {
    Command::PlaceOrder(Box::new(ManualOrder {
        slot: slot.to_owned(),
        instrument: InstrumentId(0),
        side,
        amount: ManualAmount::Quantity(Quantity(Decimal::ONE)),
        pricing: Pricing::Market,
        exits: None,
    }))
}

/// Every request has one outcome, the right one, and the input that it names is the request's command.
fn check_requests(database: &Database) {
    let mut storage = database.clone();
    database.open_again();
    let mut commands = BTreeMap::new();
    let (mut replay, _) = Replay::from_opening(&mut storage, SHARD, &Source).unwrap();
    replay
        .run(&mut storage, None, &mut |_, sequence, input, _| {
            if let InputKind::Command(asked) = &input.kind {
                commands
                    .insert(sequence, (asked.actor.clone(), serde_json::to_string(&asked.command).unwrap()));
            }
        })
        .unwrap();
    let deployed = deployments().len();
    let carried_out = requests().iter().filter(|(_, expected)| *expected != "unreadable").count();
    assert_eq!(commands.len(), deployed + carried_out, "each is an input once: {commands:?}");
    for ((command, expected), outcomes) in requests().into_iter().zip(database.outcomes()) {
        let (found, sequence) = match &outcomes[..] {
            [Outcome::Applied { sequence }] => ("applied", Some(*sequence)),
            [Outcome::Refused { sequence: None, reason }] if !reason.is_empty() => ("unreadable", None),
            [Outcome::Refused { sequence, reason }] if !reason.is_empty() => ("refused", *sequence),
            other => panic!("{command}: {other:?}"),
        };
        assert_eq!(found, expected, "{command}");
        if let Some(sequence) = sequence {
            let asked = (Actor::Person("somebody".to_owned()), command);
            assert_eq!(commands.get(&sequence), Some(&asked));
        }
    }
}

/// Whether the process has not died. Nothing else may keep it from going on.
fn is_alive(done: &Result<(), StoreError>, database: &Database) -> bool {
    if let Err(error) = done {
        assert!(database.is_dead(), "{error}");
    }
    done.is_ok()
}

/// Runs again and again until the market has ended, and checks what was handed out against the journal.
fn run_to_the_end(database: &Database, market: &[Input], policy: Policy) -> String {
    let mut handed_out = Vec::new();
    loop {
        let digest = run(database, market, policy, &mut handed_out);
        check_handed_out(database, &handed_out);
        if let Some(digest) = digest {
            return digest;
        }
        database.open_again();
    }
}

/// Every output that left is in the journal, once.
fn check_handed_out(database: &Database, handed_out: &[NumberedOutput]) {
    let mut storage = database.clone();
    database.open_again();
    let mut journal = Vec::new();
    let (mut replay, _) = Replay::from_opening(&mut storage, SHARD, &Source).unwrap();
    replay
        .run(&mut storage, None, &mut |_, sequence, _, outputs| {
            journal.extend(outputs.iter().map(|output| NumberedOutput { sequence, output: output.clone() }));
        })
        .unwrap();
    assert!(handed_out.len() <= journal.len(), "more was handed out than there is in the journal");
    // What was handed out before a crash can have gaps only at the crashes: durable, but not told.
    let mut rest = journal.iter();
    for output in handed_out {
        assert!(
            rest.any(|recorded| recorded == output),
            "{output:?} was handed out but is not in the journal"
        );
    }
}

fn undisturbed(market: &[Input], policy: Policy) -> (String, u64) {
    let database = Database::default();
    let digest = run_to_the_end(&database, market, policy);
    (digest, database.operations())
}

#[test]
fn a_run_that_dies_at_any_write_goes_on_to_the_same_end() {
    let market = bars(1, 30);
    let (expected, writes) = undisturbed(&market, policy(4, 23));
    assert!(writes > 15);
    let deaths = [
        Trouble::DieBefore,
        Trouble::DieWriting(0),
        Trouble::DieWriting(128),
        Trouble::DieWriting(255),
        Trouble::DieAfter,
    ];
    // The first write is the opening record, before there is a run.
    for write in 2..=writes {
        for death in deaths {
            let database = Database::with_troubles([(write, death)]);
            let digest = run_to_the_end(&database, &market, policy(4, 23));
            assert_eq!(digest, expected, "{death:?} at write {write}");
        }
    }
}

#[test]
fn a_run_whose_database_fails_at_any_write_ends_the_same() {
    let market = bars(2, 12);
    let (expected, writes) = undisturbed(&market, policy(4, 9));
    for write in 2..=writes {
        for failure in [Trouble::LoseBefore, Trouble::LoseAfter, Trouble::Full] {
            let database = Database::with_troubles([(write, failure)]);
            let mut handed_out = Vec::new();
            let digest = run(&database, &market, policy(4, 9), &mut handed_out).unwrap();
            assert_eq!(digest, expected, "{failure:?} at write {write}");
            check_handed_out(&database, &handed_out);
        }
    }
}

#[test]
fn requests_are_answered_once_and_rightly_wherever_the_process_dies_and_the_database_fails() {
    let market = bars(1, 30);
    let policy = policy(4, 23);
    let asked = |troubles: Vec<(u64, Trouble)>| {
        let database = Database::with_troubles(troubles);
        database.ask(requests().into_iter().map(|(command, _)| command));
        database
    };
    let undisturbed = asked(Vec::new());
    let expected = run_to_the_end(&undisturbed, &market, policy);
    check_requests(&undisturbed);
    let troubles = [
        Trouble::DieBefore,
        Trouble::DieWriting(0),
        Trouble::DieWriting(255),
        Trouble::DieAfter,
        Trouble::LoseBefore,
        Trouble::LoseAfter,
        Trouble::Full,
    ];
    for write in 2..=undisturbed.operations() {
        for trouble in troubles {
            let database = asked(vec![(write, trouble)]);
            let digest = run_to_the_end(&database, &market, policy);
            assert_eq!(digest, expected, "{trouble:?} at write {write}");
            check_requests(&database);
        }
    }
}

#[test]
fn a_refusal_that_no_input_goes_with_is_written_though_nothing_else_is() {
    for trouble in [None, Some(Trouble::LoseBefore), Some(Trouble::LoseAfter), Some(Trouble::Full)] {
        let database = Database::with_troubles(trouble.map(|trouble| (2, trouble)));
        database.ask(["{".to_owned()]);
        let mut sequencer =
            Sequencer::start(position(&database), Box::new(database.clone()), policy(4, 100)).unwrap();
        sequencer.refuse(1, "it can't be read".to_owned());
        assert!(sequencer.next_look().is_some(), "somebody waits for it");
        sequencer.close(Duration::from_secs(60), &mut Vec::new()).unwrap();
        let expected = Outcome::Refused { sequence: None, reason: "it can't be read".to_owned() };
        assert_eq!(database.outcomes(), [vec![expected]], "{trouble:?}");
    }
}

#[test]
fn the_reason_of_a_stall_is_the_newest() {
    let troubles = [(2, Trouble::LoseBefore), (3, Trouble::Full), (4, Trouble::Full)];
    let database =
        Database::with_troubles(troubles.into_iter().chain((5..10_000).map(|n| (n, Trouble::Full))));
    let mut sequencer =
        Sequencer::start(position(&database), Box::new(database.clone()), policy(1, 100)).unwrap();
    sequencer.step(bars(8, 1).remove(0));
    let mut reasons = Vec::new();
    let mut begun = None;
    while database.operations() < 5 {
        sequencer.wait(Duration::from_millis(1), &mut Vec::new()).unwrap();
        if let JournalStatus::Waiting { since, .. } = sequencer.status() {
            assert_eq!(*begun.get_or_insert(*since), *since, "it stands still since the first failure");
        }
        reasons.extend(sequencer.journal_events().map(|event| match event {
            JournalEvent::Stalled { why } => why,
            JournalEvent::Resumed { .. } => panic!("it was never written"),
        }));
    }
    assert_eq!(reasons.len(), 2, "each reason is told once: {reasons:?}");
    assert!(reasons[0].contains("connection was lost") && reasons[1].contains("0 bytes left"), "{reasons:?}");
    assert!(
        matches!(sequencer.status(), JournalStatus::Waiting { why, .. } if *why == reasons[1]),
        "{:?}",
        sequencer.status()
    );
    assert!(sequencer.close(Duration::ZERO, &mut Vec::new()).is_err());
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        Just(Trouble::DieBefore),
        any::<u8>().prop_map(Trouble::DieWriting),
        Just(Trouble::DieAfter),
        Just(Trouble::LoseBefore),
        Just(Trouble::LoseAfter),
        Just(Trouble::Full),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn a_long_run_with_random_troubles_ends_like_one_without(
        seed in any::<u64>(),
        group in 1_usize..40,
        snapshot in 1_u64..400,
        troubles in prop::collection::btree_map(2_u64..120, trouble(), 0..8),
    ) {
        let market = bars(seed, 300);
        let (expected, _) = undisturbed(&market, policy(group, snapshot));
        let database = Database::with_troubles(troubles);
        prop_assert_eq!(run_to_the_end(&database, &market, policy(group, snapshot)), expected);
    }
}

#[test]
fn the_digest_does_not_depend_on_groups_and_snapshots() {
    let market = bars(3, 200);
    let (expected, _) = undisturbed(&market, policy(1_000, 1_000_000));
    for (group, snapshot) in [(1, 1), (1, 7), (5, 50), (64, 3), (400, 100)] {
        assert_eq!(undisturbed(&market, policy(group, snapshot)).0, expected, "{group}, {snapshot}");
    }
}

#[test]
fn nothing_is_handed_out_while_the_database_is_away() {
    let away = (2..10_000).map(|write| (write, Trouble::LoseBefore));
    let database = Database::with_troubles(away);
    let mut sequencer =
        Sequencer::start(position(&database), Box::new(database.clone()), policy(2, 100)).unwrap();
    let mut handed_out = Vec::new();
    let commands = deployments().into_iter();
    for command in commands {
        sequencer.step(Input { time: Default::default(), kind: InputKind::command(host(), command) });
    }
    let mut market = bars(4, 30).into_iter();
    // Takes what fits in, and then no more.
    let mut stalled = false;
    while !stalled || sequencer.has_room() {
        if sequencer.has_room() {
            sequencer.step(market.next().unwrap());
        }
        sequencer.wait(Duration::from_millis(1), &mut handed_out).unwrap();
        stalled |= sequencer.journal_events().any(|event| matches!(event, JournalEvent::Stalled { .. }));
    }
    assert!(market.next().is_some(), "the sequencer took a whole market while the database was away");
    assert!(matches!(sequencer.status(), JournalStatus::Waiting { .. }));
    assert!(handed_out.is_empty());
    assert_eq!(sequencer.durable(), Sequence(0), "what is shown may not be ahead of the journal");
    let closed = sequencer.close(Duration::ZERO, &mut handed_out).map(|_| ());
    assert!(matches!(closed, Err(StoreError::Unavailable(_))));
    assert!(handed_out.is_empty());
}

#[test]
fn a_host_whose_database_is_away_has_time_to_sleep() {
    let away = (2..10_000).map(|write| (write, Trouble::LoseBefore));
    let database = Database::with_troubles(away);
    let at_once = Policy { group_delay: Duration::ZERO, ..policy(4, 100) };
    let mut sequencer = Sequencer::start(position(&database), Box::new(database), at_once).unwrap();
    let mut handed_out = Vec::new();
    for input in bars(11, 2) {
        sequencer.step(input);
        sequencer.released(&mut handed_out).unwrap();
    }
    assert!(sequencer.has_room());
    assert!(sequencer.next_look().unwrap() > Duration::ZERO);
    assert!(sequencer.close(Duration::ZERO, &mut handed_out).is_err());
}

#[test]
fn a_writer_that_panics_ends_the_run_instead_of_standing_still_for_ever() {
    let database = Database::with_troubles([(2, Trouble::Panic)]);
    let mut sequencer =
        Sequencer::start(position(&database), Box::new(database.clone()), policy(1, 100)).unwrap();
    let mut handed_out = Vec::new();
    sequencer.step(bars(8, 1).remove(0));
    let error = loop {
        if let Err(error) = sequencer.wait(Duration::from_secs(60), &mut handed_out) {
            break error;
        }
    };
    assert!(error.to_string().contains("journal's thread"), "{error}");
    let closed = sequencer.close(Duration::from_secs(3_600), &mut handed_out).map(|_| ());
    assert!(closed.is_err());
}

#[test]
fn a_close_does_not_wait_for_a_database_that_does_not_answer() {
    let database = Database::default();
    let mut sequencer =
        Sequencer::start(position(&database), Box::new(database.clone()), policy(1, 100)).unwrap();
    let mut handed_out = Vec::new();
    let hung = database.hang();
    sequencer.step(bars(9, 1).remove(0));
    let closed = sequencer.close(Duration::from_millis(1), &mut handed_out).map(|_| ());
    // It came back though the database still does not answer.
    assert!(matches!(closed, Err(StoreError::Unavailable(_))));
    drop(hung);
    assert!(handed_out.is_empty());
}

#[test]
fn another_writer_ends_the_run_instead_of_mixing_two_journals() {
    let database = Database::default();
    let first = position(&database);
    let second = position(&database);
    let mut handed_out = Vec::new();
    let mut sequencer = Sequencer::start(first, Box::new(database.clone()), policy(1, 100)).unwrap();
    sequencer.step(bars(5, 1).remove(0));
    while sequencer.released(&mut handed_out).is_ok() && database.operations() < 2 {
        std::thread::yield_now();
    }
    let mut other = Sequencer::start(second, Box::new(database), policy(1, 100)).unwrap();
    other.step(bars(6, 1).remove(0));
    let error = loop {
        if let Err(error) = other.wait(Duration::from_secs(1), &mut handed_out) {
            break error;
        }
    };
    assert!(matches!(error, StoreError::Conflict(_)), "{error}");
}

#[test]
fn what_is_durable_follows_what_was_stepped() {
    let woken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&woken);
    let wake = move || {
        counter.fetch_add(1, Ordering::SeqCst);
    };
    let database = Database::default();
    let policy = Policy { group_delay: Duration::ZERO, ..policy(4, 1_000) };
    let mut sequencer =
        Sequencer::start_waking(position(&database), Box::new(database.clone()), policy, wake).unwrap();
    let mut handed_out = Vec::new();
    for input in bars(3, 10) {
        while !sequencer.has_room() {
            sequencer.wait(Duration::from_secs(1), &mut handed_out).unwrap();
        }
        sequencer.step(input);
        assert!(sequencer.durable() < sequencer.sequence());
    }
    while sequencer.durable() < sequencer.sequence() {
        sequencer.wait(Duration::from_millis(1), &mut handed_out).unwrap();
    }
    assert_eq!(database.clone().tail(SHARD).unwrap().unwrap().last, sequencer.durable());
    assert!(woken.load(Ordering::SeqCst) > 0, "who waits for several sequencers is never woken");
}

#[test]
fn an_input_that_something_followed_from_waits_less_for_company() {
    let policy = policy(1_000, 1_000);
    let database = Database::default();
    let mut sequencer = Sequencer::start(position(&database), Box::new(database.clone()), policy).unwrap();
    assert_eq!(sequencer.next_look(), None, "nothing is under way");

    let market = bars(1, 1);
    sequencer.step(market[0].clone());
    assert!(sequencer.next_look().unwrap() > policy.group_delay, "nothing waits for a bar that nobody saw");

    let deployment = InputKind::command(host(), deployments().remove(0));
    sequencer.step(Input { time: sequencer.engine().now(), kind: deployment });
    assert!(sequencer.next_look().unwrap() <= policy.group_delay, "the news of the slot wait");

    let mut handed_out = Vec::new();
    sequencer.close(Duration::from_secs(60), &mut handed_out).unwrap();
    assert!(!handed_out.is_empty());
}
