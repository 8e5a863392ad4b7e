//! Delivering what is in an outbox: one after another, no faster than allowed, again after a failure.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use governor::clock::{Clock as _, DefaultClock};
use governor::{Quota, RateLimiter};

use crate::channel::Channel;
use crate::http::Failure;
use crate::outbox::{Outbox, Parcel};

/// How long and how often an alert is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// The pause after the first failure; it doubles, with jitter.
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
    /// After so long an alert is given up.
    pub(crate) give_up: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(120),
            give_up: Duration::from_secs(3_600),
        }
    }
}

/// What is reported of an alert on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report<'a> {
    /// It did not arrive and is tried again.
    TriedInVain(&'a str),
    /// It arrived.
    Sent,
    /// It was given up.
    Failed(&'a str),
}

/// What became of an alert at a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// It was delivered.
    Sent,
    /// It was given up.
    Failed,
    /// There was no room for it.
    LeftOut,
}

impl Counted {
    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::LeftOut => "left-out",
        }
    }
}

enum End {
    Delivered,
    GivenUp(String),
    /// The host ends.
    NoTime,
}

/// Delivers until the outbox is closed.
pub(crate) fn deliver(
    name: &str,
    channel: &dyn Channel,
    outbox: &Outbox,
    per_minute: NonZeroU32,
    patience: Patience,
    report: &dyn Fn(&Parcel, Report<'_>),
) {
    let limiter = RateLimiter::direct(Quota::per_minute(per_minute));
    let clock = DefaultClock::default();
    while let Some(mut parcel) = outbox.next() {
        while let Err(not_yet) = limiter.check() {
            if !outbox.pause(not_yet.wait_time_from(clock.now())) {
                say_undelivered(name, 1 + outbox.len());
                return;
            }
        }
        let kind = parcel.alert.kind.name();
        match try_until_done(name, channel, outbox, &mut parcel, patience, report) {
            End::Delivered => {
                report(&parcel, Report::Sent);
                tracing::debug!(channel = name, kind, delivery = parcel.delivery, "alert delivered");
            }
            End::GivenUp(why) => {
                report(&parcel, Report::Failed(&why));
                let title = parcel.alert.title;
                tracing::error!(channel = name, kind, title, why, "an alert was given up");
            }
            End::NoTime => {
                say_undelivered(name, 1 + outbox.len());
                return;
            }
        }
    }
    if outbox.len() > 0 {
        say_undelivered(name, outbox.len());
    }
}

fn say_undelivered(channel: &str, count: usize) {
    tracing::warn!(channel, count, "the host ended before these alerts were delivered");
}

fn try_until_done(
    name: &str,
    channel: &dyn Channel,
    outbox: &Outbox,
    parcel: &mut Parcel,
    patience: Patience,
    report: &dyn Fn(&Parcel, Report<'_>),
) -> End {
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(patience.first)
        .with_max_delay(patience.longest)
        .with_jitter()
        .without_max_times()
        .build();
    let mut failed = false;
    loop {
        let failure = match channel.send(parcel) {
            Ok(()) => {
                if failed {
                    tracing::info!(channel = name, "alerts are delivered again");
                }
                return End::Delivered;
            }
            Err(failure) => failure,
        };
        let (why, after) = match failure {
            Failure::Final { why } => return End::GivenUp(why),
            Failure::Passing { why, after } => (why, after),
        };
        if !failed {
            tracing::warn!(channel = name, why, "an alert was not delivered; it is tried again");
            failed = true;
        }
        report(parcel, Report::TriedInVain(&why));
        let pause = pauses.next().unwrap_or(patience.longest).max(after.unwrap_or_default());
        let next = Instant::now() + pause;
        if next.saturating_duration_since(parcel.since) >= patience.give_up {
            return End::GivenUp(why);
        }
        if !outbox.pause(pause) {
            return End::NoTime;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Mutex;

    use super::*;
    use crate::alert::{Alert, AlertKind};

    /// Answers as it was told, and remembers what it was asked.
    struct Scripted {
        answers: Mutex<Vec<Result<(), Failure>>>,
        deliveries: Mutex<Vec<(String, Instant)>>,
    }

    impl Scripted {
        fn new(mut answers: Vec<Result<(), Failure>>) -> Self {
            answers.reverse();
            Self { answers: Mutex::new(answers), deliveries: Mutex::default() }
        }
    }

    impl Channel for Scripted {
        fn send(&self, parcel: &mut Parcel) -> Result<(), Failure> {
            self.deliveries.lock().unwrap().push((parcel.delivery.clone(), Instant::now()));
            self.answers.lock().unwrap().pop().unwrap_or(Ok(()))
        }
    }

    fn passing(after: Option<Duration>) -> Result<(), Failure> {
        Err(Failure::Passing { why: "busy".to_owned(), after })
    }

    /// Delivers two alerts through it; what was counted.
    fn run(channel: &Scripted, give_up: Duration) -> Vec<Counted> {
        let outbox = Outbox::default();
        for _ in 0..2 {
            outbox.push(Alert::new(AlertKind::Slippage, "", "", ""), None);
        }
        outbox.close(Instant::now() + Duration::from_secs(600));
        let patience =
            Patience { first: Duration::from_millis(1), longest: Duration::from_millis(2), give_up };
        let counted = RefCell::new(Vec::new());
        let count = |_: &Parcel, report: Report<'_>| match report {
            Report::TriedInVain(_) => {}
            Report::Sent => counted.borrow_mut().push(Counted::Sent),
            Report::Failed(_) => counted.borrow_mut().push(Counted::Failed),
        };
        deliver("test", channel, &outbox, NonZeroU32::new(1_000).unwrap(), patience, &count);
        counted.into_inner()
    }

    const LONG: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_failure_is_tried_again_under_the_same_number_and_in_order() {
        let channel = Scripted::new(vec![passing(None), passing(None), Ok(()), Ok(())]);
        assert_eq!(run(&channel, LONG), [Counted::Sent, Counted::Sent]);
        let tried: Vec<String> =
            channel.deliveries.into_inner().unwrap().into_iter().map(|(id, _)| id).collect();
        assert_eq!(tried.len(), 4);
        assert!(tried[0] == tried[1] && tried[1] == tried[2] && tried[2] != tried[3], "{tried:?}");
    }

    #[test]
    fn a_server_is_left_alone_for_as_long_as_it_asks() {
        let asked = Duration::from_millis(300);
        let channel = Scripted::new(vec![passing(Some(asked))]);
        run(&channel, LONG);
        let tried = channel.deliveries.into_inner().unwrap();
        assert!(tried[1].1 - tried[0].1 >= asked);
    }

    #[test]
    fn what_can_not_succeed_or_takes_too_long_is_given_up_and_the_next_has_its_turn() {
        let channel = Scripted::new(vec![Err(Failure::Final { why: "no such place".to_owned() })]);
        assert_eq!(run(&channel, LONG), [Counted::Failed, Counted::Sent]);
        let channel = Scripted::new(vec![passing(Some(LONG)), Ok(())]);
        assert_eq!(run(&channel, LONG), [Counted::Failed, Counted::Sent]);
    }

    #[test]
    fn no_more_is_sent_in_a_minute_than_allowed() {
        let outbox = Outbox::default();
        for _ in 0..5 {
            outbox.push(Alert::new(AlertKind::Slippage, "", "", ""), None);
        }
        let channel = Scripted::new(Vec::new());
        // The third would be due in half a minute, and the end comes before that.
        outbox.close(Instant::now() + Duration::from_secs(5));
        deliver("test", &channel, &outbox, NonZeroU32::new(2).unwrap(), Patience::default(), &|_, _| {});
        assert_eq!(channel.deliveries.into_inner().unwrap().len(), 2);
        assert_eq!(outbox.len(), 2);
    }
}
