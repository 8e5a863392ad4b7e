//! What holds for the snapshot of any engine, as far as the engine relies on it without looking again.
//!
//! Snapshots are kept with their hash, so one that fails here was made by a defect or by a person. It is refused
//! as a whole: to go on from the rest of it would be a guess.

use super::EngineSnapshot;
use crate::identifier::{InstrumentId, StrategyId};
use crate::ledger::SubLedger;

/// No engine counts so far; from here a count could still be raised without an overflow.
const MOST: u64 = u64::MAX / 2;

impl EngineSnapshot {
    /// Checks that what is referred to exists and that counts can go on.
    ///
    /// # Errors
    ///
    /// What does not hold, for people.
    pub(super) fn check(&self) -> Result<(), String> {
        self.settings.check_grids().map_err(|error| error.to_string())?;
        self.check_instruments()?;
        let (configured, there) = (&self.configured.settings.instruments, &self.settings.instruments);
        if configured.len() > there.len() {
            let (configured, there) = (configured.len(), there.len());
            return Err(format!("{configured} instruments are configured, and there are {there}"));
        }
        self.check_slots()?;
        self.check_orders()?;
        self.check_counts()
    }

    fn check_instruments(&self) -> Result<(), String> {
        let expected = self.settings.instruments.len();
        for (what, found) in [
            ("markets", self.prices.instruments()),
            ("bar histories", self.history.instruments()),
            ("books at the venue", self.venue.instruments()),
            ("lists of exits", self.keeper.instruments()),
        ] {
            if found != expected {
                return Err(format!("there are {expected} instruments and {found} {what}"));
            }
        }
        let books = self.ledger.sub_ledgers().iter();
        books.flat_map(SubLedger::positions).try_for_each(|position| self.has(position.instrument))
    }

    fn check_slots(&self) -> Result<(), String> {
        let (slots, books) = (self.slots.len(), self.ledger.sub_ledgers().len());
        if slots != books {
            return Err(format!("there are {slots} slots and {books} sub-ledgers"));
        }
        let configured = self.configured.slots.len();
        if slots != configured {
            return Err(format!("there are {slots} slots, and {configured} are configured or not"));
        }
        for (place, slot) in (0..).zip(&self.slots) {
            if slot.id != StrategyId(place) {
                return Err(format!("{} is in the place of {}", slot.id, StrategyId(place)));
            }
        }
        if let Some(place) = self.ready.iter().find(|place| **place >= slots) {
            return Err(format!("slot {place} is to be told something; there are {slots}"));
        }
        self.keeper.guarded().try_for_each(|strategy| self.has_slot(strategy))
    }

    fn check_orders(&self) -> Result<(), String> {
        self.orders.iter().try_for_each(|(id, order)| {
            let terms = order.terms();
            if terms.id != *id || id.0 >= self.next_order {
                let next = self.next_order;
                return Err(format!("{} is kept as {id}, and the next one has the number {next}", terms.id));
            }
            self.has_slot(terms.strategy)?;
            self.has(terms.instrument)
        })
    }

    fn check_counts(&self) -> Result<(), String> {
        let of_slots = self.slots.iter().flat_map(|slot| {
            let record = slot.record;
            [
                ("events", slot.events_seen),
                ("faults", slot.faults),
                ("trades won", record.wins),
                ("trades lost", record.losses),
            ]
        });
        let of_venue = self.venue.transactions().iter().map(|count| ("transactions", *count));
        let of_engine = [("orders", self.next_order), ("versions of the settings", self.settings_version)];
        let mut counts = of_slots.chain(of_venue).chain(of_engine);
        match counts.find(|(_, count)| *count > MOST) {
            Some((what, count)) => Err(format!("{count} {what} can't have been counted")),
            None => Ok(()),
        }
    }

    fn has(&self, id: InstrumentId) -> Result<(), String> {
        let known = self.settings.instruments.len();
        let exists = usize::try_from(id.0).is_ok_and(|place| place < known);
        if exists { Ok(()) } else { Err(format!("{id} does not exist; there are {known}")) }
    }

    fn has_slot(&self, id: StrategyId) -> Result<(), String> {
        let known = self.slots.len();
        let exists = usize::try_from(id.0).is_ok_and(|place| place < known);
        if exists { Ok(()) } else { Err(format!("{id} does not exist; there are {known} slots")) }
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;
    use crate::engine::{Engine, EngineSettings, RestoreError};
    use crate::identifier::{ContentHash, OrderId, OrderTag};
    use crate::instrument::Instrument;
    use crate::money::{Money, Price, Quantity};
    use crate::order::{Order, OrderTerms, Origin, Pricing, Side};
    use crate::price_board::PriceBoard;
    use crate::strategy::{Description, Fault, FaultKind, InstanceConfig, Strategy, StrategySource};
    use crate::time::Timestamp;

    struct NoStrategies;

    impl StrategySource for NoStrategies {
        fn describe(&self, _: &ContentHash) -> Result<Description, Fault> {
            Err(FaultKind::Start("there are none".to_owned()).into())
        }

        fn instantiate(&self, _: &ContentHash, _: &InstanceConfig) -> Result<Box<dyn Strategy>, Fault> {
            Err(FaultKind::Start("there are none".to_owned()).into())
        }
    }

    fn snapshot() -> EngineSnapshot {
        let instruments = vec![Instrument::new("A-USD", 2, 4), Instrument::new("B-USD", 2, 4)];
        let settings = EngineSettings::new(instruments, Money(Decimal::from(1_000)));
        Engine::new(settings, Box::new(NoStrategies)).unwrap().snapshot()
    }

    fn order(id: u64, strategy: u32, instrument: u32) -> Order {
        let terms = OrderTerms {
            id: OrderId(id),
            strategy: StrategyId(strategy),
            tag: OrderTag(0),
            instrument: InstrumentId(instrument),
            side: Side::Sell,
            quantity: Quantity(Decimal::ONE),
            pricing: Pricing::Market,
            origin: Origin::Manual,
            created: Timestamp::EPOCH,
            reference_price: Price(Decimal::ONE),
            confidence: 1.0,
            reason: String::new(),
            exits: None,
        };
        Order::new(terms, Money::ZERO, Quantity::ZERO)
    }

    /// Why the snapshot is refused after an edit; empty if it is not.
    fn refused(edit: impl FnOnce(&mut EngineSnapshot)) -> String {
        let mut snapshot = snapshot();
        edit(&mut snapshot);
        match Engine::restore(snapshot, Box::new(NoStrategies)) {
            Err(RestoreError::Inconsistent(what)) => what,
            Err(error) => panic!("another reason: {error}"),
            Ok(_) => String::new(),
        }
    }

    #[test]
    fn what_an_engine_has_written_is_taken() {
        assert_eq!(refused(|_| ()), "");
    }

    #[test]
    fn lists_of_another_length_than_that_of_the_instruments_are_found() {
        let found = refused(|snapshot| snapshot.prices = PriceBoard::new(1));
        assert_eq!(found, "there are 2 instruments and 1 markets");
        assert!(refused(|snapshot| snapshot.settings.instruments.truncate(1)).contains("2 markets"));
    }

    #[test]
    fn instruments_that_are_configured_and_not_there_are_found() {
        let found = refused(|snapshot| {
            let another = snapshot.settings.instruments[0].clone();
            snapshot.configured.settings.instruments.push(another);
        });
        assert_eq!(found, "3 instruments are configured, and there are 2");
    }

    #[test]
    fn an_instrument_without_a_step_is_found() {
        let found = refused(|snapshot| snapshot.settings.instruments[1].lot = Quantity::ZERO);
        assert!(found.contains("B-USD has tick 0.01 and lot 0"), "{found}");
    }

    #[test]
    fn a_slot_that_does_not_exist_can_not_be_told_anything_nor_own_an_order() {
        assert_eq!(refused(|snapshot| snapshot.ready.push(0)), "slot 0 is to be told something; there are 0");
        let found = refused(|snapshot| {
            snapshot.next_order = 8;
            snapshot.orders.insert(OrderId(7), order(7, 0, 1));
        });
        assert_eq!(found, "strategy-0 does not exist; there are 0 slots");
    }

    #[test]
    fn a_sub_ledger_without_a_slot_is_found() {
        let found = refused(|snapshot| {
            snapshot.ledger.open(None).unwrap();
        });
        assert_eq!(found, "there are 0 slots and 1 sub-ledgers");
    }

    #[test]
    fn a_configured_slot_that_does_not_exist_is_found() {
        let found = refused(|snapshot| snapshot.configured.slots.push(None));
        assert_eq!(found, "there are 0 slots, and 1 are configured or not");
    }

    #[test]
    fn an_order_under_another_number_or_one_still_to_come_is_found() {
        let kept_as = |kept: u64, next: u64| {
            refused(|snapshot| {
                snapshot.next_order = next;
                snapshot.orders.insert(OrderId(kept), order(7, 0, 1));
            })
        };
        assert!(kept_as(6, 8).starts_with("order-7 is kept as order-6"), "{}", kept_as(6, 8));
        assert!(kept_as(7, 7).contains("the next one has the number 7"), "{}", kept_as(7, 7));
    }

    #[test]
    fn a_count_that_could_not_go_on_is_found() {
        let found = refused(|snapshot| snapshot.next_order = u64::MAX);
        assert!(found.ends_with("orders can't have been counted"), "{found}");
    }
}
