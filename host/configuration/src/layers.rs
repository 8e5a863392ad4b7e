//! Defaults, file, environment and flags, laid over each other: a later layer wins key by key, and every
//! key remembers where it came from.

use std::collections::BTreeMap;

use toml::{Table, Value};

/// What an environment variable's name begins with; `__` separates the keys after it.
const ENVIRONMENT_PREFIX: &str = "BULKHEAD__";

/// Far more tables inside each other than any key has. Each costs stack where the whole is merged and read, and a
/// variable can hold a path of thousands.
const DEEPEST: usize = 16;

/// The merged settings, not yet understood.
#[derive(Debug, Default, Clone)]
pub struct Layers {
    pub(crate) table: Table,
    /// By the key's path.
    origins: BTreeMap<String, String>,
}

impl Layers {
    /// Lays a table over what is there.
    pub fn add(&mut self, table: Table, origin: &str) {
        merge(&mut self.table, table, "", origin, &mut self.origins);
    }

    /// Lays the variables `BULKHEAD__SECTION__KEY` over what is there. Their values are read as in the file
    /// when they can be, else as text.
    pub fn add_environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        let mut variables: Vec<_> =
            variables.filter(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX)).collect();
        variables.sort_unstable();
        for (name, value) in variables {
            let path = name[ENVIRONMENT_PREFIX.len()..].to_lowercase().replace("__", ".");
            self.set(&path, &value, &format!("environment variable {name}"));
        }
    }

    /// Sets one key to a value as a file would write it, or to a text.
    pub fn set(&mut self, path: &str, value: &str, origin: &str) {
        self.set_value(path, read_value(value), origin);
    }

    /// Sets one key to a text.
    pub fn set_text(&mut self, path: &str, text: &str, origin: &str) {
        self.set_value(path, Value::String(text.to_owned()), origin);
    }

    /// Sets one key.
    pub fn set_value(&mut self, path: &str, value: Value, origin: &str) {
        // What follows after so many dots is one name, which no key has.
        let parts: Vec<&str> = path.splitn(DEEPEST, '.').collect();
        let Some((last, parts)) = parts.split_last() else { return };
        let mut table = Table::from_iter([((*last).to_owned(), value)]);
        for part in parts.iter().rev() {
            table = Table::from_iter([((*part).to_owned(), Value::Table(table))]);
        }
        self.add(table, origin);
    }

    /// Where a key came from: its own origin, or that of the nearest table around it.
    pub fn origin(&self, path: &str) -> &str {
        let mut path = path;
        loop {
            if let Some(origin) = self.origins.get(path) {
                return origin;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return "defaults",
            }
        }
    }
}

fn read_value(text: &str) -> Value {
    let wrapped = toml::from_str::<Table>(&format!("value = {text}"));
    let value = wrapped.ok().and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn merge(into: &mut Table, from: Table, path: &str, origin: &str, origins: &mut BTreeMap<String, String>) {
    for (key, value) in from {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (into.get_mut(&key), value) {
            (Some(Value::Table(existing)), Value::Table(table)) => {
                merge(existing, table, &path, origin, origins);
            }
            (_, Value::Table(table)) => {
                let mut fresh = Table::new();
                origins.insert(path.clone(), origin.to_owned());
                merge(&mut fresh, table, &path, origin, origins);
                into.insert(key, Value::Table(fresh));
            }
            (_, value) => {
                origins.insert(path, origin.to_owned());
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_goes_deeper_than_any_key_is_a_problem_and_costs_no_stack() {
        let mut layers = Layers::defaults();
        let path = vec!["a"; 100_000].join(".");
        layers.set(&path, "1", "--set");
        let error = layers.read().unwrap_err();
        assert!(
            error.0[0].key.starts_with("a") && error.0[0].allowed.contains("unknown field `a`"),
            "{error}"
        );
    }

    #[test]
    fn a_later_layer_wins_and_every_key_knows_its_origin() {
        let mut layers = Layers::default();
        layers.add(
            toml::from_str("cash = \"10\"\n[risk]\ncooldown = \"1h\"\nmax_order = 0.1").unwrap(),
            "defaults",
        );
        layers.add(toml::from_str("[risk]\nmax_order = 0.2").unwrap(), "bulkhead.toml");
        layers.add_environment(
            [("BULKHEAD__CASH".to_owned(), "77".to_owned()), ("HOME".to_owned(), "x".to_owned())].into_iter(),
        );
        layers.set("risk.cooldown", "off", "--set");
        assert_eq!(layers.table.len(), 2, "only the prefixed variable counts");
        assert_eq!(layers.table["cash"], Value::Integer(77));
        assert_eq!(layers.table["risk"]["cooldown"], Value::String("off".to_owned()));
        assert_eq!(layers.origin("risk.max_order"), "bulkhead.toml");
        assert_eq!(layers.origin("cash"), "environment variable BULKHEAD__CASH");
        assert_eq!(layers.origin("risk.cooldown"), "--set");
        assert_eq!(layers.origin("risk.unknown"), "defaults");
    }
}
