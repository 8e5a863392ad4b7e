//! A few connections to the database, each with a thread that waits for its answers. Work that finds all of them
//! busy waits in a short line, and is turned away when that is full: nothing piles up.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use bulkhead_store::database::{Database, DatabaseUrl, Options};
use bulkhead_store::storage::StoreError;
use tokio::sync::oneshot;

use crate::problem::{Kind, Problem};

/// Places in the line.
const LINE: usize = 64;

type Work = Box<dyn FnOnce(Result<&mut Database, StoreError>) + Send>;

/// The way to the connections. The threads end with the last of its copies.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    line: SyncSender<Work>,
}

impl Readers {
    /// Starts so many threads, called after what they are for, each of which begins with `prepare`. Each connects with
    /// its first work, and again after a failure.
    pub(crate) fn start(url: &DatabaseUrl, purpose: &str, threads: usize, prepare: fn()) -> io::Result<Self> {
        let (line, work) = sync_channel::<Work>(LINE);
        let work = Arc::new(Mutex::new(work));
        for number in 0..threads {
            let (url, work) = (url.clone(), Arc::clone(&work));
            std::thread::Builder::new().name(format!("api-{purpose}-{number}")).spawn(move || {
                prepare();
                work_off(&url, &work);
            })?;
        }
        Ok(Self { line })
    }

    /// Does work on a connection.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |database| {
            // Who asked may have gone meanwhile.
            if !answer.is_closed() {
                drop(answer.send(database.map_err(Problem::from).and_then(work)));
            }
        });
        let lost =
            || Problem::new(Kind::Internal, "the answer was lost; ask again, and look into the host's log");
        match self.line.try_send(work) {
            Ok(()) => answered.await.unwrap_or_else(|_| Err(lost())),
            Err(TrySendError::Full(_)) => Err(Problem::new(
                Kind::Busy,
                "too much is asked of the database at once; ask again in a moment",
            )),
            Err(TrySendError::Disconnected(_)) => Err(lost()),
        }
    }
}

fn work_off(url: &DatabaseUrl, line: &Mutex<Receiver<Work>>) {
    let mut connected = None;
    loop {
        // The lock is held while waiting: the next to come takes the place of who goes to work.
        let next = line.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        let database = match &mut connected {
            Some(database) => Ok(database),
            none => Database::open(url, Options::reader()).map(|database| none.insert(database)),
        };
        if catch_unwind(AssertUnwindSafe(|| work(database))).is_err() {
            // Nobody knows what state the connection is in.
            connected = None;
        }
    }
}
