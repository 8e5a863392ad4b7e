//! Thousands of clients of the live updates in a process of their own: what another machine would be. It is this
//! program once more, told what to do by its arguments and its standard input.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::serving_host::ServingHost;

/// The argument that makes this program such a process.
pub(crate) const ARGUMENT: &str = "--live-clients";

/// Clients that are let in at a time.
const AT_ONCE: usize = 64;

/// Files that are open besides.
const OTHER_FILES: u64 = 64;

/// What has them run only when a processor has nothing else to do: they stand for machines of their own, which would take
/// nothing from the host. Of `util-linux`, which every Linux has.
const WHEN_IDLE: [&str; 4] = ["chrt", "--idle", "0", "--"];

/// Where that can't be: how much less of the processors they get than the host's engine.
const NICENESS: i32 = 19;

/// What the clients have received since they were told to begin.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Received {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// Clients that the host let go since they were connected.
    pub(crate) dropped: u64,
    /// When an event came: the input that it follows from, and the machine's clock in microseconds.
    pub(crate) events: Vec<(u64, i64)>,
}

/// The process, seen from the one that measures. It ends when this is dropped.
pub(crate) struct LiveClients {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// How many are connected.
    pub(crate) connected: usize,
}

impl LiveClients {
    /// Connects so many, or as many as the system lets a process have.
    pub(crate) fn connect(host: &ServingHost, count: usize, topics: &str) -> Result<Self> {
        let mut child = when_idle(&std::env::current_exe()?)
            .args([ARGUMENT, &host.address, &host.secret, &count.to_string(), topics])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take().context("the clients can't be told")?;
        let answers = BufReader::new(child.stdout.take().context("the clients can't answer")?);
        let mut clients = Self { child, orders, answers, connected: 0 };
        clients.connected = clients.answer()?;
        Ok(clients)
    }

    fn answer<T: for<'a> Deserialize<'a>>(&mut self) -> Result<T> {
        let mut line = String::new();
        ensure!(self.answers.read_line(&mut line)? > 0, "the process of the clients ended");
        Ok(serde_json::from_str(&line)?)
    }

    /// What is received from now on counts.
    pub(crate) fn begin(&mut self) -> Result<()> {
        writeln!(self.orders, "begin")?;
        self.answer::<Received>().map(drop)
    }

    /// What was received since.
    pub(crate) fn received(&mut self) -> Result<Received> {
        writeln!(self.orders, "tell")?;
        self.answer()
    }
}

impl Drop for LiveClients {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A command that gets a processor only when nobody else wants it, if the system knows such.
fn when_idle(program: &Path) -> Command {
    let [chrt, arguments @ ..] = WHEN_IDLE;
    let tried = Command::new(chrt).args(arguments).arg("true").stderr(Stdio::null()).status();
    if !tried.is_ok_and(|status| status.success()) {
        return Command::new(program);
    }
    let mut command = Command::new(chrt);
    command.args(arguments).arg(program);
    command
}

/// How many clients a process may have: as many as were asked for, if the system lets it open so many files.
pub(crate) fn most(wanted: usize) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).is_ok()
    {
        limit.current = limit.maximum;
    }
    let room = limit.current.map_or(u64::MAX, |limit| limit.saturating_sub(OTHER_FILES));
    wanted.min(usize::try_from(room).unwrap_or(usize::MAX))
}

/// Is that process: address, secret, count and topics are what `arguments` say.
pub(crate) fn be(arguments: &[String]) -> Result<()> {
    let [address, secret, count, topics] = arguments else {
        anyhow::bail!("the clients need four arguments")
    };
    let _ = rustix::process::nice(NICENESS);
    let count = most(count.parse()?);
    let received = Arc::new(Mutex::new(Received::default()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let request = (address.clone(), secret.clone(), topics.clone());
    runtime.block_on(async {
        let doors = Arc::new(Semaphore::new(AT_ONCE));
        let mut entering = Vec::new();
        for _ in 0..count {
            let (request, received, doors) = (request.clone(), Arc::clone(&received), Arc::clone(&doors));
            entering.push(tokio::spawn(async move {
                let _door = doors.acquire_owned().await?;
                let socket = enter(&request).await?;
                tokio::spawn(listen(socket, received));
                Ok::<_, anyhow::Error>(())
            }));
        }
        let mut connected = 0;
        for entered in entering {
            match entered.await? {
                Ok(()) => connected += 1,
                Err(error) if connected == 0 => return Err(error),
                Err(_) => {}
            }
        }
        say(&connected)?;
        let told = Arc::clone(&received);
        let (ended, end) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            for order in std::io::stdin().lines().map_while(Result::ok) {
                let mut received = told.lock().unwrap_or_else(PoisonError::into_inner);
                let dropped = received.dropped;
                let taken = std::mem::replace(&mut *received, Received { dropped, ..Received::default() });
                drop(received);
                let answer = if order == "tell" { taken } else { Received::default() };
                if say(&answer).is_err() {
                    break;
                }
            }
            drop(ended);
        });
        drop(end.await);
        Ok(())
    })
}

fn say(answer: &impl Serialize) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(answer)?)?;
    Ok(out.flush()?)
}

type Socket = tokio_tungstenite::WebSocketStream<TcpStream>;

async fn enter((address, secret, topics): &(String, String, String)) -> Result<Socket> {
    let url = format!("ws://{address}/api/v1/accounts/main/live?topics={topics}");
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {secret}").parse()?);
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(4 * 1024).write_buffer_size(1024);
    let entering = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
    let (socket, _) = tokio::time::timeout(Duration::from_secs(60), entering).await??;
    Ok(socket)
}

async fn listen(mut socket: Socket, received: Arc<Mutex<Received>>) {
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let mut received = received.lock().unwrap_or_else(PoisonError::into_inner);
        received.messages += 1;
        received.bytes += u64::try_from(text.len()).unwrap_or_default();
        if let Some(input) = input(text.as_str()) {
            received.events.push((input, i64::try_from(now).unwrap_or(i64::MAX)));
        }
    }
    received.lock().unwrap_or_else(PoisonError::into_inner).dropped += 1;
}

/// The input that an event follows from; `None` of other messages.
fn input(text: &str) -> Option<u64> {
    let head = text.get(..160.min(text.len()))?;
    let (_, after) = head.split_once("\"input\":")?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
