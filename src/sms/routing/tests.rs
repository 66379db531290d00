use smallvec::smallvec;
use uuid::Uuid;

use super::*;
use crate::dialplan::{Dialplan, TextRoute, TextWay};
use crate::smpp::pdu::{EsmClass, Sms};
use crate::smpp::receipt::IdForm;
use crate::smpp::session::MessageId;
use crate::smpp::text::TextError;
use crate::sms::dispatch::Says;

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn config(lines: &[&str]) -> RoutingConfig {
    RoutingConfig {
        lines: lines
            .iter()
            .enumerate()
            .map(|(account, name)| LineConfig {
                name: (*name).into(),
                account,
                links: 1,
                room: 10,
                sends: true,
                up: true,
            })
            .collect(),
        most_waiting: 100,
        patience: 20 * SECOND,
        most_receipts: 1000,
        receipt_patience: 3600 * SECOND,
    }
}

/// A route by these ways: name, cost, weight.
pub(super) fn route(ways: &[(&str, u32, u32)]) -> TextRoute {
    let number = PhoneNumber::parse("+447400123456").unwrap();
    let any = Dialplan::built_in().unwrap().text_route(&number).unwrap();
    TextRoute {
        ways: ways
            .iter()
            .map(|(by, cost, weight)| TextWay {
                by: (*by).into(),
                cost: *cost,
                weight: *weight,
            })
            .collect(),
        ..any
    }
}

pub(super) fn text(number: u128) -> TextRef {
    TextRef(Uuid::from_u128(number))
}

pub(super) fn link(line: u16) -> LinkId {
    LinkId { line, link: 0 }
}

fn key(id: &str) -> Option<Key> {
    Key::of_answer(&MessageId::new(id.as_bytes()), IdForm::Same)
}

fn receipt(words: &str) -> Receipt {
    Receipt::read(&Sms {
        esm_class: EsmClass::RECEIPT,
        short_message: words.as_bytes(),
        ..Sms::default()
    })
    .unwrap()
}

fn refused(failure: Failure) -> Fate {
    Fate::Refused {
        failure,
        error: "ESME_RX".into(),
        elsewhere: true,
    }
}

fn sent(ids: &[&str]) -> Fate {
    Fate::Sent {
        messages: ids.len() as u8,
        keys: ids.iter().map(|id| key(id)).collect(),
    }
}

struct House {
    routing: Routing,
    now: Instant,
    route: TextRoute,
    orders: VecDeque<(LinkId, Order)>,
    news: VecDeque<(TextRef, News)>,
    /// Receipts told of again, since they came before the name.
    early: Vec<(TextRef, Key, Says)>,
}

impl House {
    fn new(config: RoutingConfig, ways: &[(&str, u32, u32)]) -> House {
        House {
            routing: Routing::new(config, 7),
            now: Instant::now(),
            route: route(ways),
            orders: VecDeque::new(),
            news: VecDeque::new(),
            early: Vec::new(),
        }
    }

    fn collect(&mut self) {
        while let Some(output) = self.routing.poll_output() {
            match output {
                Output::Order { by, order } => self.orders.push_back((by, *order)),
                Output::Report(Report::Text { text, news }) => self.news.push_back((text, news)),
                Output::Named { .. } => {}
                Output::Early {
                    text, key, says, ..
                } => self.early.push((text, key, says)),
                Output::Report(other) => panic!("{other:?}"),
            }
        }
    }

    fn send(&mut self, number: u128) {
        let dispatch = Dispatch {
            text: text(number),
            to: PhoneNumber::parse("+447400123456").unwrap(),
            route: self.route.clone(),
            body: Zeroizing::new("Your code is 123456".to_owned()),
            deadline: self.now + 120 * SECOND,
        };
        self.routing.send(self.now, dispatch);
        self.collect();
    }

    /// The line that the next order goes to, which is to be of this text.
    fn ordered(&mut self, number: u128) -> u16 {
        let (by, order) = self.orders.pop_front().expect("an order");
        assert_eq!(order.text, text(number));
        by.line
    }

    fn fared(&mut self, line: u16, number: u128, fate: Fate) {
        let now = self.now;
        self.routing.fared(now, link(line), text(number), now, fate);
        self.collect();
    }

    fn turned(&mut self, line: u16, up: bool) {
        self.routing.turned(self.now, link(line), up);
        self.collect();
    }

    fn receipt(&mut self, line: u16, id: &str, words: &str) {
        let receipt = receipt(&format!("id:{id} {words}"));
        let key = Key::of_receipt(&receipt.id, IdForm::Same).unwrap();
        self.routing.receipt(self.now, link(line), key, &receipt);
        self.collect();
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.routing.poll_timeout(self.now)
            && at <= until
        {
            self.now = self.now.max(at);
            self.routing.handle_timeout(self.now);
        }
        self.now = until;
        self.collect();
    }

    fn news(&mut self, number: u128) -> News {
        let (of, news) = self.news.pop_front().expect("news");
        assert_eq!(of, text(number));
        news
    }

    fn failed(&mut self, number: u128) -> (Failure, Option<String>) {
        match self.news(number) {
            News::Failed { failure, error } => (failure, error.map(|error| error.to_string())),
            other => panic!("{other:?}"),
        }
    }

    fn quiet(&mut self) {
        self.collect();
        assert!(
            self.orders.is_empty() && self.news.is_empty(),
            "{:?}",
            self.news
        );
    }
}

#[test]
fn the_cheapest_that_is_up_and_quick_takes_it() {
    let mut house = House::new(
        config(&["a", "b", "c"]),
        &[("a", 1, 1), ("b", 2, 1), ("c", 3, 1)],
    );
    house.send(1);
    assert_eq!(house.ordered(1), 0);
    house.turned(0, false);
    house.send(2);
    assert_eq!(house.ordered(2), 1);
    house.routing.slowed(link(1), house.now + SECOND);
    house.send(3);
    assert_eq!(house.ordered(3), 2);
    house.turned(0, true);
    house.send(4);
    assert_eq!(house.ordered(4), 0);
    house.pass(SECOND);
    // The first is full, with a text in hand since the beginning.
    for number in 10..18 {
        house.send(number);
        assert_eq!(house.ordered(number), 0);
    }
    house.send(20);
    assert_eq!(house.ordered(20), 1);
    house.fared(0, 1, sent(&["1"]));
    assert!(matches!(house.news(1), News::Sent { messages: 1, .. }));
    house.send(21);
    assert_eq!(house.ordered(21), 0);
    house.quiet();
}

#[test]
fn equals_share_by_weight() {
    let mut config = config(&["a", "b", "dear"]);
    for line in &mut config.lines {
        line.room = 10_000;
    }
    let mut house = House::new(config, &[("a", 1, 1), ("b", 1, 3), ("dear", 2, 99)]);
    let mut share = [0; 3];
    for number in 0..4000 {
        house.send(number);
        share[usize::from(house.ordered(number))] += 1;
    }
    assert!((850..1150).contains(&share[0]), "{share:?}");
    assert_eq!((share[0] + share[1], share[2]), (4000, 0));
}

#[test]
fn a_way_that_cannot_is_followed_by_the_next() {
    let ways = [("a", 1, 1), ("b", 2, 1)];
    let down = || Fate::NotSent(NotSent::Down);
    // Nothing left: the next. And back to the first once it is up, as often as it takes.
    let mut house = House::new(config(&["a", "b"]), &ways);
    house.send(1);
    assert!(!house.orders[0].1.patient, "there is another way");
    assert_eq!(house.ordered(1), 0);
    house.fared(0, 1, down());
    assert!(house.orders[0].1.patient, "there is no other way");
    assert_eq!(house.ordered(1), 1);
    house.fared(1, 1, down());
    house.quiet();
    house.turned(0, true);
    assert_eq!(house.ordered(1), 0);
    house.fared(0, 1, sent(&["x"]));
    assert_eq!(
        house.news(1),
        News::Sent {
            by: "a".into(),
            messages: 1
        }
    );
    // Refused by each in turn: the last word is told.
    let mut house = House::new(config(&["a", "b"]), &ways);
    house.send(2);
    house.ordered(2);
    house.fared(0, 2, refused(Failure::Rejected));
    assert_eq!(house.ordered(2), 1);
    house.fared(1, 2, refused(Failure::Rejected));
    assert_eq!(
        house.failed(2),
        (Failure::Rejected, Some("ESME_RX".to_owned()))
    );
    // A refusal that no carrier will differ in.
    house.send(3);
    house.ordered(3);
    let nobody = Fate::Refused {
        failure: Failure::NoSuchNumber,
        error: "ESME_RINVDSTADR".into(),
        elsewhere: false,
    };
    house.fared(0, 3, nobody);
    assert_eq!(house.failed(3).0, Failure::NoSuchNumber);
    // Too long for each.
    house.send(4);
    let long = || {
        NotSent::Text(TextError::TooLong {
            messages: 9,
            most: 4,
        })
    };
    house.ordered(4);
    house.fared(0, 4, Fate::NotSent(long()));
    assert_eq!(house.ordered(4), 1);
    house.fared(1, 4, Fate::NotSent(long()));
    assert_eq!(house.failed(4), (Failure::TooLong, None));
    house.quiet();
    assert_eq!(house.routing.held(), 0);
}

#[test]
fn what_may_have_left_goes_nowhere_else() {
    let mut house = House::new(config(&["a", "b"]), &[("a", 1, 1), ("b", 2, 1)]);
    house.send(1);
    house.ordered(1);
    let unknown = Fate::Unknown {
        messages: 1,
        keys: smallvec![],
    };
    house.fared(0, 1, unknown);
    assert_eq!(house.news(1), News::Unsure { by: "a".into() });
    house.send(2);
    house.ordered(2);
    house.fared(0, 2, Fate::Partial { error: None });
    assert_eq!(house.failed(2), (Failure::Rejected, None));
    house.pass(200 * SECOND);
    house.quiet();
    // The answer that comes late, and its receipt.
    house
        .routing
        .answered_late(house.now, link(0), text(1), Ok(key("77")));
    house.receipt(0, "77", "stat:DELIVRD");
    let after = 200 * SECOND;
    assert_eq!(house.news(1), News::Delivered { after });
    // Or a refusal that comes late.
    house.send(3);
    house.ordered(3);
    let unknown = Fate::Unknown {
        messages: 2,
        keys: smallvec![key("80")],
    };
    house.fared(0, 3, unknown);
    house.news(3);
    let late = Err("ESME_RSYSERR".into());
    house
        .routing
        .answered_late(house.now, link(0), text(3), late);
    house.collect();
    assert!(matches!(house.news(3), News::Undeliverable { .. }));
    house.receipt(0, "80", "stat:DELIVRD");
    house.quiet();
}

#[test]
fn congestion_is_waited_out() {
    let mut house = House::new(config(&["a"]), &[("a", 1, 1)]);
    house.send(1);
    house.ordered(1);
    house.fared(0, 1, refused(Failure::Overloaded));
    house.quiet();
    house.pass(BREATH);
    assert_eq!(house.ordered(1), 0);
    // Not for ever.
    for _ in 0..100 {
        if house.routing.held() == 0 {
            break;
        }
        house.fared(0, 1, refused(Failure::Overloaded));
        house.pass(BREATH);
        house.orders.clear();
    }
    assert_eq!(
        house.failed(1),
        (Failure::Overloaded, Some("ESME_RX".to_owned()))
    );
    house.quiet();
}

#[test]
fn waiting_ends() {
    let mut config = config(&["a", "b"]);
    config.most_waiting = 3;
    config.lines[0].up = false;
    let mut house = House::new(config, &[("a", 1, 1)]);
    for number in 1..5 {
        house.send(number);
    }
    assert_eq!(house.failed(4), (Failure::Unavailable, None));
    house.pass(19 * SECOND);
    house.quiet();
    // The one that came last is of no more use.
    house.routing.withdraw(text(3));
    house.collect();
    assert_eq!(house.failed(3), (Failure::TooLate, None));
    house.pass(2 * SECOND);
    assert_eq!(house.failed(1), (Failure::Unavailable, None));
    assert_eq!(house.failed(2), (Failure::Unavailable, None));
    // Up, and full.
    house.turned(0, true);
    for number in 10..21 {
        house.send(number);
    }
    assert_eq!(house.orders.len(), 10);
    house.pass(20 * SECOND);
    assert_eq!(house.failed(20), (Failure::Overloaded, None));
    // In order, as soon as there is room.
    house.send(30);
    house.send(31);
    house.orders.clear();
    house.fared(0, 10, sent(&["10"]));
    house.news(10);
    assert_eq!(house.ordered(30), 0);
    house.fared(0, 11, sent(&["11"]));
    house.news(11);
    assert_eq!(house.ordered(31), 0);
    // No way at all, and a deadline that has passed.
    house.route = route(&[("elsewhere", 1, 1)]);
    house.send(40);
    assert_eq!(house.failed(40), (Failure::Unavailable, None));
    house.quiet();
}

#[test]
fn what_is_withdrawn_is_not_sent_elsewhere() {
    let mut house = House::new(config(&["a", "b"]), &[("a", 1, 1), ("b", 2, 1)]);
    house.send(1);
    let (_, order) = house.orders.pop_front().unwrap();
    assert!(!order.withdrawal.is_withdrawn());
    house.routing.withdraw(text(1));
    assert!(order.withdrawal.is_withdrawn());
    house.quiet();
    house.fared(0, 1, Fate::NotSent(NotSent::Withdrawn));
    assert_eq!(house.failed(1), (Failure::TooLate, None));
    for fate in [refused(Failure::Rejected), Fate::NotSent(NotSent::Down)] {
        house.turned(0, true);
        house.send(2);
        house.ordered(2);
        house.routing.withdraw(text(2));
        house.fared(0, 2, fate);
        assert_eq!(house.failed(2).0, Failure::TooLate);
    }
    // It had left.
    house.turned(0, true);
    house.send(3);
    house.ordered(3);
    house.routing.withdraw(text(3));
    house.fared(0, 3, sent(&["3"]));
    assert!(matches!(house.news(3), News::Sent { .. }));
    house.routing.withdraw(text(3));
    house.quiet();
}

#[test]
fn receipts_tell_when_all_of_it_is_there() {
    let mut house = House::new(config(&["a", "b"]), &[("a", 1, 1)]);
    house.send(1);
    house.ordered(1);
    // One of the three came before the answer.
    house.receipt(0, "k2", "stat:DELIVRD err:000");
    house.quiet();
    house.fared(0, 1, sent(&["k1", "k2", "k3"]));
    assert!(matches!(house.news(1), News::Sent { messages: 3, .. }));
    let early = std::mem::take(&mut house.early);
    let k2 = key("k2").expect("a key");
    assert_eq!(early, [(text(1), k2, Says::Delivered)]);
    house.pass(3 * SECOND);
    house.receipt(0, "k1", "stat:ENROUTE");
    let after = 3 * SECOND;
    assert_eq!(house.news(1), News::Accepted { after });
    house.receipt(0, "k1", "stat:DELIVRD");
    // Another account's id, and one heard twice.
    house.receipt(1, "k3", "stat:DELIVRD");
    house.receipt(0, "k1", "stat:DELIVRD");
    house.quiet();
    house.receipt(0, "k3", "stat:DELIVRD");
    assert_eq!(house.news(1), News::Delivered { after });
    house.quiet();
    // Lost with the first that is, and told once.
    house.send(2);
    house.ordered(2);
    house.fared(0, 2, sent(&["m1", "m2", "m3"]));
    house.news(2);
    house.receipt(0, "m1", "stat:DELIVRD");
    house.receipt(0, "m2", "stat:UNDELIV err:02\u{1b}7");
    match house.news(2) {
        News::Undeliverable { error, .. } => assert_eq!(&*error, "UNDELIV err:02\\x1b7"),
        other => panic!("{other:?}"),
    }
    house.receipt(0, "m3", "stat:ENROUTE");
    house.receipt(0, "m3", "stat:EXPIRED");
    house.quiet();
    // Neither here nor there.
    house.send(3);
    house.ordered(3);
    house.fared(0, 3, sent(&["n1"]));
    house.news(3);
    house.receipt(0, "n1", "stat:ACCEPTD");
    assert!(matches!(house.news(3), News::Accepted { .. }));
    house.receipt(0, "n1", "stat:UNKNOWN");
    assert!(matches!(house.news(3), News::Unknown { .. }));
    house.receipt(0, "n1", "stat:WHATEVER");
    house.quiet();
    // Another fate may follow.
    house.receipt(0, "n1", "stat:DELIVRD");
    assert!(matches!(house.news(3), News::Delivered { .. }));
}

#[test]
fn receipts_held_are_bounded() {
    let mut config = config(&["a"]);
    config.most_receipts = 50;
    let mut house = House::new(config, &[("a", 1, 1)]);
    for number in 0..500 {
        house.send(number);
        house.ordered(number);
        let ids = [format!("x{number}"), format!("y{number}")];
        house.fared(0, number, sent(&[&ids[0], &ids[1]]));
        house.news(number);
        let (awaited, tallies) = house.routing.receipts.held();
        assert!(awaited <= 50 && tallies <= 50);
    }
    house.receipt(0, "x499", "stat:DELIVRD");
    house.receipt(0, "y499", "stat:DELIVRD");
    assert!(matches!(house.news(499), News::Delivered { .. }));
    house.receipt(0, "x1", "stat:DELIVRD");
    house.quiet();
}

#[test]
fn after_the_stop_nothing_goes_out() {
    let mut house = House::new(config(&["a"]), &[("a", 1, 1)]);
    house.send(1);
    house.ordered(1);
    house.turned(0, false);
    house.send(2);
    house.routing.stop();
    house.collect();
    assert_eq!(house.failed(2).0, Failure::Unavailable);
    house.turned(0, true);
    house.send(3);
    assert_eq!(house.failed(3).0, Failure::Unavailable);
    house.fared(0, 1, Fate::NotSent(NotSent::Stopped));
    assert_eq!(house.failed(1).0, Failure::Unavailable);
    house.quiet();
    assert_eq!(house.routing.held(), 0);
}

#[test]
fn neither_words_nor_numbers_are_shown() {
    let mut house = House::new(config(&["a"]), &[("a", 1, 1)]);
    house.send(1);
    let shown = format!("{:?}", house.orders[0]);
    assert!(
        !shown.contains("123456") && !shown.contains("4474"),
        "{shown}"
    );
}
