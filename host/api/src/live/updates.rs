use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::tokens::Role;

/// So many of those who only look are told by the thread that answers requests. They cost next to nothing.
const FIRST: usize = 64;

/// Where clients are told what happens: those who operate the host, and the first of the others, by the thread that answers
/// requests, a crowd by one of its own.
#[derive(Debug, Clone)]
pub(crate) struct Updates {
    /// Room on the thread that answers requests.
    room: Arc<Semaphore>,
    crowd: Handle,
}

impl Updates {
    /// A crowd is told on this runtime.
    pub(crate) fn new(crowd: Handle) -> Self {
        Self { room: Arc::new(Semaphore::new(FIRST)), crowd }
    }

    /// Runs the session of a client of this role to its end.
    pub(crate) async fn run(&self, role: Role, session: impl Future<Output = ()> + Send + 'static) {
        if role >= Role::Operator {
            return session.await;
        }
        match self.room.try_acquire() {
            Ok(_place) => session.await,
            // One that panics has ended.
            Err(_) => drop(self.crowd.spawn(session).await),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::runtime::Runtime;
    use tokio::sync::mpsc;

    use super::*;

    fn runtime(name: &str) -> Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name(name).build().unwrap()
    }

    #[test]
    fn only_a_crowd_is_told_elsewhere() {
        let (own, crowd) = (runtime("own"), runtime("crowd"));
        let updates = Updates::new(crowd.handle().clone());
        let (told, mut tell) = mpsc::unbounded_channel();
        let viewers = std::iter::repeat_n(Role::Viewer, FIRST + 1);
        let roles: Vec<_> = viewers.chain([Role::Operator, Role::Admin]).collect();
        for role in &roles {
            let (updates, told, role) = (updates.clone(), told.clone(), *role);
            own.spawn(async move {
                let session = async move {
                    told.send(std::thread::current().name().map(str::to_owned)).unwrap();
                    pending::<()>().await;
                };
                updates.run(role, session).await;
            });
        }
        let names: Vec<_> = roles.iter().map(|_| tell.blocking_recv().unwrap().unwrap()).collect();
        assert_eq!(names.iter().filter(|name| *name == "crowd").count(), 1, "{names:?}");
    }
}
