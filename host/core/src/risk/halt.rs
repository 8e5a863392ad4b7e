//! The kill switch: what a halt is, and how a second one adds to it.

use serde::{Deserialize, Serialize};

use crate::input::{Actor, HaltAction};
use crate::time::Timestamp;

/// A halt in force. It ends by a resume alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// Why, for people.
    pub reason: String,
    /// Who asked for it.
    pub actor: Actor,
    /// What it does besides refusing new exposure.
    pub action: HaltAction,
    /// Since when trading is halted.
    pub since: Timestamp,
}

impl Halt {
    /// This halt on top of one that may be in force already. The stronger action counts and trading has been
    /// halted since the first; reason and actor are the newer one's.
    #[must_use]
    pub fn on_top_of(self, before: Option<Self>) -> Self {
        match before {
            Some(before) => Self { action: self.action.max(before.action), since: before.since, ..self },
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halt(action: HaltAction, seconds: i64) -> Halt {
        Halt {
            reason: format!("at {seconds}"),
            actor: Actor::Person("anna".to_owned()),
            action,
            since: Timestamp::from_seconds(seconds),
        }
    }

    #[test]
    fn a_second_halt_can_only_add() {
        let first = halt(HaltAction::Flatten, 5);
        let second = halt(HaltAction::StopEntries, 9).on_top_of(Some(first.clone()));
        assert_eq!((second.action, second.since), (HaltAction::Flatten, first.since));
        assert_eq!(second.reason, "at 9");
        assert_eq!(first.clone().on_top_of(None), first);
    }
}
