//! Serving HTTP/1.1 with every quantity bounded: connections, the size and number of headers, the
//! time a head may take, the time an answer may lie unread, the time a stop may take.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::observe::Metrics;

/// What bounds the serving of HTTP.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once; those beyond wait in the kernel's queue.
    pub connections: usize,
    /// How long the head of a request may take to arrive, and so how long a connection may idle.
    pub head_time: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Headers of a request.
    pub headers: usize,
    /// How long what was sent may go without acknowledgement or room to receive it.
    pub unread_time: Duration,
    /// How long requests in progress may take once the service is stopped.
    pub stop_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 4096,
            head_time: Duration::from_secs(15),
            head_bytes: 16 * 1024,
            headers: 64,
            unread_time: Duration::from_secs(30),
            stop_time: Duration::from_secs(10),
        }
    }
}

/// Serves until told to stop; then takes no more connections, lets requests in progress finish
/// for as long as the limits allow, and returns when all connections are closed.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    metrics: Metrics,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let mut stop = pin!(stop);
    let room = Arc::new(Semaphore::new(limits.connections));
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            // The semaphore is never closed.
            let place = Arc::clone(&room).acquire_owned().await.ok();
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accepted => accepted,
            Some(_) = connections.join_next() => continue,
            () = &mut stop => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, or a connection that was gone before it was taken.
                if !is_gone(&error) {
                    tracing::error!(%error, "could not take a connection");
                    sleep(Duration::from_millis(100)).await;
                }
                continue;
            }
        };
        if let Err(error) = prepare(&stream, &limits) {
            tracing::debug!(%error, "a connection was gone before it was served");
            continue;
        }
        let router = router.clone();
        let limits = limits.clone();
        let stopped = stopped.clone();
        let metrics = metrics.clone();
        connections.spawn(async move {
            metrics.connections.inc();
            connection(stream, router, &limits, stopped).await;
            metrics.connections.dec();
            drop(place);
        });
    }
    drop(listener);
    stopping.send_replace(true);
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.stop_time, all).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "requests were cut off by the stop"
        );
        connections.shutdown().await;
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    limits: &Limits,
    mut stopped: watch::Receiver<bool>,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(limits.head_bytes)
        .max_headers(limits.headers);
    let service = TowerToHyperService::new(router);
    let mut serving = pin!(http.serve_connection(TokioIo::new(stream), service));
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = async { let _ = stopped.wait_for(|stopped| *stopped).await; } => {
            serving.as_mut().graceful_shutdown();
            serving.as_mut().await
        }
    };
    if let Err(error) = served {
        // Broken off by the peer, too slow, or not HTTP: nothing that an operator could mend.
        tracing::debug!(%error, "a connection ended early");
    }
}

fn prepare(stream: &TcpStream, limits: &Limits) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    // Ends a connection whose peer does not take what is sent, even if it goes on acknowledging.
    socket.set_tcp_user_timeout(Some(limits.unread_time))
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
