//! Alerts as messages.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::alert::{Alert, Severity};
use crate::channel::Channel;
use crate::http::Failure;
use crate::outbox::Parcel;
use crate::telegram::bot::Bot;
use crate::telegram::wording::{escaped, fitting};
use crate::text::second;

/// Longest title and text, in UTF-16 units; Telegram takes 4096 in all.
const LONGEST_TITLE: usize = 200;
const LONGEST_TEXT: usize = 3_000;

/// The chats that are told.
pub(crate) struct Chats {
    bot: Bot,
    chats: Vec<i64>,
    /// Until when chats want to be left alone.
    rests: RefCell<BTreeMap<i64, Instant>>,
}

impl Chats {
    pub(crate) const fn new(bot: Bot, chats: Vec<i64>) -> Self {
        Self { bot, chats, rests: RefCell::new(BTreeMap::new()) }
    }

    /// Tells one chat, unless it wants to be left alone.
    fn tell(&self, chat: i64, html: &str) -> Result<(), Failure> {
        let now = Instant::now();
        let mut rests = self.rests.borrow_mut();
        rests.retain(|_, until| *until > now);
        if let Some(until) = rests.get(&chat) {
            let why = "it wants to be left alone for a while".to_owned();
            return Err(Failure::InPart { why, after: Some(until.saturating_duration_since(now)) });
        }
        let said = self.bot.say(chat, html);
        if let Err(Failure::Passing { after: Some(after), .. }) = &said {
            rests.insert(chat, now + *after);
        }
        said
    }
}

impl Channel for Chats {
    fn send(&self, parcel: &mut Parcel) -> Result<(), Failure> {
        let html = html(&parcel.alert);
        let (mut passing, mut is_asked_in_vain, mut refused) = (Vec::new(), true, Vec::new());
        // One that can't be reached keeps no other from being told.
        for chat in &self.chats {
            if parcel.arrived.contains(chat) {
                is_asked_in_vain = false;
                continue;
            }
            let (Err(failure), named) = (self.tell(*chat, &html), |why: &str| format!("chat {chat}: {why}"))
            else {
                parcel.arrived.push(*chat);
                is_asked_in_vain = false;
                continue;
            };
            match failure {
                Failure::Passing { why, after } => passing.push((named(&why), after)),
                Failure::InPart { why, after } => {
                    is_asked_in_vain = false;
                    passing.push((named(&why), after));
                }
                Failure::Final { why } => refused.push(named(&why)),
            }
        }
        // What may pass counts more: it is tried again then, and only where it did not arrive.
        let after = passing.iter().map(|(_, after)| after.unwrap_or(Duration::ZERO)).min();
        let after = after.filter(|after| !after.is_zero());
        match (passing.into_iter().next(), refused.into_iter().next()) {
            (Some((why, _)), _) if is_asked_in_vain => Err(Failure::Passing { why, after }),
            (Some((why, _)), _) => Err(Failure::InPart { why, after }),
            (None, Some(why)) => Err(Failure::Final { why }),
            (None, None) => Ok(()),
        }
    }
}

fn html(alert: &Alert) -> String {
    let mark = match alert.kind.severity() {
        Severity::Critical => "\u{203c}\u{fe0f} ",
        Severity::Warning => "\u{26a0}\u{fe0f} ",
        Severity::Info => "",
    };
    let account = alert.account.as_ref().map(|account| format!("{account}: ")).unwrap_or_default();
    let title = escaped(&fitting(&format!("{account}{}", alert.title), LONGEST_TITLE));
    let mut html = format!("{mark}<b>{title}</b>\n{}", escaped(&fitting(&alert.text, LONGEST_TEXT)));
    if alert.repeated > 0 {
        html.push_str(&format!("\nand {} more like it", alert.repeated));
    }
    let time = alert.time.map(second);
    let input = alert.sequence.map(|sequence| format!("input {sequence}"));
    let facts: Vec<String> = time.into_iter().chain(input).collect();
    if !facts.is_empty() {
        html.push_str(&format!("\n<i>{}</i>", facts.join(" · ")));
    }
    html
}

#[cfg(test)]
mod tests {
    use bulkhead_core::time::Timestamp;

    use super::*;
    use crate::alert::AlertKind;

    #[test]
    fn nothing_that_is_told_is_taken_for_markup() {
        let mut alert = Alert::new(AlertKind::StrategyFault, "s", "a < b", "<script>&</script>");
        alert.account = Some("<main>".to_owned());
        alert.repeated = 14;
        alert.time = Some(Timestamp::from_seconds(0));
        alert.sequence = Some(7);
        assert_eq!(
            html(&alert),
            "\u{26a0}\u{fe0f} <b>&lt;main&gt;: a &lt; b</b>\n&lt;script&gt;&amp;&lt;/script&gt;\nand 14 more like \
             it\n<i>1970-01-01T00:00:00Z · input 7</i>"
        );
    }

    #[test]
    fn a_text_of_any_length_fits() {
        for (title, text) in [("t", "<"), ("😀", "😀")] {
            let alert = Alert::new(AlertKind::StrategyFault, "s", title.repeat(9_000), text.repeat(9_000));
            let html = html(&alert);
            // What counts is what is seen.
            assert!(html.replace("&lt;", "<").encode_utf16().count() < 4_096);
        }
    }
}
