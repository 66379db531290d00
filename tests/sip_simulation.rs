//! Two of our endpoints back to back, without a socket: thousands of calls with random behaviour
//! over a network that loses, delays, repeats and reorders, all from one seed.
//!
//! A failure names its seed; `RINGTRUE_SEED=n cargo test --test sip_simulation` runs that one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ringtrue::sip::call::{CallFailure, CallId, Ending, Event, IncomingInvite, Invitation, Party};
use ringtrue::sip::digest::{Algorithm, Credentials, Demand, Qop, Request};
use ringtrue::sip::endpoint::{Endpoint, EndpointConfig};
use ringtrue::sip::message::{Method, Name};
use ringtrue::sip::transaction::Account;

const PASSWORD: &str = "open sesame";

/// How bad the network is.
#[derive(Clone, Copy, Debug)]
struct Weather {
    loss: f64,
    duplication: f64,
    /// Milliseconds.
    delay: (u64, u64),
    /// How often a datagram takes a detour of up to three seconds.
    detour: f64,
}

const FAIR: Weather = Weather {
    loss: 0.0,
    duplication: 0.0,
    delay: (1, 20),
    detour: 0.0,
};
const ROUGH: Weather = Weather {
    loss: 0.1,
    duplication: 0.1,
    delay: (1, 300),
    detour: 0.05,
};
const STORM: Weather = Weather {
    loss: 0.35,
    duplication: 0.3,
    delay: (1, 900),
    detour: 0.2,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Caller,
    Callee,
}

impl Side {
    fn other(self) -> Side {
        match self {
            Side::Caller => Side::Callee,
            Side::Callee => Side::Caller,
        }
    }

    fn address(self) -> SocketAddr {
        match self {
            Side::Caller => SocketAddr::from(([192, 0, 2, 1], 5060)),
            Side::Callee => SocketAddr::from(([192, 0, 2, 2], 5060)),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Deliver(Side, Vec<u8>),
    Dial(u32),
    HangUp(Side, CallId),
    Ring(CallId),
    Progress(CallId),
    Answer(CallId),
    Reject(CallId, u16),
    Info(Side, CallId),
}

/// What is known of one call on one side.
#[derive(Debug, Default)]
struct Record {
    /// The number both sides know it by, from its SDP.
    number: u32,
    answered: u32,
    terminal: u32,
    released: u32,
    last: Option<Event>,
}

struct World {
    seed: u64,
    weather: Weather,
    rng: ChaCha8Rng,
    now: Instant,
    start: Instant,
    caller: Endpoint,
    callee: Endpoint,
    agenda: BinaryHeap<Reverse<(Instant, u64, Act)>>,
    order: u64,
    records: BTreeMap<(Side, CallId), Record>,
    /// Every INFO body is sent once; how often it arrived.
    keys: HashMap<Vec<u8>, u32>,
    keys_sent: u32,
    /// Call-IDs that were challenged, with the demand.
    challenged: HashMap<Box<str>, Demand>,
    outcomes: BTreeMap<String, u32>,
}

impl World {
    fn new(seed: u64, weather: Weather) -> World {
        let config = |side: Side| {
            let mut config = EndpointConfig::new(side.address());
            config.takes_calls = side == Side::Callee;
            config.unanswered_after = Duration::from_secs(40);
            config
        };
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let caller = Endpoint::new(config(Side::Caller), key);
        key[31] = 1;
        let callee = Endpoint::new(config(Side::Callee), key);
        let now = Instant::now();
        World {
            seed,
            weather,
            rng: ChaCha8Rng::seed_from_u64(seed),
            now,
            start: now,
            caller,
            callee,
            agenda: BinaryHeap::new(),
            order: 0,
            records: BTreeMap::new(),
            keys: HashMap::new(),
            keys_sent: 0,
            challenged: HashMap::new(),
            outcomes: BTreeMap::new(),
        }
    }

    fn endpoint(&mut self, side: Side) -> &mut Endpoint {
        match side {
            Side::Caller => &mut self.caller,
            Side::Callee => &mut self.callee,
        }
    }

    fn after(&mut self, milliseconds: u64, act: Act) {
        self.order += 1;
        let at = self.now + Duration::from_millis(milliseconds);
        self.agenda.push(Reverse((at, self.order, act)));
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        self.rng.random_range(low..=high)
    }

    /// Runs until nothing is left to happen, or until `end`.
    fn run_until(&mut self, end: Option<Instant>) {
        loop {
            let timer = [self.caller.poll_timeout(), self.callee.poll_timeout()]
                .into_iter()
                .flatten()
                .min();
            let act = self.agenda.peek().map(|Reverse((at, ..))| *at);
            let next = match (timer, act) {
                (Some(timer), Some(act)) => timer.min(act),
                (Some(at), None) | (None, Some(at)) => at,
                (None, None) => break,
            };
            if end.is_some_and(|end| end < next) {
                break;
            }
            self.now = self.now.max(next);
            let now = self.now;
            if timer.is_some_and(|at| at <= now) {
                self.caller.handle_timeout(now);
                self.callee.handle_timeout(now);
            } else if let Some(Reverse((_, _, act))) = self.agenda.pop() {
                self.act(act);
            }
            self.collect(Side::Caller);
            self.collect(Side::Callee);
            assert!(
                self.now - self.start < Duration::from_secs(86_400),
                "seed {}: no end",
                self.seed
            );
        }
    }

    fn act(&mut self, act: Act) {
        let now = self.now;
        // A command may come when the call is over already; that it is told so is all.
        match act {
            Act::Deliver(to, bytes) => {
                let from = to.other().address();
                self.endpoint(to).handle_datagram(now, from, &bytes);
            }
            Act::Dial(number) => self.dial(number),
            Act::HangUp(side, call) => {
                let _ = self.endpoint(side).hang_up(now, call);
            }
            Act::Ring(call) => {
                let _ = self.callee.ring(now, call);
            }
            Act::Progress(call) => {
                let _ = self.callee.progress(now, call, 183, b"early");
            }
            Act::Answer(call) => {
                let number = self.records[&(Side::Callee, call)].number;
                let _ = self.callee.answer(now, call, sdp(number).as_bytes());
            }
            Act::Reject(call, code) => {
                let _ = self.callee.reject(now, call, code, None);
            }
            Act::Info(side, call) => {
                self.keys_sent += 1;
                let body = format!("Signal=#\r\nX-Press={}\r\n", self.keys_sent);
                let content = "application/dtmf-relay";
                let sent = self
                    .endpoint(side)
                    .send_info(now, call, content, body.as_bytes());
                if sent.is_ok() {
                    self.keys.insert(body.into_bytes(), 0);
                }
            }
        }
    }

    fn dial(&mut self, number: u32) {
        let to = "sip:+442079460000@192.0.2.2";
        let mut invitation = Invitation::new(
            Side::Callee.address(),
            to,
            "<sip:bank@192.0.2.1>",
            to,
            sdp(number),
        );
        let password = if self.chance(0.9) { PASSWORD } else { "wrong" };
        if self.chance(0.8) {
            invitation.credentials = Some(Arc::new(Account {
                username: Arc::from("bank"),
                password: password.to_owned().into(),
                realm: None,
            }));
        }
        invitation.ring_time = Duration::from_millis(self.between(1_000, 30_000));
        let call = self
            .caller
            .invite(self.now, invitation)
            .expect("room for a call");
        self.record(Side::Caller, call).number = number;
        if self.chance(0.3) {
            // While the INVITE, the ringing or the answer is under way.
            let at = match self.between(0, 2) {
                0 => self.between(0, 50),
                1 => self.between(0, 2_000),
                _ => self.between(0, 15_000),
            };
            self.after(at, Act::HangUp(Side::Caller, call));
        }
    }

    fn record(&mut self, side: Side, call: CallId) -> &mut Record {
        self.records.entry((side, call)).or_default()
    }

    /// Sends what is to be sent through the weather, and reacts to what is told.
    fn collect(&mut self, side: Side) {
        while let Some(transmit) = self.endpoint(side).poll_transmit() {
            assert_eq!(transmit.to, side.other().address(), "seed {}", self.seed);
            let copies = match () {
                () if self.chance(self.weather.loss) => 0,
                () if self.chance(self.weather.duplication) => 2,
                () => 1,
            };
            for _ in 0..copies {
                let (least, most) = self.weather.delay;
                let mut delay = self.between(least, most);
                if self.chance(self.weather.detour) {
                    delay += self.between(0, 3_000);
                }
                self.after(delay, Act::Deliver(side.other(), transmit.bytes.clone()));
            }
            self.endpoint(side).recycle(transmit.bytes);
        }
        while let Some(event) = self.endpoint(side).poll_event() {
            self.on_event(side, event);
        }
    }

    fn on_event(&mut self, side: Side, event: Event) {
        let (seed, call) = (self.seed, event.call());
        let is_new = matches!(event, Event::Incoming { .. });
        assert_eq!(
            self.records.contains_key(&(side, call)),
            !is_new,
            "seed {seed}: {event:?}"
        );
        let record = self.record(side, call);
        assert_eq!(
            record.released, 0,
            "seed {seed}: {event:?} of a released call"
        );
        if record.terminal > 0 {
            assert!(
                matches!(event, Event::Released { .. }),
                "seed {seed}: {event:?} after {:?}",
                record.last
            );
        }
        record.terminal += u32::from(event.is_terminal());
        match &event {
            Event::Incoming { call, invite } => {
                record.number = number_of(&invite.sdp);
                self.on_incoming(*call, invite);
            }
            Event::Answered { call, sdp, .. } => {
                record.answered += 1;
                assert_eq!(record.answered, 1, "seed {seed}");
                assert_eq!(
                    number_of(sdp),
                    record.number,
                    "seed {seed}: another's answer"
                );
                self.on_up(Side::Caller, *call);
            }
            Event::Acknowledged { call, .. } => {
                record.answered += 1;
                self.on_up(Side::Callee, *call);
            }
            Event::Info { body, .. } => {
                let heard = self.keys.get_mut(&body[..]);
                let heard = heard.unwrap_or_else(|| panic!("seed {seed}: a key nobody pressed"));
                *heard += 1;
                assert_eq!(*heard, 1, "seed {seed}: a key heard twice");
            }
            Event::Released { .. } => {
                assert_eq!(
                    record.terminal, 1,
                    "seed {seed}: released without an outcome"
                );
                record.released += 1;
            }
            Event::Failed { failure, .. } => self.count(side, failure),
            Event::Ended { by, how, .. } => self.count(side, &(*by, *how)),
            _ => {}
        }
        self.record(side, call).last = Some(event);
    }

    fn count(&mut self, side: Side, what: &impl std::fmt::Debug) {
        *self
            .outcomes
            .entry(format!("{side:?} {what:?}"))
            .or_default() += 1;
    }

    /// A phone of a random mind.
    fn on_incoming(&mut self, call: CallId, invite: &IncomingInvite) {
        let is_challenged = match self.challenged.get(&invite.call_id) {
            Some(demand) => !is_right(demand, invite),
            None => self.chance(0.2),
        };
        if is_challenged {
            return self.challenge(call, &invite.call_id);
        }
        if self.chance(0.8) {
            let at = self.between(0, 500);
            self.after(at, Act::Ring(call));
        }
        if self.chance(0.3) {
            let at = self.between(0, 2_000);
            self.after(at, Act::Progress(call));
        }
        let at = match self.between(0, 2) {
            0 => 0,
            1 => self.between(0, 3_000),
            _ => self.between(0, 35_000),
        };
        let act = match self.between(0, 9) {
            0..=5 => Act::Answer(call),
            6..=8 => {
                let codes = [486, 404, 480, 603, 302, 500, 503, 488, 600];
                let code = codes[self.between(0, codes.len() as u64 - 1) as usize];
                Act::Reject(call, code)
            }
            // It rings and rings.
            _ => return,
        };
        self.after(at, act);
    }

    fn challenge(&mut self, call: CallId, call_id: &str) {
        let demand = Demand {
            realm: "phones".into(),
            nonce: format!("n{}", self.order),
            opaque: None,
            algorithm: Algorithm::SHA_256,
            qop: Some(Qop::Auth),
            stale: false,
        };
        let header = demand.header().expect("writable");
        self.challenged.insert(call_id.into(), demand);
        self.callee
            .reject_with(
                self.now,
                call,
                401,
                None,
                &[(Name::WwwAuthenticate, &header)],
            )
            .expect("alerting");
    }

    /// Keys, and the end of the call from either side, or from both at once.
    fn on_up(&mut self, side: Side, call: CallId) {
        for _ in 0..self.between(0, 2) {
            let at = self.between(0, 5_000);
            self.after(at, Act::Info(side, call));
        }
        // The caller always hangs up in the end, as the engine does.
        let at = match side {
            Side::Caller => self.between(0, 8_000),
            Side::Callee if self.chance(0.5) => self.between(0, 8_000),
            Side::Callee => return,
        };
        self.after(at, Act::HangUp(side, call));
    }

    /// Every call of either side ended once and is gone, and nothing is left.
    fn check(&self) {
        let seed = self.seed;
        for ((side, call), record) in &self.records {
            assert_eq!(
                (record.terminal, record.released),
                (1, 1),
                "seed {seed}: {side:?} {call:?} {record:?}"
            );
        }
        for (side, endpoint) in [("caller", &self.caller), ("callee", &self.callee)] {
            let load = endpoint.load();
            assert!(endpoint.is_empty(), "seed {seed}: {side} {load:?}");
            assert_eq!(endpoint.poll_timeout(), None, "seed {seed}: {side}");
            assert_eq!(endpoint.counters().unreadable, 0, "seed {seed}: {side}");
            assert_eq!(endpoint.counters().malformed, 0, "seed {seed}: {side}");
        }
    }
}

/// Whether the INVITE answers its challenge.
fn is_right(demand: &Demand, invite: &IncomingInvite) -> bool {
    let authorization = invite.authorization.as_deref().unwrap_or_default();
    let credentials = Credentials {
        username: "bank",
        password: PASSWORD,
    };
    let request = Request {
        method: Method::Invite,
        uri: &invite.request_uri,
        body: &invite.sdp,
    };
    demand
        .verify(authorization, &credentials, &request, 0)
        .is_ok()
}

fn sdp(number: u32) -> String {
    format!("v=0\r\no=- {number} 0 IN IP4 192.0.2.1\r\n")
}

fn number_of(sdp: &[u8]) -> u32 {
    let text = std::str::from_utf8(sdp).expect("text");
    let number = text.split(' ').nth(1).expect("a number");
    number.parse().expect("a number")
}

/// Calls spread over a minute, until all is over.
fn simulate(seed: u64, weather: Weather, calls: u32) -> World {
    let mut world = World::new(seed, weather);
    for number in 0..calls {
        let at = world.between(0, 60_000);
        world.after(at, Act::Dial(number));
    }
    world.run_until(None);
    world.check();
    world
}

fn seeds(usual: std::ops::Range<u64>) -> Vec<u64> {
    match std::env::var("RINGTRUE_SEED") {
        Ok(seed) => vec![seed.parse().expect("RINGTRUE_SEED is a number")],
        Err(_) => usual.collect(),
    }
}

#[test]
fn in_fair_weather_every_plan_comes_true() {
    for seed in seeds(0..2) {
        let world = simulate(seed, FAIR, 1000);
        // Nothing is lost, so nobody waits in vain.
        for never in [
            format!("Caller {:?}", CallFailure::NoResponse),
            format!("Caller {:?}", (Party::Remote, Ending::Lost)),
            format!("Callee {:?}", (Party::Local, Ending::Unacknowledged)),
        ] {
            assert_eq!(world.outcomes.get(&never), None, "seed {seed}: {never}");
        }
        assert_eq!(world.caller.counters().retransmitted, 0, "seed {seed}");
        // And every ending there is has been seen, or the simulation tells nothing.
        for outcome in [
            "Caller Busy",
            "Caller NoAnswer",
            "Caller RingTimeLimit",
            "Caller Declined",
            "Caller NoSuchNumber",
            "Caller Redirected",
            "Caller MediaIncompatible",
            "Caller CredentialsRefused",
            "Caller ServerFailure",
            "Caller (Local, HungUp)",
            "Caller (Local, Cancelled)",
            "Caller (Remote, HungUp)",
            "Callee (Local, HungUp)",
            "Callee (Local, Rejected)",
            "Callee (Remote, HungUp)",
            "Callee (Remote, Cancelled)",
        ] {
            let seen = world.outcomes.get(outcome).copied().unwrap_or_default();
            assert!(seen > 0, "seed {seed}: {outcome} of {:?}", world.outcomes);
        }
        // Some keys cross a hang-up; most are heard.
        let heard = world.keys.values().filter(|heard| **heard == 1).count();
        assert!(heard * 10 > world.keys.len() * 9, "seed {seed}: {heard}");
    }
}

#[test]
fn in_rough_weather_no_call_is_lost() {
    for seed in seeds(100..104) {
        simulate(seed, ROUGH, 1000);
    }
}

#[test]
fn in_a_storm_no_call_is_lost() {
    for seed in seeds(200..203) {
        simulate(seed, STORM, 1000);
    }
}

#[test]
fn when_the_line_is_cut_every_call_ends() {
    for seed in seeds(300..302) {
        let mut world = World::new(seed, ROUGH);
        for number in 0..300 {
            let at = world.between(0, 10_000);
            world.after(at, Act::Dial(number));
        }
        world.run_until(Some(world.now + Duration::from_secs(8)));
        world.weather.loss = 1.0;
        world.run_until(None);
        // A phone without a word from its caller has no timer of its own in an answered call;
        // its owner hangs up.
        let left: Vec<CallId> = world
            .records
            .iter()
            .filter(|((side, _), record)| *side == Side::Callee && record.terminal == 0)
            .map(|((_, call), _)| *call)
            .collect();
        assert!(!left.is_empty(), "seed {seed}: the cut came too late");
        for call in left {
            world.act(Act::HangUp(Side::Callee, call));
        }
        world.collect(Side::Callee);
        world.run_until(None);
        world.check();
    }
}
