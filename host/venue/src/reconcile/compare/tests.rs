use std::collections::{BTreeMap, BTreeSet};

use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::Actor;
use bulkhead_core::reconciliation::{Asset, Ignored};
use bulkhead_core::time::Timestamp;

use super::*;
use crate::reconcile::books::{BookedAsset, Token};
use crate::reconcile::figures::ChainName;

const ROUTER: &str = "0x99";

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn token(symbol: &str, id: &str, is_native: bool) -> Token {
    Token { symbol: symbol.to_owned(), id: id.to_owned(), is_native }
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
            booked(token("USD", "0x01", false), Asset::Cash, "1000", "1"),
            booked(token("X", "0x02", false), Asset::Position(InstrumentId(0)), "2", "100"),
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
        chain: ChainName::Evm(1),
        address: "0x07".to_owned(),
        block: 9,
        timestamp: Some(1),
        native: Decimal::ONE,
        balances: BTreeMap::from([
            ("0x01".to_owned(), decimal(dollars)),
            ("0x02".to_owned(), decimal(units)),
        ]),
        permissions: vec![allowance(Decimal::ZERO)],
        transactions: Some(TransactionCounts { mined: 5, pending: 5 }),
        beside: None,
    }
}

fn may(who: &str, kind: PermissionKind) -> Permission {
    Permission { token: "0x01".to_owned(), who: who.to_owned(), kind }
}

fn allowance(amount: Decimal) -> Permission {
    may(ROUTER, PermissionKind::Router(amount))
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
    figures.transactions = Some(TransactionCounts { mined: 6, pending: 6 });
    let mut books = books();
    let found = compare(&books, &figures, &usual());
    assert_eq!(found.why_it_halts(), "1 transactions of the address landed that the journal does not know");
    // One that is on its way may have landed.
    books.open_nonces.insert(5);
    assert_eq!(verdict(&compare(&books, &figures, &usual()), TRANSACTIONS), Verdict::OnTheWay);

    let mut figures = chain("1000", "2");
    figures.transactions = Some(TransactionCounts { mined: 5, pending: 7 });
    let found = compare(&books, &figures, &usual());
    assert_eq!(verdict(&found, PENDING), Verdict::Halts);
    assert!(found.why_it_halts().starts_with("1 transactions"), "{}", found.why_it_halts());
    books.open_nonces.insert(6);
    assert!(!compare(&books, &figures, &usual()).halts());
    // A server that says anything holds nobody up.
    figures.transactions = Some(TransactionCounts { mined: 5, pending: u64::MAX });
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
    figures.permissions = vec![allowance(decimal("50"))];
    assert_eq!(verdict(&compare(&books(), &figures, &usual()), "allowance"), Verdict::Tolerated);
    figures.permissions = vec![allowance(Decimal::MAX)];
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
    books.tokens[1] = booked(token("ETH", "native", true), Asset::Position(InstrumentId(0)), "0.4", "100");
    let figures = chain("1000", "0");
    assert_eq!(verdict(&compare(&books, &figures, &usual()), "balance:ETH"), Verdict::Agrees);
    books.tokens[1].expected = decimal("1.1");
    assert_eq!(verdict(&compare(&books, &figures, &usual()), "balance:ETH"), Verdict::Halts);
}

#[test]
fn who_has_no_business_there_halts_as_soon_as_he_may_do_anything() {
    let mut figures = chain("1000", "2");
    let mut books = books();
    figures.permissions = vec![may("eve", PermissionKind::Delegate(decimal("0.5")))];
    // Neither is it little nor is it an order's.
    books.on_their_way = true;
    let found = compare(&books, &figures, &usual());
    assert_eq!(found.why_it_halts(), "eve may take 0.5 USD, and no order had that allowed");
    books.ignored.extend([fine("delegate:USD:eve", "0.5")]);
    assert_eq!(verdict(&compare(&books, &figures, &usual()), "delegate"), Verdict::Ignored);
    figures.permissions = vec![may("eve", PermissionKind::Delegate(decimal("0.6")))];
    assert!(compare(&books, &figures, &usual()).halts());

    figures.permissions = vec![may("eve", PermissionKind::CloseAuthority)];
    let found = compare(&books, &figures, &usual());
    assert_eq!(found.why_it_halts(), "eve may close the account that holds USD");
    assert_eq!((found.rows[2].worth, found.rows[2].chain), (None, Decimal::ONE));
    books.ignored.extend([fine("close-authority:USD:eve", "1")]);
    assert!(!compare(&books, &figures, &usual()).halts());
}

/// The figures of a chain that counts no transactions, with so many tokens beside what is traded.
fn uncounted(dollars: &str, others: usize) -> Figures {
    let tokens = (0..others).map(|number| format!("m{number}")).collect();
    let beside = Beside { tokens, rent: decimal("0.002"), native: "SOL".to_owned() };
    let chain = ChainName::Solana("hash".to_owned());
    Figures {
        chain,
        transactions: None,
        permissions: Vec::new(),
        beside: Some(beside),
        ..self::chain(dollars, "2")
    }
}

#[test]
fn tokens_that_are_not_traded_are_told_when_there_are_more_of_them() {
    let mut books = books();
    books.ignored = BTreeMap::from([fine(OTHER_TOKENS, "2")]);
    for (others, expected) in [(0, Verdict::Ignored), (2, Verdict::Ignored), (3, Verdict::Noted)] {
        let found = compare(&books, &uncounted("1000", others), &usual());
        assert_eq!((verdict(&found, OTHER_TOKENS), found.halts()), (expected, false), "{others}");
    }
    let found = compare(&books, &uncounted("1000", 7), &usual());
    let words =
        "5 more tokens than before are there that are not traded; all of them: m0, m1, m2, m3, m4 and 2 more";
    assert_eq!(found.noted(), words);
    // What is bound in accounts is told, and is nobody's fault.
    let rent = found.rows.last().unwrap();
    assert_eq!((rent.kind, rent.token.as_str(), rent.verdict), (RowKind::Rent, "SOL", Verdict::Agrees));
    assert_eq!(rent.chain, decimal("0.002"));
}

#[test]
fn what_was_there_before_is_set_aside_once_where_transactions_are_not_counted_either() {
    let mut books = books();
    (books.has_ordered, books.landed) = (false, 0);
    books.ignored.clear();
    let found = compare(&books, &uncounted("20000", 1), &usual());
    let expected = [("balance:USD".to_owned(), decimal("19000")), (OTHER_TOKENS.to_owned(), Decimal::ONE)];
    assert_eq!(found.baseline, expected);
    assert!(!found.halts() && found.noted().is_empty(), "{found:?}");
    // Once that was done, what a person has counted again stays so, and what comes is looked at.
    books.ignored = BTreeMap::from([fine(OTHER_TOKENS, "1")]);
    let found = compare(&books, &uncounted("20000", 1), &usual());
    assert!(found.baseline.is_empty() && found.halts(), "{found:?}");
    // None at all is something to know, too.
    books.ignored.clear();
    assert_eq!(
        compare(&books, &uncounted("1000", 0), &usual()).baseline,
        [(OTHER_TOKENS.to_owned(), Decimal::ZERO)]
    );
}
