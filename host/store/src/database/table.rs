//! Tables, and rows that know theirs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::Dialect;
use super::value::{Kind, Row, Value};
use crate::storage::StoreError;

/// A table of both databases.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [(&'static str, Kind)],
    pub(crate) key: &'static [&'static str],
}

/// What becomes of a row whose key is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OnConflict {
    /// It is an error.
    Fail,
    /// It takes the place of the one before.
    Replace,
    /// The one before stays.
    Keep,
}

impl Table {
    /// All columns, separated by commas.
    pub(crate) fn column_list(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// The start of a query for whole rows: `SELECT … FROM …`.
    pub(crate) fn select(&self) -> String {
        format!("SELECT {} FROM {}", self.column_list(), self.name)
    }

    /// The statement that adds this many rows.
    pub(super) fn insert(&self, rows: usize, on_conflict: OnConflict, dialect: Dialect) -> String {
        use std::fmt::Write as _;

        let mut sql = format!("INSERT INTO {} ({}) VALUES ", self.name, self.column_list());
        let mut place = 0;
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..self.columns.len() {
                place += 1;
                sql.push_str(if column == 0 { "" } else { ", " });
                match dialect {
                    // SQLite looks for the name of each parameter that has one from the first on: with $1, $2
                    // and so forth most of the time of a commit went into that.
                    Dialect::Sqlite => sql.push('?'),
                    // Writing to a string does not fail.
                    Dialect::Postgres => drop(write!(sql, "${place}")),
                }
            }
            sql.push(')');
        }
        let key = self.key.join(", ");
        match on_conflict {
            OnConflict::Fail => {}
            OnConflict::Keep => sql += &format!(" ON CONFLICT ({key}) DO NOTHING"),
            OnConflict::Replace => {
                let others =
                    self.columns.iter().map(|(name, _)| *name).filter(|name| !self.key.contains(name));
                let set: Vec<_> = others.map(|name| format!("{name} = excluded.{name}")).collect();
                sql += &format!(" ON CONFLICT ({key}) DO UPDATE SET {}", set.join(", "));
            }
        }
        sql
    }
}

/// The statements that add rows, kept because they are long. There are as many as there are tables, numbers of
/// rows and conflicts.
#[derive(Debug, Default)]
pub(crate) struct Inserts(BTreeMap<(&'static str, usize, OnConflict), Arc<str>>);

impl Inserts {
    /// As [`Table::insert`]. A connection speaks one dialect only.
    pub(super) fn get(
        &mut self,
        table: &Table,
        rows: usize,
        on_conflict: OnConflict,
        dialect: Dialect,
    ) -> Arc<str> {
        let key = (table.name, rows, on_conflict);
        self.0.entry(key).or_insert_with(|| table.insert(rows, on_conflict, dialect).into()).clone()
    }
}

/// A row of a table.
pub(crate) trait TableRow: Sized {
    /// Its table.
    const TABLE: Table;

    /// The columns, in the table's order.
    fn values(&self) -> Vec<Value>;

    /// From the table's columns, in their order.
    fn from_row(row: Row) -> Result<Self, StoreError>;
}

/// Declares a row and its table at once, so that they can't differ. The first fields are the key.
macro_rules! table_row {
    (
        $(#[$doc:meta])*
        $row:ident in $table:literal
        key { $($(#[$key_doc:meta])* $key:ident: $key_type:ty,)+ }
        rest { $($(#[$field_doc:meta])* $field:ident: $type:ty,)+ }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        pub struct $row {
            $($(#[$key_doc])* pub $key: $key_type,)+
            $($(#[$field_doc])* pub $field: $type,)+
        }

        impl $row {
            /// What tells it from the other rows of its table.
            #[allow(dead_code, reason = "not every table's rows are told apart here")]
            #[allow(clippy::clone_on_copy, reason = "a key may be a text")]
            pub(crate) fn key(&self) -> ($($key_type,)+) {
                ($(self.$key.clone(),)+)
            }
        }

        impl $crate::database::table::TableRow for $row {
            const TABLE: $crate::database::table::Table = $crate::database::table::Table {
                name: $table,
                columns: &[
                    $((stringify!($key), <$key_type as $crate::database::value::Column>::KIND),)+
                    $((stringify!($field), <$type as $crate::database::value::Column>::KIND),)+
                ],
                key: &[$(stringify!($key)),+],
            };

            fn values(&self) -> Vec<$crate::database::value::Value> {
                use $crate::database::value::Column as _;
                vec![$(self.$key.to_value(),)+ $(self.$field.to_value(),)+]
            }

            fn from_row(row: $crate::database::value::Row) -> Result<Self, $crate::storage::StoreError> {
                let mut cells = row.reader($table);
                // Fields are evaluated in the order in which they are written.
                Ok(Self { $($key: cells.next()?,)+ $($field: cells.next()?,)+ })
            }
        }
    };
}

pub(crate) use table_row;

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table =
        Table { name: "t", columns: &[("a", Kind::Integer), ("b", Kind::Text)], key: &["a"] };

    #[test]
    fn rows_are_added_with_one_statement() {
        let insert = |dialect| TABLE.insert(2, OnConflict::Fail, dialect);
        assert_eq!(insert(Dialect::Postgres), "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4)");
        assert_eq!(insert(Dialect::Sqlite), "INSERT INTO t (a, b) VALUES (?, ?), (?, ?)");
    }

    #[test]
    fn a_row_that_is_there_is_replaced_or_kept() {
        let replace = TABLE.insert(1, OnConflict::Replace, Dialect::Postgres);
        assert!(replace.ends_with("($1, $2) ON CONFLICT (a) DO UPDATE SET b = excluded.b"), "{replace}");
        let keep = TABLE.insert(1, OnConflict::Keep, Dialect::Postgres);
        assert!(keep.ends_with("ON CONFLICT (a) DO NOTHING"), "{keep}");
    }

    #[test]
    fn a_statement_is_kept_for_each_number_of_rows_and_each_conflict() {
        let mut inserts = Inserts::default();
        for _ in 0..2 {
            for rows in [1, 2] {
                for on_conflict in [OnConflict::Fail, OnConflict::Keep, OnConflict::Replace] {
                    let kept = inserts.get(&TABLE, rows, on_conflict, Dialect::Sqlite);
                    assert_eq!(*kept, *TABLE.insert(rows, on_conflict, Dialect::Sqlite));
                }
            }
        }
    }
}
