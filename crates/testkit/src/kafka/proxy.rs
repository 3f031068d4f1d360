//! A proxy that loses or delays requests between a client and a broker.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::Kafka;

/// A request's kind, by its number in the protocol (<https://kafka.apache.org/protocol#protocol_api_keys>).
pub type ApiKey = i16;

/// `FindCoordinator`.
pub const FIND_COORDINATOR: ApiKey = 10;
/// `JoinGroup`.
pub const JOIN_GROUP: ApiKey = 11;
/// `ListGroups`.
pub const LIST_GROUPS: ApiKey = 16;

/// A proxy for the one broker of a cluster on this machine. Clients that know the cluster by it reach the broker through
/// it alone. Dropping it ends its connections.
#[derive(Debug)]
pub struct LossyProxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    delays: HashMap<ApiKey, Duration>,
    to_lose: HashMap<ApiKey, usize>,
    lost: HashMap<ApiKey, usize>,
    forwarded: HashMap<ApiKey, usize>,
}

impl State {
    /// Whether a request goes on to the broker.
    fn passes(&mut self, key: ApiKey) -> bool {
        let to_lose = self.to_lose.entry(key).or_default();
        let is_lost = *to_lose > 0;
        *to_lose = to_lose.saturating_sub(1);
        *(if is_lost { &mut self.lost } else { &mut self.forwarded }).entry(key).or_default() += 1;
        !is_lost
    }
}

impl LossyProxy {
    /// Starts one on 127.0.0.1.
    ///
    /// # Errors
    /// No port is free.
    ///
    /// # Panics
    /// If the cluster is not one broker on 127.0.0.1, as a [`dedicated`](super::dedicated) one is.
    pub async fn start(kafka: &Kafka) -> io::Result<Self> {
        let broker = kafka.bootstrap_servers().parse();
        let broker: SocketAddr = broker.unwrap_or_else(|error| panic!("{}: {error}", kafka.bootstrap_servers()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::default();
        let server = tokio::spawn(serve(listener, broker, Arc::clone(&state)));
        Ok(Self { address, state, server })
    }

    /// The bootstrap servers to use in place of the broker's.
    pub fn bootstrap_servers(&self) -> String {
        self.address.to_string()
    }

    /// Loses the next `count` requests of this kind: the client gets no answer to them.
    pub fn lose(&self, key: ApiKey, count: usize) {
        lock(&self.state).to_lose.insert(key, count);
    }

    /// Delays every further request of this kind, and what follows it on its connection.
    pub fn delay(&self, key: ApiKey, time: Duration) {
        lock(&self.state).delays.insert(key, time);
    }

    /// How many requests of this kind were lost so far.
    pub fn lost(&self, key: ApiKey) -> usize {
        lock(&self.state).lost.get(&key).copied().unwrap_or(0)
    }

    /// How many requests of this kind reached the broker so far.
    pub fn forwarded(&self, key: ApiKey) -> usize {
        lock(&self.state).forwarded.get(&key).copied().unwrap_or(0)
    }
}

impl Drop for LossyProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The connections are tasks in sets of this task, so that they end with it.
async fn serve(listener: TcpListener, broker: SocketAddr, state: Arc<Mutex<State>>) {
    let proxy = listener.local_addr();
    let mut connections = JoinSet::new();
    while let (Ok((client, _)), Ok(proxy)) = (listener.accept().await, &proxy) {
        while connections.try_join_next().is_some() {}
        let (state, proxy) = (Arc::clone(&state), *proxy);
        // An error means that one side closed the connection; then both are closed.
        connections.spawn(async move {
            let (from_client, to_client) = client.into_split();
            let (from_broker, to_broker) = TcpStream::connect(broker).await?.into_split();
            tokio::try_join!(
                forward_requests(from_client, to_broker, &state),
                forward_answers(from_broker, to_client, broker, proxy)
            )
        });
    }
}

async fn forward_requests(
    mut client: OwnedReadHalf,
    mut broker: OwnedWriteHalf,
    state: &Mutex<State>,
) -> io::Result<()> {
    loop {
        let request = read_frame(&mut client).await?;
        let key = request.first_chunk().map_or(-1, |key| ApiKey::from_be_bytes(*key));
        let delay = lock(state).delays.get(&key).copied();
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        if lock(state).passes(key) {
            write_frame(&mut broker, &request).await?;
        }
    }
}

/// Where an answer names the broker's address, the client is given the proxy's.
async fn forward_answers(
    mut broker: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    real: SocketAddr,
    shown: SocketAddr,
) -> io::Result<()> {
    let [real, shown] = [real, shown]
        .map(|address| [address.ip().to_string().as_bytes(), &u32::from(address.port()).to_be_bytes()].concat());
    loop {
        let mut answer = read_frame(&mut broker).await?;
        let mut at = 0;
        while let Some(found) = answer[at..].windows(real.len()).position(|window| window == real) {
            answer[at + found..][..real.len()].copy_from_slice(&shown);
            at += found + real.len();
        }
        write_frame(&mut client, &answer).await?;
    }
}

/// Requests and answers have their size before them.
async fn read_frame(from: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let size = usize::try_from(from.read_u32().await?).map_err(io::Error::other)?;
    let mut frame = vec![0; size];
    from.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn write_frame(to: &mut OwnedWriteHalf, frame: &[u8]) -> io::Result<()> {
    to.write_u32(u32::try_from(frame.len()).map_err(io::Error::other)?).await?;
    to.write_all(frame).await
}
