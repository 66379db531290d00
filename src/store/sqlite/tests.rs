mod texts;

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;
use crate::challenge::{
    Attempts, Channel, Details, Event, Key, KeySource, Purpose, Reason, State, Status, Step,
    Subject, What,
};
use crate::dtmf::Digit;
use crate::store::{Haste, Token};

const NOW: i64 = 1_900_000_000_000;

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Place {
        Place {
            directory: tempfile::tempdir().expect("a directory"),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join("data").join(name)
    }

    fn try_open(&self, use_: Use) -> Result<Sqlite, OpenError> {
        let (path, key) = (self.file("ringtrue.db"), self.file("key"));
        Sqlite::open(&path, &key, use_, Metrics::default())
    }

    fn open(&self) -> Sqlite {
        self.try_open(Use::Engine).expect("opens")
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millisecond(NOW + seconds * 1000).expect("a time")
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).expect("a number")
}

fn tenant(name: &str) -> Tenant {
    Tenant::new(name).expect("a tenant")
}

/// A challenge begun so many seconds after `NOW`, to live for a minute.
fn challenge(n: u8, begins: i64) -> NewChallenge {
    let number = number("+442079460123");
    let created = at(begins);
    let id = uuid::Builder::from_unix_timestamp_millis(
        created.as_millisecond().unsigned_abs(),
        &[n; 10],
    );
    let (challenge, entry) = Challenge::begin(Details {
        id: id.into_uuid(),
        tenant: tenant("idp"),
        subject: Subject::new("jane").ok(),
        purpose: Purpose::SignIn,
        channel: Channel::Voice,
        to: Some(number.masked().into()),
        locale: "en-GB".into(),
        created,
        expires: at(begins + 60),
        attempts: Attempts::default(),
    });
    NewChallenge {
        challenge,
        entry,
        number,
        idempotency: None,
        code: None,
    }
}

fn asked(mut new: NewChallenge, key: &str, request: &str) -> NewChallenge {
    new.idempotency = Some(idempotency(key, request));
    new
}

fn idempotency(key: &str, request: &str) -> Idempotency {
    Idempotency {
        key: Zeroizing::new(key.into()),
        request: Zeroizing::new(request.into()),
    }
}

async fn begin(store: &Sqlite, new: NewChallenge) -> Challenge {
    let challenge = new.challenge.clone();
    assert_eq!(store.begin(new).await, Ok(Begun::New));
    challenge
}

/// Applies events, one a second, and has what came of them recorded.
async fn live(store: &Sqlite, challenge: &mut Challenge, events: &[Event]) -> Recorded {
    let mut entries = Vec::new();
    let mut now = challenge.details().created;
    for event in events {
        now += Duration::from_secs(1);
        if let Step::Noted(entry) = challenge.apply(*event, now) {
            entries.push(entry);
        }
    }
    let recorded = store.record(challenge.clone(), entries, Haste::Now).await;
    recorded.expect("records")
}

fn key() -> Key {
    Key {
        digit: Digit::HASH,
        source: KeySource::InBand,
        counted: true,
    }
}

#[tokio::test]
async fn a_challenge_and_its_log_read_back_as_they_were() {
    let place = Place::new();
    let store = place.open();
    let new = challenge(1, 0);
    let first = new.entry;
    let mut challenge = begin(&store, new).await;
    let id = challenge.details().id;
    assert_eq!(
        store.find(tenant("idp"), id).await,
        Ok(Some(challenge.clone()))
    );
    assert_eq!(store.find(tenant("other"), id).await, Ok(None));
    assert_eq!(store.number(id).await, Ok(Some(number("+442079460123"))));

    let events = [
        Event::Dialling,
        Event::Ringing,
        Event::Answered,
        Event::Key(key()),
        Event::Ended(Reason::KeyPressed),
    ];
    assert_eq!(live(&store, &mut challenge, &events).await, Recorded::Yes);
    drop(store);

    let store = place.open();
    let found = store.find(tenant("idp"), id).await.expect("finds");
    let found = found.expect("is there");
    assert_eq!(found.details(), challenge.details());
    assert_eq!(found.state().status(), Status::Approved);
    assert_eq!(found.life().ended(), challenge.life().ended());
    let log = store.log(id, 0).await.expect("reads");
    let whats: Vec<What> = log.iter().map(|entry| entry.what).collect();
    assert_eq!(log.first(), Some(&first));
    assert_eq!(
        log.iter().map(|e| e.seq).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6]
    );
    assert_eq!(
        whats[4..],
        [What::Key(key()), What::Ended(Reason::KeyPressed)]
    );
    assert_eq!(store.log(id, 4).await.as_deref(), Ok(&log[4..]));
    assert_eq!(store.log(id, 6).await.as_deref(), Ok(&[][..]));
}

#[tokio::test]
async fn what_has_ended_stays_as_it_ended() {
    let place = Place::new();
    let store = place.open();
    let mut first = begin(&store, challenge(1, 0)).await;
    let mut second = first.clone();
    let _ = live(&store, &mut first, &[Event::Cancel]).await;
    let approve = [Event::Answered, Event::Ended(Reason::KeyPressed)];
    let recorded = live(&store, &mut second, &approve).await;
    let Recorded::AlreadyEnded(stored) = recorded else {
        panic!("{recorded:?}");
    };
    assert_eq!(stored.state(), State::Ended(Reason::CancelledByCaller));
    let id = first.details().id;
    assert_eq!(
        store.log(id, 0).await.expect("reads").len(),
        2,
        "nothing was added"
    );
    let mut unknown = challenge(2, 0).challenge;
    let recorded = live(&store, &mut unknown, &approve).await;
    assert_eq!(recorded, Recorded::Unknown);
}

#[tokio::test]
async fn an_idempotency_key_stands_for_one_request_of_one_tenant_for_a_day() {
    let place = Place::new();
    let store = place.open();
    let first = begin(&store, asked(challenge(1, 0), "k", "call jane")).await;
    let again = store.begin(asked(challenge(2, 10), "k", "call jane")).await;
    assert_eq!(again, Ok(Begun::Replay(Replay::Same(first.clone()))));
    let other = store.begin(asked(challenge(2, 10), "k", "call joe")).await;
    assert_eq!(other, Ok(Begun::Replay(Replay::Different)));
    assert_eq!(
        store
            .find(tenant("idp"), challenge(2, 10).challenge.details().id)
            .await,
        Ok(None)
    );

    let look =
        |tenant, request, seconds| store.replay(tenant, idempotency("k", request), at(seconds));
    let same = look(tenant("idp"), "call jane", 20).await;
    assert_eq!(same, Ok(Some(Replay::Same(first))));
    let different = look(tenant("idp"), "call joe", 20).await;
    assert_eq!(different, Ok(Some(Replay::Different)));
    assert_eq!(look(tenant("elsewhere"), "call jane", 20).await, Ok(None));

    let day = 24 * 3600;
    assert!(
        look(tenant("idp"), "call jane", day - 1)
            .await
            .is_ok_and(|r| r.is_some())
    );
    assert_eq!(look(tenant("idp"), "call jane", day).await, Ok(None));
    begin(&store, asked(challenge(3, day), "k", "call joe")).await;
}

#[tokio::test]
async fn what_a_gone_process_left_open_is_ended_honestly() {
    let place = Place::new();
    let store = place.open();
    let old = begin(&store, challenge(1, 0)).await;
    let recent = begin(&store, challenge(2, 30)).await;
    let mut done = begin(&store, challenge(3, 0)).await;
    let _ = live(&store, &mut done, &[Event::Ended(Reason::Busy)]).await;
    drop(store);
    let store = place.open();
    let unfinished = store.end_unfinished(at(60)).await;
    let expected = Unfinished {
        expired: 1,
        interrupted: 1,
    };
    assert_eq!(unfinished, Ok(expected));
    assert_eq!(
        store.end_unfinished(at(61)).await,
        Ok(Unfinished::default())
    );
    for (challenge, reason) in [
        (old, Reason::TimedOut),
        (recent, Reason::Interrupted),
        (done, Reason::Busy),
    ] {
        let id = challenge.details().id;
        let found = store.find(tenant("idp"), id).await.expect("finds");
        assert_eq!(found.map(|c| c.state()), Some(State::Ended(reason)));
        let log = store.log(id, 0).await.expect("reads");
        assert_eq!(log.last().map(|e| e.what), Some(What::Ended(reason)));
    }
}

#[tokio::test]
async fn an_erased_number_is_gone_from_file_and_log() {
    let place = Place::new();
    let store = place.open();
    let number = number("+442079460123");
    let masked = number.masked();
    let mut ended = begin(&store, challenge(1, 0)).await;
    let _ = live(&store, &mut ended, &[Event::Cancel]).await;
    let open = begin(&store, challenge(2, 0)).await;
    let history = store.history(number.clone(), 10).await.expect("reads");
    let ids: Vec<_> = history.iter().map(|c| c.details().id).collect();
    assert_eq!(ids, [open.details().id, ended.details().id], "newest first");
    assert_eq!(
        store.history(number.clone(), 1).await.map(|h| h.len()),
        Ok(1)
    );

    let erased = store.erase(number.clone()).await;
    let expected = Erased {
        challenges: 1,
        still_open: 1,
        messages: 0,
    };
    assert_eq!(erased, Ok(expected));
    let id = ended.details().id;
    assert_eq!(store.number(id).await, Ok(None));
    let found = store.find(tenant("idp"), id).await.expect("finds");
    assert_eq!(found.and_then(|c| c.details().to.clone()), None);
    let mut open = open;
    let _ = live(&store, &mut open, &[Event::Cancel]).await;
    let erased = store.erase(number.clone()).await.expect("erases");
    assert_eq!((erased.challenges, erased.still_open), (1, 0));
    assert_eq!(store.history(number, 10).await, Ok(vec![]));

    for name in ["ringtrue.db", "ringtrue.db-wal"] {
        let bytes = std::fs::read(place.file(name)).expect("reads");
        let is_there = bytes.windows(masked.len()).any(|w| w == masked.as_bytes());
        assert!(!is_there, "{name} still shows it");
    }
}

#[tokio::test]
async fn no_number_is_in_the_clear_anywhere() {
    let place = Place::new();
    let store = place.open();
    begin(&store, asked(challenge(1, 0), "key", "+442079460123")).await;
    drop(store);
    for entry in std::fs::read_dir(place.file("")).expect("lists") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("reads");
        let is_there = bytes.windows(10).any(|w| w == b"2079460123");
        assert!(!is_there, "{}", path.display());
    }
}

#[tokio::test]
async fn what_is_old_is_dropped_in_its_time() {
    let place = Place::new();
    let store = place.open();
    let hour = 3600;
    let mut old = begin(&store, asked(challenge(1, 0), "k", "r")).await;
    let open = begin(&store, challenge(2, 0)).await;
    let mut recent = begin(&store, challenge(3, 10 * hour)).await;
    let _ = live(&store, &mut old, &[Event::Cancel]).await;
    let _ = live(&store, &mut recent, &[Event::Cancel]).await;
    let retention = Retention {
        numbers: Duration::from_secs(8 * 3600),
        challenges: Duration::from_secs(48 * 3600),
    };
    let purged = store.purge(retention, at(12 * hour)).await;
    let numbers_only = Purged {
        numbers: 1,
        ..Purged::default()
    };
    assert_eq!(purged, Ok(numbers_only));
    assert_eq!(store.number(old.details().id).await, Ok(None));
    assert!(
        store
            .number(open.details().id)
            .await
            .is_ok_and(|n| n.is_some())
    );
    assert!(
        store
            .number(recent.details().id)
            .await
            .is_ok_and(|n| n.is_some())
    );
    let found = store
        .find(tenant("idp"), old.details().id)
        .await
        .expect("finds");
    assert_eq!(found.and_then(|c| c.details().to.clone()), old.details().to);

    let purged = store.purge(retention, at(49 * hour)).await;
    let all = Purged {
        numbers: 1,
        challenges: 1,
        idempotency_keys: 1,
        messages: 0,
        receipts: 0,
    };
    assert_eq!(purged, Ok(all));
    assert_eq!(store.find(tenant("idp"), old.details().id).await, Ok(None));
    assert_eq!(store.log(old.details().id, 0).await, Ok(vec![]));
    let still = store.find(tenant("idp"), open.details().id).await;
    assert!(
        still.is_ok_and(|c| c.is_some()),
        "what is open is never dropped"
    );
}

#[tokio::test]
async fn more_than_one_step_is_purged() {
    let place = Place::new();
    let store = place.open();
    let mut all = Vec::new();
    for n in 0..250u8 {
        let mut challenge = begin(&store, challenge(n, i64::from(n))).await;
        let _ = live(&store, &mut challenge, &[Event::Cancel]).await;
        all.push(challenge);
    }
    let retention = Retention {
        numbers: Duration::ZERO,
        challenges: Duration::ZERO,
    };
    let purged = store.purge(retention, at(3600)).await.expect("purges");
    assert_eq!(purged.challenges, 250);
    for challenge in all {
        assert_eq!(store.log(challenge.details().id, 0).await, Ok(vec![]));
    }
}

#[tokio::test]
async fn api_keys_are_kept_found_and_revoked_once() {
    let place = Place::new();
    let store = place.open();
    let token = Token::generate().expect("random");
    let key = ApiKey::of(&token, "console".into(), tenant("idp"), at(0));
    assert_eq!(store.add_api_key(key.clone()).await, Ok(()));
    assert!(
        store.add_api_key(key.clone()).await.is_err(),
        "an id is one key's"
    );
    let other = Token::generate().expect("random");
    assert_eq!(store.api_key(other.id()).await, Ok(None));
    assert_eq!(store.revoke_api_key(other.id(), at(1)).await, Ok(None));
    // As `ringtrue key` does it, in another process and while the engine runs.
    let beside = place.try_open(Use::Administration).expect("opens beside");
    assert_eq!(beside.api_keys().await, Ok(vec![key.clone()]));
    let revoked = beside.revoke_api_key(token.id(), at(2)).await;
    let revoked = revoked.expect("revokes").expect("is there");
    assert_eq!(revoked.revoked, Some(at(2)));
    assert_eq!(
        beside.revoke_api_key(token.id(), at(3)).await,
        Ok(Some(revoked.clone()))
    );
    assert_eq!(store.api_key(token.id()).await, Ok(Some(revoked)));
}

#[tokio::test]
async fn one_engine_at_a_time() {
    let place = Place::new();
    let store = place.open();
    assert_eq!(store.ready().await, Ok(()));
    let refused = place.try_open(Use::Engine).err().expect("refused");
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused}");
    drop(store);
    place.open();
}

#[tokio::test]
async fn another_key_is_refused_and_a_lost_one_not_replaced() {
    let place = Place::new();
    drop(place.open());
    let kept = std::fs::read(place.file("key")).expect("reads");
    std::fs::remove_file(place.file("key")).expect("removes");
    let lost = place.try_open(Use::Engine).err().expect("refused");
    assert!(matches!(lost, OpenError::OtherKey { .. }), "{lost}");
    assert!(!place.file("key").exists());
    Vault::create(&place.file("key")).expect("creates");
    let other = place.try_open(Use::Engine).err().expect("refused");
    assert!(matches!(other, OpenError::OtherKey { .. }), "{other}");
    std::fs::write(place.file("key"), kept).expect("restores");
    place.open();
}

#[tokio::test]
async fn files_are_their_owners_alone() {
    let place = Place::new();
    let store = place.open();
    begin(&store, challenge(1, 0)).await;
    let mut seen = 0;
    for entry in std::fs::read_dir(place.file("")).expect("lists") {
        let path = entry.expect("an entry").path();
        let mode = std::fs::metadata(&path).expect("is there").mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, 5, "database, log, index, lock and key");
    let mode = std::fs::metadata(place.file(""))
        .expect("is there")
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o700);
}

#[tokio::test]
async fn one_engine_runs_a_store_by_whatever_name() {
    let place = Place::new();
    let running = place.open();
    let other = tempfile::tempdir().expect("a directory");
    let link = other.path().join("linked.db");
    std::os::unix::fs::symlink(place.file("ringtrue.db"), &link).expect("links");
    let open = || Sqlite::open(&link, &place.file("key"), Use::Engine, Metrics::default());
    let second = open();
    assert!(matches!(second, Err(OpenError::InUse { .. })));
    drop(running);
    assert!(open().is_ok());
}
