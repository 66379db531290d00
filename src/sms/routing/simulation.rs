//! The routing among carriers that fail in every way, by seed.

use std::collections::HashMap;

use super::tests::{config, route, text};
use super::*;

/// What a carrier has of a text.
#[derive(Default)]
struct Seen {
    /// How often anything of it may have reached a carrier.
    left: u32,
    ends: u32,
    delivered: u32,
}

struct World {
    random: StdRng,
    now: Instant,
    routing: Routing,
    in_hand: Vec<(LinkId, Order)>,
    up: Vec<bool>,
    seen: HashMap<TextRef, Seen>,
    receipts: Vec<(LinkId, Key, TextRef)>,
    next_id: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let mut config = config(&["a", "b", "c"]);
        config.most_waiting = 20;
        config.most_receipts = 200;
        // A transmitter and the receiver beside it.
        config.lines[2].account = 1;
        for line in &mut config.lines {
            line.links = 2;
            line.room = 3;
            line.up = false;
        }
        World {
            random: StdRng::seed_from_u64(seed),
            now: Instant::now(),
            routing: Routing::new(config, seed),
            in_hand: Vec::new(),
            up: vec![false; 6],
            seen: HashMap::new(),
            receipts: Vec::new(),
            next_id: 0,
        }
    }

    fn chance(&mut self, of: u32) -> bool {
        self.random.random_range(0..of) == 0
    }

    fn link(&mut self) -> LinkId {
        LinkId {
            line: self.random.random_range(0..3),
            link: self.random.random_range(0..2),
        }
    }

    fn collect(&mut self) {
        while let Some(output) = self.routing.poll_output() {
            match output {
                Output::Order { by, order } => {
                    assert!(self.seen[&order.text].left == 0, "it has left already");
                    assert!(!order.withdrawal.is_withdrawn());
                    self.in_hand.push((by, *order));
                    let of_link = self.in_hand.iter().filter(|(at, _)| *at == by).count();
                    assert!(of_link <= 3, "more than a link takes");
                }
                Output::Report(Report::Text { text, news }) => {
                    let seen = self.seen.get_mut(&text).expect("a text of ours");
                    match news {
                        News::Sent { .. } | News::Unsure { .. } => {
                            assert_eq!(seen.left, 1);
                            seen.ends += 1;
                        }
                        News::Failed { .. } => seen.ends += 1,
                        News::Accepted { .. } | News::Unknown { .. } => {
                            assert_eq!((seen.ends, seen.left), (1, 1));
                        }
                        News::Delivered { .. } | News::Undeliverable { .. } => {
                            assert_eq!((seen.ends, seen.left), (1, 1));
                            seen.delivered += 1;
                        }
                    }
                    assert!(seen.ends <= 1 && seen.delivered <= 1);
                }
                Output::Named { .. } | Output::Early { .. } => {}
                Output::Report(other) => panic!("{other:?}"),
            }
        }
    }

    fn key(&mut self) -> Key {
        self.next_id += 1;
        let id = crate::smpp::session::MessageId::new(self.next_id.to_string().as_bytes());
        Key::of_answer(&id, crate::smpp::receipt::IdForm::Same).expect("an id")
    }

    /// A carrier says what became of one of the texts it has.
    fn decide(&mut self) {
        if self.in_hand.is_empty() {
            return;
        }
        let at = self.random.random_range(0..self.in_hand.len());
        let (by, order) = self.in_hand.swap_remove(at);
        let text = order.text;
        let left = |world: &mut World| world.seen.get_mut(&text).map(|seen| seen.left += 1);
        let line_up = self.up[usize::from(by.line * 2 + by.link)];
        let fate = if order.withdrawal.is_withdrawn() {
            Fate::NotSent(NotSent::Withdrawn)
        } else if !line_up {
            Fate::NotSent(NotSent::Down)
        } else {
            match self.random.random_range(0..10) {
                0..5 => {
                    left(self);
                    let messages = self.random.random_range(1..3);
                    let keys: Vec<Key> = (0..messages).map(|_| self.key()).collect();
                    for key in &keys {
                        self.receipts.push((by, key.clone(), text));
                    }
                    Fate::Sent {
                        messages,
                        keys: keys.into_iter().map(Some).collect(),
                    }
                }
                5 => {
                    left(self);
                    Fate::Unknown {
                        messages: 1,
                        keys: SmallVec::new(),
                    }
                }
                6 => {
                    left(self);
                    Fate::Partial { error: None }
                }
                7 => Fate::NotSent(NotSent::Full),
                8 => Fate::Refused {
                    failure: Failure::Overloaded,
                    error: "ESME_RTHROTTLED".into(),
                    elsewhere: true,
                },
                _ => Fate::Refused {
                    failure: Failure::Rejected,
                    error: "ESME_RSYSERR".into(),
                    elsewhere: self.chance(2),
                },
            }
        };
        self.routing.fared(self.now, by, text, self.now, fate);
    }

    fn receipt(&mut self) {
        if self.receipts.is_empty() {
            return;
        }
        let at = self.random.random_range(0..self.receipts.len());
        let (by, key, _) = self.receipts[at].clone();
        if !self.chance(3) {
            self.receipts.swap_remove(at);
        }
        let word = ["DELIVRD", "DELIVRD", "ENROUTE", "UNDELIV"][self.random.random_range(0..4)];
        let words = format!("id:{} stat:{word}", key.as_str());
        let receipt = Receipt::read(&crate::smpp::pdu::Sms {
            esm_class: crate::smpp::pdu::EsmClass::RECEIPT,
            short_message: words.as_bytes(),
            ..Default::default()
        });
        let receipt = receipt.expect("a receipt");
        self.routing.receipt(self.now, by, key, &receipt);
    }

    fn step(&mut self, routes: &[crate::dialplan::TextRoute], number: u128) {
        match self.random.random_range(0..10) {
            0..4 => {
                let dispatch = Dispatch {
                    text: text(number),
                    to: PhoneNumber::parse("+447400123456").expect("a number"),
                    route: routes[self.random.random_range(0..routes.len())].clone(),
                    body: Zeroizing::new("x".to_owned()),
                    deadline: self.now + Duration::from_secs(self.random.random_range(0..40)),
                };
                self.seen.insert(text(number), Seen::default());
                self.routing.send(self.now, dispatch);
            }
            4 => {
                let link = self.link();
                let up = self.chance(2);
                self.up[usize::from(link.line * 2 + link.link)] = up;
                self.routing.turned(self.now, link, up);
            }
            5 => {
                let number = self.random.random_range(0..=number);
                self.routing.withdraw(text(number));
            }
            6 => self.receipt(),
            7 => {
                let until = self.now + Duration::from_millis(self.random.random_range(0..3000));
                let link = self.link();
                self.routing.slowed(link, until);
            }
            _ => self.decide(),
        }
        self.collect();
        if self.chance(3) {
            self.now += Duration::from_millis(self.random.random_range(0..2000));
            let now = self.now;
            if self.routing.poll_timeout(now).is_some_and(|at| at <= now) {
                self.routing.handle_timeout(now);
            }
            self.collect();
        }
    }
}

/// Whatever carriers do: every text ends once, and nothing that may have left leaves again.
#[test]
fn every_text_ends_once_and_leaves_once() {
    let routes = [
        route(&[("a", 1, 1)]),
        route(&[("a", 1, 1), ("b", 1, 3), ("c", 2, 1)]),
        route(&[("c", 1, 1), ("b", 2, 1)]),
        route(&[("nowhere", 1, 1)]),
    ];
    for seed in 0..300 {
        let mut world = World::new(seed);
        for number in 0..400 {
            world.step(&routes, number);
        }
        world.routing.stop();
        while !world.in_hand.is_empty() {
            world.decide();
            world.collect();
        }
        world.collect();
        assert_eq!(world.routing.held(), 0, "seed {seed}");
        assert_eq!(world.routing.waiting.len(), 0);
        assert_eq!(world.routing.waiting.oldest(&[]), None);
        for (text, seen) in &world.seen {
            assert_eq!(seen.ends, 1, "seed {seed}, {text:?}");
            assert!(seen.left <= 1, "seed {seed}, {text:?}");
        }
    }
}
