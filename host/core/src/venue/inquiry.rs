//! After a restart: what became of an order at its venue, and what follows from that.
//!
//! An order that a venue may have is never given up because time passed, and its funds stay reserved until the
//! venue has proved what became of it.

use serde::{Deserialize, Serialize};

use super::Report;
use crate::order::OrderState;

/// What a venue says of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It can't be asked, or gives no answer.
    Unknown {
        /// Why.
        why: String,
    },
    /// It does not have the order now. That is no proof that it will not get it.
    NotThere,
    /// It has the order, or had it until it ended there.
    Known {
        /// What happened to it that the engine has not booked, in order; the last may end it.
        unbooked: Vec<Report>,
    },
}

/// What follows for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// It stays as it is, its funds reserved.
    Keep,
    /// It is sent: it has never left the host.
    Send,
    /// What happened to it is booked.
    Book(Vec<Report>),
    /// What the venue says can't be: trading is halted, and a person must look. The order stays as it is.
    Contradiction(String),
}

/// What follows for an order in this state from what its venue says.
///
/// | state | unknown | not there | known |
/// |---|---|---|---|
/// | accepted | keep | send | contradiction |
/// | in flight | keep | keep | book |
/// | working, partially filled | keep | contradiction | book |
/// | ended | keep | keep | keep |
///
/// That an order leaves the host is recorded before it leaves, so an order that is only accepted can't be at
/// the venue.
#[must_use]
pub fn resolve(state: OrderState, standing: Standing) -> Resolution {
    use OrderState as S;
    match (state, standing) {
        (S::Accepted, Standing::NotThere) => Resolution::Send,
        (S::Accepted, Standing::Known { .. }) => {
            Resolution::Contradiction("the venue knows an order that was never sent".to_owned())
        }
        (S::InFlight | S::Working | S::PartiallyFilled, Standing::Known { unbooked }) => {
            if unbooked.is_empty() { Resolution::Keep } else { Resolution::Book(unbooked) }
        }
        (S::Working | S::PartiallyFilled, Standing::NotThere) => Resolution::Contradiction(
            "the venue had acknowledged the order and does not know it any more".to_owned(),
        ),
        (S::Accepted | S::InFlight | S::Working | S::PartiallyFilled, Standing::Unknown { .. })
        | (S::InFlight, Standing::NotThere)
        | (S::Filled | S::Cancelled | S::Rejected | S::Expired, _) => Resolution::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::OrderId;
    use crate::time::Timestamp;
    use crate::venue::ReportedEvent;

    fn expired() -> Vec<Report> {
        vec![Report { order: OrderId(1), time: Timestamp::EPOCH, event: ReportedEvent::Expired }]
    }

    fn all(state: OrderState) -> [Resolution; 4] {
        [
            Standing::Unknown { why: "timeout".to_owned() },
            Standing::NotThere,
            Standing::Known { unbooked: Vec::new() },
            Standing::Known { unbooked: expired() },
        ]
        .map(|standing| resolve(state, standing))
    }

    #[test]
    fn an_order_that_was_never_sent_is_sent_only_when_the_venue_does_not_have_it() {
        let [unknown, not_there, known, over] = all(OrderState::Accepted);
        assert_eq!((unknown, not_there), (Resolution::Keep, Resolution::Send));
        assert!(matches!(known, Resolution::Contradiction(_)));
        assert!(matches!(over, Resolution::Contradiction(_)));
    }

    #[test]
    fn an_order_in_flight_is_never_given_up_without_proof() {
        let [unknown, not_there, known, over] = all(OrderState::InFlight);
        assert_eq!((unknown, not_there, known), (Resolution::Keep, Resolution::Keep, Resolution::Keep));
        assert_eq!(over, Resolution::Book(expired()));
    }

    #[test]
    fn an_order_that_the_venue_had_can_not_be_unheard_of() {
        for state in [OrderState::Working, OrderState::PartiallyFilled] {
            let [unknown, not_there, known, over] = all(state);
            assert_eq!((unknown, known), (Resolution::Keep, Resolution::Keep));
            assert!(matches!(not_there, Resolution::Contradiction(_)));
            assert_eq!(over, Resolution::Book(expired()));
        }
    }

    #[test]
    fn an_order_that_has_ended_stays_as_it_is() {
        for state in OrderState::ALL.into_iter().filter(|state| state.is_final()) {
            assert_eq!(all(state), [const { Resolution::Keep }; 4]);
        }
    }
}
