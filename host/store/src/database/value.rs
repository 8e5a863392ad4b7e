//! Values as they go to a database and come from it, the same for every database.

use bulkhead_core::identifier::{ContentHash, InstrumentId, OrderId, OrderTag, StrategyId};
use bulkhead_core::input::StrategyMode;
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::order::{OrderState, Side};
use bulkhead_core::strategy::FillCause;
use bulkhead_core::time::Timestamp;
use rust_decimal::Decimal;

use crate::journal::{Checksum, RecordKind, RecordNumber, Sequence, ShardId};
use crate::storage::StoreError;
use crate::wallets::TradeStanding;

/// A value for a column. The kind is known also when there is no value, as Postgres asks for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Integer(Option<i64>),
    Real(Option<f64>),
    Decimal(Option<Decimal>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Real,
    /// NUMERIC in Postgres, text in SQLite, which has no decimals.
    Decimal,
    Text,
    Bytes,
}

/// A value as the database gave it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Decimal(Decimal),
    Text(String),
    Bytes(Vec<u8>),
}

impl Cell {
    /// The cell as a value of the column's kind.
    pub(crate) fn into_value(self, kind: Kind) -> Result<Value, Misfit> {
        Ok(match (kind, self) {
            (Kind::Integer, Self::Null) => Value::Integer(None),
            (Kind::Integer, Self::Integer(number)) => Value::Integer(Some(number)),
            (Kind::Real, Self::Null) => Value::Real(None),
            (Kind::Real, Self::Real(number)) => Value::Real(Some(number)),
            (Kind::Decimal, Self::Null) => Value::Decimal(None),
            (Kind::Decimal, Self::Decimal(number)) => Value::Decimal(Some(number)),
            // `from_str` would round more digits than a decimal has.
            (Kind::Decimal, Self::Text(text)) => match Decimal::from_str_exact(&text) {
                Ok(number) => Value::Decimal(Some(number)),
                Err(_) => return Err(Misfit),
            },
            (Kind::Text, Self::Null) => Value::Text(None),
            (Kind::Text, Self::Text(text)) => Value::Text(Some(text)),
            (Kind::Bytes, Self::Null) => Value::Bytes(None),
            (Kind::Bytes, Self::Bytes(bytes)) => Value::Bytes(Some(bytes)),
            _ => return Err(Misfit),
        })
    }
}

/// A cell does not hold what its column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Misfit;

/// A type that is kept in one column.
pub(crate) trait Column: Sized {
    /// What its column holds.
    const KIND: Kind;

    fn to_value(&self) -> Value;

    fn from_cell(cell: Cell) -> Result<Self, Misfit>;
}

/// One row of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row(pub(crate) Vec<Cell>);

impl Row {
    /// Takes the row apart, from the left.
    pub(crate) fn reader(self, table: &'static str) -> RowReader {
        RowReader { cells: self.0.into_iter(), table, column: 0 }
    }

    /// The only cell that matters.
    pub(crate) fn first<T: Column>(self, what: &'static str) -> Result<T, StoreError> {
        self.reader(what).next()
    }
}

/// A row that is being taken apart.
pub(crate) struct RowReader {
    cells: std::vec::IntoIter<Cell>,
    table: &'static str,
    column: usize,
}

impl RowReader {
    pub(crate) fn next<T: Column>(&mut self) -> Result<T, StoreError> {
        self.column += 1;
        self.cells.next().ok_or(Misfit).and_then(T::from_cell).map_err(|Misfit| {
            StoreError::Unsuitable(format!(
                "column {} of {} holds what this version of bulkhead can't read; \
                 was the table edited by hand? Restore a backup",
                self.column, self.table
            ))
        })
    }
}

macro_rules! column {
    ($type:ty, $kind:ident, |$value:ident| $to:expr, |$found:ident| $from:expr) => {
        impl Column for $type {
            const KIND: Kind = Kind::$kind;

            fn to_value(&self) -> Value {
                let $value = self;
                Value::$kind(Some($to))
            }

            fn from_cell(cell: Cell) -> Result<Self, Misfit> {
                match cell.into_value(Kind::$kind)? {
                    Value::$kind(Some($found)) => $from,
                    _ => Err(Misfit),
                }
            }
        }
    };
}

column!(i64, Integer, |value| *value, |found| Ok(found));
column!(bool, Integer, |value| i64::from(*value), |found| match found {
    0 => Ok(false),
    1 => Ok(true),
    _ => Err(Misfit),
});
column!(f64, Real, |value| *value, |found| Ok(found));
column!(Decimal, Decimal, |value| *value, |found| Ok(found));
column!(String, Text, |value| value.clone(), |found| Ok(found));
column!(Vec<u8>, Bytes, |value| value.clone(), |found| Ok(found));

// A number beyond half the range of `u64` keeps its bits; none gets there.
column!(u64, Integer, |value| value.cast_signed(), |found| Ok(found.cast_unsigned()));
column!(u32, Integer, |value| i64::from(*value), |found| u32::try_from(found).map_err(|_| Misfit));
column!(i16, Integer, |value| i64::from(*value), |found| i16::try_from(found).map_err(|_| Misfit));
column!(Timestamp, Integer, |value| value.nanos(), |found| Ok(Self::from_nanos(found)));
column!(RecordKind, Integer, |value| i64::from(value.number()), |found| {
    i16::try_from(found).ok().and_then(Self::of).ok_or(Misfit)
});
column!(Checksum, Bytes, |value| value.0.to_vec(), |found| {
    found.try_into().map(Self).map_err(|_: Vec<u8>| Misfit)
});
column!(ContentHash, Text, |value| value.to_string(), |found| Self::try_from(found).map_err(|_| Misfit));

macro_rules! wrapper {
    ($($type:ident),+) => {
        $(impl Column for $type {
            const KIND: Kind = wrapped(|$type(inner)| inner);

            fn to_value(&self) -> Value {
                self.0.to_value()
            }

            fn from_cell(cell: Cell) -> Result<Self, Misfit> {
                Column::from_cell(cell).map(Self)
            }
        })+
    };
}

/// The kind of what a type wraps.
const fn wrapped<W, T: Column>(_: fn(W) -> T) -> Kind {
    T::KIND
}

wrapper!(ShardId, RecordNumber, Sequence, InstrumentId, StrategyId, OrderId, OrderTag);
wrapper!(Money, Price, Quantity);

macro_rules! named {
    ($type:ident: $($variant:ident),+) => {
        column!($type, Text, |value| value.name().to_owned(), |found| {
            [$(Self::$variant),+].into_iter().find(|known| known.name() == found).ok_or(Misfit)
        });
    };
}

named!(Side: Buy, Sell);
named!(TradeStanding: Confirmed, Final, Undone);
named!(StrategyMode: Live, Shadow, Off);
named!(OrderState: Accepted, InFlight, Working, PartiallyFilled, Filled, Cancelled, Rejected, Expired);
named!(FillCause: Order, StopLoss, Breakeven, TrailingStop, TakeProfit, TimeStop, Operator);

impl<T: Column> Column for Option<T> {
    const KIND: Kind = T::KIND;

    fn to_value(&self) -> Value {
        match self {
            Some(value) => value.to_value(),
            None => match T::KIND {
                Kind::Integer => Value::Integer(None),
                Kind::Real => Value::Real(None),
                Kind::Decimal => Value::Decimal(None),
                Kind::Text => Value::Text(None),
                Kind::Bytes => Value::Bytes(None),
            },
        }
    }

    fn from_cell(cell: Cell) -> Result<Self, Misfit> {
        match cell {
            Cell::Null => Ok(None),
            cell => T::from_cell(cell).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn returned<T: Column>(value: &T) -> Result<T, Misfit> {
        T::from_cell(match value.to_value() {
            Value::Integer(Some(number)) => Cell::Integer(number),
            Value::Text(Some(text)) => Cell::Text(text),
            Value::Bytes(Some(bytes)) => Cell::Bytes(bytes),
            Value::Decimal(Some(number)) => Cell::Text(number.to_string()),
            _ => Cell::Null,
        })
    }

    #[test]
    fn every_state_side_mode_and_cause_comes_back() {
        for state in OrderState::ALL {
            assert_eq!(returned(&state), Ok(state));
        }
        for side in [Side::Buy, Side::Sell] {
            assert_eq!(returned(&side), Ok(side));
        }
        assert_eq!(returned(&StrategyMode::Shadow), Ok(StrategyMode::Shadow));
        assert_eq!(returned(&FillCause::TrailingStop), Ok(FillCause::TrailingStop));
        assert_eq!(returned(&Sequence(u64::MAX)), Ok(Sequence(u64::MAX)));
    }

    #[test]
    fn a_decimal_with_more_digits_than_the_books_hold_is_not_rounded() {
        let exact = "7922816251426433759354395033.5";
        assert_eq!(
            Decimal::from_cell(Cell::Text(exact.to_owned())).map(|it| it.to_string()),
            Ok(exact.to_owned())
        );
        assert_eq!(Decimal::from_cell(Cell::Text(format!("{exact}55"))), Err(Misfit));
    }

    #[test]
    fn what_a_column_is_not_for_is_refused() {
        assert_eq!(u32::from_cell(Cell::Integer(-1)), Err(Misfit));
        assert_eq!(Side::from_cell(Cell::Text("both".to_owned())), Err(Misfit));
        assert_eq!(Checksum::from_cell(Cell::Bytes(vec![1; 31])), Err(Misfit));
        assert_eq!(String::from_cell(Cell::Null), Err(Misfit));
        assert_eq!(Option::<String>::from_cell(Cell::Null), Ok(None));
    }
}
