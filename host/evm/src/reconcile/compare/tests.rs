use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{Address, B256};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::Actor;
use bulkhead_core::reconciliation::Asset;
use bulkhead_core::time::Timestamp;

use super::*;
use crate::amounts::to_units;
use crate::settings::Token;

const ROUTER: Address = Address::repeat_byte(9);

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn token(symbol: &str, number: u8, decimals: u8, native: bool) -> Token {
    Token { symbol: symbol.to_owned(), address: Address::repeat_byte(number), decimals, native }
}

fn booked(token: Token, asset: Asset, amount: &str, price: &str) -> TokenBooks {
    let (booked, symbol) = (decimal(amount), String::new());
    TokenBooks {
        token,
        assets: vec![BookedAsset { asset, symbol, booked }],
        expected: booked,
        may_be_less: Decimal::ZERO,
        may_be_more: false,
        price: Some(decimal(price)),
    }
}

/// 1000 USD and 2 X at 100, in an account that has traded with five transactions.
fn books() -> Books {
    Books {
        tokens: vec![
            booked(token("USD", 1, 6, false), Asset::Cash, "1000", "1"),
            booked(token("X", 2, 18, false), Asset::Position(InstrumentId(0)), "2", "100"),
        ],
        open_nonces: BTreeSet::new(),
        landed: 5,
        on_their_way: false,
        ignored: BTreeMap::from([fine(TRANSACTIONS, "0")]),
        has_ordered: true,
    }
}

fn fine(subject: &str, difference: &str) -> (String, Ignored) {
    let (reason, actor) = ("it is".to_owned(), Actor::Person("anna".to_owned()));
    let ignored = Ignored { difference: decimal(difference), reason, actor, since: Timestamp::EPOCH };
    (subject.to_owned(), ignored)
}

fn chain(dollars: &str, units: &str) -> Figures {
    Figures {
        address: Address::repeat_byte(7),
        chain_id: 1,
        block: 9,
        hash: B256::ZERO,
        timestamp: 1,
        native: to_units(Decimal::ONE, 18).unwrap(),
        tokens: BTreeMap::from([
            (Address::repeat_byte(1), to_units(decimal(dollars), 6).unwrap()),
            (Address::repeat_byte(2), to_units(decimal(units), 18).unwrap()),
        ]),
        allowances: BTreeMap::from([((Address::repeat_byte(1), ROUTER), U256::ZERO)]),
        mined: 5,
        pending: 5,
    }
}

const STRICT: Tolerance = Tolerance { fraction: Decimal::ZERO, dust: Decimal::ZERO, surplus_halts: true };

fn usual() -> Tolerance {
    Tolerance { fraction: decimal("0.0001"), dust: decimal("0.01"), surplus_halts: true }
}

fn verdict(found: &Reconciliation, subject: &str) -> Verdict {
    found.rows.iter().find(|row| row.subject.starts_with(subject)).unwrap().verdict
}

#[test]
fn what_both_say_agrees() {
    let found = compare(&books(), &chain("1000", "2"), &STRICT);
    assert!(!found.halts() && found.noted().is_empty() && found.baseline.is_empty(), "{found:?}");
    let compared: Vec<&str> = found.rows.iter().map(|row| row.kind.name()).collect();
    assert_eq!(compared, ["balance", "balance", "allowance", "transactions", "pending"]);
}

#[test]
fn what_is_missing_halts_beyond_the_tolerance_and_not_at_it() {
    // A ten thousandth of 1000, and a hundredth of a dollar.
    for (dollars, units, halts) in [
        ("999.89", "2", false),
        ("999.889999", "2", true),
        ("1000.11", "2", false),
        ("1000.110001", "2", true),
        // Of X the hundredth of a dollar is a ten thousandth unit.
        ("1000", "1.9997", false),
        ("1000", "1.99969", true),
    ] {
        let found = compare(&books(), &chain(dollars, units), &usual());
        assert_eq!(found.halts(), halts, "{dollars} {units}: {}", found.why_it_halts());
    }
    let found = compare(&books(), &chain("900", "2"), &usual());
    assert_eq!(found.why_it_halts(), "100 USD is missing: the books say 1000, the chain 900");
    assert_eq!(found.rows[0].worth, Some(decimal("-100")));
}

#[test]
fn a_surplus_is_told_where_it_does_not_halt() {
    let told = Tolerance { surplus_halts: false, ..usual() };
    let found = compare(&books(), &chain("1500", "2"), &told);
    assert!(!found.halts());
    assert_eq!(found.noted(), "500 USD is not in the books: they say 1000, the chain 1500");
    assert!(compare(&books(), &chain("900", "2"), &told).halts());
}

#[test]
fn what_an_order_on_its_way_explains_is_no_difference_and_what_it_does_not_is_one() {
    let mut books = books();
    // It may pay up to 300 for some of X.
    books.tokens[0].may_be_less = decimal("300");
    books.tokens[1].may_be_more = true;
    books.open_nonces.insert(5);
    for (dollars, units, expected) in [
        ("1000", "2", Verdict::Agrees),
        ("700", "5", Verdict::OnTheWay),
        ("699", "5", Verdict::Halts),
        ("1001", "2", Verdict::Halts),
    ] {
        let found = compare(&books, &chain(dollars, units), &STRICT);
        assert_eq!(verdict(&found, "balance:USD"), expected, "{dollars}");
    }
    assert_eq!(verdict(&compare(&books, &chain("700", "1.9"), &STRICT), "balance:X"), Verdict::Halts);
    // A sale takes its units, and may bring any amount.
    (books.tokens[0].may_be_less, books.tokens[0].may_be_more) = (Decimal::ZERO, true);
    assert_eq!(verdict(&compare(&books, &chain("9000", "2"), &STRICT), "balance:USD"), Verdict::OnTheWay);
}

#[test]
fn a_difference_is_ignored_as_long_as_it_is_the_same() {
    let mut books = books();
    books.ignored.extend([fine("balance:USD", "-50")]);
    let at = |dollars| verdict(&compare(&books, &chain(dollars, "2"), &usual()), "balance:USD");
    assert_eq!((at("950"), at("950.05")), (Verdict::Ignored, Verdict::Ignored));
    assert_eq!((at("949"), at("1000")), (Verdict::Halts, Verdict::Halts));
    let found = compare(&books, &chain("940", "2"), &usual());
    assert_eq!(found.why_it_halts(), "10 USD is missing: the books say 1000, the chain 940");
}

#[test]
fn what_was_there_before_the_first_order_is_set_aside_and_what_is_missing_then_is_not() {
    let mut books = books();
    (books.has_ordered, books.landed) = (false, 0);
    books.ignored.clear();
    let found = compare(&books, &chain("20000", "2"), &usual());
    let expected = [("balance:USD".to_owned(), decimal("19000")), (TRANSACTIONS.to_owned(), decimal("5"))];
    assert_eq!(found.baseline, expected);
    assert!(!found.halts());
    assert!(compare(&books, &chain("500", "2"), &usual()).halts());
    // Once it has ordered, more than before has to be looked at.
    books.has_ordered = true;
    assert!(compare(&books, &chain("20000", "2"), &usual()).halts());
}

#[test]
fn transactions_that_the_journal_does_not_know_halt() {
    let mut figures = chain("1000", "2");
    (figures.mined, figures.pending) = (6, 6);
    let mut books = books();
    let found = compare(&books, &figures, &usual());
    assert_eq!(found.why_it_halts(), "1 transactions of the address landed that the journal does not know");
    // One that is on its way may have landed.
    books.open_nonces.insert(5);
    assert_eq!(verdict(&compare(&books, &figures, &usual()), TRANSACTIONS), Verdict::OnTheWay);

    let mut figures = chain("1000", "2");
    figures.pending = 7;
    let found = compare(&books, &figures, &usual());
    assert_eq!(verdict(&found, PENDING), Verdict::Halts);
    assert!(found.why_it_halts().starts_with("1 transactions"), "{}", found.why_it_halts());
    books.open_nonces.insert(6);
    assert!(!compare(&books, &figures, &usual()).halts());
    // A server that says anything holds nobody up.
    figures.pending = u64::MAX;
    assert!(compare(&books, &figures, &usual()).halts());
}

#[test]
fn what_landed_is_not_counted_from_while_something_is_on_its_way() {
    let mut books = books();
    books.ignored.clear();
    books.open_nonces.insert(4);
    let found = compare(&books, &chain("1000", "2"), &usual());
    assert!(found.baseline.is_empty() && !found.halts());
}

#[test]
fn a_permission_that_is_left_is_told_unless_an_order_uses_it() {
    let mut figures = chain("1000", "2");
    // What a purchase may cost more than it does, and did not.
    figures.allowances.insert((Address::repeat_byte(1), ROUTER), to_units(decimal("50"), 6).unwrap());
    assert_eq!(verdict(&compare(&books(), &figures, &usual()), "allowance"), Verdict::Tolerated);
    figures.allowances.insert((Address::repeat_byte(1), ROUTER), U256::MAX);
    let mut books = books();
    let found = compare(&books, &figures, &usual());
    assert!(!found.halts() && found.noted().contains("may still take"), "{}", found.noted());
    books.on_their_way = true;
    assert_eq!(verdict(&compare(&books, &figures, &usual()), "allowance"), Verdict::OnTheWay);
    books.on_their_way = false;
    let subject = found.rows[2].subject.clone();
    books.ignored.extend([fine(&subject, &Decimal::MAX.to_string())]);
    assert_eq!(verdict(&compare(&books, &figures, &usual()), "allowance"), Verdict::Ignored);
}

#[test]
fn native_currency_beside_the_books_is_for_gas() {
    let mut books = books();
    books.tokens[1] = booked(token("ETH", 2, 18, true), Asset::Position(InstrumentId(0)), "0.4", "100");
    let figures = chain("1000", "0");
    assert_eq!(verdict(&compare(&books, &figures, &usual()), "balance:ETH"), Verdict::Agrees);
    books.tokens[1].expected = decimal("1.1");
    assert_eq!(verdict(&compare(&books, &figures, &usual()), "balance:ETH"), Verdict::Halts);
}
