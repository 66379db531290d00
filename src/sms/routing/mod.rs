//! Which way a text goes, and what becomes of it, sans-IO: texts, fates, states and instants in;
//! orders, reports and the next deadline out.
//!
//! A text goes by the cheapest of its ways that is up, not told to slow down and not full; those
//! of the same cost share by weight. Where none is, it waits for a while. A way that could not or
//! would not take it is followed by the next; but only ever when nothing of the text has left, so
//! that no text is sent twice. Everything held is bounded: texts in hand and waiting by number and
//! by time, receipts by number and by age.

mod fate;
mod line;
mod output;
mod receipts;
mod waiting;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use smallvec::SmallVec;
use zeroize::Zeroizing;

pub use fate::Fate;
pub use line::{LineConfig, LinkId};
pub use output::{Order, Output};
pub(in crate::sms) use receipts::{plain, says};

use self::line::Line;
use self::receipts::{Learnt, Left, Receipts};
use self::waiting::{QueueKey, Ticket, Waiting};
use super::dispatch::{Dispatch, Failure, News, Report};
use super::order::{NotSent, TextRef, Withdrawal};
use crate::phone::PhoneNumber;
use crate::smpp::receipt::{Key, Receipt};

/// How long a link is spared that refused a text for the moment, unless it says itself.
const BREATH: Duration = Duration::from_secs(1);
/// How often a text is handed to links at most.
const MOST_HOPS: u8 = 16;

/// What the routing is configured with.
#[derive(Debug, Clone)]
pub struct RoutingConfig {
    /// The lines.
    pub lines: Vec<LineConfig>,
    /// Texts that may wait for a way at once.
    pub most_waiting: usize,
    /// How long a text waits for a way.
    pub patience: Duration,
    /// Messages of one account whose receipts are awaited at once.
    pub most_receipts: usize,
    /// How long a receipt is awaited.
    pub receipt_patience: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Way {
    line: u16,
    cost: u32,
    weight: u32,
}

type Ways = SmallVec<[Way; 2]>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nowhere yet.
    New,
    /// In its queue.
    Waiting(Ticket),
    /// With a link.
    At(LinkId),
}

struct Text {
    to: PhoneNumber,
    sender: Option<Arc<str>>,
    body: Zeroizing<String>,
    deadline: Instant,
    /// When waiting ends.
    until: Instant,
    /// The ways it may still go.
    ways: Ways,
    hops: u8,
    withdrawal: Withdrawal,
    place: Place,
    /// What the last way said.
    last: Option<(Failure, Option<Arc<str>>)>,
}

/// Routes texts.
pub struct Routing {
    config: RoutingConfig,
    lines: Vec<Line>,
    names: HashMap<Arc<str>, u16>,
    texts: HashMap<TextRef, Text>,
    waiting: Waiting,
    receipts: Receipts,
    /// Whether no more texts go out.
    closed: bool,
    outputs: VecDeque<Output>,
    random: StdRng,
}

impl Routing {
    /// A routing that draws by `seed` among ways of the same cost.
    pub fn new(config: RoutingConfig, seed: u64) -> Routing {
        let accounts = config.lines.iter().map(|line| line.account + 1).max();
        let names = config.lines.iter().enumerate();
        Routing {
            names: names
                .filter_map(|(at, line)| Some((line.name.clone(), u16::try_from(at).ok()?)))
                .collect(),
            lines: config.lines.iter().cloned().map(Line::new).collect(),
            texts: HashMap::new(),
            waiting: Waiting::default(),
            receipts: Receipts::new(
                accounts.unwrap_or(0),
                config.most_receipts,
                config.receipt_patience,
            ),
            closed: false,
            outputs: VecDeque::new(),
            random: StdRng::seed_from_u64(seed),
            config,
        }
    }

    /// The next thing to be done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Routing::handle_timeout`] is to be called at the latest.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let end = self.waiting.first_end()?;
        let free = self.lines.iter().filter_map(|line| line.next_free(now));
        free.chain([end]).min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(text) = self.waiting.past(now) {
            let Some(it) = self.unqueue(text) else {
                return;
            };
            let failure = if now >= it.deadline {
                Failure::TooLate
            } else if self.any_up(&it.ways) {
                Failure::Overloaded
            } else {
                Failure::Unavailable
            };
            self.give_up(text, it, failure);
        }
        self.flush(now);
    }

    /// Texts in hand and waiting.
    pub fn held(&self) -> usize {
        self.texts.len()
    }

    /// Takes a text. One whose name is in hand already is the same text, and is left alone.
    pub fn send(&mut self, now: Instant, dispatch: Dispatch) {
        let Dispatch {
            text,
            to,
            route,
            body,
            deadline,
        } = dispatch;
        if self.texts.contains_key(&text) {
            return;
        }
        let ways: Ways = route
            .ways
            .iter()
            .filter_map(|way| {
                Some(Way {
                    line: *self.names.get(&way.by)?,
                    cost: way.cost,
                    weight: way.weight.max(1),
                })
            })
            .collect();
        let failure = if now >= deadline {
            Some(Failure::TooLate)
        } else if ways.is_empty() {
            Some(Failure::Unavailable)
        } else {
            None
        };
        if let Some(failure) = failure {
            self.report(
                text,
                News::Failed {
                    failure,
                    error: None,
                },
            );
            return;
        }
        let until = deadline.min(now + self.config.patience);
        let it = Text {
            to,
            sender: route.sender,
            body,
            deadline,
            until,
            ways,
            hops: 0,
            withdrawal: Withdrawal::default(),
            place: Place::New,
            last: None,
        };
        self.place(now, text, it);
    }

    /// A text is of no more use: if nothing of it has left, nothing shall.
    pub fn withdraw(&mut self, text: TextRef) {
        let Some(it) = self.texts.get(&text) else {
            return;
        };
        it.withdrawal.withdraw();
        if matches!(it.place, Place::Waiting(_)) {
            self.fail(text, Failure::TooLate);
        }
    }

    /// The links are about to stop: what waits fails, and so does what comes.
    pub fn stop(&mut self) {
        for text in self.waiting.all() {
            self.fail(text, Failure::Unavailable);
        }
        self.closed = true;
        for line in &mut self.lines {
            line.close();
        }
    }

    /// A link came up or went down.
    pub fn turned(&mut self, now: Instant, link: LinkId, up: bool) {
        if let Some(line) = self.lines.get_mut(usize::from(link.line)) {
            line.turn(link.link, up);
        }
        if up {
            self.flush(now);
        }
    }

    /// A link was told to slow down: it sends nothing until then.
    pub fn slowed(&mut self, link: LinkId, until: Instant) {
        if let Some(line) = self.lines.get_mut(usize::from(link.line)) {
            line.slow(link.link, until);
        }
    }

    /// What became of a text at a link, which it left at `left` if it did.
    pub fn fared(&mut self, now: Instant, link: LinkId, text: TextRef, left: Instant, fate: Fate) {
        match self.texts.get(&text) {
            Some(it) if it.place == Place::At(link) => {}
            _ => return,
        }
        let Some(it) = self.texts.remove(&text) else {
            return;
        };
        if let Some(line) = self.lines.get_mut(usize::from(link.line)) {
            line.give_back(link.link);
        }
        self.settle(now, link, text, it, left, fate);
        self.flush(now);
    }

    fn settle(
        &mut self,
        now: Instant,
        link: LinkId,
        text: TextRef,
        mut it: Text,
        left: Instant,
        fate: Fate,
    ) {
        let Some(line) = self.lines.get_mut(usize::from(link.line)) else {
            return;
        };
        let (by, account) = (line.name.clone(), line.account);
        let mut forget_way = true;
        match fate {
            Fate::Sent { messages, keys } => {
                let left = Left {
                    text,
                    at: left,
                    // A carrier that splits a text itself gives one receipt for all of it.
                    messages: u8::try_from(keys.len().max(1)).unwrap_or(u8::MAX),
                    unsure: false,
                };
                self.named(account, left, &keys);
                self.report(text, News::Sent { by, messages });
                let early = self.receipts.sent(now, account, left, keys);
                self.learnt(account, text, early);
                return;
            }
            Fate::Unknown { messages, keys } => {
                let left = Left {
                    text,
                    at: left,
                    messages,
                    unsure: true,
                };
                self.named(account, left, &keys);
                self.report(text, News::Unsure { by });
                let early = self.receipts.sent(now, account, left, keys);
                self.learnt(account, text, early);
                return;
            }
            Fate::Partial { error } => {
                let failure = Failure::Rejected;
                self.report(text, News::Failed { failure, error });
                return;
            }
            Fate::Refused {
                failure,
                error,
                elsewhere,
            } => {
                if !elsewhere {
                    let error = Some(error);
                    self.report(text, News::Failed { failure, error });
                    return;
                }
                if failure == Failure::Overloaded {
                    line.slow(link.link, now + BREATH);
                    forget_way = false;
                }
                it.last = Some((failure, Some(error)));
            }
            Fate::NotSent(why) => {
                let failure = match why {
                    NotSent::Down | NotSent::Stopped => {
                        // Until it says that it is up again.
                        line.turn(link.link, false);
                        forget_way = false;
                        Failure::Unavailable
                    }
                    NotSent::Full => {
                        line.slow(link.link, now + BREATH);
                        forget_way = false;
                        Failure::Overloaded
                    }
                    NotSent::TooLate | NotSent::Withdrawn => Failure::TooLate,
                    NotSent::Text(_) => Failure::TooLong,
                    NotSent::Receiver | NotSent::Unsendable(_) => Failure::Rejected,
                };
                it.last = Some((failure, it.last.and_then(|(_, error)| error)));
            }
        }
        // Nothing of it has left: another way may be gone, if it is still wanted.
        let error = it.last.as_ref().and_then(|(_, error)| error.clone());
        if it.withdrawal.is_withdrawn() || now >= it.deadline {
            let failure = Failure::TooLate;
            self.report(text, News::Failed { failure, error });
            return;
        }
        if forget_way {
            it.ways.retain(|way| way.line != link.line);
        }
        if it.ways.is_empty() || it.hops >= MOST_HOPS {
            let failure = it.last.map_or(Failure::Unavailable, |(failure, _)| failure);
            self.report(text, News::Failed { failure, error });
            return;
        }
        self.place(now, text, it);
    }

    /// The answer to a message of a text that was unsure.
    pub fn answered_late(
        &mut self,
        now: Instant,
        link: LinkId,
        text: TextRef,
        answer: Result<Option<Key>, Arc<str>>,
    ) {
        if let Some(account) = self.account(link) {
            if let (Ok(key), Some((at, messages))) = (&answer, self.receipts.unsure(now, text)) {
                let left = Left {
                    text,
                    at,
                    messages,
                    unsure: true,
                };
                self.named(account, left, std::slice::from_ref(key));
            }
            let learnt = self.receipts.late(now, account, text, answer);
            self.learnt(account, text, learnt);
        }
    }

    /// A receipt came by a link. The text that it is of, if that is known.
    pub fn receipt(
        &mut self,
        now: Instant,
        link: LinkId,
        key: Key,
        receipt: &Receipt,
    ) -> Option<TextRef> {
        let account = self.account(link)?;
        let (text, news) = self.receipts.received(now, account, key, receipt)?;
        self.report_all(text, news);
        Some(text)
    }

    fn learnt(&mut self, account: usize, text: TextRef, learnt: impl IntoIterator<Item = Learnt>) {
        for Learnt { early, news } in learnt {
            self.report_all(text, news);
            if let Some((key, says)) = early {
                self.outputs.push_back(Output::Early {
                    text,
                    account,
                    key,
                    says,
                });
            }
        }
    }

    fn named(&mut self, account: usize, left: Left, keys: &[Option<Key>]) {
        let keys: SmallVec<[Key; 1]> = keys.iter().flatten().cloned().collect();
        if !keys.is_empty() {
            self.outputs.push_back(Output::Named {
                text: left.text,
                account,
                keys,
                messages: left.messages,
                left: left.at,
            });
        }
    }

    /// Where receipts of texts by a link come to.
    pub fn account(&self, link: LinkId) -> Option<usize> {
        let line = self.lines.get(usize::from(link.line))?;
        Some(line.account)
    }

    fn any_up(&self, ways: &Ways) -> bool {
        let lines = ways
            .iter()
            .filter_map(|way| self.lines.get(usize::from(way.line)));
        lines.into_iter().any(Line::is_up)
    }

    /// Hands a text to the best of its ways, or lets it wait.
    fn place(&mut self, now: Instant, text: TextRef, mut it: Text) {
        match self.choose(now, &it.ways) {
            Some(by) => self.hand_over(now, text, it, by),
            None if self.closed || self.waiting.len() >= self.config.most_waiting => {
                let failure = if self.any_up(&it.ways) {
                    Failure::Overloaded
                } else {
                    Failure::Unavailable
                };
                self.give_up(text, it, failure);
            }
            None => {
                let ticket = self.waiting.put(queue_key(&it.ways), text, it.until);
                it.place = Place::Waiting(ticket);
                self.texts.insert(text, it);
            }
        }
    }

    fn hand_over(&mut self, now: Instant, text: TextRef, mut it: Text, by: LinkId) {
        it.hops += 1;
        it.place = Place::At(by);
        if let Some(line) = self.lines.get_mut(usize::from(by.line)) {
            line.take(by.link);
        }
        let mut others = it.ways.iter().filter(|way| way.line != by.line);
        let other_quick = others.any(|way| {
            let line = self.lines.get(usize::from(way.line));
            line.is_some_and(|line| line.is_quick(now))
        });
        let order = Box::new(Order {
            text,
            to: it.to.clone(),
            sender: it.sender.clone(),
            body: it.body.clone(),
            deadline: it.deadline,
            patient: !other_quick,
            withdrawal: it.withdrawal.clone(),
        });
        self.texts.insert(text, it);
        self.outputs.push_back(Output::Order { by, order });
    }

    /// Among the ways that can be gone now the cheapest, by weight where there are several.
    fn choose(&mut self, now: Instant, ways: &Ways) -> Option<LinkId> {
        let open = ways.iter().filter_map(|way| {
            let line = self.lines.get(usize::from(way.line))?;
            Some((*way, line.link(now)?))
        });
        let open: SmallVec<[(Way, u16); 4]> = open.collect();
        let cheapest = open.iter().map(|(way, _)| way.cost).min()?;
        let cheap = || open.iter().filter(|(way, _)| way.cost == cheapest);
        let total: u64 = cheap().map(|(way, _)| u64::from(way.weight)).sum();
        let mut drawn = match cheap().count() {
            1 => 0,
            _ => self.random.random_range(0..total.max(1)),
        };
        for (way, link) in cheap() {
            let weight = u64::from(way.weight);
            if drawn < weight {
                return Some(LinkId {
                    line: way.line,
                    link: *link,
                });
            }
            drawn -= weight;
        }
        None
    }

    /// Sends what waits, the longest waiting first, as far as there are ways.
    fn flush(&mut self, now: Instant) {
        let mut stuck: SmallVec<[QueueKey; 4]> = SmallVec::new();
        while let Some((key, text)) = self.waiting.oldest(&stuck) {
            let ways = self.texts.get(&text).map(|it| it.ways.clone());
            let Some(ways) = ways else {
                return;
            };
            match self.choose(now, &ways) {
                Some(by) => {
                    if let Some(it) = self.unqueue(text) {
                        self.hand_over(now, text, it, by);
                    }
                }
                None => stuck.push(key),
            }
        }
    }

    /// Takes a text out; out of its queue, if it waits.
    fn unqueue(&mut self, text: TextRef) -> Option<Text> {
        let it = self.texts.remove(&text)?;
        if let Place::Waiting(ticket) = it.place {
            self.waiting.take(&queue_key(&it.ways), text, ticket);
        }
        Some(it)
    }

    fn fail(&mut self, text: TextRef, failure: Failure) {
        if let Some(it) = self.unqueue(text) {
            self.give_up(text, it, failure);
        }
    }

    fn give_up(&mut self, text: TextRef, it: Text, failure: Failure) {
        let error = it.last.and_then(|(_, error)| error);
        self.report(text, News::Failed { failure, error });
    }

    fn report(&mut self, text: TextRef, news: News) {
        let report = Report::Text { text, news };
        self.outputs.push_back(Output::Report(report));
    }

    fn report_all(&mut self, text: TextRef, news: impl IntoIterator<Item = News>) {
        for news in news {
            self.report(text, news);
        }
    }
}

fn queue_key(ways: &Ways) -> QueueKey {
    let mut key: QueueKey = ways.iter().map(|way| way.line).collect();
    key.sort_unstable();
    key
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
