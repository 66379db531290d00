//! Challenges by text, messages and blocks.

use super::*;
use crate::challenge::{
    Attempts, CarrierWord, Match, OneTimeCode, Stage, Text, TextNews, TextState, Unsent,
};
use crate::guard::Wish;
use crate::store::ReceiptWord;

fn code(text: &str) -> OneTimeCode {
    OneTimeCode::parse(text).expect("a code")
}

/// A challenge by text with the code 123456, begun so many seconds after `NOW`.
fn text(store: &Sqlite, n: u8, begins: i64) -> NewChallenge {
    let call = challenge(n, begins);
    let details = Details {
        channel: Channel::Sms,
        purpose: Purpose::Enrolment,
        attempts: Attempts::new(3).expect("a number of attempts"),
        ..call.challenge.details().clone()
    };
    let code = store.hash_code(details.id, &code("123456"));
    let (challenge, entry) = Challenge::begin(details);
    NewChallenge {
        challenge,
        entry,
        code: Some(code),
        ..call
    }
}

fn news(sending: u8, news: TextNews) -> Event {
    Event::Text { sending, news }
}

const SENT: TextNews = TextNews::Sent { messages: 2 };

#[tokio::test]
async fn a_text_its_facts_and_its_log_read_back_as_they_were() {
    let place = Place::new();
    let store = place.open();
    let mut challenge = begin(&store, text(&store, 1, 0)).await;
    let id = challenge.details().id;
    let undeliverable = TextNews::Undeliverable {
        took_ms: 900,
        error: CarrierWord::new("UNDELIV err:027"),
    };
    let failed = TextNews::Failed {
        why: Unsent::Overloaded,
        error: CarrierWord::new("ESME_RTHROTTLED"),
    };
    let events = [
        news(1, SENT),
        news(1, undeliverable),
        Event::Resend,
        news(2, failed),
        Event::Code(Match::Wrong),
        news(1, TextNews::Delivered { took_ms: 5_000 }),
        Event::Resend,
        news(3, TextNews::Unsure),
    ];
    assert_eq!(live(&store, &mut challenge, &events).await, Recorded::Yes);
    drop(store);
    let store = place.open();
    let found = store.find(tenant("idp"), id).await.expect("finds");
    assert_eq!(found, Some(challenge.clone()));
    let shown = challenge.life();
    let last = *shown.text().expect("a text");
    assert_eq!((last.sending, last.state), (3, TextState::Unsure));
    assert_eq!(shown.state(), State::Open(Stage::Delivered));
    let log = store.log(id, 0).await.expect("reads");
    let whats: Vec<What> = log.iter().skip(1).map(|entry| entry.what).collect();
    let text = |sending, news| What::Text { sending, news };
    assert_eq!(
        whats,
        [
            text(1, SENT),
            text(1, undeliverable),
            What::Resent { sending: 2 },
            text(2, failed),
            What::WrongCode { left: 2 },
            text(1, TextNews::Delivered { took_ms: 5_000 }),
            What::Resent { sending: 3 },
            text(3, TextNews::Unsure),
        ]
    );
}

#[tokio::test]
async fn what_was_texted_stands_with_its_code_and_the_rest_is_ended() {
    let place = Place::new();
    let store = place.open();
    let call = begin(&store, challenge(1, 0)).await;
    let unsent = begin(&store, text(&store, 2, 0)).await;
    let mut sent = begin(&store, text(&store, 3, 0)).await;
    let events = [news(1, SENT), Event::Code(Match::Wrong)];
    let _ = live(&store, &mut sent, &events).await;
    let mut old = begin(&store, text(&store, 4, -50)).await;
    let _ = live(&store, &mut old, &[news(1, SENT)]).await;
    let mut done = begin(&store, text(&store, 5, 0)).await;
    let events = [news(1, SENT), Event::Code(Match::Right)];
    let _ = live(&store, &mut done, &events).await;
    drop(store);

    let store = place.open();
    let unfinished = store.end_unfinished(at(30)).await;
    let expected = Unfinished {
        expired: 1,
        interrupted: 2,
    };
    assert_eq!(unfinished, Ok(expected));
    for (challenge, reason) in [
        (&call, Reason::Interrupted),
        (&unsent, Reason::Interrupted),
        (&old, Reason::TimedOut),
        (&done, Reason::CodeMatched),
    ] {
        let found = store.find(tenant("idp"), challenge.details().id).await;
        let state = found.expect("finds").map(|c| c.state());
        assert_eq!(state, Some(State::Ended(reason)));
    }
    let standing = store.standing().await.expect("reads");
    let [one] = standing.as_slice() else {
        panic!("{standing:?}");
    };
    assert_eq!(one.challenge, sent);
    assert_eq!(one.challenge.attempts_left(), Some(2));
    assert_eq!(one.number, number("+442079460123"));
    let id = sent.details().id;
    assert!(one.code.matches(&store.hash_code(id, &code("123456"))));
    assert!(!one.code.matches(&store.hash_code(id, &code("123457"))));
    let other = store.hash_code(done.details().id, &code("123456"));
    assert!(!one.code.matches(&other), "bound to its challenge");
}

#[tokio::test]
async fn no_code_is_kept_in_the_clear_nor_its_hash_after_the_end() {
    let place = Place::new();
    let store = place.open();
    let mut ended = begin(&store, text(&store, 1, 0)).await;
    let hash = *store
        .hash_code(ended.details().id, &code("123456"))
        .octets();
    let is_kept = |octets: &[u8]| {
        ["ringtrue.db", "ringtrue.db-wal"].iter().any(|name| {
            let bytes = std::fs::read(place.file(name)).unwrap_or_default();
            bytes.windows(octets.len()).any(|w| w == octets)
        })
    };
    assert!(is_kept(&hash) && !is_kept(b"123456"));
    let events = [news(1, SENT), Event::Code(Match::Right)];
    let _ = live(&store, &mut ended, &events).await;
    drop(store);
    assert!(!is_kept(&hash), "overwritten with its end");
}

fn message(n: u128, seconds: i64, from: Option<&str>, words: &str, wish: Option<Wish>) -> Message {
    let at = at(seconds);
    let ms = at.as_millisecond().unsigned_abs();
    let random = n.to_be_bytes();
    let random: [u8; 10] = random[6..].try_into().expect("ten octets");
    Message {
        id: uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid(),
        at,
        from: from.map(number),
        to: "12345".into(),
        by: "bind".into(),
        words: Zeroizing::new(words.into()),
        wish,
    }
}

const PERSON: &str = "+442079460123";

#[tokio::test]
async fn a_stop_blocks_texts_and_nothing_else_until_it_is_lifted() {
    let place = Place::new();
    let store = place.open();
    let stop = message(1, 5, Some(PERSON), "Stop", Some(Wish::Stop));
    assert_eq!(store.keep_message(stop.clone()).await, Ok(()));
    assert_eq!(store.is_blocked(number(PERSON)).await, Ok(true));
    let refused = store.begin(text(&store, 1, 10)).await;
    assert_eq!(refused, Ok(Begun::Blocked));
    let kept = store.find(tenant("idp"), text(&store, 1, 10).challenge.details().id);
    assert_eq!(kept.await, Ok(None));
    begin(&store, challenge(2, 10)).await;
    let blocks = store.blocks().await.expect("reads");
    let block = Block {
        masked: Some(number(PERSON).masked().into()),
        since: at(5),
        by: BlockedBy::Person,
    };
    assert_eq!(blocks, std::slice::from_ref(&block));

    // The operator's block takes its place, and the person cannot lift that.
    let by = BlockedBy::Operator;
    assert_eq!(store.block(number(PERSON), by, at(6)).await, Ok(false));
    let start = |n| message(n, 7, Some(PERSON), "START", Some(Wish::Start));
    assert_eq!(store.keep_message(start(2)).await, Ok(()));
    assert_eq!(store.blocks().await, Ok(vec![Block { by, ..block }]));
    assert_eq!(store.unblock(number(PERSON)).await, Ok(true));
    assert_eq!(store.unblock(number(PERSON)).await, Ok(false));
    // Their own they can.
    let stop_again = message(3, 8, Some(PERSON), "stop", Some(Wish::Stop));
    assert_eq!(store.keep_message(stop_again).await, Ok(()));
    assert_eq!(store.is_blocked(number(PERSON)).await, Ok(true));
    assert_eq!(store.keep_message(start(4)).await, Ok(()));
    assert_eq!(store.is_blocked(number(PERSON)).await, Ok(false));
    begin(&store, text(&store, 5, 20)).await;
    let messages = store.messages(number(PERSON), 2).await.expect("reads");
    let words: Vec<&str> = messages.iter().map(|m| m.words.as_str()).collect();
    assert_eq!(
        words,
        ["stop", "START"],
        "the newest first, and no more than asked"
    );
    let all = store.messages(number(PERSON), 10).await.expect("reads");
    assert_eq!(all.last(), Some(&stop));
}

#[tokio::test]
async fn a_phone_is_one_however_networks_write_its_number() {
    let (with, without) = ("+5491123456789", "+541123456789");
    for (texted, writes) in [(with, without), (without, with)] {
        let place = Place::new();
        let store = place.open();
        let stop = message(1, 5, Some(writes), "STOP", Some(Wish::Stop));
        assert_eq!(store.keep_message(stop).await, Ok(()));
        assert_eq!(store.is_blocked(number(texted)).await, Ok(true), "{texted}");
        let new = NewChallenge {
            number: number(texted),
            ..text(&store, 1, 10)
        };
        assert_eq!(store.begin(new).await, Ok(Begun::Blocked));
        let start = message(2, 6, Some(texted), "START", Some(Wish::Start));
        assert_eq!(store.keep_message(start).await, Ok(()));
        assert_eq!(store.is_blocked(number(writes)).await, Ok(false));
        let stop = message(3, 7, Some(writes), "STOP", Some(Wish::Stop));
        assert_eq!(store.keep_message(stop).await, Ok(()));
        let kept = store.messages(number(texted), 9).await.expect("reads");
        assert_eq!(kept.len(), 3);
        let erased = store.erase(number(texted)).await.expect("erases");
        assert_eq!(erased.messages, 3);
        let masked = store.blocks().await.expect("reads");
        assert_eq!(masked.first().map(|b| b.masked.clone()), Some(None));
        assert_eq!(store.unblock(number(texted)).await, Ok(true));
        assert_eq!(store.is_blocked(number(writes)).await, Ok(false));
    }
}

#[tokio::test]
async fn messages_are_sealed_erased_and_dropped_in_their_time() {
    let place = Place::new();
    let store = place.open();
    let words = "this was not me at all";
    let nobody = message(1, 0, None, words, Some(Wish::Stop));
    assert_eq!(store.keep_message(nobody).await, Ok(()), "a stop of nobody");
    let one = message(2, 0, Some(PERSON), words, None);
    assert_eq!(store.keep_message(one).await, Ok(()));
    let stop = message(3, 1, Some(PERSON), words, Some(Wish::Stop));
    assert_eq!(store.keep_message(stop).await, Ok(()));
    let bytes = std::fs::read(place.file("ringtrue.db-wal")).expect("reads");
    for secret in [words, "2079460123"] {
        let is_there = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
        assert!(!is_there, "{secret}");
    }
    let erased = store.erase(number(PERSON)).await.expect("erases");
    assert_eq!((erased.messages, erased.challenges), (2, 0));
    assert_eq!(store.messages(number(PERSON), 9).await, Ok(vec![]));
    assert_eq!(
        store.is_blocked(number(PERSON)).await,
        Ok(true),
        "a block stays"
    );
    let blocks = store.blocks().await.expect("reads");
    assert_eq!(blocks.first().map(|b| b.masked.clone()), Some(None));

    let retention = Retention {
        numbers: Duration::from_secs(60),
        ..Retention::default()
    };
    let recent = message(4, 100, Some(PERSON), words, None);
    assert_eq!(store.keep_message(recent).await, Ok(()));
    let purged = store.purge(retention, at(120)).await.expect("purges");
    assert_eq!(purged.messages, 1, "nobody's");
    let left = store.messages(number(PERSON), 9).await.expect("reads");
    assert_eq!(left.len(), 1);
}

#[test]
fn debug_shows_neither_words_nor_number() {
    let message = message(1, 0, Some(PERSON), "hello there", None);
    let shown = format!("{message:?}");
    assert!(
        !shown.contains("hello") && !shown.contains("0123\""),
        "{shown}"
    );
    assert_eq!(Text::queued(1).state, TextState::Queued);
}

fn awaited(id: Uuid, names: &[&str], until: i64) -> AwaitedReceipts {
    AwaitedReceipts {
        challenge: id,
        sending: 1,
        account: "smpp ringtrue@carrier".into(),
        names: names.iter().map(|&name| name.to_owned()).collect(),
        messages: names.len() as u8,
        left: at(1),
        until: at(until),
    }
}

fn receipt(name: &str, word: ReceiptWord) -> CarrierReceipt {
    CarrierReceipt {
        account: "smpp ringtrue@carrier".into(),
        name: name.to_owned(),
        word,
    }
}

#[tokio::test]
async fn receipts_find_their_text_until_they_are_awaited_no_more() {
    let place = Place::new();
    let (open, ended) = {
        let store = place.open();
        let mut open = begin(&store, text(&store, 1, 0)).await;
        let _ = live(&store, &mut open, &[news(1, SENT)]).await;
        let mut ended = begin(&store, text(&store, 2, 0)).await;
        let right = Event::Code(Match::Right);
        live(&store, &mut ended, &[news(1, SENT), right]).await;
        for (challenge, names) in [(&open, ["a1", "a2"]), (&ended, ["b1", "b2"])] {
            let awaited = awaited(challenge.details().id, &names, 3600);
            assert_eq!(store.await_receipts(awaited).await, Ok(()));
        }
        (open, ended)
    };
    let store = place.open();
    let take =
        |name: &'static str, word, seconds| store.take_receipt(receipt(name, word), at(seconds));
    let (delivered, unknown) = (ReceiptWord::Delivered, ReceiptWord::Unknown);
    let joined = |challenge: &Challenge, news| {
        let challenge = challenge.details().id;
        Ok(Some(Joined {
            challenge,
            sending: 1,
            news,
        }))
    };
    // Of one of two that has arrived nothing follows, however often it is told.
    assert_eq!(take("a1", delivered, 3).await, joined(&open, None));
    assert_eq!(take("a1", delivered, 4).await, joined(&open, None));
    // What was on the phone stays so.
    let told = Some(TextNews::Unknown { took_ms: 4_000 });
    assert_eq!(take("a1", unknown, 5).await, joined(&open, told));
    let whole = Some(TextNews::Delivered { took_ms: 5_000 });
    assert_eq!(take("a2", delivered, 6).await, joined(&open, whole));
    // What is open is the engine's to change.
    let kept = store.find(tenant("idp"), open.details().id).await;
    let kept = kept.expect("finds").expect("is there");
    assert_eq!(kept.life().text().map(|t| t.state), Some(TextState::Sent));

    assert_eq!(take("b1", delivered, 3).await, joined(&ended, None));
    assert_eq!(take("b2", delivered, 6).await, joined(&ended, whole));
    let kept = store.find(tenant("idp"), ended.details().id).await;
    let kept = kept.expect("finds").expect("is there");
    let last = kept.life().text().copied().expect("a text");
    assert_eq!(
        (last.state, last.delivered, last.took_ms),
        (TextState::Delivered, Some(at(6)), Some(5_000))
    );
    assert_eq!(kept.state(), State::Ended(Reason::CodeMatched));
    assert_eq!(kept.life().seq(), ended.life().seq());

    // Another account's name, and one that nobody gave.
    let other = CarrierReceipt {
        account: "smpp ringtrue@other".into(),
        ..receipt("a1", delivered)
    };
    assert_eq!(store.take_receipt(other, at(6)).await, Ok(None));
    assert_eq!(take("c1", delivered, 6).await, Ok(None));
    // Too late, and dropped.
    assert_eq!(take("a1", delivered, 3600).await, Ok(None));
    let purged = store.purge(Retention::default(), at(3600)).await;
    assert_eq!(purged.map(|purged| purged.receipts), Ok(4));
    assert_eq!(take("a1", delivered, 7).await, Ok(None));
}

#[tokio::test]
async fn what_joins_receipts_is_erased_with_the_number() {
    let place = Place::new();
    let store = place.open();
    let new = text(&store, 1, 0);
    let number = new.number.clone();
    let mut challenge = begin(&store, new).await;
    let right = Event::Code(Match::Right);
    live(&store, &mut challenge, &[news(1, SENT), right]).await;
    let id = challenge.details().id;
    let kept = store.await_receipts(awaited(id, &["a1"], 3600)).await;
    assert_eq!(kept, Ok(()));
    let erased = store.erase(number).await.expect("erases");
    assert_eq!(erased.challenges, 1);
    // Nor is it kept for a message that is named only now.
    let kept = store.await_receipts(awaited(id, &["a2"], 3600)).await;
    assert_eq!(kept, Ok(()));
    for name in ["a1", "a2"] {
        let taken = store.take_receipt(receipt(name, ReceiptWord::Delivered), at(5));
        assert_eq!(taken.await, Ok(None));
    }
}
