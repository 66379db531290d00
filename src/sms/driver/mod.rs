//! The task behind a bind: moves octets between a socket and the session, and texts between the
//! queue and the session.

mod texts;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use smallvec::SmallVec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Sleep, sleep_until, timeout};
use tokio_rustls::client::TlsStream;

use super::bind::StartError;
use super::config::BindConfig;
use super::flight::{Flights, Piece};
use super::order::{BindState, News, NotSent, TextOrder, TextRef};
use super::report::{Deserted, Reporter};
use super::tls::Dialler;
use super::wire::Watched;
use crate::smpp::pdu::Status;
use crate::smpp::session::{Answer, Closed, DeliveryHandle, Event, Outcome, Session};

/// Octets read at once.
const READ: usize = 64 * 1024;
/// Messages kept ready at least, so that the queue is emptied in batches.
const BATCH: usize = 64;
/// How long a message waits that the message centre wants to be tried again, beyond what the
/// bind's pace asks for.
const RETRY: Duration = Duration::from_secs(1);
/// How long the last octets may take to leave.
const FAREWELL: Duration = Duration::from_secs(2);
/// The shortest validity a carrier is told; below that, clocks and habits differ too much.
const SHORTEST_VALIDITY: Duration = Duration::from_secs(60);
/// Texts of unknown fate whose late answer is still understood.
const LATE: usize = 1024;
/// How often waiting texts are looked through for those past their deadline.
const SWEEP: Duration = Duration::from_secs(1);

pub(super) struct Driver {
    config: BindConfig,
    /// How TLS is begun, where it is spoken.
    dialler: Option<Dialler>,
    session: Session<Piece>,
    orders: mpsc::Receiver<TextOrder>,
    batch: Vec<TextOrder>,
    acknowledge: mpsc::Sender<(DeliveryHandle, Status)>,
    acknowledgements: mpsc::Receiver<(DeliveryHandle, Status)>,
    reports: Reporter,
    /// What is to be told; bounded by what is in hand, since nothing more is taken while the
    /// listener has no room.
    outbox: Vec<News>,
    state: watch::Sender<BindState>,
    flights: Flights,
    /// Messages to be submitted, in order.
    ready: VecDeque<Piece>,
    /// Messages to be submitted again, and from when.
    again: VecDeque<(Instant, Piece)>,
    late: VecDeque<(u32, TextRef)>,
    down_since: Instant,
    swept: Instant,
    /// Resolves when the bind's handle is gone.
    gone: oneshot::Receiver<()>,
    /// Set once the handle is gone: when to have stopped.
    stopping: Option<Instant>,
    /// Whether the queue has ended and been emptied.
    drained: bool,
    reference: u16,
    random: StdRng,
    buffer: Box<[u8]>,
    /// Where texts of one message are written.
    single: Vec<u8>,
}

impl Driver {
    pub(super) fn new(
        config: BindConfig,
        orders: mpsc::Receiver<TextOrder>,
        reports: Reporter,
        state: watch::Sender<BindState>,
        gone: oneshot::Receiver<()>,
        now: Instant,
    ) -> Result<Driver, StartError> {
        let (acknowledge, acknowledgements) = mpsc::channel(config.session.deliveries.max(1) * 2);
        let mut random = StdRng::from_rng(&mut rand::rng());
        let tls = config.tls.as_ref();
        let dialler = tls
            .map(|tls| Dialler::new(tls, &config.address))
            .transpose()?;
        Ok(Driver {
            dialler,
            session: Session::new(config.session.clone(), now)?,
            config,
            orders,
            batch: Vec::new(),
            acknowledge,
            acknowledgements,
            reports,
            outbox: Vec::new(),
            state,
            flights: Flights::default(),
            ready: VecDeque::new(),
            again: VecDeque::new(),
            late: VecDeque::new(),
            down_since: now,
            swept: now,
            gone,
            stopping: None,
            drained: false,
            reference: random.random(),
            random,
            buffer: vec![0; READ].into_boxed_slice(),
            single: Vec::new(),
        })
    }

    pub(super) async fn run(mut self) {
        // Abandoned or stopped, there is nobody to tell more than this.
        let _ = self.live().await;
        self.turn_to(BindState::Stopped);
        self.send_reports();
        tracing::info!(bind = %self.config.name, "bind stopped");
    }

    /// Connects, converses, waits, until the queue ends.
    async fn live(&mut self) -> Result<(), Deserted> {
        loop {
            let connecting = connect(self.config.address.clone(), self.dialler.clone());
            let connecting = timeout(self.config.connect, connecting);
            let mut bound_for = Duration::ZERO;
            let closed = match self.meanwhile(connecting).await? {
                None => break,
                Some(Ok(Ok(connection))) => {
                    let Ends { local, peer } = connection.ends;
                    let watched = Watched::new(&self.config.tap, &self.config.name, local, peer);
                    let (closed, stood) = match connection.stream {
                        Stream::Plain(stream) => self.converse(stream, watched).await?,
                        Stream::Tls(stream) => self.converse(stream, watched).await?,
                    };
                    bound_for = stood;
                    Some(closed)
                }
                Some(Ok(Err(error))) => {
                    tracing::warn!(bind = %self.config.name, %error, "no connection");
                    None
                }
                Some(Err(_)) => {
                    tracing::warn!(bind = %self.config.name, "no connection in time");
                    None
                }
            };
            if self.stopping.is_some() {
                break;
            }
            let wait = self
                .config
                .backoff
                .wait(closed.as_ref(), bound_for, &mut self.random);
            tracing::info!(bind = %self.config.name, ?wait, "connecting again after a wait");
            if self.meanwhile(tokio::time::sleep(wait)).await?.is_none() {
                break;
            }
        }
        self.give_back(NotSent::Stopped);
        self.orders.close();
        while let Ok(order) = self.orders.try_recv() {
            self.hand_back(order.text, NotSent::Stopped);
        }
        self.reports.tell(&self.config.name, &mut self.outbox).await
    }

    /// Runs `work` while the bind is down: holds texts for a while, then hands them back. `None`
    /// once the queue has ended.
    async fn meanwhile<F: Future>(&mut self, work: F) -> Result<Option<F::Output>, Deserted> {
        let mut work = pin!(work);
        loop {
            self.reports
                .tell(&self.config.name, &mut self.outbox)
                .await?;
            let held_until = self.down_since + self.config.hold;
            let now = Instant::now();
            if now >= held_until {
                self.give_back(NotSent::Down);
                if !self.outbox.is_empty() {
                    continue;
                }
            }
            tokio::select! {
                done = &mut work => return Ok(Some(done)),
                // Nothing is held for a bind that stops.
                _ = &mut self.gone => return Ok(None),
                order = self.orders.recv(), if now >= held_until => match order {
                    Some(order) => self.hand_back(order.text, NotSent::Down),
                    None => return Ok(None),
                },
                () = sleep_until(held_until.into()), if now < held_until => {}
                // Their connection is gone, and the message centre delivers again.
                _ = self.acknowledgements.recv() => {}
            }
        }
    }

    /// Binds and keeps the session until it ends; tells why, and how long it stood.
    async fn converse(
        &mut self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        watched: Option<Watched>,
    ) -> Result<(Closed, Duration), Deserted> {
        let mut clock = pin!(sleep_until((Instant::now() + SWEEP).into()));
        let mut bound_at = None;
        self.session.connected(Instant::now());
        loop {
            let now = Instant::now();
            self.fill(now);
            let closed = self.collect(now, &mut bound_at);
            self.send_reports();
            if let Some(closed) = closed {
                let farewell = self.write_out(&mut stream, watched.as_ref());
                // Whether the peer hears our last words changes nothing any more.
                let _ = timeout(FAREWELL, farewell).await;
                self.late.clear();
                let stood = bound_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
                if bound_at.is_some() {
                    self.down_since = now;
                }
                self.turn_to(BindState::Down {
                    since: self.down_since,
                    why: Some(closed),
                });
                if matches!(closed, Closed::Unbound) {
                    tracing::info!(bind = %self.config.name, ?stood, "bind unbound");
                } else {
                    tracing::warn!(bind = %self.config.name, %closed, ?stood, "bind down");
                }
                return Ok((closed, stood));
            }
            if self.outbox.is_empty() {
                self.turn(&mut stream, watched.as_ref(), clock.as_mut(), now)
                    .await;
            } else {
                // The receiver has fallen behind: the session goes on, and so does waiting.
                let reports = self.reports.clone();
                tokio::select! {
                    room = reports.room() => room?,
                    () = self.turn(&mut stream, watched.as_ref(), clock.as_mut(), now) => {}
                }
            }
        }
    }

    /// Waits until something has happened: octets written or read, orders, acknowledgements, time.
    async fn turn(
        &mut self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        watched: Option<&Watched>,
        mut clock: Pin<&mut Sleep>,
        now: Instant,
    ) {
        // Woken early, the clock is set again; most deadlines pass away before they come.
        let wake = self.next_wake(now).into();
        if wake < clock.deadline() || clock.is_elapsed() {
            clock.as_mut().reset(wake);
        }
        poll_fn(|context| self.poll_turn(context, stream, watched, clock.as_mut())).await;
    }

    fn poll_turn(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        watched: Option<&Watched>,
        clock: Pin<&mut Sleep>,
    ) -> Poll<()> {
        let (mut moved, mut lost) = (false, false);
        let congested = self.session.is_congested();
        while let Some(octets) = self.session.poll_transmit() {
            match Pin::new(&mut *stream).poll_write(context, octets) {
                Poll::Ready(Ok(count)) if count > 0 => {
                    if let Some(watched) = watched {
                        watched.copy(true, octets.get(..count).unwrap_or_default());
                    }
                    self.session.transmitted(count);
                    // Otherwise writing changes nothing for anybody else.
                    moved |= congested;
                }
                Poll::Ready(_) => {
                    lost = true;
                    break;
                }
                Poll::Pending => break,
            }
        }
        lost |= matches!(
            Pin::new(&mut *stream).poll_flush(context),
            Poll::Ready(Err(_))
        );
        let mut read = ReadBuf::new(&mut self.buffer);
        match Pin::new(&mut *stream).poll_read(context, &mut read) {
            Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                if let Some(watched) = watched {
                    watched.copy(false, read.filled());
                }
                self.session.handle_bytes(Instant::now(), read.filled());
                moved = true;
            }
            Poll::Ready(_) => lost = true,
            Poll::Pending => {}
        }
        if lost {
            self.session.disconnected(Instant::now());
            return Poll::Ready(());
        }
        if self.stopping.is_none() && Pin::new(&mut self.gone).poll(context).is_ready() {
            self.stopping = Some(Instant::now() + self.config.drain);
            moved = true;
        }
        moved |= self.poll_orders(context);
        while let Poll::Ready(Some((handle, status))) = self.acknowledgements.poll_recv(context) {
            self.session.acknowledge(handle, status);
            moved = true;
        }
        if clock.poll(context).is_ready() {
            self.on_time(Instant::now());
            moved = true;
        }
        if moved {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Takes orders while the session can use them and reports are being read.
    fn poll_orders(&mut self, context: &mut Context<'_>) -> bool {
        let enough = usize::from(self.config.session.window).max(BATCH);
        if self.drained || !self.outbox.is_empty() || self.ready.len() >= enough {
            return false;
        }
        let mut batch = std::mem::take(&mut self.batch);
        let limit = enough - self.ready.len();
        let taken = self.orders.poll_recv_many(context, &mut batch, limit);
        let moved = match taken {
            Poll::Ready(0) => {
                self.drained = true;
                true
            }
            Poll::Ready(_) => {
                let now = Instant::now();
                for order in batch.drain(..) {
                    self.take(now, order);
                }
                true
            }
            Poll::Pending => false,
        };
        self.batch = batch;
        moved
    }

    fn next_wake(&self, now: Instant) -> Instant {
        let waiting = !self.ready.is_empty() || !self.again.is_empty();
        let paced = (!self.ready.is_empty())
            .then(|| self.session.next_room(now))
            .flatten();
        let again = self.again.front().map(|(at, _)| *at);
        let sweep = waiting.then_some(self.swept + SWEEP);
        let held = (waiting && !self.session.is_bound())
            .then(|| self.down_since + self.config.hold)
            .filter(|at| *at > now);
        let wakes = [
            held,
            self.session.poll_timeout(),
            self.stopping.filter(|at| *at > now),
            paced,
            again,
            sweep,
        ];
        let far = now + Duration::from_secs(3600);
        wakes.into_iter().flatten().min().unwrap_or(far)
    }

    fn on_time(&mut self, now: Instant) {
        self.session.handle_timeout(now);
        while let Some((at, piece)) = self.again.front().copied()
            && at <= now
        {
            self.again.pop_front();
            self.ready.push_front(piece);
        }
        if now >= self.swept + SWEEP {
            self.swept = now;
            self.sweep(now);
        }
    }

    /// Takes in what the session tells.
    fn collect(&mut self, now: Instant, bound_at: &mut Option<Instant>) -> Option<Closed> {
        let mut closed = None;
        let mut returned: SmallVec<[Piece; 8]> = SmallVec::new();
        while let Some(event) = self.session.poll_event() {
            match event {
                // It is still ours, and may go out with the next connection.
                Event::Answered(Answer {
                    tag,
                    outcome: Outcome::NotSent,
                    ..
                }) => returned.push(tag),
                Event::Answered(answer) => self.on_answer(now, answer),
                Event::LateAnswer {
                    sequence,
                    status,
                    id,
                } => self.on_late_answer(sequence, status, id),
                Event::Delivered(delivery) => self.on_delivery(*delivery),
                Event::Bound { system_id, version } => {
                    *bound_at = Some(now);
                    self.turn_to(BindState::Bound { since: now });
                    tracing::info!(bind = %self.config.name, system_id, ?version, "bound");
                }
                Event::Slowed { status, rate } => {
                    tracing::warn!(bind = %self.config.name, %status, rate, "slowed");
                    if let Some(until) = self.session.held_until() {
                        self.tell(News::Slowed { until });
                    }
                }
                Event::Odd {
                    command,
                    status,
                    sequence,
                } => {
                    tracing::debug!(bind = %self.config.name, %command, %status, sequence, "odd");
                }
                Event::Alert(_) => tracing::debug!(bind = %self.config.name, "alert_notification"),
                Event::Outbind { system_id } => {
                    tracing::debug!(bind = %self.config.name, system_id, "outbind");
                }
                Event::Closed(why) => closed = Some(why),
            }
        }
        for piece in returned.into_iter().rev() {
            if let Some((flight, _)) = self.flights.get(piece) {
                flight.came_back();
            }
            self.ready.push_front(piece);
        }
        closed
    }

    /// Shows and reports what the bind is doing.
    fn turn_to(&mut self, state: BindState) {
        self.state.send_replace(state);
        self.tell(News::State(state));
    }

    /// Has it reported with the turn's other news.
    fn tell(&mut self, news: News) {
        self.outbox.push(news);
    }

    /// Reports what was told, if the listener has room; if not, it waits.
    fn send_reports(&mut self) {
        self.reports.try_tell(&self.config.name, &mut self.outbox);
    }

    async fn write_out(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        watched: Option<&Watched>,
    ) -> std::io::Result<()> {
        use tokio::io::AsyncWriteExt;
        while let Some(octets) = self.session.poll_transmit() {
            let count = stream.write(octets).await?;
            if count == 0 {
                break;
            }
            if let Some(watched) = watched {
                watched.copy(true, octets.get(..count).unwrap_or_default());
            }
            self.session.transmitted(count);
        }
        stream.shutdown().await
    }
}

/// A connection that stands.
struct Connection {
    stream: Stream,
    ends: Ends,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

struct Ends {
    local: SocketAddr,
    peer: SocketAddr,
}

async fn connect(address: Arc<str>, dialler: Option<Dialler>) -> std::io::Result<Connection> {
    let stream = TcpStream::connect(&*address).await?;
    stream.set_nodelay(true)?;
    let ends = Ends {
        local: stream.local_addr()?,
        peer: stream.peer_addr()?,
    };
    let stream = match dialler {
        None => Stream::Plain(stream),
        Some(dialler) => Stream::Tls(Box::new(dialler.greet(stream).await?)),
    };
    Ok(Connection { stream, ends })
}
