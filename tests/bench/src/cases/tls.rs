//! TLS in front of the sandbox, which speaks none.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::BenchError;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 16;

/// An address that nobody listens at until it is opened. Everything ends when it is dropped.
pub(super) struct Front {
    url: String,
    open: Option<Sender<SocketAddr>>,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Front {
    /// Takes an address, and writes the certificate that is to be trusted.
    pub(super) fn reserve(certificate: &Path) -> Result<Self, BenchError> {
        let failed = BenchError::system("serving TLS");
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("the name is one");
        std::fs::write(certificate, cert.pem()).map_err(BenchError::file(certificate))?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key))
            .expect("a certificate of ours");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let socket = TcpSocket::new_v4().map_err(&failed)?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).map_err(&failed)?;
        let url = format!("https://{}", socket.local_addr().map_err(&failed)?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(&failed)?;
        let (open, opened) = channel();
        let (end, ended) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let Some(to) = wait(&opened) else { return };
            runtime.block_on(async move {
                tokio::select! {
                    _ = ended => {}
                    () = serve(socket, acceptor, to) => {}
                }
            });
        });
        Ok(Self { url, open: Some(open), end: Some(end), thread: Some(thread) })
    }

    /// `https://127.0.0.1:PORT`.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// From now on what comes is passed on to this address.
    pub(super) fn open(&mut self, to: SocketAddr) -> Result<(), BenchError> {
        let open = self.open.take().map(|open| open.send(to));
        open.and_then(Result::ok).ok_or_else(|| BenchError::program("TLS", "its thread has ended"))
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        drop(self.open.take());
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed.
            let _ = thread.join();
        }
    }
}

fn wait(opened: &Receiver<SocketAddr>) -> Option<SocketAddr> {
    opened.recv().ok()
}

async fn serve(socket: TcpSocket, acceptor: TlsAcceptor, to: SocketAddr) {
    let listener = socket.listen(BACKLOG).expect("the address is ours");
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let (Ok(mut from), Ok(mut to)) = (acceptor.accept(stream).await, TcpStream::connect(to).await) else {
                return;
            };
            // Either side ends it.
            let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
        });
    }
}
