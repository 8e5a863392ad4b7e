use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;

const BTC: InstrumentId = InstrumentId(3);

fn settlement(strategy: StrategyId, quantity: i64, price_cents: i64, fee_cents: i64) -> Settlement {
    let quantity = Quantity(Decimal::new(quantity, 3));
    Settlement {
        strategy,
        instrument: BTC,
        quantity,
        value: Price(Decimal::new(price_cents, 2)).value_of(quantity).unwrap(),
        fee: Money(Decimal::new(fee_cents, 2)),
        time: Timestamp::from_seconds(1),
    }
}

fn funded(cents: i64) -> (Ledger, StrategyId) {
    let mut ledger = Ledger::new();
    ledger.deposit(Money(Decimal::new(cents, 2))).unwrap();
    let strategy = ledger.open(None).unwrap();
    ledger.transfer(strategy, Money(Decimal::new(cents, 2))).unwrap();
    (ledger, strategy)
}

#[test]
fn a_purchase_is_paid_from_its_reservation_only() {
    let (mut ledger, strategy) = funded(100_000);
    let buy = settlement(strategy, 2_000, 10_000, 20);
    assert!(matches!(ledger.settle_buy(&buy, Money::ZERO), Err(LedgerError::NotReserved { .. })));
    let reserved = Money(Decimal::new(20_050, 2));
    assert!(matches!(ledger.settle_buy(&buy, reserved), Err(LedgerError::NotReserved { .. })));
    ledger.reserve(strategy, reserved).unwrap();
    ledger.settle_buy(&buy, reserved).unwrap();
    let books = ledger.sub_ledger(strategy).unwrap();
    assert_eq!(books.cash(), Money(Decimal::new(79_980, 2)));
    assert_eq!(books.reserved(), Money::ZERO);
}

#[test]
fn a_sale_needs_a_reserved_quantity_and_books_the_profit() {
    let (mut ledger, strategy) = funded(100_000);
    let buy = settlement(strategy, 1_000, 10_000, 10);
    ledger.reserve(strategy, Money(Decimal::new(10_010, 2))).unwrap();
    ledger.settle_buy(&buy, Money(Decimal::new(10_010, 2))).unwrap();
    let sell = settlement(strategy, 1_000, 11_000, 11);
    assert!(matches!(ledger.settle_sell(&sell), Err(LedgerError::NotReserved { .. })));
    ledger.reserve_quantity(strategy, BTC, sell.quantity).unwrap();
    assert!(ledger.reserve_quantity(strategy, BTC, Quantity(Decimal::new(1, 3))).is_err());
    let part = ledger.settle_sell(&sell).unwrap();
    assert_eq!(part.pnl, Money(Decimal::new(979, 2)));
    let books = ledger.sub_ledger(strategy).unwrap();
    assert_eq!(books.cash(), Money(Decimal::new(100_979, 2)));
    assert!(books.positions().is_empty());
}

#[test]
fn one_strategy_can_not_spend_anothers_money() {
    let (mut ledger, _) = funded(100_000);
    let other = ledger.open(None).unwrap();
    assert!(ledger.reserve(other, Money(Decimal::ONE)).is_err());
    assert!(ledger.transfer(other, Money(Decimal::ONE)).is_err());
}

/// An amount beyond the range can have its last digit by chance, and then nothing finer can be taken from it.
#[test]
fn what_is_free_is_exact_up_to_the_end_of_the_range_and_nothing_gets_past_it() {
    let finest = Money(Decimal::new(1, 16));
    let beyond: Money = Money("7972902881486.392280960350572".parse().unwrap());
    let mut ledger = Ledger::new();
    let shadow = ledger.open(Some(Money(Decimal::from(7_900_000_000_000_i64)))).unwrap();
    let mut trade = settlement(shadow, 1_000, 100, 0);
    ledger.reserve(shadow, trade.value).unwrap();
    ledger.settle_buy(&trade, trade.value).unwrap();
    ledger.reserve_quantity(shadow, BTC, trade.quantity).unwrap();
    ledger.reserve(shadow, finest).unwrap();

    let cash = ledger.sub_ledger(shadow).unwrap().cash();
    trade.value = beyond.minus(cash).unwrap();
    let before = ledger.clone();
    assert_eq!(ledger.settle_sell(&trade), Err(Overflow.into()));
    assert_eq!(ledger, before, "a refused operation must change nothing");
    trade.value = Money::LARGEST_BOOKED.minus(cash).unwrap();
    ledger.settle_sell(&trade).unwrap();
    let books = ledger.sub_ledger(shadow).unwrap();
    assert_eq!(books.cash(), Money::LARGEST_BOOKED);
    assert_eq!(books.free().plus(finest), Ok(Money::LARGEST_BOOKED));

    assert_eq!(ledger.open(Some(beyond)), Err(Overflow.into()));
    assert_eq!(ledger.deposit(beyond), Err(Overflow.into()));
}

#[test]
fn make_believe_money_is_not_the_accounts() {
    let (mut ledger, _) = funded(100_000);
    ledger.open(Some(Money(Decimal::from(5_000)))).unwrap();
    assert_eq!(ledger.equity(|_| None), Ok(Money(Decimal::from(1_000))));
}

/// An operation with small numbers, so that refusals and successes are both common.
#[derive(Debug, Clone)]
enum Operation {
    Deposit(i64),
    Transfer(u32, i64),
    Buy { strategy: u32, quantity: i64, price: i64, fee: i64, surplus: i64 },
    Sell { strategy: u32, quantity: i64, price: i64, fee: i64 },
    Reserve(u32, i64),
    Release(u32, i64),
    Charge(u32, i64),
}

fn operation() -> impl Strategy<Value = Operation> {
    let strategy = 0_u32..3;
    prop_oneof![
        (0_i64..50_000).prop_map(Operation::Deposit),
        (strategy.clone(), -20_000_i64..20_000).prop_map(|(s, a)| Operation::Transfer(s, a)),
        (strategy.clone(), 1_i64..3_000, 1_i64..20_000, 0_i64..100, 0_i64..100).prop_map(
            |(strategy, quantity, price, fee, surplus)| Operation::Buy {
                strategy,
                quantity,
                price,
                fee,
                surplus
            }
        ),
        (strategy.clone(), 1_i64..3_000, 1_i64..20_000, 0_i64..5_000)
            .prop_map(|(strategy, quantity, price, fee)| Operation::Sell { strategy, quantity, price, fee }),
        (strategy.clone(), 0_i64..10_000).prop_map(|(s, a)| Operation::Reserve(s, a)),
        (strategy.clone(), 0_i64..10_000).prop_map(|(s, a)| Operation::Release(s, a)),
        (strategy, 0_i64..500).prop_map(|(s, a)| Operation::Charge(s, a)),
    ]
}

proptest! {
    /// The books against a second bookkeeping that only adds up what succeeded.
    #[test]
    fn books_equal_the_sum_of_what_was_booked(operations in proptest::collection::vec(operation(), 1..120)) {
        let mut ledger = Ledger::new();
        for make_believe in [None, None, Some(Money(Decimal::from(500)))] {
            ledger.open(make_believe).unwrap();
        }
        let mut pool = Decimal::ZERO;
        let mut cash = [Decimal::ZERO, Decimal::ZERO, Decimal::from(500)];
        let mut reserved = [Decimal::ZERO; 3];
        let mut held = [Decimal::ZERO; 3];
        for operation in operations {
            let before = ledger.clone();
            let cents = |value: i64| Decimal::new(value, 2);
            let done = match operation {
                Operation::Deposit(amount) => ledger.deposit(Money(cents(amount))).map(|()| pool += cents(amount)),
                Operation::Transfer(s, amount) => ledger.transfer(StrategyId(s), Money(cents(amount))).map(|()| {
                    pool -= cents(amount);
                    cash[s as usize] += cents(amount);
                }),
                Operation::Buy { strategy, quantity, price, fee, surplus } => {
                    let buy = settlement(StrategyId(strategy), quantity, price, fee);
                    let total = Money(buy.value.0 + buy.fee.0 + cents(surplus));
                    ledger.reserve(StrategyId(strategy), total).map(|()| {
                        ledger.settle_buy(&buy, total).unwrap();
                        cash[strategy as usize] -= buy.value.0 + buy.fee.0;
                        held[strategy as usize] += buy.quantity.0;
                    })
                }
                Operation::Sell { strategy, quantity, price, fee } => {
                    let sell = settlement(StrategyId(strategy), quantity, price, fee);
                    ledger.reserve_quantity(StrategyId(strategy), BTC, sell.quantity).and_then(|()| {
                        let settled = ledger.settle_sell(&sell);
                        if settled.is_err() {
                            ledger.release_quantity(StrategyId(strategy), BTC, sell.quantity).unwrap();
                        }
                        settled.map(|_| {
                            cash[strategy as usize] += sell.value.0 - sell.fee.0;
                            held[strategy as usize] -= sell.quantity.0;
                        })
                    })
                }
                Operation::Reserve(s, amount) => ledger
                    .reserve(StrategyId(s), Money(cents(amount)))
                    .map(|()| reserved[s as usize] += cents(amount)),
                Operation::Release(s, amount) => ledger
                    .release(StrategyId(s), Money(cents(amount)))
                    .map(|()| reserved[s as usize] -= cents(amount)),
                Operation::Charge(s, amount) => ledger
                    .charge(StrategyId(s), Money(cents(amount)))
                    .map(|booked| cash[s as usize] -= booked.0),
            };
            if done.is_err() {
                prop_assert_eq!(&ledger, &before, "a refused operation must change nothing");
            }
            prop_assert_eq!(ledger.pool().0, pool);
            prop_assert_eq!(ledger.cash().0, pool + cash[0] + cash[1]);
            let holding = ledger.holdings().first().map_or(Decimal::ZERO, |(_, quantity)| quantity.0);
            prop_assert_eq!(holding, held[0] + held[1]);
            prop_assert!(!ledger.pool().is_negative());
            for (index, books) in ledger.sub_ledgers().iter().enumerate() {
                prop_assert_eq!(books.cash().0, cash[index]);
                prop_assert_eq!(books.reserved().0, reserved[index]);
                prop_assert!(books.reserved() <= books.cash() && !books.reserved().is_negative());
                let quantity = books.position(BTC).map_or(Decimal::ZERO, |position| position.quantity.0);
                prop_assert_eq!(quantity, held[index]);
                prop_assert!(books.position(BTC).is_none_or(|p| p.quantity.is_positive() && p.reserved <= p.quantity));
                // Money in, plus profit, is cash plus what the positions cost with their entry fees.
                let invested: Decimal = books.positions().iter().map(|p| p.cost.0 + p.entry_fees.0).sum();
                let rounding = (books.funded().0 + books.realised().0 - books.cash().0 - invested).abs();
                prop_assert!(rounding < Decimal::new(1, 18), "off by {}", rounding);
            }
        }
    }
}
