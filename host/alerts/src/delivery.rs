//! Delivering what is in an outbox: the gravest first, no faster than allowed, again after a failure.

use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
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
    /// When it fails after so long, an alert is given up.
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

impl Patience {
    /// One pause after the other.
    fn pauses(&self) -> ExponentialBuilder {
        ExponentialBuilder::default()
            .with_min_delay(self.first)
            .with_max_delay(self.longest)
            .with_jitter()
            .without_max_times()
    }

    /// The pause of an alert that was tried in vain so often, while the channel goes on.
    fn pause_after(&self, failures: u32) -> Option<Duration> {
        self.pauses().build().nth(usize::try_from(failures).unwrap_or(usize::MAX).saturating_sub(1).min(32))
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
    let mut pauses = patience.pauses().build();
    let mut is_failing = false;
    while let Some(mut parcel) = outbox.next() {
        if let Err(not_yet) = limiter.check() {
            // Something graver may come meanwhile.
            outbox.put_back(parcel);
            if outbox.pause(not_yet.wait_time_from(clock.now())) {
                continue;
            }
            break;
        }
        let (why, after, is_whole) = match send(channel, &mut parcel, report) {
            Ok(()) => {
                if is_failing {
                    tracing::info!(channel = name, "alerts are delivered again");
                    is_failing = false;
                }
                pauses = patience.pauses().build();
                report(&parcel, Report::Sent);
                let kind = parcel.alert.kind.name();
                tracing::debug!(channel = name, kind, delivery = parcel.delivery, "alert delivered");
                continue;
            }
            Err(Failure::Final { why }) => {
                give_up(name, &parcel, &why, report);
                continue;
            }
            Err(Failure::Passing { why, after }) => (why, after, true),
            Err(Failure::InPart { why, after }) => (why, after, false),
        };
        if !is_failing {
            tracing::warn!(channel = name, why, "an alert was not delivered; it is tried again");
            is_failing = true;
        }
        parcel.failures = parcel.failures.saturating_add(1);
        let pause = if is_whole { pauses.next() } else { patience.pause_after(parcel.failures) };
        let pause = pause.unwrap_or(patience.longest).max(after.unwrap_or_default());
        if parcel.since.elapsed() >= patience.give_up {
            give_up(name, &parcel, &why, report);
        } else {
            report(&parcel, Report::TriedInVain(&why));
            parcel.rests_until = (!is_whole).then(|| Instant::now() + pause);
            outbox.put_back(parcel);
        }
        // Whatever became of this one: who wants to be left alone is not asked for the next one either.
        if is_whole && !outbox.pause(pause) {
            break;
        }
    }
    if outbox.len() > 0 {
        let count = outbox.len();
        tracing::warn!(channel = name, count, "the host ended before these alerts were delivered");
    }
}

/// Tries once. An alert at which the channel itself fails is given up, so that it does not fail at it again.
fn send(
    channel: &dyn Channel,
    parcel: &mut Parcel,
    report: &dyn Fn(&Parcel, Report<'_>),
) -> Result<(), Failure> {
    catch_unwind(AssertUnwindSafe(|| channel.send(parcel))).unwrap_or_else(|panic| {
        report(parcel, Report::Failed("the channel failed at it"));
        resume_unwind(panic)
    })
}

fn give_up(name: &str, parcel: &Parcel, why: &str, report: &dyn Fn(&Parcel, Report<'_>)) {
    report(parcel, Report::Failed(why));
    let (kind, title) = (parcel.alert.kind.name(), &parcel.alert.title);
    tracing::error!(channel = name, kind, title, why, "an alert was given up");
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
        let channel = Scripted::new(vec![passing(None), Ok(())]);
        assert_eq!(run(&channel, Duration::ZERO), [Counted::Failed, Counted::Sent]);
    }

    #[test]
    fn who_wants_to_be_left_alone_for_longer_than_an_alert_lives_is_left_alone_by_the_next_one_too() {
        let asked = Duration::from_millis(300);
        let channel = Scripted::new(vec![passing(Some(asked)), passing(Some(asked)), Ok(())]);
        assert_eq!(run(&channel, asked), [Counted::Failed, Counted::Sent]);
        let tried = channel.deliveries.into_inner().unwrap();
        assert!(tried[0].0 == tried[1].0 && tried[1].0 != tried[2].0);
        assert!(tried[1].1 - tried[0].1 >= asked && tried[2].1 - tried[1].1 >= asked);
        // The end comes before that.
        let channel = Scripted::new(vec![passing(Some(LONG)), Ok(())]);
        assert_eq!(run(&channel, Duration::ZERO), [Counted::Failed]);
        assert_eq!(channel.deliveries.into_inner().unwrap().len(), 1);
    }

    #[test]
    fn what_did_not_arrive_everywhere_keeps_no_other_waiting() {
        let in_part =
            Err(Failure::InPart { why: "chat 1: busy".to_owned(), after: Some(Duration::from_millis(300)) });
        let channel = Scripted::new(vec![in_part]);
        assert_eq!(run(&channel, LONG), [Counted::Sent, Counted::Sent]);
        let tried = channel.deliveries.into_inner().unwrap();
        let tried: Vec<&str> = tried.iter().map(|(delivery, _)| delivery.as_str()).collect();
        assert!(tried.len() == 3 && tried[0] != tried[1] && tried[0] == tried[2], "{tried:?}");
    }

    #[test]
    fn what_comes_while_a_channel_fails_and_is_graver_goes_first() {
        struct Busy<'a>(&'a Outbox, Mutex<Vec<AlertKind>>);
        impl Channel for Busy<'_> {
            fn send(&self, parcel: &mut Parcel) -> Result<(), Failure> {
                let mut tried = self.1.lock().unwrap();
                tried.push(parcel.alert.kind);
                if tried.len() > 1 {
                    return Ok(());
                }
                self.0.push(Alert::new(AlertKind::TradingHalted, "", "", ""), None);
                self.0.close(Instant::now() + Duration::from_secs(600));
                passing(None)
            }
        }
        let outbox = Outbox::default();
        outbox.push(Alert::new(AlertKind::PositionOpened, "", "", ""), None);
        let channel = Busy(&outbox, Mutex::default());
        let patience = Patience { first: Duration::from_millis(1), ..Patience::default() };
        deliver("test", &channel, &outbox, NonZeroU32::new(1_000).unwrap(), patience, &|_, _| {});
        let expected = [AlertKind::PositionOpened, AlertKind::TradingHalted, AlertKind::PositionOpened];
        assert_eq!(channel.1.into_inner().unwrap(), expected);
    }

    #[test]
    fn an_alert_at_which_the_channel_fails_is_reported_and_not_tried_again() {
        struct Broken;
        impl Channel for Broken {
            fn send(&self, parcel: &mut Parcel) -> Result<(), Failure> {
                assert_ne!(parcel.alert.kind, AlertKind::TradingHalted, "a defect");
                Ok(())
            }
        }
        let outbox = Outbox::default();
        for kind in [AlertKind::TradingHalted, AlertKind::Slippage] {
            outbox.push(Alert::new(kind, "", "", ""), None);
        }
        outbox.close(Instant::now() + Duration::from_secs(600));
        let reports = RefCell::new(Vec::new());
        let report = |parcel: &Parcel, report: Report<'_>| {
            reports.borrow_mut().push((parcel.alert.kind, report == Report::Sent));
        };
        let work = || deliver("test", &Broken, &outbox, NonZeroU32::MIN, Patience::default(), &report);
        assert!(catch_unwind(AssertUnwindSafe(work)).is_err());
        // Started again, it goes on with the next one.
        work();
        let expected = [(AlertKind::TradingHalted, false), (AlertKind::Slippage, true)];
        assert_eq!(reports.into_inner(), expected);
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
        assert_eq!(outbox.len(), 3);
    }
}
