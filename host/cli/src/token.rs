//! `bulkhead token`: who may use the admin API.

use anyhow::{Result, anyhow, bail};
use bulkhead_api::{Role, create};
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_store::clock::now;
use bulkhead_store::database::{Database, Options, TokenRow};
use comfy_table::Table;
use serde_json::{Value, json};

use crate::arguments::{ConfigurationArguments, TokenCommand};
use crate::configuration;
use crate::shard::{self, database_url};

/// Does what is asked.
pub(crate) fn token(command: &TokenCommand) -> Result<()> {
    match command {
        TokenCommand::Create { configuration, name, role, account, expires, json } => {
            let mut database = open(configuration)?;
            if let Some(account) = account {
                shard::find(&mut database, Some(account))?;
            }
            let now = now();
            let expires = expires
                .map(|after| now.plus(Span::from_nanos(i64::try_from(after.as_nanos()).unwrap_or(i64::MAX))));
            let made = create(&mut database, name, (*role).into(), account.as_deref(), now, expires)?;
            if *json {
                let mut token = row(&made.row);
                token["secret"] = made.secret.into();
                anstream::println!("{}", serde_json::to_string_pretty(&token)?);
            } else {
                anstream::println!("{}", made.secret);
                anstream::eprintln!(
                    "this is shown once: keep it where secrets are kept; `bulkhead token revoke {name}` takes it back"
                );
            }
            Ok(())
        }
        TokenCommand::List { configuration, json } => {
            let tokens = open(configuration)?.tokens()?;
            if *json {
                let rows: Vec<Value> = tokens.iter().map(row).collect();
                anstream::println!("{}", serde_json::to_string_pretty(&rows)?);
            } else if tokens.is_empty() {
                anstream::println!(
                    "there is no token; `bulkhead token create --name NAME --role admin` makes one"
                );
            } else {
                anstream::println!("{}", table(&tokens));
            }
            Ok(())
        }
        TokenCommand::Revoke { configuration, name } => {
            if !open(configuration)?.revoke_token(name, now())? {
                bail!("there is no token \"{name}\"; `bulkhead token list` shows those that there are");
            }
            anstream::println!(
                "{name} is not valid any more; what was opened with it is closed within seconds"
            );
            Ok(())
        }
    }
}

fn open(arguments: &ConfigurationArguments) -> Result<Database> {
    let configuration = configuration::layers(arguments, None)?.read()?;
    let url = database_url(&configuration)?;
    // A token can be made before the first start, so that nobody has to hurry then.
    Database::make(&url)?;
    let mut database = Database::open(&url, Options::reader())?;
    let names: Vec<String> = configuration.accounts()?.into_iter().map(|(name, _)| name).collect();
    database.register_accounts(&names)?;
    Ok(database)
}

fn time(moment: Timestamp) -> Result<jiff::Timestamp> {
    jiff::Timestamp::from_nanosecond(i128::from(moment.nanos())).map_err(|error| anyhow!(error))
}

fn text(moment: Option<Timestamp>) -> Option<String> {
    moment.and_then(|moment| time(moment).ok()).map(|time| format!("{time:.0}"))
}

fn row(token: &TokenRow) -> Value {
    json!({
        "name": token.name,
        "role": token.role,
        "account": token.account,
        "created": text(Some(token.created)),
        "expires": text(token.expires),
        "revoked": text(token.revoked),
        "last_used": text(token.last_used),
    })
}

fn table(tokens: &[TokenRow]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header([
        "name",
        "role",
        "account",
        "created",
        "expires",
        "last used",
        "state",
    ]);
    let now = now();
    for token in tokens {
        let state = match token {
            TokenRow { revoked: Some(_), .. } => "revoked",
            TokenRow { expires: Some(expires), .. } if *expires <= now => "expired",
            _ => "valid",
        };
        table.add_row([
            token.name.clone(),
            token.role.clone(),
            token.account.clone().unwrap_or_else(|| "all".to_owned()),
            text(Some(token.created)).unwrap_or_default(),
            text(token.expires).unwrap_or_else(|| "never".to_owned()),
            text(token.last_used).unwrap_or_else(|| "never".to_owned()),
            state.to_owned(),
        ]);
    }
    table
}

impl From<crate::arguments::TokenRole> for Role {
    fn from(role: crate::arguments::TokenRole) -> Self {
        use crate::arguments::TokenRole;
        match role {
            TokenRole::Viewer => Self::Viewer,
            TokenRole::Trader => Self::Trader,
            TokenRole::Operator => Self::Operator,
            TokenRole::Admin => Self::Admin,
        }
    }
}
