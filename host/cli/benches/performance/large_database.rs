//! Reading over the API while the database holds a million orders and the account trades on.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use crate::Suite;
use crate::figures::Figures;
use crate::market::{SYMBOL, write_csv};
use crate::measure::{number, quantile};
use crate::serving_host::{PATIENCE, Plan, ServingHost};

const PART: &str = "reads";

/// Programs that ask at a time, each for the next thing as soon as it has the last.
const CONNECTIONS: usize = 8;

/// The numbers that are put in are above all that the account gives.
const FIRST_ORDER: usize = 10_000_000;
const FIRST_SEQUENCE: usize = 100_000_000;

/// 2000-01-01T00:00:00Z: what is put in is a row of history, a second between two orders.
const FIRST_SECOND: usize = 946_684_800;

/// A strategy and an instrument that few rows are of.
const RARE: &str = "rare";

pub(crate) fn measure(suite: &Suite, figures: &mut Figures) -> Result<()> {
    let file = suite.directory.join("reads.csv");
    write_csv(&file, suite.extent.bars)?;
    let feed = format!("[feed]\nsource = \"csv\"\nfiles = [{:?}]\n", format!("{SYMBOL}={}", file.display()));
    let plan = Plan::new(suite, "reads", &feed, 100, "3000")?;
    // The first rows are the account's own; the others are made after their pattern.
    let first = ServingHost::start(&plan)?;
    let asked = Instant::now();
    loop {
        let trades: Value = serde_json::from_str(&first.get("/api/v1/accounts/main/trades")?)?;
        if trades["items"].as_array().is_some_and(|trades| !trades.is_empty()) {
            break;
        }
        ensure!(asked.elapsed() < PATIENCE, "the account closes no trade");
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(first);
    let orders = suite.extent.orders;
    let started = Instant::now();
    fill(&plan.database(), orders)?;
    anstream::eprintln!(
        "{PART}: {orders} orders were put in within {:.0} s",
        started.elapsed().as_secs_f64()
    );
    let host = ServingHost::start(&plan)?;
    figures.add(PART, "orders in the database", "orders", &[number(orders)], None);
    for (name, path) in reads(orders) {
        let path = format!("/api/v1/accounts/main/{path}");
        let path = path.replace("/api/v1/accounts/main//", "/");
        let asked = Instant::now();
        let body = host.get(&path)?;
        let first = asked.elapsed().as_secs_f64() * 1e3;
        let rows =
            serde_json::from_str::<Value>(&body).ok().and_then(|body| body["items"].as_array().map(Vec::len));
        let name = rows.map_or_else(|| name.to_owned(), |rows| format!("{name} ({rows} rows)"));
        let took = flood(&host, &path, suite.extent.seconds / 2)?;
        figures.add(PART, format!("{name}: first time"), "ms", &[first], None);
        figures.add(PART, format!("{name}: answers"), "answers/s", &[took.a_second], None);
        figures.add(PART, format!("{name}: p50"), "ms", &[quantile(&took.millis, 0.5)], None);
        figures.add(PART, format!("{name}: p99"), "ms", &[quantile(&took.millis, 0.99)], None);
    }
    Ok(())
}

/// What is asked for: a name for people, and the path after that of the account, or from the root with two slashes.
fn reads(orders: usize) -> Vec<(&'static str, String)> {
    let at = |part: usize| {
        let second = FIRST_SECOND + orders * part / 100;
        jiff::Timestamp::from_second(i64::try_from(second).unwrap_or_default())
            .unwrap_or_default()
            .to_string()
    };
    let period = |from: usize, until: usize| format!("from={}&until={}", at(from), at(until));
    let middle = FIRST_ORDER + orders / 2;
    vec![
        ("view", "view".to_owned()),
        ("positions", "positions".to_owned()),
        ("orders", "orders".to_owned()),
        ("orders, a page from the middle", format!("orders?after={middle}")),
        ("orders that were filled", "orders?status=filled".to_owned()),
        ("orders that were cancelled, 1 in 100", "orders?status=cancelled".to_owned()),
        ("orders that are at work", "orders?status=working".to_owned()),
        ("orders of a strategy", "orders?strategy=sma-crossover".to_owned()),
        ("orders of a strategy that has 1 in 1,000", format!("orders?strategy={RARE}")),
        ("orders of an instrument, filled", format!("orders?instrument={SYMBOL}&status=filled")),
        (
            "cancelled orders of a strategy that has 1 in 1,000",
            format!("orders?status=cancelled&strategy={RARE}"),
        ),
        ("rejected orders of a strategy, none", "orders?status=rejected&strategy=sma-crossover".to_owned()),
        ("orders of a period long ago", format!("orders?{}", period(10, 11))),
        (
            "filled orders of a strategy in a period long ago",
            format!("orders?status=filled&strategy=sma-crossover&{}", period(10, 11)),
        ),
        ("an order with its life and fills", format!("orders/{middle}")),
        ("fills", "fills".to_owned()),
        ("fills of a period long ago", format!("fills?{}", period(10, 11))),
        ("fills of a strategy that has 1 in 1,000", format!("fills?strategy={RARE}")),
        ("trades", "trades".to_owned()),
        ("trades of a period long ago", format!("trades?{}", period(10, 11))),
        (
            "trades of a strategy in a period long ago",
            format!("trades?strategy=sma-crossover&{}", period(10, 11)),
        ),
        ("equity", "equity".to_owned()),
        ("equity, a page from the middle", format!("equity?after={}", at(50))),
        ("metrics", "/metrics".to_owned()),
        ("analytics", "analytics".to_owned()),
    ]
}

/// Puts rows in, with each column that nothing is said of as it is in the account's own.
fn fill(database: &Path, orders: usize) -> Result<()> {
    let trades = orders / 2;
    let (first_sequence, first_order) = (FIRST_SEQUENCE, FIRST_ORDER);
    let nanos = |number: &str| format!("({FIRST_SECOND} + {number}) * 1000000000");
    let rare = |column: &str| format!("{column} + (i % 1000 = 7)");
    let time = nanos("i");
    let (strategy, instrument) = (rare("strategy"), rare("instrument"));
    let numbers = |count: usize| {
        format!("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})")
    };
    let rows = [
        ("orders", orders, vec![
            ("id", format!("{first_order} + i")), ("sequence", format!("{first_sequence} + 2 * i")),
            ("created", time.clone()), ("changed", time.clone()), ("strategy", strategy.clone()),
            ("instrument", instrument.clone()), ("state", "CASE WHEN i % 100 = 7 THEN 'cancelled' ELSE 'filled' END".to_owned()),
        ]),
        ("order_transitions", 2 * orders, vec![
            ("sequence", format!("{first_sequence} + i")), ("ordinal", "1".to_owned()),
            ("order_id", format!("{first_order} + i / 2")), ("time", nanos("i / 2")),
            ("state", "CASE WHEN i % 2 = 0 THEN 'working' WHEN (i / 2) % 100 = 7 THEN 'cancelled' ELSE 'filled' END".to_owned()),
        ]),
        ("fills", orders, vec![
            ("sequence", format!("{first_sequence} + 2 * i")), ("ordinal", "2".to_owned()),
            ("order_id", format!("{first_order} + i")), ("time", time), ("strategy", strategy), ("instrument", instrument),
        ]),
        ("trades", trades, vec![
            ("sequence", format!("{first_sequence} + 4 * i")), ("ordinal", "3".to_owned()),
            ("entry_time", nanos("2 * i")), ("exit_time", nanos("2 * i + 1")), ("strategy", rare("strategy")),
            ("instrument", rare("instrument")),
        ]),
        ("equity", orders, vec![("time", nanos("i")), ("sequence", format!("{first_sequence} + 2 * i"))]),
        ("slots", 1, vec![("strategy", "strategy + 1".to_owned()), ("name", format!("'{RARE}'"))]),
        ("instruments", 1, vec![("instrument", "instrument + 1".to_owned()), ("symbol", format!("'{RARE}'"))]),
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection =
            sqlx::SqliteConnection::connect(&format!("sqlite:{}", database.display())).await?;
        // How it was stored is nothing that is measured here.
        connection.execute("PRAGMA synchronous = OFF").await?;
        let mut transaction = connection.begin().await?;
        for (table, count, changes) in rows {
            let sql = format!("SELECT name FROM pragma_table_info('{table}')");
            let columns: Vec<String> =
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *transaction).await?;
            let value = |column: &String| {
                let change = changes.iter().find(|(name, _)| name == column);
                change.map_or_else(|| column.clone(), |(_, value)| value.clone())
            };
            let values: Vec<String> = columns.iter().map(value).collect();
            let sql = format!(
                "INSERT INTO {table} ({}) {} SELECT {} FROM (SELECT * FROM {table} LIMIT 1), n",
                columns.join(", "),
                numbers(count),
                values.join(", "),
            );
            let put_in = transaction.execute(AssertSqlSafe(sql)).await?.rows_affected();
            ensure!(put_in == u64::try_from(count)?, "{put_in} rows of {table}, {count} expected");
        }
        transaction.commit().await?;
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
        connection.close().await?;
        Ok(())
    })
}

/// How long answers took.
struct Took {
    a_second: f64,
    millis: Vec<f64>,
}

/// Asks for the same on several connections, without a pause.
fn flood(host: &ServingHost, path: &str, long: Duration) -> Result<Took> {
    let began = Instant::now();
    let each = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                scope.spawn(|| {
                    // As much of the processors as the API's own threads, and less than the engine's.
                    let _ = rustix::process::nice(10);
                    ask(host, path, long)
                })
            })
            .collect();
        asking
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a client panicked"))?)
            .collect::<Result<Vec<_>>>()
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let millis: Vec<f64> = each.into_iter().flatten().collect();
    Ok(Took { a_second: number(millis.len()) / seconds, millis })
}

/// Asks on one connection, for so long but at least once; how long each answer took.
fn ask(host: &ServingHost, path: &str, long: Duration) -> Result<Vec<f64>> {
    let stream = TcpStream::connect(&host.address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (address, secret) = (&host.address, &host.secret);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {secret}\r\n\r\n");
    let mut reader = BufReader::new(stream);
    let (mut line, mut body, mut took) = (String::new(), Vec::new(), Vec::new());
    let began = Instant::now();
    while took.is_empty() || began.elapsed() < long {
        let asked = Instant::now();
        reader.get_mut().write_all(request.as_bytes())?;
        let mut length = None;
        loop {
            line.clear();
            ensure!(reader.read_line(&mut line)? > 0, "{path}: the connection was closed");
            ensure!(
                length.is_some() || !line.starts_with("HTTP/") || line.contains(" 200 "),
                "{path}: {line}"
            );
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = Some(value.trim().parse()?);
            }
            if line.trim().is_empty() {
                break;
            }
        }
        body.resize(length.context("an answer does not say how long it is")?, 0);
        reader.read_exact(&mut body)?;
        took.push(asked.elapsed().as_secs_f64() * 1e3);
    }
    Ok(took)
}
