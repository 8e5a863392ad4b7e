//! How many connections there may be at a time, and how many of one address. Further ones are closed at once, so that
//! those who are here are served. Who does not take what is sent loses the place.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::middleware::AddExtension;
use axum_server::accept::Accept;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;
use tower_layer::Layer as _;

use crate::client_address::is_trusted;
use crate::first_version::FirstVersion;

/// How long a client may take no byte of what is sent. Without it one that never reads would stay for ever, and with
/// server-sent events even after its token was taken back.
const LONGEST_STALL: Duration = Duration::from_secs(10);

/// A connection's place among all, which is free again when the last copy is gone.
#[derive(Debug, Clone)]
pub(crate) struct Permit(#[expect(dead_code, reason = "it is held, not read")] Arc<Place>);

/// Accepts as another acceptor does, as long as there is room.
#[derive(Debug, Clone)]
pub(crate) struct Limited<A> {
    inner: A,
    room: Room,
}

impl<A> Limited<A> {
    /// With room for so many.
    pub(crate) const fn new(inner: A, room: Room) -> Self {
        Self { inner, room }
    }
}

impl<A, S> Accept<TcpStream, S> for Limited<A>
where
    A: Accept<TcpStream, S>,
    A::Future: Send + 'static,
    A::Stream: AsyncRead + AsyncWrite + Send + 'static,
    A::Service: Send + 'static,
{
    type Stream = FirstVersion<Pin<Box<TimeoutStream<A::Stream>>>>;
    type Service = AddExtension<A::Service, Permit>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = stream.peer_addr().and_then(|address| {
            self.room.take(address.ip()).map_err(|full| {
                tracing::debug!(%address, "a connection to the API was closed: there are {full} already");
                io::Error::new(io::ErrorKind::ConnectionRefused, "too many connections")
            })
        });
        let place = match place {
            Ok(place) => place,
            Err(error) => return Box::pin(async { Err(error) }),
        };
        let accepting = self.inner.accept(stream, service);
        Box::pin(async move {
            let (stream, service) = accepting.await?;
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(LONGEST_STALL));
            let stream = FirstVersion::new(Box::pin(stream));
            Ok((stream, Extension(Permit(Arc::new(place))).layer(service)))
        })
    }
}

/// The places that there are. Its copies are the same.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<Places>);

#[derive(Debug)]
struct Places {
    most: usize,
    most_of_address: usize,
    proxies: Vec<IpNet>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: BTreeMap<IpAddr, usize>,
}

/// A place that is taken until it is dropped.
#[derive(Debug)]
struct Place {
    room: Room,
    /// Whose; `None` of those who may take all.
    address: Option<IpAddr>,
}

impl Room {
    /// For so many in all, and so many of each address. This machine's own programs and these proxies, through which
    /// everybody comes, may take all.
    pub(crate) fn new(most: usize, most_of_address: usize, proxies: Vec<IpNet>) -> Self {
        Self(Arc::new(Places { most, most_of_address, proxies, taken: Mutex::default() }))
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place; the setting that is exhausted when there is none.
    fn take(&self, address: IpAddr) -> Result<Place, &'static str> {
        let may_take_all = address.to_canonical().is_loopback() || is_trusted(address, &self.0.proxies);
        let address = (!may_take_all).then(|| customer(address));
        let mut taken = self.lock();
        if taken.all >= self.0.most {
            return Err("api.connections");
        }
        if let Some(address) = address {
            let of_address = taken.by_address.entry(address).or_default();
            if *of_address >= self.0.most_of_address {
                return Err("api.connections_per_address");
            }
            *of_address += 1;
        }
        taken.all += 1;
        Ok(Place { room: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.lock();
        taken.all = taken.all.saturating_sub(1);
        if let Some(address) = self.address
            && let Some(of_address) = taken.by_address.get_mut(&address)
        {
            *of_address = of_address.saturating_sub(1);
            if *of_address == 0 {
                taken.by_address.remove(&address);
            }
        }
    }
}

/// Whoever has one address of version 6 has all that share its first 64 bits.
pub(crate) const fn customer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_leaves_room_for_others() {
        let room = Room::new(5, 2, Vec::new());
        let mut one =
            vec![room.take(address("192.0.2.1")).unwrap(), room.take(address("192.0.2.1")).unwrap()];
        assert_eq!(room.take(address("192.0.2.1")).unwrap_err(), "api.connections_per_address");
        assert_eq!(room.take(address("::ffff:192.0.2.1")).unwrap_err(), "api.connections_per_address");
        let other = room.take(address("192.0.2.2")).unwrap();
        one.pop();
        one.push(room.take(address("192.0.2.1")).unwrap());
        let _more = [room.take(address("192.0.2.2")).unwrap(), room.take(address("192.0.2.3")).unwrap()];
        assert_eq!(room.take(address("192.0.2.4")).unwrap_err(), "api.connections");
        drop((one, other));
        assert_eq!(room.lock().by_address.len(), 2, "those who left are forgotten");
    }

    #[test]
    fn neighbours_in_a_network_of_version_6_are_one() {
        let room = Room::new(10, 1, Vec::new());
        let _first = room.take(address("2001:db8:0:1::1")).unwrap();
        assert!(room.take(address("2001:db8:0:1:ffff::2")).is_err());
        let _other = room.take(address("2001:db8:0:2::1")).unwrap();
    }

    #[test]
    fn this_machine_may_take_all() {
        let room = Room::new(3, 1, Vec::new());
        let _all = ["127.0.0.1", "127.0.0.1", "::1"].map(|text| room.take(address(text)).unwrap());
        assert_eq!(room.take(address("127.0.0.1")).unwrap_err(), "api.connections");
    }

    #[test]
    fn a_trusted_proxy_may_take_all() {
        let room = Room::new(3, 1, vec!["10.0.0.0/8".parse().unwrap()]);
        let _all = ["10.0.0.1", "10.0.0.1", "::ffff:10.0.0.1"].map(|text| room.take(address(text)).unwrap());
        assert_eq!(room.take(address("10.0.0.1")).unwrap_err(), "api.connections");
    }
}
