//! What is waiting for a yes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a question stands.
pub(crate) const STANDS: Duration = Duration::from_secs(60);

/// A person in a chat: the chat's number and the person's.
pub(crate) type Person = (i64, i64);

/// Questions that wait for an answer, the newest of each person.
pub(crate) struct Questions<T>(BTreeMap<Person, (Instant, T)>);

impl<T> Questions<T> {
    pub(crate) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Asks about something; what was asked before does not count any more.
    pub(crate) fn ask(&mut self, whom: Person, about: T, now: Instant) {
        self.0.retain(|_, (until, _)| *until > now);
        self.0.insert(whom, (now + STANDS, about));
    }

    /// What was asked about, once and in time.
    pub(crate) fn answer(&mut self, whom: Person, now: Instant) -> Option<T> {
        self.0.remove(&whom).filter(|(until, _)| *until > now).map(|(_, about)| about)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_once_in_time_and_by_who_was_asked() {
        let now = Instant::now();
        let mut questions = Questions::new();
        questions.ask((1, 7), "a", now);
        assert_eq!(questions.answer((1, 8), now), None, "another person in the chat");
        assert_eq!(questions.answer((2, 7), now), None, "another chat");
        assert_eq!(questions.answer((1, 7), now), Some("a"));
        assert_eq!(questions.answer((1, 7), now), None);
        questions.ask((1, 7), "a", now);
        questions.ask((1, 7), "b", now);
        assert_eq!(questions.answer((1, 7), now), Some("b"));
        questions.ask((1, 7), "a", now);
        assert_eq!(questions.answer((1, 7), now + STANDS), None, "too late");
    }
}
