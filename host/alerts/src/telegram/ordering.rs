//! What people write, as something to do.

use bulkhead_core::input::ManualAmount;
use bulkhead_core::money::{Money, Quantity};
use rust_decimal::Decimal;

/// What the bot says about itself.
pub(crate) const HELP: &str = "\
/status – how the accounts stand
/positions – what is held
/buy STRATEGY INSTRUMENT AMOUNT – buy at the market; asks back first
/sell STRATEGY INSTRUMENT AMOUNT – sell at the market; \"all\" sells the whole position
/sell all – sell every position
/halt [REASON] – stop all new positions
/resume – end a halt
AMOUNT is a quantity such as 0.5, or money such as $100.
With several accounts, account=NAME says which one.";

/// How one account is named among several.
const ACCOUNT: &str = "account=";

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// The account; all of them, or the only one, when none is named.
    pub(crate) account: Option<String>,
    pub(crate) what: What,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Help,
    Status,
    Positions,
    Halt { reason: String },
    Resume,
    Buy(Trade),
    Sell(Trade),
    SellEverything,
    Yes,
    No,
}

/// What to trade, at the market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trade {
    pub(crate) strategy: String,
    pub(crate) instrument: String,
    pub(crate) amount: ManualAmount,
}

/// Understands a text; `None` when it is not for the bot, and what is wrong with it when it is and makes no sense. A
/// command that names a bot is for the bot of that name alone.
pub(crate) fn read(text: &str, bot: Option<&str>) -> Option<Result<Order, String>> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let named = words.iter().position(|word| word.starts_with(ACCOUNT)).map(|place| words.remove(place));
    let account = named.map(|word| word[ACCOUNT.len()..].to_owned());
    let (first, rest) = words.split_first()?;
    let (command, named) =
        first.split_once('@').map_or((*first, None), |(command, name)| (command, Some(name)));
    let is_mine = |name: &str| bot.is_some_and(|bot| bot.eq_ignore_ascii_case(name));
    if !named.is_none_or(is_mine) {
        return None;
    }
    let command = command.to_lowercase();
    let what = match (command.as_str(), rest) {
        ("yes" | "/yes", []) => Ok(What::Yes),
        ("no" | "/no", []) => Ok(What::No),
        ("/help" | "/start", _) => Ok(What::Help),
        ("/status", []) => Ok(What::Status),
        ("/positions", []) => Ok(What::Positions),
        ("/halt", []) => Ok(What::Halt { reason: "halted from Telegram".to_owned() }),
        ("/halt", reason) => Ok(What::Halt { reason: reason.join(" ") }),
        ("/resume", []) => Ok(What::Resume),
        ("/sell", ["all"]) => Ok(What::SellEverything),
        ("/sell", [strategy, instrument, "all"]) => {
            Ok(What::Sell(trade(strategy, instrument, ManualAmount::All)))
        }
        ("/buy", [strategy, instrument, "all"]) => {
            Err(format!("All of what? Write how much to buy: /buy {strategy} {instrument} AMOUNT"))
        }
        ("/buy", [strategy, instrument, amount]) => {
            read_amount(amount).map(|amount| What::Buy(trade(strategy, instrument, amount)))
        }
        ("/sell", [strategy, instrument, amount]) => {
            read_amount(amount).map(|amount| What::Sell(trade(strategy, instrument, amount)))
        }
        ("/buy", _) => Err("Write /buy STRATEGY INSTRUMENT AMOUNT, as in /buy breakout A-USD 0.5".to_owned()),
        ("/sell", _) => {
            Err("Write /sell STRATEGY INSTRUMENT AMOUNT, with \"all\" for the whole position, or /sell \
                             all for every position"
                .to_owned())
        }
        ("/status" | "/positions" | "/resume", _) => Err(format!("{command} takes nothing but account=NAME")),
        (command, _) if command.starts_with('/') => {
            Err(format!("There is no command {command}. There are:\n{HELP}"))
        }
        _ => return None,
    };
    Some(what.map(|what| Order { account, what }))
}

fn trade(strategy: &str, instrument: &str, amount: ManualAmount) -> Trade {
    Trade { strategy: strategy.to_owned(), instrument: instrument.to_owned(), amount }
}

fn read_amount(text: &str) -> Result<ManualAmount, String> {
    let (digits, is_money) = text.strip_prefix('$').map_or((text, false), |digits| (digits, true));
    // Digits and a point only: nothing that could be a slip of the hand.
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match digits.parse::<Decimal>() {
        Ok(amount) if !is_plain || amount <= Decimal::ZERO => Err(no_amount(text)),
        Ok(amount) => Ok(if is_money {
            ManualAmount::Notional(Money(amount))
        } else {
            ManualAmount::Quantity(Quantity(amount))
        }),
        Err(_) => Err(no_amount(text)),
    }
}

fn no_amount(text: &str) -> String {
    format!("\"{text}\" is no amount: write a quantity above 0 such as 0.5, or money such as $100")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(text: &str) -> Option<What> {
        read(text, Some("my_bot")).map(|order| order.unwrap().what)
    }

    #[test]
    fn commands_are_understood_and_talk_is_not() {
        assert_eq!(what("/status"), Some(What::Status));
        assert_eq!(what("/Status@my_bot"), Some(What::Status));
        assert_eq!(
            what("/halt the market is odd"),
            Some(What::Halt { reason: "the market is odd".to_owned() })
        );
        assert_eq!(what("/sell all"), Some(What::SellEverything));
        assert_eq!(what("yes"), Some(What::Yes));
        for talk in ["yes we can", "hello", "", "buy low", "  "] {
            assert_eq!(read(talk, Some("my_bot")), None, "{talk}");
        }
    }

    #[test]
    fn a_command_that_names_another_bot_is_for_that_one() {
        assert_eq!(what("/halt@My_Bot"), Some(What::Halt { reason: "halted from Telegram".to_owned() }));
        assert_eq!(what("/halt@other_bot"), None);
        assert_eq!(what("/halt@"), None);
        assert_eq!(read("/halt@my_bot", None), None, "not known yet what this one is called");
        assert!(read("/halt", None).is_some());
    }

    #[test]
    fn an_amount_is_a_quantity_or_money_and_never_anything_else() {
        let bought = |amount: &str| match read(&format!("/buy breakout A-USD {amount}"), None).unwrap() {
            Ok(Order { what: What::Buy(trade), .. }) => Ok(trade.amount),
            Ok(other) => panic!("{other:?}"),
            Err(problem) => Err(problem),
        };
        assert_eq!(bought("0.5"), Ok(ManualAmount::Quantity(Quantity(Decimal::new(5, 1)))));
        assert_eq!(bought("$100"), Ok(ManualAmount::Notional(Money(Decimal::ONE_HUNDRED))));
        for bad in ["0", "-1", "1e3", "all", "$", "five", "1,5", "NaN", "99999999999999999999999999999999"] {
            assert!(bought(bad).is_err(), "{bad}");
        }
        let all = What::Sell(trade("a", "B", ManualAmount::All));
        assert_eq!(what("/sell a B all"), Some(all));
    }

    #[test]
    fn an_account_can_be_named_anywhere() {
        for text in ["/resume account=main", "account=main /resume"] {
            let order = read(text, None).unwrap().unwrap();
            assert_eq!((order.account.as_deref(), order.what), (Some("main"), What::Resume));
        }
    }

    #[test]
    fn what_makes_no_sense_is_answered_with_what_would() {
        for text in ["/buy", "/buy a", "/sell a B", "/sell", "/fly", "/status now", "/resume please"] {
            assert!(read(text, None).unwrap().is_err(), "{text}");
        }
    }
}
