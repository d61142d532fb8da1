//! A server on loopback that answers with whatever bytes a test wants, and does to connections what servers do
//! on bad days. It ends with the runtime of its test.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// What to do with one request, once it has been read whole.
pub(super) enum Play {
    /// A well-formed answer; the connection stays open for the next request.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// These bytes, and the connection is closed.
    Raw(Vec<u8>),
    /// These bytes, and the connection is closed below TLS, which is not told.
    NoNotify(Vec<u8>),
    /// These bytes, and then nothing: the connection stays open.
    Stall(Vec<u8>),
    /// These bytes again and again, until nobody takes them any more.
    Endless(Vec<u8>),
    /// RST.
    Reset,
}

impl Play {
    pub(super) fn json(status: u16, body: &str) -> Self {
        Self::Answer(status, vec![("content-type", "application/json".into())], body.into())
    }
}

/// A request as it came in.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) connection: usize,
    pub(super) at: Instant,
    /// Request line and headers.
    pub(super) head: String,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn request_line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub(super) struct Responder {
    pub(super) port: u16,
    state: Arc<State>,
}

struct State {
    plays: Mutex<VecDeque<Play>>,
    seen: Mutex<Vec<Seen>>,
}

impl Responder {
    /// Plays these one after the other, and 500 when there are no more.
    pub(super) async fn start(plays: impl IntoIterator<Item = Play>) -> Self {
        Self::listen(plays, None).await
    }

    pub(super) async fn start_tls(plays: impl IntoIterator<Item = Play>, tls: rustls::ServerConfig) -> Self {
        Self::listen(plays, Some(TlsAcceptor::from(Arc::new(tls)))).await
    }

    async fn listen(plays: impl IntoIterator<Item = Play>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State { plays: Mutex::new(plays.into_iter().collect()), seen: Mutex::default() });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            for connection in 0.. {
                let (socket, _) = listener.accept().await.unwrap();
                let (state, tls) = (Arc::clone(&shared), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(socket, connection, &state).await,
                        // A client that does not trust us goes away in the middle of this.
                        Some(tls) => match tls.accept(socket).await {
                            Ok(socket) => serve(socket, connection, &state).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self { port, state }
    }

    pub(super) fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn https(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// The only request there was.
    pub(super) fn only(&self) -> Seen {
        let mut seen = self.seen();
        assert_eq!(seen.len(), 1, "requests seen");
        seen.remove(0)
    }
}

/// A socket that can be ended with RST.
trait Resettable {
    fn on_close_reset(&self);
}

impl Resettable for TcpStream {
    fn on_close_reset(&self) {
        self.set_zero_linger().unwrap();
    }
}

impl Resettable for tokio_rustls::server::TlsStream<TcpStream> {
    fn on_close_reset(&self) {
        self.get_ref().0.on_close_reset();
    }
}

async fn serve(
    mut socket: impl AsyncRead + AsyncWrite + Resettable + Unpin,
    connection: usize,
    state: &State,
) -> Option<()> {
    loop {
        let seen = read_request(&mut socket, connection).await?;
        state.seen.lock().unwrap().push(seen);
        let play = state.plays.lock().unwrap().pop_front().unwrap_or(Play::json(500, "{}"));
        match play {
            Play::Answer(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                socket.write_all(&[head.as_bytes(), b"\r\n", &body].concat()).await.ok()?;
            }
            Play::Raw(bytes) => {
                socket.write_all(&bytes).await.ok()?;
                socket.shutdown().await.ok()?;
                return None;
            }
            Play::NoNotify(bytes) => {
                socket.write_all(&bytes).await.ok()?;
                socket.flush().await.ok()?;
                return None;
            }
            Play::Stall(bytes) => {
                socket.write_all(&bytes).await.ok()?;
                std::future::pending::<()>().await;
            }
            Play::Endless(bytes) => loop {
                socket.write_all(&bytes).await.ok()?;
            },
            Play::Reset => {
                socket.on_close_reset();
                return None;
            }
        }
    }
}

async fn read_request(socket: &mut (impl AsyncRead + Unpin), connection: usize) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        read_some(socket, &mut bytes).await?;
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut seen = Seen { connection, at: Instant::now(), head, body: String::new() };
    let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < end + 4 + length {
        read_some(socket, &mut bytes).await?;
    }
    seen.body = String::from_utf8(bytes[end + 4..].to_vec()).unwrap();
    Some(seen)
}

async fn read_some(socket: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 4096];
    let count = socket.read(&mut buffer).await.ok()?;
    bytes.extend_from_slice(&buffer[..count]);
    (count > 0).then_some(())
}
