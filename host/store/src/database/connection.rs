//! One connection to either database, and what it is asked.

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow, PgValueRef};
use sqlx::sqlite::{SqliteArguments, SqliteRow, SqliteValueRef};
use sqlx::{
    Arguments as _, AssertSqlSafe, Connection as _, Decode, Executor as _, PgConnection, Postgres, Row as _,
    Sqlite, SqliteConnection, TypeInfo as _, ValueRef as _,
};

use super::error::Dialect;
use super::value::{Cell, Row, Value};

/// An open connection.
pub(super) enum Connection {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
}

impl Connection {
    pub(super) const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Carries out a statement and tells how many rows it concerned. `kept` statements stay prepared: they
    /// must be of a small number of shapes.
    pub(super) async fn execute(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        kept: bool,
    ) -> Result<u64, sqlx::Error> {
        // Texts come from the constants of this crate; values are bound, never written into them.
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(connection) => {
                let query = sqlx::query_with(sql, sqlite_arguments(values)?).persistent(kept);
                Ok(query.execute(&mut **connection).await?.rows_affected())
            }
            Self::Postgres(connection) => {
                let query = sqlx::query_with(sql, postgres_arguments(values)?).persistent(kept);
                Ok(query.execute(&mut **connection).await?.rows_affected())
            }
        }
    }

    /// The rows that a query gives.
    pub(super) async fn query(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, sqlx::Error> {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(connection) => {
                let query = sqlx::query_with(sql, sqlite_arguments(values)?);
                query.fetch_all(&mut **connection).await?.iter().map(sqlite_row).collect()
            }
            Self::Postgres(connection) => {
                let query = sqlx::query_with(sql, postgres_arguments(values)?);
                query.fetch_all(&mut **connection).await?.iter().map(postgres_row).collect()
            }
        }
    }

    /// Carries out statements without values, which need not be such that can be prepared.
    pub(super) async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => connection.execute(sqlx::raw_sql(sql)).await.map(|_| ()),
            Self::Postgres(connection) => connection.execute(sqlx::raw_sql(sql)).await.map(|_| ()),
        }
    }

    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
        }
    }
}

/// A text as both databases take it. Postgres has no NUL in its texts and refuses the whole statement, so a person's reason
/// with one in it would keep the journal from being written. What the journal itself holds are bytes and stay as they are.
fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

fn sqlite_arguments(values: Vec<Value>) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        match value {
            Value::Integer(value) => arguments.add(value),
            Value::Real(value) => arguments.add(value),
            Value::Decimal(value) => arguments.add(value.map(|decimal| decimal.to_string())),
            Value::Text(value) => arguments.add(value.map(storable)),
            Value::Bytes(value) => arguments.add(value),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn postgres_arguments(values: Vec<Value>) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        match value {
            Value::Integer(value) => arguments.add(value),
            Value::Real(value) => arguments.add(value),
            Value::Decimal(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value.map(storable)),
            Value::Bytes(value) => arguments.add(value),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn sqlite_row(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    let cell = |index: usize| {
        let value = row.try_get_raw(index)?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        let kind = value.type_info().name().to_owned();
        let cell = match kind.as_str() {
            "INTEGER" => from_sqlite(value).map(Cell::Integer),
            "REAL" => from_sqlite(value).map(Cell::Real),
            "TEXT" => from_sqlite(value).map(Cell::Text),
            "BLOB" => from_sqlite(value).map(Cell::Bytes),
            other => Err(format!("type {other} is not expected").into()),
        };
        cell.map_err(|source| sqlx::Error::ColumnDecode { index: index.to_string(), source })
    };
    (0..row.len()).map(cell).collect::<Result<_, _>>().map(Row)
}

fn postgres_row(row: &PgRow) -> Result<Row, sqlx::Error> {
    let cell = |index: usize| {
        let value = row.try_get_raw(index)?;
        if value.is_null() {
            return Ok(Cell::Null);
        }
        let kind = value.type_info().name().to_owned();
        let cell = match kind.as_str() {
            "BOOL" => from_postgres(value).map(|it: bool| Cell::Integer(it.into())),
            "INT4" => from_postgres(value).map(|it: i32| Cell::Integer(it.into())),
            "INT8" => from_postgres(value).map(Cell::Integer),
            "FLOAT8" => from_postgres(value).map(Cell::Real),
            "NUMERIC" => from_postgres(value).map(Cell::Decimal),
            "TEXT" | "VARCHAR" | "NAME" => from_postgres(value).map(Cell::Text),
            "BYTEA" => from_postgres(value).map(Cell::Bytes),
            other => Err(format!("type {other} is not expected").into()),
        };
        cell.map_err(|source| sqlx::Error::ColumnDecode { index: index.to_string(), source })
    };
    (0..row.len()).map(cell).collect::<Result<_, _>>().map(Row)
}

fn from_sqlite<'r, T: Decode<'r, Sqlite>>(value: SqliteValueRef<'r>) -> Result<T, BoxDynError> {
    T::decode(value)
}

fn from_postgres<'r, T: Decode<'r, Postgres>>(value: PgValueRef<'r>) -> Result<T, BoxDynError> {
    T::decode(value)
}
