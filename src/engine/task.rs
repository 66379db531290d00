//! The engine's task: owns every open challenge, hears requests, reports, the store and the
//! clock, one thing at a time, and never waits for any of them.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::EngineConfig;
use super::begin::{Accepted, Begin, BeginError};
use super::handle::{Health, Request, Watched};
use super::metrics::Metrics;
use super::open::Open;
use crate::challenge::{Challenge, Details, Entry, Event, Key, KeySource, Reason, State, Tenant};
use crate::dialplan::{Dialplan, Route};
use crate::guard::{Admission, Ending, Guard};
use crate::phone::PhoneNumber;
use crate::store::{Begun, Idempotency, NewChallenge, Purged, Recorded, Replay, Store, StoreError};
use crate::voice::order::{self, CallOrder, CallRef, Command, News, Report};

/// Requests with one idempotency key that wait for the first of them.
const SAME_KEY: usize = 16;
/// Requests or reports taken in at once.
const AT_ONCE: usize = 128;
/// Between two tries of a write: the first wait, doubled each time up to the longest.
const RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(3);
/// How often an idle store is asked whether it can be written.
const PROBE: Duration = Duration::from_secs(5);
/// How long a shutdown waits for a store that does not answer.
const LAST_WRITES: Duration = Duration::from_secs(10);

type Reply = oneshot::Sender<Result<Accepted, BeginError>>;
type IdempotencyName = (Tenant, String);

/// A challenge on its way to the store.
struct Beginning {
    challenge: Challenge,
    began: Instant,
    deadline: Instant,
    number: PhoneNumber,
    route: Route,
    admission: Admission,
    key: Option<IdempotencyName>,
    reply: Reply,
}

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

/// A request to stop.
struct Shutdown {
    deadline: Instant,
    replies: Vec<oneshot::Sender<()>>,
    /// Whether what was open at the deadline has been interrupted.
    interrupted: bool,
}

pub(super) struct Task {
    config: EngineConfig,
    store: Arc<dyn Store>,
    dialplan: Arc<Dialplan>,
    guard: Guard,
    commands: mpsc::Sender<Command>,
    health: watch::Sender<Health>,
    metrics: Metrics,

    open: HashMap<Uuid, Open>,
    /// New challenges that the store is keeping just now.
    beginning: usize,
    /// When each challenge whose outcome is not decided expires.
    deadlines: BTreeSet<(Instant, Uuid)>,
    /// Requests that wait for another with their idempotency key.
    same_key: HashMap<IdempotencyName, VecDeque<(Box<Begin>, Reply)>>,
    /// Cancels that the gateway had no room for; no more than calls were placed.
    unsent_cancels: VecDeque<CallRef>,
    doing: FuturesUnordered<Pin<Box<dyn Future<Output = Done> + Send>>>,
    shutdown: Option<Shutdown>,
}

impl Task {
    pub fn new(
        config: EngineConfig,
        store: Arc<dyn Store>,
        dialplan: Arc<Dialplan>,
        guard: Guard,
        commands: mpsc::Sender<Command>,
        health: watch::Sender<Health>,
        metrics: Metrics,
    ) -> Task {
        Task {
            config,
            store,
            dialplan,
            guard,
            commands,
            health,
            metrics,
            open: HashMap::new(),
            beginning: 0,
            deadlines: BTreeSet::new(),
            same_key: HashMap::new(),
            unsent_cancels: VecDeque::new(),
            doing: FuturesUnordered::new(),
            shutdown: None,
        }
    }

    pub async fn run(
        mut self,
        mut asked: mpsc::Receiver<Request>,
        mut reports: mpsc::Receiver<Report>,
    ) {
        self.purge();
        self.later(PROBE, Done::ProbeTime);
        let mut requests = Vec::with_capacity(AT_ONCE);
        let mut heard = Vec::with_capacity(AT_ONCE);
        let commands = self.commands.clone();
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
                Some(done) = self.doing.next() => self.done(done),
                room = commands.reserve(), if !self.unsent_cancels.is_empty() => match room {
                    Ok(room) => if let Some(call) = self.unsent_cancels.pop_front() {
                        room.send(Command::Cancel(call));
                    },
                    Err(_) => self.unsent_cancels.clear(),
                },
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.clock();
                }
            }
        }
        if let Some(shutdown) = self.shutdown {
            for reply in shutdown.replies {
                let _ = reply.send(());
            }
        }
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
            Request::Shutdown { deadline, reply } => self.shut_down(deadline, Some(reply)),
        }
    }

    fn owned(&mut self, tenant: &Tenant, id: Uuid) -> Option<&mut Open> {
        let open = self.open.get_mut(&id)?;
        (open.durable().details().tenant == *tenant).then_some(open)
    }

    // Beginning.

    fn begin(&mut self, begin: Box<Begin>, reply: Reply) {
        let Some(idempotency) = begin.idempotency() else {
            return self.admit(*begin, None, reply);
        };
        let name = (begin.tenant.clone(), idempotency.key.to_string());
        if let Some(waiting) = self.same_key.get_mut(&name) {
            if waiting.len() < SAME_KEY {
                waiting.push_back((begin, reply));
            } else {
                let _ = reply.send(Err(BeginError::Full));
            }
            return;
        }
        self.same_key.insert(name, VecDeque::new());
        let tenant = begin.tenant.clone();
        let asked = self
            .store
            .replay(tenant, idempotency.clone(), Timestamp::now());
        self.doing.push(Box::pin(async move {
            let found = asked.await;
            Done::LookedUp {
                begin,
                idempotency,
                reply,
                found,
            }
        }));
    }

    fn looked_up(
        &mut self,
        begin: Begin,
        idempotency: Idempotency,
        reply: Reply,
        found: Result<Option<Replay>, StoreError>,
    ) {
        let name = (begin.tenant.clone(), idempotency.key.to_string());
        let answer = match found {
            Ok(None) => return self.admit(begin, Some(idempotency), reply),
            Ok(Some(replay)) => answer_replay(replay),
            Err(error) => Err(error.into()),
        };
        let _ = reply.send(answer);
        self.release_key(Some(name));
    }

    /// Lets those who waited for a request with their idempotency key go on, one after another:
    /// the next asks the store anew and so finds what the first began, if it began anything.
    fn release_key(&mut self, name: Option<IdempotencyName>) {
        let Some(name) = name else { return };
        let Some(mut waiting) = self.same_key.remove(&name) else {
            return;
        };
        while let Some((begin, reply)) = waiting.pop_front() {
            // Not worth a look at the store if nobody waits for the answer and nothing was begun.
            if reply.is_closed() {
                continue;
            }
            self.begin(begin, reply);
            if let Some(behind) = self.same_key.get_mut(&name) {
                behind.append(&mut waiting);
            }
        }
    }

    fn admit(&mut self, begin: Begin, idempotency: Option<Idempotency>, reply: Reply) {
        let key = idempotency
            .as_ref()
            .map(|i| (begin.tenant.clone(), i.key.to_string()));
        match self.prepare(&begin) {
            Ok((challenge, entry, route, admission)) => {
                let began = Instant::now();
                let life = self.life(&begin);
                let kept = self.store.begin(NewChallenge {
                    challenge: challenge.clone(),
                    entry,
                    number: begin.to.clone(),
                    idempotency,
                });
                let beginning = Box::new(Beginning {
                    challenge,
                    began,
                    deadline: began + life,
                    number: begin.to,
                    route,
                    admission,
                    key,
                    reply,
                });
                self.beginning += 1;
                self.doing.push(Box::pin(async move {
                    let kept = kept.await;
                    Done::Begun { beginning, kept }
                }));
            }
            Err(error) => {
                let _ = reply.send(Err(error));
                self.release_key(key);
            }
        }
    }

    fn life(&self, begin: &Begin) -> Duration {
        begin
            .time_to_live
            .unwrap_or(self.config.time_to_live)
            .min(super::LONGEST_LIFE)
    }

    /// Asks everyone who may refuse; the guard last, since it counts what it admits.
    fn prepare(
        &mut self,
        begin: &Begin,
    ) -> Result<(Challenge, Entry, Route, Admission), BeginError> {
        let health = *self.health.borrow();
        if health.draining {
            return Err(BeginError::Draining);
        }
        if !health.gateway || self.commands.is_closed() {
            return Err(BeginError::NoGateway);
        }
        if self.open.len() + self.beginning >= self.config.max_open {
            return Err(BeginError::Full);
        }
        let route = self
            .dialplan
            .route(&begin.to)
            .map_err(BeginError::Refused)?;
        let wanted = begin.locale.as_ref().unwrap_or(&route.locale);
        let locale = self
            .locale(wanted)
            .ok_or_else(|| BeginError::Locale(self.config.locales.clone()))?;
        let asked = Instant::now().into_std();
        let until = asked + self.life(begin);
        let admission = self
            .guard
            .admit(begin.tenant.as_str(), &begin.to, asked, until)
            .map_err(BeginError::Limited)?;
        // Whole milliseconds, as the store keeps them and as a UUID of version 7 begins with.
        let now = Timestamp::now().as_millisecond();
        let at = |ms| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX);
        let life = i64::try_from(self.life(begin).as_millis()).unwrap_or(i64::MAX);
        let random: [u8; 10] = rand::random();
        let id = uuid::Builder::from_unix_timestamp_millis(now.unsigned_abs(), &random);
        let (challenge, entry) = Challenge::begin(Details {
            id: id.into_uuid(),
            tenant: begin.tenant.clone(),
            subject: begin.subject.clone(),
            purpose: begin.purpose,
            channel: begin.channel,
            to: Some(begin.to.masked().into()),
            locale,
            created: at(now),
            expires: at(now.saturating_add(life)),
        });
        Ok((challenge, entry, route, admission))
    }

    /// The locale that there are prompts for: the one asked for, else one of the same language.
    fn locale(&self, wanted: &str) -> Option<Arc<str>> {
        let language = |locale: &str| -> String {
            let language = locale.split(['-', '_']).next().unwrap_or(locale);
            language.to_ascii_lowercase()
        };
        let all = &self.config.locales;
        all.iter()
            .find(|there| there.eq_ignore_ascii_case(wanted))
            .or_else(|| all.iter().find(|there| language(there) == language(wanted)))
            .cloned()
    }

    fn begun(&mut self, beginning: Beginning, kept: Result<Begun, StoreError>) {
        self.beginning = self.beginning.saturating_sub(1);
        self.note_store(kept.is_ok());
        let Beginning {
            challenge,
            began,
            deadline,
            number,
            route,
            admission,
            key,
            reply,
        } = beginning;
        let answer = match kept {
            Ok(Begun::New) => {
                let id = challenge.details().id;
                tracing::info!(
                    challenge = %id,
                    tenant = %challenge.details().tenant,
                    to = challenge.details().to.as_deref(),
                    trunk = %route.trunk,
                    "challenge begun"
                );
                let open = Open::new(challenge.clone(), began, deadline, admission);
                self.open.insert(id, open);
                self.deadlines.insert((deadline, id));
                self.metrics.open.set(self.open.len() as i64);
                self.place(id, &challenge, deadline, number, route);
                Ok(Accepted {
                    challenge,
                    replayed: false,
                })
            }
            Ok(Begun::Replay(replay)) => {
                self.guard.withdraw(admission);
                answer_replay(replay)
            }
            Err(error) => {
                self.guard.withdraw(admission);
                Err(error.into())
            }
        };
        let _ = reply.send(answer);
        self.release_key(key);
    }

    fn place(
        &mut self,
        id: Uuid,
        challenge: &Challenge,
        deadline: Instant,
        to: PhoneNumber,
        route: Route,
    ) {
        if self.health.borrow().draining {
            self.apply(id, Event::Interrupt);
            return;
        }
        let order = CallOrder {
            call: CallRef(id),
            to,
            trunk: route.trunk,
            caller_id: route.caller_id,
            locale: Arc::clone(&challenge.details().locale),
            time_left: deadline.saturating_duration_since(Instant::now()),
        };
        let refused = match self.commands.try_send(Command::Place(Box::new(order))) {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => Reason::Overloaded,
            Err(TrySendError::Closed(_)) => Reason::TrunkUnavailable,
        };
        self.apply(id, Event::Ended(refused));
    }

    // Events.

    fn report(&mut self, report: Report) {
        let CallRef(id) = report.call;
        if !self.open.contains_key(&id) {
            self.metrics.late_reports.inc();
            return;
        }
        let event = match report.news {
            News::Dialling => Event::Dialling,
            News::Ringing => Event::Ringing,
            News::Answered => Event::Answered,
            News::Key {
                digit,
                source,
                counted,
            } => Event::Key(Key {
                digit,
                source: match source {
                    order::KeySource::Rfc4733 => KeySource::Rfc4733,
                    order::KeySource::SipInfo => KeySource::SipInfo,
                    order::KeySource::InBand => KeySource::InBand,
                },
                counted,
            }),
            News::AnsweredBy(by) => {
                self.metrics.answered_by(by);
                return;
            }
            News::Ended(reason) => {
                // The gateway's last word on the call: there is nothing left to cancel.
                self.apply(id, Event::Ended(reason));
                return;
            }
        };
        // Whatever it reports, it may report it too late.
        self.end(id, event);
    }

    /// Applies an event; whether that decided the outcome.
    fn apply(&mut self, id: Uuid, event: Event) -> bool {
        let Some(open) = self.open.get_mut(&id) else {
            return false;
        };
        if !open.apply(event, Instant::now()) {
            return false;
        }
        let decided = open.is_decided();
        if decided {
            self.deadlines.remove(&(open.deadline, id));
        }
        self.save(id);
        decided
    }

    /// Applies an event that may end a challenge whose call stands, and if so ends the call.
    fn end(&mut self, id: Uuid, event: Event) {
        if self.apply(id, event) {
            self.cancel_call(CallRef(id));
        }
    }

    fn cancel_call(&mut self, call: CallRef) {
        if !self.unsent_cancels.is_empty() {
            self.unsent_cancels.push_back(call);
            return;
        }
        if let Err(TrySendError::Full(_)) = self.commands.try_send(Command::Cancel(call)) {
            self.unsent_cancels.push_back(call);
        }
    }

    fn clock(&mut self) {
        let now = Instant::now();
        while let Some(&(deadline, id)) = self.deadlines.first() {
            if deadline > now {
                break;
            }
            self.deadlines.pop_first();
            self.end(id, Event::Expire);
        }
        if let Some(shutdown) = &mut self.shutdown
            && !shutdown.interrupted
            && shutdown.deadline <= now
        {
            shutdown.interrupted = true;
            shutdown.deadline = now + LAST_WRITES;
            let open: Vec<Uuid> = self.open.keys().copied().collect();
            for id in open {
                self.end(id, Event::Interrupt);
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let expiry = self.deadlines.first().map(|(deadline, _)| *deadline);
        let shutdown = self.shutdown.as_ref().map(|shutdown| shutdown.deadline);
        [expiry, shutdown].into_iter().flatten().min()
    }

    fn lose_gateway(&mut self) {
        tracing::error!("the voice gateway has stopped");
        self.health.send_modify(|health| health.gateway = false);
        let open: Vec<Uuid> = self.open.keys().copied().collect();
        for id in open {
            self.apply(id, Event::Interrupt);
        }
    }

    // The store.

    fn save(&mut self, id: Uuid) {
        let Some((challenge, entries)) = self.open.get_mut(&id).and_then(Open::save) else {
            return;
        };
        let recorded = self.store.record(challenge.clone(), entries.clone());
        self.doing.push(Box::pin(async move {
            let recorded = recorded.await;
            Done::Recorded {
                challenge,
                entries,
                recorded,
            }
        }));
    }

    fn recorded(
        &mut self,
        challenge: Challenge,
        entries: Vec<Entry>,
        recorded: Result<Recorded, StoreError>,
    ) {
        self.note_store(recorded.is_ok());
        let id = challenge.details().id;
        let Some(open) = self.open.get_mut(&id) else {
            return;
        };
        match recorded {
            Ok(Recorded::Yes) => open.saved(challenge),
            Ok(Recorded::AlreadyEnded(ended)) => {
                tracing::error!(challenge = %id, "the store had already ended a challenge that was open here");
                open.ended_elsewhere(ended);
                self.deadlines.remove(&(open.deadline, id));
                self.cancel_call(CallRef(id));
            }
            Ok(Recorded::Unknown) => {
                tracing::error!(challenge = %id, "an open challenge is gone from the store");
                self.deadlines.remove(&(open.deadline, id));
                self.open.remove(&id);
                self.metrics.open.set(self.open.len() as i64);
                self.cancel_call(CallRef(id));
                return;
            }
            Err(error) => {
                self.metrics.store_retries.inc();
                let failures = open.not_saved(entries);
                let wait = RETRY
                    .saturating_mul(1 << failures.min(10))
                    .min(LONGEST_RETRY);
                tracing::error!(challenge = %id, %error, failures, "a challenge could not be written; trying again");
                self.later(wait, Done::TryAgain(id));
                return;
            }
        }
        self.close_or_save(id);
    }

    /// Lets go of a challenge whose end is durable; writes on if there is more to write.
    fn close_or_save(&mut self, id: Uuid) {
        let Some(open) = self.open.get(&id) else {
            return;
        };
        let State::Ended(reason) = open.durable().state() else {
            return self.save(id);
        };
        let challenge = open.durable();
        tracing::info!(
            challenge = %id,
            tenant = %challenge.details().tenant,
            outcome = reason.outcome().name(),
            reason = reason.name(),
            "challenge ended"
        );
        self.metrics.ended(challenge, reason);
        if let Some(open) = self.open.remove(&id) {
            let now = Instant::now().into_std();
            self.guard.conclude(open.admission, ending(reason), now);
        }
        self.metrics.open.set(self.open.len() as i64);
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
                self.save(id);
            }
            Done::Purged(purged) => {
                match purged {
                    Ok(purged) if purged == Purged::default() => {}
                    Ok(purged) => tracing::info!(
                        numbers = purged.numbers,
                        challenges = purged.challenges,
                        idempotency_keys = purged.idempotency_keys,
                        "dropped what is no longer kept"
                    ),
                    Err(error) => tracing::error!(%error, "could not drop what is no longer kept"),
                }
                self.later(self.config.purge_every, Done::PurgeTime);
            }
            Done::PurgeTime => self.purge(),
            Done::Probed(probed) => {
                self.note_store(probed.is_ok());
                self.later(PROBE, Done::ProbeTime);
            }
            Done::ProbeTime => {
                let ready = self.store.ready();
                self.doing
                    .push(Box::pin(async move { Done::Probed(ready.await) }));
            }
        }
    }

    fn purge(&mut self) {
        let purged = self.store.purge(self.config.retention, Timestamp::now());
        self.doing
            .push(Box::pin(async move { Done::Purged(purged.await) }));
    }

    fn later(&mut self, wait: Duration, done: Done) {
        self.doing.push(Box::pin(async move {
            sleep(wait).await;
            done
        }));
    }

    fn note_store(&mut self, works: bool) {
        self.health.send_if_modified(|health| {
            let changed = health.store != works;
            health.store = works;
            changed
        });
    }

    // Stopping.

    fn shut_down(&mut self, deadline: Instant, reply: Option<oneshot::Sender<()>>) {
        self.health.send_modify(|health| health.draining = true);
        let shutdown = self.shutdown.get_or_insert(Shutdown {
            deadline,
            replies: Vec::new(),
            interrupted: false,
        });
        if !shutdown.interrupted {
            shutdown.deadline = shutdown.deadline.min(deadline);
        }
        shutdown.replies.extend(reply);
    }

    fn is_over(&self) -> bool {
        let Some(shutdown) = &self.shutdown else {
            return false;
        };
        let nothing_left = self.open.is_empty() && self.beginning == 0;
        nothing_left || (shutdown.interrupted && shutdown.deadline <= Instant::now())
    }
}

/// How a challenge ended, as far as the guard's limits care.
fn ending(reason: Reason) -> Ending {
    match reason {
        Reason::KeyPressed => Ending::Approved,
        Reason::Refused => Ending::Reported,
        // The phone cannot have rung.
        Reason::Busy
        | Reason::NoSuchNumber
        | Reason::TrunkRejected
        | Reason::TrunkUnavailable
        | Reason::Overloaded
        | Reason::Interrupted => Ending::NotCalled,
        Reason::WrongKeys
        | Reason::NoKeys
        | Reason::HungUp
        | Reason::NoAnswer
        | Reason::Declined
        | Reason::Forwarded
        | Reason::MediaIncompatible
        | Reason::MediaLost
        | Reason::AnsweredByMachine
        | Reason::AnsweredByFax
        | Reason::Announcement
        | Reason::CallFailed
        | Reason::CallTooLong
        | Reason::TimedOut
        | Reason::CancelledByCaller => Ending::Unconfirmed,
    }
}

fn answer_replay(replay: Replay) -> Result<Accepted, BeginError> {
    match replay {
        Replay::Same(challenge) => Ok(Accepted {
            challenge,
            replayed: true,
        }),
        Replay::Different => Err(BeginError::KeyReused),
    }
}
