//! The engine's task: owns every open challenge, hears requests, reports, the store and the
//! clock, one thing at a time, and never waits for any of them.

mod beginning;
mod events;
mod keeping;
mod stopping;
mod texting;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use self::beginning::Beginning;
use self::stopping::Shutdown;
use self::texting::{Asked, Received, Texting};
use super::begin::{Accepted, Begin, BeginError};
use super::handle::{Health, Request, Watched};
use super::metrics::Metrics;
use super::open::Open;
use super::texts::Texts;
use super::{EngineConfig, TextGateway, VoiceGateway};
use crate::challenge::{Challenge, Entry, Event, Tenant};
use crate::dialplan::Dialplan;
use crate::guard::Guard;
use crate::phone::PhoneNumber;
use crate::sms::dispatch;
use crate::sms::order::{Acknowledgement, TextRef};
use crate::store::{
    AwaitedReceipts, Begun, Idempotency, Joined, Purged, Recorded, Replay, Standing, Store,
    StoreError,
};
use crate::voice::order::{CallRef, Command, Report};

/// Requests or reports taken in at once.
const AT_ONCE: usize = 128;
/// How often an idle store is asked whether it can be written.
const PROBE: Duration = Duration::from_secs(5);

type Reply = oneshot::Sender<Result<Accepted, BeginError>>;
type IdempotencyName = (Tenant, String);

/// What was waited for and is there.
enum Done {
    /// The store knows, or does not know, an idempotency key.
    LookedUp {
        begin: Box<Begin>,
        idempotency: Idempotency,
        reply: Reply,
        found: Result<Option<Replay>, StoreError>,
    },
    /// The store has, or has not, kept a new challenge.
    Begun {
        beginning: Box<Beginning>,
        kept: Result<Begun, StoreError>,
    },
    /// The store has, or has not, written a challenge's log.
    Recorded {
        challenge: Challenge,
        entries: Vec<Entry>,
        recorded: Result<Recorded, StoreError>,
    },
    /// The store says whether a number is sent no texts.
    AskedToResend {
        asked: Box<Asked>,
        blocked: Result<bool, StoreError>,
    },
    /// The store has, or has not, kept a message that a person sent.
    KeptMessage {
        acknowledgement: Option<Acknowledgement>,
        /// Who wants no more texts by it.
        stopped: Option<PhoneNumber>,
        kept: Result<(), StoreError>,
    },
    /// The store has, or has not, kept what joins receipts to a text.
    AwaitingReceipts {
        awaited: Box<AwaitedReceipts>,
        kept: Result<(), StoreError>,
    },
    /// It is time to have it kept once more.
    JoinAgain(Box<AwaitedReceipts>),
    /// The store has, or has not, taken in a receipt.
    TookReceipt {
        received: Box<Received>,
        joined: Result<Option<Joined>, StoreError>,
    },
    /// It is time to take in a receipt once more.
    ReceiptAgain(Box<Received>),
    /// It is time to try a write again.
    TryAgain(Uuid),
    /// The store has dropped what is no longer kept.
    Purged(Result<Purged, StoreError>),
    /// It is time to purge.
    PurgeTime,
    /// The store was asked whether it can be written.
    Probed(Result<(), StoreError>),
    /// It is time to ask that.
    ProbeTime,
}

pub(super) struct Task {
    /// The first to be dropped: a store that is closed waits until nobody asks it for anything.
    doing: FuturesUnordered<Pin<Box<dyn Future<Output = Done> + Send>>>,
    config: EngineConfig,
    store: Arc<dyn Store>,
    dialplan: Arc<Dialplan>,
    guard: Guard,
    commands: mpsc::Sender<Command>,
    /// The way to the texting gateway, if there is one.
    texting: Option<Texting>,
    health: watch::Sender<Health>,
    metrics: Metrics,

    open: HashMap<Uuid, Open>,
    /// Those to be saved before anything else is waited for.
    unsaved: Vec<Uuid>,
    /// Whose text each is, and which of its texts.
    text_of: HashMap<TextRef, (Uuid, u8)>,
    /// New challenges that the store is keeping just now.
    beginning: usize,
    /// When each challenge whose outcome is not decided expires.
    deadlines: BTreeSet<(Instant, Uuid)>,
    /// Requests that wait for another with their idempotency key.
    same_key: HashMap<IdempotencyName, VecDeque<(Box<Begin>, Reply)>>,
    /// Cancels that the gateway had no room for; no more than calls were placed.
    unsent_cancels: VecDeque<CallRef>,
    shutdown: Option<Shutdown>,
}

/// What the gateways report.
pub(super) struct Reports {
    calls: mpsc::Receiver<Report>,
    texts: Option<mpsc::Receiver<dispatch::Report>>,
}

impl Task {
    pub fn new(
        config: EngineConfig,
        store: Arc<dyn Store>,
        dialplan: Arc<Dialplan>,
        guard: Guard,
        (voice, texts): (VoiceGateway, Option<TextGateway>),
        health: watch::Sender<Health>,
        metrics: Metrics,
    ) -> (Task, Reports) {
        let (texting, texts) = match texts {
            Some(TextGateway {
                commands,
                reports,
                route,
            }) => {
                let texting = Texting {
                    commands,
                    route,
                    up: true,
                    unsent: VecDeque::new(),
                    inbound: 0,
                    receipts: 0,
                    unjoined: 0,
                };
                (Some(texting), Some(reports))
            }
            None => (None, None),
        };
        let task = Task {
            config,
            store,
            dialplan,
            guard,
            commands: voice.commands,
            texting,
            health,
            metrics,
            open: HashMap::new(),
            unsaved: Vec::new(),
            text_of: HashMap::new(),
            beginning: 0,
            deadlines: BTreeSet::new(),
            same_key: HashMap::new(),
            unsent_cancels: VecDeque::new(),
            doing: FuturesUnordered::new(),
            shutdown: None,
        };
        let reports = Reports {
            calls: voice.reports,
            texts,
        };
        (task, reports)
    }

    /// Takes in what an earlier process left open and can still be checked. Its code can, but is
    /// not known in the clear any more: it is not sent again.
    pub fn resume(&mut self, standing: Vec<Standing>, now: Timestamp) {
        let instant = Instant::now();
        for Standing {
            challenge,
            number,
            code,
        } in standing
        {
            let id = challenge.details().id;
            let texts = Texts::new(code, number, None);
            let open = Open::resumed(challenge, (instant, now), texts);
            let deadline = open.deadline;
            self.open.insert(id, open);
            self.deadlines.insert((deadline, id));
        }
        self.metrics.open.set(self.open.len() as i64);
    }

    pub async fn run(mut self, mut asked: mpsc::Receiver<Request>, reports: Reports) {
        self.purge();
        self.later(PROBE, Done::ProbeTime);
        let Reports {
            calls: mut reports,
            mut texts,
        } = reports;
        let mut requests = Vec::with_capacity(AT_ONCE);
        let mut heard = Vec::with_capacity(AT_ONCE);
        let mut told = Vec::with_capacity(AT_ONCE);
        let commands = self.commands.clone();
        let texting = self
            .texting
            .as_ref()
            .map(|texting| texting.commands.clone());
        let mut held = true;
        while !self.is_over() {
            let deadline = self.next_deadline();
            tokio::select! {
                n = asked.recv_many(&mut requests, AT_ONCE), if held => {
                    if n == 0 {
                        // Nobody holds a handle any more.
                        held = false;
                        self.shut_down(Instant::now(), None);
                    }
                    for request in requests.drain(..) {
                        self.hear(request);
                    }
                }
                n = reports.recv_many(&mut heard, AT_ONCE), if self.health.borrow().gateway => {
                    if n == 0 {
                        self.lose_gateway();
                    }
                    for report in heard.drain(..) {
                        self.report(report);
                    }
                }
                n = from_texting(&mut texts, &mut told), if self.has_texting() => {
                    if n == 0 {
                        self.lose_texting();
                    }
                    for report in told.drain(..) {
                        self.text_report(report);
                    }
                }
                Some(done) = self.doing.next() => {
                    self.done(done);
                    // A group that was committed answers many at once.
                    for _ in 1..AT_ONCE {
                        let Some(Some(done)) = self.doing.next().now_or_never() else {
                            break;
                        };
                        self.done(done);
                    }
                }
                room = commands.reserve(), if !self.unsent_cancels.is_empty() => match room {
                    Ok(room) => if let Some(call) = self.unsent_cancels.pop_front() {
                        room.send(Command::Cancel(call));
                    },
                    Err(_) => self.unsent_cancels.clear(),
                },
                room = room_for_texts(&texting), if self.has_withdrawals() => {
                    let unsent = self.texting.as_mut().map(|texting| &mut texting.unsent);
                    match (room, unsent) {
                        (Some(room), Some(unsent)) => if let Some(text) = unsent.pop_front() {
                            room.send(dispatch::Command::Withdraw(text));
                        },
                        (None, Some(unsent)) => unsent.clear(),
                        (_, None) => {}
                    }
                }
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.clock();
                }
            }
            self.save_all();
        }
        if let Some(shutdown) = self.shutdown {
            for reply in shutdown.replies {
                let _ = reply.send(());
            }
        }
    }

    fn has_texting(&self) -> bool {
        self.texting.as_ref().is_some_and(|texting| texting.up)
    }

    fn has_withdrawals(&self) -> bool {
        self.texting
            .as_ref()
            .is_some_and(|texting| !texting.unsent.is_empty())
    }

    fn hear(&mut self, request: Request) {
        match request {
            Request::Begin { begin, reply } => self.begin(begin, reply),
            Request::Look { tenant, id, reply } => {
                let open = self.owned(&tenant, id).map(|open| open.durable().clone());
                let _ = reply.send(open);
            }
            Request::Watch { tenant, id, reply } => {
                let most = self.config.max_waiting_each;
                let watched = match self.owned(&tenant, id).map(|open| open.watch(most)) {
                    Some(Some(states)) => Watched::Open(states),
                    Some(None) => Watched::TooMany,
                    None => Watched::NotOpen,
                };
                let _ = reply.send(watched);
            }
            Request::Cancel { tenant, id, reply } => {
                let states = self
                    .owned(&tenant, id)
                    .and_then(|open| open.watch(usize::MAX));
                if states.is_some() {
                    self.end(id, Event::Cancel);
                }
                let _ = reply.send(states);
            }
            Request::Check {
                tenant,
                id,
                code,
                reply,
            } => self.check(&tenant, id, &code, reply),
            Request::Resend { tenant, id, reply } => self.resend(&tenant, id, reply),
            Request::Receipt(posted) => self.posted_receipt(posted),
            Request::Shutdown { deadline, reply } => self.shut_down(deadline, Some(reply)),
        }
    }

    fn owned(&mut self, tenant: &Tenant, id: Uuid) -> Option<&mut Open> {
        let open = self.open.get_mut(&id)?;
        (open.durable().details().tenant == *tenant).then_some(open)
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::LookedUp {
                begin,
                idempotency,
                reply,
                found,
            } => self.looked_up(*begin, idempotency, reply, found),
            Done::Begun { beginning, kept } => self.begun(*beginning, kept),
            Done::Recorded {
                challenge,
                entries,
                recorded,
            } => self.recorded(challenge, entries, recorded),
            Done::TryAgain(id) => {
                if let Some(open) = self.open.get_mut(&id) {
                    open.try_again(Instant::now());
                }
                self.unsaved(id);
            }
            Done::Purged(purged) => self.purged(purged),
            Done::PurgeTime => self.purge(),
            Done::Probed(probed) => {
                self.note_store(probed.is_ok());
                self.later(PROBE, Done::ProbeTime);
            }
            Done::AskedToResend { asked, blocked } => self.asked_to_resend(*asked, blocked),
            Done::KeptMessage {
                acknowledgement,
                stopped,
                kept,
            } => self.kept_message(acknowledgement, stopped, kept),
            Done::AwaitingReceipts { awaited, kept } => self.awaiting_receipts(awaited, kept),
            Done::JoinAgain(awaited) => self.join_again(awaited),
            Done::TookReceipt { received, joined } => self.took_receipt(received, joined),
            Done::ReceiptAgain(received) => self.take_receipt(received),
            Done::ProbeTime => {
                let ready = self.store.ready();
                self.doing
                    .push(Box::pin(async move { Done::Probed(ready.await) }));
            }
        }
    }
}

async fn from_texting(
    reports: &mut Option<mpsc::Receiver<dispatch::Report>>,
    told: &mut Vec<dispatch::Report>,
) -> usize {
    match reports {
        Some(reports) => reports.recv_many(told, AT_ONCE).await,
        None => pending().await,
    }
}

/// Room for one command; `None` if the gateway is gone.
async fn room_for_texts(
    texting: &Option<mpsc::Sender<dispatch::Command>>,
) -> Option<mpsc::Permit<'_, dispatch::Command>> {
    match texting {
        Some(commands) => commands.reserve().await.ok(),
        None => pending().await,
    }
}
