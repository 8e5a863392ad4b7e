//! Who may command.

use crate::telegram::bot::{Message, User};

/// Whom a message in an allowed chat is from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sender<'a> {
    /// Somebody who may command.
    Commander(&'a User),
    /// Somebody who may not.
    Stranger(&'a User),
    /// Nobody who wrote it here and now: it was passed on, or a chat or a bot says it.
    Nobody,
}

/// Looks who sent a message. In a private chat that is whom the chat belongs to; elsewhere it must be one of `users`.
pub(crate) fn sender<'a>(message: &'a Message, users: &[i64]) -> Sender<'a> {
    let is_passed_on =
        message.is_automatic_forward || message.forward_origin.is_some() || message.forward_date.is_some();
    if is_passed_on || message.sender_chat.is_some() || message.via_bot.is_some() {
        return Sender::Nobody;
    }
    let Some(user) = message.from.as_ref().filter(|user| !user.is_bot) else { return Sender::Nobody };
    // A private chat has the number of its person, groups and channels have negative ones.
    let is_private = message.chat.id > 0;
    match if is_private { user.id == message.chat.id } else { users.contains(&user.id) } {
        true => Sender::Commander(user),
        false => Sender::Stranger(user),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn message(chat: i64, user: i64, more: Value) -> Message {
        let mut message = json!({
            "message_id": 1, "date": 1, "chat": {"id": chat, "type": "private"}, "text": "/halt",
            "from": {"id": user, "is_bot": false, "first_name": "Ann"},
        });
        let Value::Object(more) = more else { panic!("an object is expected") };
        message.as_object_mut().unwrap().extend(more);
        serde_json::from_value(message).unwrap()
    }

    fn may(chat: i64, user: i64, more: Value) -> bool {
        matches!(sender(&message(chat, user, more), &[70]), Sender::Commander(_))
    }

    #[test]
    fn a_private_chat_is_its_persons_and_a_group_that_of_those_who_are_named() {
        assert!(may(42, 42, json!({})));
        assert!(!may(42, 70, json!({})));
        assert!(may(-43, 70, json!({})));
        assert!(!may(-43, 42, json!({})));
        assert!(
            matches!(sender(&message(-43, 42, json!({})), &[70]), Sender::Stranger(user) if user.id == 42)
        );
    }

    #[test]
    fn what_was_passed_on_or_is_said_by_no_person_is_from_nobody() {
        for more in [
            json!({"sender_chat": {"id": -43, "type": "supergroup"}}),
            json!({"is_automatic_forward": true}),
            json!({"forward_origin": {"type": "user", "date": 1}}),
            json!({"forward_date": 1}),
            json!({"via_bot": {"id": 5, "is_bot": true, "first_name": "b"}}),
            json!({"from": {"id": 70, "is_bot": true, "first_name": "b"}}),
            json!({"from": null}),
        ] {
            assert_eq!(sender(&message(-43, 70, more.clone()), &[70]), Sender::Nobody, "{more}");
        }
    }
}
