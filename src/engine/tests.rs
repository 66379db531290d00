mod texts;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::*;
use crate::answer::AnsweredBy;
use crate::challenge::{
    Challenge, Channel, Entry, OneTimeCode, Purpose, Reason, State, Status, Subject, Tenant, What,
};
use crate::dtmf::Digit;
use crate::phone::PhoneNumber;
use crate::store::{
    self, ApiKey, AwaitedReceipts, Begun, Block, BlockedBy, CarrierReceipt, CodeHash, Erased,
    Haste, Idempotency, Joined, KeyId, Message, NewChallenge, Pending, Purged, Recorded, Replay,
    Sqlite, Standing, Unfinished, Use,
};
use crate::voice::order::{CallOrder, CallRef, KeySource, News};

/// A store whose writes of challenges can be made to fail.
struct Faulty {
    store: Sqlite,
    broken: AtomicBool,
    records_broken: AtomicBool,
}

impl Faulty {
    fn break_(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    /// Of challenges alone, once they have begun.
    fn break_records(&self, broken: bool) {
        self.records_broken.store(broken, Ordering::SeqCst);
    }

    fn try_write<T: Send + 'static>(&self, write: impl FnOnce() -> Pending<T>) -> Pending<T> {
        if self.broken.load(Ordering::SeqCst) {
            return Box::pin(async { Err(StoreError::Unavailable("disk full".into())) });
        }
        write()
    }
}

impl Store for Faulty {
    fn begin(&self, new: NewChallenge) -> Pending<Begun> {
        self.try_write(|| self.store.begin(new))
    }
    fn record(&self, challenge: Challenge, entries: Vec<Entry>, haste: Haste) -> Pending<Recorded> {
        if self.records_broken.load(Ordering::SeqCst) {
            return Box::pin(async { Err(StoreError::Unavailable("disk full".into())) });
        }
        self.try_write(|| self.store.record(challenge, entries, haste))
    }
    fn hurry(&self) {
        self.store.hurry();
    }
    fn ready(&self) -> Pending<()> {
        self.try_write(|| self.store.ready())
    }
    fn replay(&self, t: Tenant, r: Idempotency, now: Timestamp) -> Pending<Option<Replay>> {
        self.store.replay(t, r, now)
    }
    fn find(&self, tenant: Tenant, id: Uuid) -> Pending<Option<Challenge>> {
        self.store.find(tenant, id)
    }
    fn log(&self, id: Uuid, after: u32) -> Pending<Vec<Entry>> {
        self.store.log(id, after)
    }
    fn end_unfinished(&self, now: Timestamp) -> Pending<Unfinished> {
        self.store.end_unfinished(now)
    }
    fn standing(&self) -> Pending<Vec<Standing>> {
        self.store.standing()
    }
    fn hash_code(&self, challenge: Uuid, code: &OneTimeCode) -> CodeHash {
        self.store.hash_code(challenge, code)
    }
    fn keep_message(&self, message: Message) -> Pending<()> {
        self.try_write(|| self.store.keep_message(message))
    }
    fn await_receipts(&self, awaited: AwaitedReceipts) -> Pending<()> {
        self.try_write(|| self.store.await_receipts(awaited))
    }
    fn take_receipt(&self, receipt: CarrierReceipt, now: Timestamp) -> Pending<Option<Joined>> {
        self.try_write(|| self.store.take_receipt(receipt, now))
    }
    fn messages(&self, number: PhoneNumber, limit: u32) -> Pending<Vec<Message>> {
        self.store.messages(number, limit)
    }
    fn is_blocked(&self, number: PhoneNumber) -> Pending<bool> {
        self.store.is_blocked(number)
    }
    fn blocks(&self) -> Pending<Vec<Block>> {
        self.store.blocks()
    }
    fn block(&self, number: PhoneNumber, by: BlockedBy, now: Timestamp) -> Pending<bool> {
        self.store.block(number, by, now)
    }
    fn unblock(&self, number: PhoneNumber) -> Pending<bool> {
        self.store.unblock(number)
    }
    fn number(&self, id: Uuid) -> Pending<Option<PhoneNumber>> {
        self.store.number(id)
    }
    fn history(&self, number: PhoneNumber, limit: u32) -> Pending<Vec<Challenge>> {
        self.store.history(number, limit)
    }
    fn erase(&self, number: PhoneNumber) -> Pending<Erased> {
        self.store.erase(number)
    }
    fn purge(&self, retention: Retention, now: Timestamp) -> Pending<Purged> {
        self.store.purge(retention, now)
    }
    fn add_api_key(&self, key: ApiKey) -> Pending<()> {
        self.store.add_api_key(key)
    }
    fn api_key(&self, id: KeyId) -> Pending<Option<ApiKey>> {
        self.store.api_key(id)
    }
    fn api_keys(&self) -> Pending<Vec<ApiKey>> {
        self.store.api_keys()
    }
    fn revoke_api_key(&self, id: KeyId, now: Timestamp) -> Pending<Option<ApiKey>> {
        self.store.revoke_api_key(id, now)
    }
}

/// The gateway, played by the test.
struct Gateway {
    commands: mpsc::Receiver<Command>,
    reports: mpsc::Sender<Report>,
}

impl Gateway {
    async fn command(&mut self) -> Command {
        let command = timeout(Duration::from_secs(10), self.commands.recv()).await;
        command.expect("a command in time").expect("an engine")
    }

    async fn placed(&mut self) -> CallOrder {
        match self.command().await {
            Command::Place(order) => *order,
            other => panic!("{other:?}"),
        }
    }

    async fn cancelled(&mut self) -> CallRef {
        match self.command().await {
            Command::Cancel(call) => call,
            other => panic!("{other:?}"),
        }
    }

    async fn tell(&self, call: CallRef, news: &[News]) {
        for news in news {
            let report = Report {
                call,
                news: news.clone(),
            };
            self.reports.send(report).await.expect("an engine");
        }
    }
}

struct House {
    engine: EngineHandle,
    gateway: Gateway,
    store: Arc<Faulty>,
    directory: TempDir,
}

async fn house(config: EngineConfig) -> House {
    house_at(tempfile::tempdir().expect("a directory"), config, 64).await
}

async fn house_at(directory: TempDir, config: EngineConfig, room: usize) -> House {
    house_guarded(directory, config, room, guard()).await
}

async fn house_guarded(
    directory: TempDir,
    config: EngineConfig,
    room: usize,
    guard: Guard,
) -> House {
    let path = directory.path().join("ringtrue.db");
    let key = directory.path().join("key");
    let store = Sqlite::open(&path, &key, Use::Engine, store::Metrics::default());
    let store = Arc::new(Faulty {
        store: store.expect("opens"),
        broken: AtomicBool::new(false),
        records_broken: AtomicBool::new(false),
    });
    let (commands, ordered) = mpsc::channel(room);
    let (told, reports) = mpsc::channel(64);
    let engine = Engine::start(
        config,
        Arc::clone(&store) as Arc<dyn Store>,
        Arc::new(plan()),
        guard,
        (VoiceGateway { commands, reports }, None),
        Metrics::default(),
    );
    House {
        engine: engine.await.expect("starts"),
        gateway: Gateway {
            commands: ordered,
            reports: told,
        },
        store,
        directory,
    }
}

fn tenant() -> Tenant {
    Tenant::new("idp").expect("a tenant")
}

fn begin() -> Begin {
    Begin {
        tenant: tenant(),
        to: PhoneNumber::parse("+442079460123").expect("a number"),
        channel: Channel::Voice,
        purpose: Purpose::SignIn,
        subject: Subject::new("jane").ok(),
        locale: None,
        time_to_live: None,
        idempotency_key: None,
        text: TextWishes::default(),
    }
}

fn living(milliseconds: u64) -> Begin {
    Begin {
        time_to_live: Some(Duration::from_millis(milliseconds)),
        ..begin()
    }
}

fn with_key(key: &str) -> Begin {
    Begin {
        idempotency_key: Some(Zeroizing::new(key.into())),
        ..begin()
    }
}

fn hash() -> News {
    News::Key {
        digit: Digit::HASH,
        source: KeySource::Rfc4733,
        counted: true,
    }
}

const ANSWERED: [News; 3] = [News::Dialling, News::Ringing, News::Answered];
const PRESSED: News = News::Ended(Reason::KeyPressed);
const PATIENCE: Duration = Duration::from_secs(10);

impl House {
    async fn begun(&mut self, begin: Begin) -> (Uuid, CallRef) {
        let accepted = self.engine.begin(begin).await.expect("begins");
        let order = self.gateway.placed().await;
        (accepted.challenge.details().id, order.call)
    }

    async fn outcome(&self, id: Uuid) -> State {
        let ended = self.engine.wait(&tenant(), id, PATIENCE).await;
        let ended = ended.expect("waits").expect("is there");
        let found = self.engine.find(&tenant(), id).await.expect("finds");
        assert_eq!(found.as_ref(), Some(&ended), "the same to all");
        let kept = self.store.store.find(tenant(), id).await.expect("finds");
        assert_eq!(kept.as_ref(), Some(&ended), "and it is durable");
        ended.state()
    }

    async fn status(&self, id: Uuid) -> Status {
        let found = self.engine.find(&tenant(), id).await.expect("finds");
        found.expect("is there").state().status()
    }

    /// Waits until a challenge has come to a status.
    async fn comes_to(&self, id: Uuid, status: Status) {
        for _ in 0..1000 {
            if self.status(id).await == status {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("never {status:?}");
    }
}

#[tokio::test]
async fn a_challenge_is_walked_to_its_approval() {
    let mut house = house(EngineConfig::default()).await;
    let accepted = house.engine.begin(begin()).await.expect("begins");
    assert!(!accepted.replayed);
    let challenge = accepted.challenge;
    assert_eq!(challenge.state().status(), Status::Queued);
    let details = challenge.details();
    assert_eq!(details.id.get_version_num(), 7);
    assert_eq!(details.to.as_deref(), Some(&*begin().to.masked()));
    let life = details.expires.duration_since(details.created);
    assert_eq!(life.as_secs(), 120);

    let order = house.gateway.placed().await;
    assert_eq!((order.call, &order.to), (CallRef(details.id), &begin().to));
    assert_eq!((&*order.trunk, &*order.locale), ("carrier", "en-GB"));
    assert!(order.time_left <= Duration::from_secs(120));
    assert!(order.time_left > Duration::from_secs(110));

    house.gateway.tell(order.call, &ANSWERED).await;
    house.gateway.tell(order.call, &[hash(), PRESSED]).await;
    let state = house.outcome(details.id).await;
    assert_eq!(state, State::Ended(Reason::KeyPressed));
    let log = house.store.log(details.id, 0).await.expect("reads");
    assert_eq!(log.len(), 6);
    assert!(
        house.gateway.commands.try_recv().is_err(),
        "nothing to cancel"
    );
}

#[tokio::test]
async fn who_answered_is_told_with_the_outcome_and_kept() {
    let mut house = house(EngineConfig::default()).await;
    let (id, call) = house.begun(begin()).await;
    let by = AnsweredBy::Voicemail;
    let news = [
        News::AnsweredBy(AnsweredBy::Fax),
        News::Answered,
        News::AnsweredBy(by),
        News::AnsweredBy(AnsweredBy::Person),
        News::Ended(Reason::NoKeys),
    ];
    house.gateway.tell(call, &news).await;
    assert_eq!(house.outcome(id).await, State::Ended(Reason::NoKeys));
    let kept = house.store.find(begin().tenant, id).await.expect("finds");
    let kept = kept.expect("is there");
    // Not before the call was answered, and the first word holds.
    assert_eq!(kept.life().answered_by(), Some(by));
    let log = house.store.log(id, 0).await.expect("reads");
    let told: Vec<What> = log.iter().map(|entry| entry.what).collect();
    let [.., told, end] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(
        (*told, *end),
        (What::AnsweredBy(by), What::Ended(Reason::NoKeys))
    );
}

#[tokio::test]
async fn a_key_on_a_call_that_nobody_answered_approves_nothing() {
    let mut house = house(EngineConfig::default()).await;
    let (id, call) = house.begun(begin()).await;
    let early = [News::Dialling, News::Ringing, hash(), PRESSED];
    house.gateway.tell(call, &early).await;
    house.gateway.tell(call, &[News::Answered, PRESSED]).await;
    assert_eq!(house.outcome(id).await, State::Ended(Reason::CallFailed));
}

#[tokio::test]
async fn every_end_that_the_gateway_reports_is_told() {
    let mut house = house(EngineConfig::default()).await;
    for reason in Reason::ALL {
        let (id, call) = house.begun(begin()).await;
        house.gateway.tell(call, &ANSWERED).await;
        house.gateway.tell(call, &[News::Ended(reason)]).await;
        // No call can say that a code was entered.
        let told = match reason {
            Reason::CodeMatched => Reason::CallFailed,
            other => other,
        };
        assert_eq!(house.outcome(id).await, State::Ended(told));
    }
}

#[tokio::test]
async fn a_challenge_expires_in_its_time_and_its_call_is_ended() {
    let mut house = house(EngineConfig::default()).await;
    let (id, call) = house.begun(living(300)).await;
    house.gateway.tell(call, &ANSWERED).await;
    house.comes_to(id, Status::Answered).await;
    assert_eq!(house.gateway.cancelled().await, call);
    house.gateway.tell(call, &[PRESSED]).await;
    assert_eq!(house.outcome(id).await, State::Ended(Reason::TimedOut));
    let found = house.engine.find(&tenant(), id).await.expect("finds");
    let found = found.expect("is there");
    assert!(found.life().ended() >= Some(found.details().expires));
}

#[tokio::test]
async fn what_is_heard_first_decides_between_cancel_and_key() {
    let mut house = house(EngineConfig::default()).await;
    let (id, call) = house.begun(begin()).await;
    house.gateway.tell(call, &ANSWERED).await;
    house.comes_to(id, Status::Answered).await;
    let cancelled = house.engine.cancel(&tenant(), id).await.expect("cancels");
    assert_eq!(cancelled.state(), State::Ended(Reason::CancelledByCaller));
    assert_eq!(house.gateway.cancelled().await, call);
    house.gateway.tell(call, &[PRESSED]).await;
    assert_eq!(house.outcome(id).await, cancelled.state());
    let again = house.engine.cancel(&tenant(), id).await;
    assert_eq!(again, Ok(cancelled));

    let (id, call) = house.begun(begin()).await;
    house.gateway.tell(call, &ANSWERED).await;
    house.gateway.tell(call, &[PRESSED]).await;
    house.comes_to(id, Status::Approved).await;
    match house.engine.cancel(&tenant(), id).await {
        Err(CancelError::Ended(ended)) => {
            assert_eq!(ended.state(), State::Ended(Reason::KeyPressed));
        }
        other => panic!("{other:?}"),
    }
    let unknown = house.engine.cancel(&tenant(), Uuid::nil()).await;
    assert_eq!(unknown, Err(CancelError::Unknown));
}

#[tokio::test]
async fn a_cancel_that_meets_a_key_leaves_one_outcome() {
    let mut house = house(EngineConfig::default()).await;
    let mut seen = HashSet::new();
    for n in 0..200 {
        let (id, call) = house.begun(begin()).await;
        house.gateway.tell(call, &ANSWERED).await;
        let who = tenant();
        let (_, cancelled) = if n % 2 == 0 {
            tokio::join!(
                house.gateway.tell(call, &[PRESSED]),
                house.engine.cancel(&who, id)
            )
        } else {
            let both = tokio::join!(
                house.engine.cancel(&who, id),
                house.gateway.tell(call, &[PRESSED])
            );
            ((), both.0)
        };
        let told = match cancelled {
            Ok(challenge) => challenge.state(),
            Err(CancelError::Ended(challenge)) => challenge.state(),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(house.outcome(id).await, told);
        seen.insert(told);
        while house.gateway.commands.try_recv().is_ok() {}
    }
    assert!(seen.iter().all(|state| matches!(
        state,
        State::Ended(Reason::KeyPressed | Reason::CancelledByCaller)
    )));
}

#[tokio::test]
async fn another_tenant_sees_nothing() {
    let mut house = house(EngineConfig::default()).await;
    let (id, call) = house.begun(begin()).await;
    let other = Tenant::new("other").expect("a tenant");
    for _ in 0..2 {
        assert_eq!(house.engine.find(&other, id).await, Ok(None));
        assert_eq!(house.engine.wait(&other, id, PATIENCE).await, Ok(None));
        let followed = house.engine.follow(&other, id, 0).await.expect("asks");
        assert!(followed.is_none());
        assert_eq!(
            house.engine.cancel(&other, id).await,
            Err(CancelError::Unknown)
        );
        // Once open, once ended.
        house.gateway.tell(call, &[News::Ended(Reason::Busy)]).await;
        house.comes_to(id, Status::Failed).await;
    }
}

#[tokio::test]
async fn one_idempotency_key_begins_one_challenge_however_often_it_comes() {
    let mut house = house(EngineConfig::default()).await;
    let all = (0..10).map(|_| house.engine.begin(with_key("k")));
    let all = futures_util::future::join_all(all).await;
    let all: Vec<Accepted> = all.into_iter().map(|a| a.expect("begins")).collect();
    let ids: HashSet<Uuid> = all.iter().map(|a| a.challenge.details().id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(all.iter().filter(|a| !a.replayed).count(), 1);
    let order = house.gateway.placed().await;
    assert!(house.gateway.commands.try_recv().is_err(), "one call");

    let other = Begin {
        subject: None,
        ..with_key("k")
    };
    let reused = house.engine.begin(other).await;
    assert!(matches!(reused, Err(BeginError::KeyReused)), "{reused:?}");
    let elsewhere = Begin {
        tenant: Tenant::default(),
        ..with_key("k")
    };
    let elsewhere = house.engine.begin(elsewhere).await.expect("begins");
    assert!(!elsewhere.replayed);
    house.gateway.placed().await;

    house
        .gateway
        .tell(order.call, &[News::Ended(Reason::Busy)])
        .await;
    house.comes_to(order.call.0, Status::Failed).await;
    let replayed = house.engine.begin(with_key("k")).await.expect("replays");
    assert!(replayed.replayed);
    assert_eq!(replayed.challenge.state(), State::Ended(Reason::Busy));
}

#[tokio::test]
async fn a_request_that_failed_does_not_use_up_its_key() {
    let mut house = house(EngineConfig::default()).await;
    house.store.break_(true);
    let (first, second) = tokio::join!(
        house.engine.begin(with_key("k")),
        house.engine.begin(with_key("k"))
    );
    assert!(matches!(first, Err(BeginError::Engine(_))), "{first:?}");
    assert!(matches!(second, Err(BeginError::Engine(_))), "{second:?}");
    house.store.break_(false);
    let accepted = house.engine.begin(with_key("k")).await.expect("begins");
    assert!(!accepted.replayed);
    house.gateway.placed().await;
}

#[tokio::test]
async fn no_more_are_open_than_may_be() {
    let config = EngineConfig {
        max_open: 3,
        ..EngineConfig::default()
    };
    let mut house = house(config).await;
    let all = (0..8).map(|_| house.engine.begin(begin()));
    let all = futures_util::future::join_all(all).await;
    assert_eq!(all.iter().filter(|a| a.is_ok()).count(), 3);
    assert!(
        all.iter()
            .flat_map(|a| a.as_ref().err())
            .all(|e| matches!(e, BeginError::Full))
    );
    let order = house.gateway.placed().await;
    house
        .gateway
        .tell(order.call, &[News::Ended(Reason::Busy)])
        .await;
    house.comes_to(order.call.0, Status::Failed).await;
    assert!(house.engine.begin(begin()).await.is_ok());
}

#[tokio::test]
async fn a_number_is_asked_once_at_a_time_and_left_alone_once_reported() {
    let policy = crate::guard::Policy {
        open_per_number: 1,
        per_number: crate::guard::Rate::parse("4 per 1h").into_iter().collect(),
        hold_after_report: Duration::from_secs(600),
        ..crate::guard::Policy::unlimited()
    };
    let guard = Guard::new(policy, [7; 32], std::time::Instant::now());
    let directory = tempfile::tempdir().expect("a directory");
    let mut house = house_guarded(directory, EngineConfig::default(), 64, guard).await;
    let limited = |answer: Result<Accepted, BeginError>| match answer {
        Err(BeginError::Limited(refusal)) => refusal.code(),
        other => panic!("{other:?}"),
    };

    // What could not be kept never counted.
    house.store.break_(true);
    for _ in 0..5 {
        let answer = house.engine.begin(begin()).await;
        assert!(matches!(answer, Err(BeginError::Engine(_))), "{answer:?}");
    }
    house.store.break_(false);

    let (first, call) = house.begun(begin()).await;
    assert_eq!(limited(house.engine.begin(begin()).await), "number_busy");
    house.gateway.tell(call, &ANSWERED).await;
    house.gateway.tell(call, &[hash(), PRESSED]).await;
    house.outcome(first).await;

    let (second, call) = house.begun(begin()).await;
    house.gateway.tell(call, &ANSWERED).await;
    let refused = News::Ended(Reason::Refused);
    house.gateway.tell(call, &[refused]).await;
    house.outcome(second).await;
    assert_eq!(limited(house.engine.begin(begin()).await), "number_held");
    let other = Begin {
        to: PhoneNumber::parse("+442079460124").expect("a number"),
        ..begin()
    };
    house.begun(other).await;
}

#[tokio::test]
async fn a_phone_that_rang_and_then_was_busy_has_disturbed_somebody() {
    let policy = crate::guard::Policy {
        unconfirmed_per_number: crate::guard::Rate::parse("1 per 1h").into_iter().collect(),
        ..crate::guard::Policy::unlimited()
    };
    let guard = Guard::new(policy, [7; 32], std::time::Instant::now());
    let directory = tempfile::tempdir().expect("a directory");
    let mut house = house_guarded(directory, EngineConfig::default(), 64, guard).await;
    for ringing in [&[][..], &[News::Dialling, News::Ringing][..]] {
        let (id, call) = house.begun(begin()).await;
        house.gateway.tell(call, ringing).await;
        let busy = News::Ended(Reason::Busy);
        house.gateway.tell(call, &[busy]).await;
        assert_eq!(house.outcome(id).await, State::Ended(Reason::Busy));
    }
    match house.engine.begin(begin()).await {
        Err(BeginError::Limited(refusal)) => assert_eq!(refusal.code(), "number_unconfirmed"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_gateway_without_room_fails_the_challenge() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut house = house_at(directory, EngineConfig::default(), 1).await;
    let first = house.engine.begin(begin()).await.expect("begins");
    let second = house.engine.begin(begin()).await.expect("begins");
    let second = second.challenge.details().id;
    assert_eq!(
        house.outcome(second).await,
        State::Ended(Reason::Overloaded)
    );
    // The cancels of many calls wait for room and none is lost.
    let first = first.challenge.details().id;
    house
        .engine
        .cancel(&tenant(), first)
        .await
        .expect("cancels");
    assert_eq!(house.gateway.placed().await.call, CallRef(first));
    assert_eq!(house.gateway.cancelled().await, CallRef(first));
}

#[tokio::test]
async fn without_a_gateway_nothing_is_begun_and_what_was_open_is_interrupted() {
    let mut house = house(EngineConfig::default()).await;
    assert!(house.engine.health().ready());
    let (id, _) = house.begun(begin()).await;
    let House {
        gateway,
        engine,
        store,
        directory: _directory,
        ..
    } = house;
    drop(gateway);
    let ended = engine.wait(&tenant(), id, PATIENCE).await.expect("waits");
    let ended = ended.map(|c| c.state());
    assert_eq!(ended, Some(State::Ended(Reason::Interrupted)));
    let refused = engine.begin(begin()).await;
    assert!(matches!(refused, Err(BeginError::NoGateway)), "{refused:?}");
    assert!(!engine.health().ready());
    drop(store);
}

#[tokio::test]
async fn an_approval_is_told_only_once_it_is_durable() {
    let mut house = house(EngineConfig::default()).await;
    let (id, call) = house.begun(begin()).await;
    house.gateway.tell(call, &ANSWERED).await;
    house.comes_to(id, Status::Answered).await;
    house.store.break_(true);
    house.gateway.tell(call, &[PRESSED]).await;
    let seen = house
        .engine
        .wait(&tenant(), id, Duration::from_millis(500))
        .await;
    let seen = seen.expect("waits").expect("is there");
    assert_eq!(seen.state().status(), Status::Answered);
    assert!(!house.engine.health().store);
    house.store.break_(false);
    assert_eq!(house.outcome(id).await, State::Ended(Reason::KeyPressed));
    assert!(house.engine.health().ready());
}

#[tokio::test]
async fn an_approval_that_could_not_be_kept_in_time_never_was() {
    let mut house = house(EngineConfig::default()).await;
    let (id, call) = house.begun(living(600)).await;
    house.gateway.tell(call, &ANSWERED).await;
    house.comes_to(id, Status::Answered).await;
    house.store.break_(true);
    house.gateway.tell(call, &[PRESSED]).await;
    sleep(Duration::from_millis(700)).await;
    assert_eq!(house.status(id).await, Status::Answered);
    house.store.break_(false);
    assert_eq!(house.outcome(id).await, State::Ended(Reason::TimedOut));
}

#[tokio::test]
async fn a_store_that_had_ended_a_challenge_is_right() {
    let mut house = house(EngineConfig::default()).await;
    let (id, call) = house.begun(begin()).await;
    house.gateway.tell(call, &ANSWERED).await;
    house.comes_to(id, Status::Answered).await;
    let unfinished = house.store.end_unfinished(Timestamp::now()).await;
    assert_eq!(unfinished.map(|u| u.interrupted), Ok(1));
    house.gateway.tell(call, &[PRESSED]).await;
    assert_eq!(house.outcome(id).await, State::Ended(Reason::Interrupted));
}

#[tokio::test]
async fn waiting_is_bounded_for_each_and_in_all() {
    let config = EngineConfig {
        max_waiting: 3,
        max_waiting_each: 2,
        ..EngineConfig::default()
    };
    let mut house = house(config).await;
    let (one, call) = house.begun(begin()).await;
    let (two, _) = house.begun(begin()).await;
    let who = tenant();
    let first = house.engine.follow(&who, one, 0).await.expect("follows");
    let second = house.engine.follow(&who, one, 0).await.expect("follows");
    let third = house.engine.follow(&who, one, 0).await.map(|_| ());
    assert_eq!(third, Err(WaitError::TooMany), "two of the same");
    let third = house.engine.follow(&who, two, 0).await.expect("follows");
    let fourth = house.engine.wait(&who, two, PATIENCE).await.map(|_| ());
    assert_eq!(fourth, Err(WaitError::TooMany), "three in all");
    drop((first, second, third));
    house.gateway.tell(call, &[News::Ended(Reason::Busy)]).await;
    assert_eq!(house.outcome(one).await, State::Ended(Reason::Busy));
}

#[tokio::test]
async fn all_who_follow_see_the_same_lines() {
    let mut house = house(EngineConfig::default()).await;
    let (id, call) = house.begun(begin()).await;
    let who = tenant();
    let early = house.engine.follow(&who, id, 0).await.expect("follows");
    house.gateway.tell(call, &ANSWERED).await;
    house.comes_to(id, Status::Answered).await;
    let again = house.engine.follow(&who, id, 2).await.expect("follows");
    let bogus = house.engine.follow(&who, id, 99).await.expect("follows");
    house.gateway.tell(call, &[hash(), PRESSED]).await;
    house.comes_to(id, Status::Approved).await;
    let late = house.engine.follow(&who, id, 0).await.expect("follows");

    let mut seen = Vec::new();
    for follow in [early, again, bogus, late] {
        let mut follow = follow.expect("is there");
        let mut lines = Vec::new();
        while let Some(entries) = follow.next().await.expect("reads") {
            assert!(!entries.is_empty());
            lines.extend(entries);
        }
        seen.push(lines);
    }
    let all = house.store.log(id, 0).await.expect("reads");
    assert_eq!(
        all.last().map(|e| e.what),
        Some(What::Ended(Reason::KeyPressed))
    );
    assert_eq!(seen[0], all);
    assert_eq!(seen[1], all[2..]);
    assert_eq!(seen[2], all[4..], "from where it stood");
    assert_eq!(seen[3], all);
    let over = house.engine.follow(&who, id, 6).await.expect("follows");
    assert_eq!(over.expect("is there").is_over().await, Ok(true));
}

#[tokio::test]
async fn a_stop_lets_outcomes_come_and_interrupts_what_remains() {
    let mut house = house(EngineConfig::default()).await;
    let (done, call) = house.begun(begin()).await;
    let (left, other) = house.begun(begin()).await;
    house.gateway.tell(call, &ANSWERED).await;
    let engine = house.engine.clone();
    let stop = tokio::spawn(async move { engine.shutdown(Duration::from_millis(600)).await });
    while !house.engine.health().draining {
        sleep(Duration::from_millis(5)).await;
    }
    let refused = house.engine.begin(begin()).await;
    assert!(matches!(refused, Err(BeginError::Draining)), "{refused:?}");
    house.gateway.tell(call, &[PRESSED]).await;
    assert_eq!(house.outcome(done).await, State::Ended(Reason::KeyPressed));
    assert_eq!(house.gateway.cancelled().await, other);
    stop.await.expect("stops");
    let kept = house.store.find(tenant(), left).await.expect("finds");
    let kept = kept.map(|c| c.state());
    assert_eq!(kept, Some(State::Ended(Reason::Interrupted)));
    let stopped = house.engine.begin(begin()).await;
    assert!(matches!(
        stopped,
        Err(BeginError::Engine(EngineError::Stopped))
    ));
}

#[tokio::test]
async fn what_was_open_when_the_process_went_is_interrupted_at_the_next_start() {
    let mut first = house(EngineConfig::default()).await;
    let (id, _) = first.begun(begin()).await;
    let (brief, _) = first.begun(living(400)).await;
    let House {
        directory,
        store,
        engine,
        gateway,
        ..
    } = first;
    // The process goes: nothing is written any more.
    store.break_(true);
    drop((engine, gateway));
    sleep(Duration::from_millis(450)).await;
    while Arc::strong_count(&store) > 1 {
        sleep(Duration::from_millis(20)).await;
    }
    drop(store);
    let second = house_at(directory, EngineConfig::default(), 4).await;
    assert_eq!(second.outcome(id).await, State::Ended(Reason::Interrupted));
    assert_eq!(second.outcome(brief).await, State::Ended(Reason::TimedOut));
}

#[tokio::test]
async fn a_locale_is_met_exactly_or_by_its_language() {
    let config = EngineConfig {
        locales: vec!["en-GB".into(), "fr-FR".into()],
        ..EngineConfig::default()
    };
    let mut house = house(config).await;
    for (asked, given) in [
        (None, "en-GB"),
        (Some("FR-fr"), "fr-FR"),
        (Some("fr-CA"), "fr-FR"),
        (Some("en"), "en-GB"),
    ] {
        let begin = Begin {
            locale: asked.map(Into::into),
            ..begin()
        };
        house.begun(begin.clone()).await;
        let accepted = house.engine.begin(begin).await.expect("begins");
        assert_eq!(&*accepted.challenge.details().locale, given);
        assert_eq!(&*house.gateway.placed().await.locale, given);
    }
    let begin = Begin {
        locale: Some("it-IT".into()),
        ..begin()
    };
    let refused = house.engine.begin(begin).await;
    assert!(matches!(refused, Err(BeginError::Locale(_))), "{refused:?}");
}

/// Many challenges at once, each with its own random course and some cancelled on the way: every
/// one ends, once, and what was told is what is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_all_end_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let House {
        engine,
        gateway,
        store,
        directory: _directory,
    } = house_at(directory, EngineConfig::default(), 1024).await;
    let Gateway {
        mut commands,
        reports,
    } = gateway;
    tokio::spawn(async move {
        while let Some(command) = commands.recv().await {
            let Command::Place(order) = command else {
                continue;
            };
            let reports = reports.clone();
            tokio::spawn(async move {
                for _ in 0..12 {
                    let news = match rand::random_range(0..9) {
                        0..=1 => News::Dialling,
                        2..=3 => News::Ringing,
                        4..=5 => News::Answered,
                        6 => hash(),
                        7 => PRESSED,
                        _ => News::Ended(Reason::ALL[rand::random_range(0..Reason::ALL.len())]),
                    };
                    let call = order.call;
                    let _ = reports.send(Report { call, news }).await;
                    sleep(Duration::from_millis(rand::random_range(0..4))).await;
                }
                let last = Report {
                    call: order.call,
                    news: News::Ended(Reason::CallFailed),
                };
                let _ = reports.send(last).await;
            });
        }
    });
    let one = |engine: EngineHandle, store: Arc<Faulty>| async move {
        let accepted = engine.begin(begin()).await.expect("begins");
        let id = accepted.challenge.details().id;
        if rand::random_ratio(1, 4) {
            sleep(Duration::from_millis(rand::random_range(0..20))).await;
            let _ = engine.cancel(&tenant(), id).await;
        }
        let ended = engine.wait(&tenant(), id, PATIENCE).await;
        let ended = ended.expect("waits").expect("is there");
        let State::Ended(reason) = ended.state() else {
            panic!("still {:?}", ended.state());
        };
        sleep(Duration::from_millis(60)).await;
        let kept = store.find(tenant(), id).await.expect("finds");
        assert_eq!(kept, Some(ended));
        let log = store.log(id, 0).await.expect("reads");
        assert!(log.iter().zip(1..).all(|(entry, n)| entry.seq == n));
        assert_eq!(log.last().map(|e| e.what), Some(What::Ended(reason)));
        let ends = log.iter().filter(|e| matches!(e.what, What::Ended(_)));
        assert_eq!(ends.count(), 1);
        let answered = What::Stage(crate::challenge::Stage::Answered);
        if reason == Reason::KeyPressed {
            assert!(log.iter().any(|e| e.what == answered));
        }
        reason
    };
    let all: Vec<_> = (0..400)
        .map(|_| tokio::spawn(one(engine.clone(), Arc::clone(&store))))
        .collect();
    let mut approved = 0;
    for ended in all {
        approved += usize::from(ended.await.expect("ends") == Reason::KeyPressed);
    }
    assert!(
        approved > 20,
        "{approved} approved: the course is too hard to test anything"
    );
    assert_eq!(engine.metrics.open.get(), 0);
}
fn plan() -> Dialplan {
    let text = "[[rule]]\nprefix = \"+\"\ntrunk = \"carrier\"\nlocale = \"en-GB\"\n";
    Dialplan::parse([("test.toml", text)]).expect("a sound dialplan")
}
fn guard() -> Guard {
    Guard::new(
        crate::guard::Policy::unlimited(),
        [7; 32],
        std::time::Instant::now(),
    )
}
