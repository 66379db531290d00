//! Texts: handed over, reported on, checked, sent again; and what people write back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Done, Task};
use crate::challenge::Tenant;
use crate::challenge::{
    CarrierWord, Event, OneTimeCode, Reason, Stage, TextNews, TextState, Unsent,
};
use crate::dialplan::TextRoute;
use crate::engine::TextRouter;
use crate::engine::handle::{Checked, ResendError, Resending};
use crate::engine::open::Open;
use crate::engine::texts::Again;
use crate::guard::Wish;
use crate::phone::PhoneNumber;
use crate::sms::dispatch::{
    Command, Dispatch, Failure, Inbound, Named, News, PostedReceipt, ReceiptCame, Report, Says,
};
use crate::sms::order::{Acknowledgement, TextRef};
use crate::store::{AwaitedReceipts, CarrierReceipt, Joined, Message, ReceiptWord, StoreError};

/// After how long a receipt is taken in again whose challenge is just being ended.
const SHORTLY: Duration = Duration::from_millis(200);
/// Messages from people that may be on their way to the store; more are to be delivered again.
const INBOUND: usize = 64;
/// Receipts on their way to the store; those who bring more are asked to bring them again.
const RECEIPTS: usize = 1_024;
/// How long after a failure the store is told again whose receipts it is to await.
const JOINED_AGAIN: Duration = Duration::from_secs(1);

/// The way to the texting gateway.
pub(super) struct Texting {
    pub commands: mpsc::Sender<Command>,
    pub route: TextRouter,
    /// Whether the gateway still reports.
    pub up: bool,
    /// Texts to be withdrawn that the gateway had no room for; no more than were handed over.
    pub unsent: VecDeque<TextRef>,
    /// Messages from people on their way to the store.
    pub inbound: usize,
    /// Receipts on their way to the store.
    pub receipts: usize,
    /// Texts whose receipts the store could not yet be told to await.
    pub unjoined: usize,
}

impl Texting {
    /// Whether it takes texts.
    pub fn is_up(&self) -> bool {
        self.up && !self.commands.is_closed()
    }
}

/// A receipt on its way to the store.
pub(super) struct Received {
    receipt: CarrierReceipt,
    /// The text that it is of, if this process has told what it means already.
    text: Option<TextRef>,
    acknowledgement: Acknowledgement,
}

type ResendReply = oneshot::Sender<Result<Resending, ResendError>>;

/// A resend that waits for the store's word on the number.
pub(super) struct Asked {
    pub id: Uuid,
    pub reply: ResendReply,
}

impl Task {
    /// Hands a text over. What the gateway has no room for was not sent.
    pub(super) fn dispatch(&mut self, id: Uuid, route: TextRoute, body: Zeroizing<String>) {
        let Some(open) = self.open.get_mut(&id) else {
            return;
        };
        let Some(sending) = open.text().map(|text| text.sending) else {
            return;
        };
        let deadline = open.deadline;
        let Some(texts) = &mut open.texts else {
            return;
        };
        let text = TextRef(Uuid::from_bytes(rand::random()));
        texts.handed(text, Instant::now());
        self.text_of.insert(text, (id, sending));
        let dispatch = Dispatch {
            text,
            to: texts.to.clone(),
            route,
            body,
            deadline: deadline.into_std(),
        };
        let sent = match &self.texting {
            Some(texting) => texting.commands.try_send(Command::Send(Box::new(dispatch))),
            None => return,
        };
        let why = match sent {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => Unsent::Overloaded,
            Err(TrySendError::Closed(_)) => Unsent::Unavailable,
        };
        let news = TextNews::Failed { why, error: None };
        self.metrics.text(news);
        self.apply(id, Event::Text { sending, news });
    }

    /// Takes back a text that has not left.
    pub(super) fn withdraw(&mut self, text: TextRef) {
        let Some(texting) = &mut self.texting else {
            return;
        };
        if !texting.unsent.is_empty() {
            texting.unsent.push_back(text);
            return;
        }
        let sent = texting.commands.try_send(Command::Withdraw(text));
        if let Err(TrySendError::Full(_)) = sent {
            texting.unsent.push_back(text);
        }
    }

    pub(super) fn text_report(&mut self, report: Report) {
        match report {
            Report::Text { text, news } => self.text_news(text, news),
            Report::Named(named) => self.await_receipts(*named),
            Report::Receipt(came) => self.receipt_came(*came),
            Report::Inbound(message) => self.inbound(*message),
        }
    }

    fn text_news(&mut self, text: TextRef, news: News) {
        let Some(&(id, sending)) = self.text_of.get(&text) else {
            self.metrics.late_reports.inc();
            return;
        };
        if !self.open.contains_key(&id) {
            // Its challenge ended while it was in the gateway's hands, which end here.
            if matches!(
                news,
                News::Sent { .. } | News::Unsure { .. } | News::Failed { .. }
            ) {
                self.text_of.remove(&text);
            }
            self.metrics.late_reports.inc();
            return;
        }
        let by = match &news {
            News::Sent { by, .. } | News::Unsure { by } => Some(&**by),
            _ => None,
        };
        tracing::debug!(challenge = %id, sending, by, "news of a text");
        self.heard_of_text(id, sending, in_brief(&news));
    }

    fn heard_of_text(&mut self, id: Uuid, sending: u8, news: TextNews) {
        self.metrics.text(news);
        // Whatever it reports, it may report it too late.
        self.end(id, Event::Text { sending, news });
        let stage = self.open.get(&id).and_then(|open| open.stage());
        if self.config.text.end_undeliverable && stage == Some(Stage::Undeliverable) {
            self.end(id, Event::Ended(Reason::Undeliverable));
        }
    }

    /// Keeps what joins receipts to their text, should another process get them.
    fn await_receipts(&mut self, named: Named) {
        let Some(&(challenge, sending)) = self.text_of.get(&named.text) else {
            return;
        };
        let now = Timestamp::now();
        let before = |ago: Duration| now.checked_sub(ago).unwrap_or(now);
        let after = |wait: Duration| now.checked_add(wait).unwrap_or(now);
        self.join_receipts(Box::new(AwaitedReceipts {
            challenge,
            sending,
            account: named.account,
            names: named
                .keys
                .iter()
                .map(|key| key.as_str().into_owned())
                .collect(),
            messages: named.messages,
            left: before(named.left),
            until: after(self.config.text.await_receipts),
        }));
    }

    fn join_receipts(&mut self, awaited: Box<AwaitedReceipts>) {
        let kept = self.store.await_receipts(AwaitedReceipts::clone(&awaited));
        self.doing.push(Box::pin(async move {
            let kept = kept.await;
            Done::AwaitingReceipts { awaited, kept }
        }));
    }

    /// The store has, or has not, kept what joins receipts to a text.
    pub(super) fn awaiting_receipts(
        &mut self,
        awaited: Box<AwaitedReceipts>,
        kept: Result<(), StoreError>,
    ) {
        self.note_store(kept.is_ok());
        let (Err(error), Some(texting)) = (kept, &mut self.texting) else {
            return;
        };
        if Timestamp::now() < awaited.until {
            // Said once for all that wait.
            if texting.unjoined == 0 {
                tracing::error!(%error, "what joins receipts to texts could not be kept; trying again");
            }
            texting.unjoined += 1;
            self.later(JOINED_AGAIN, Done::JoinAgain(awaited));
        }
    }

    pub(super) fn join_again(&mut self, awaited: Box<AwaitedReceipts>) {
        if let Some(texting) = &mut self.texting {
            texting.unjoined = texting.unjoined.saturating_sub(1);
        }
        self.join_receipts(awaited);
    }

    /// Hands a receipt to the gateway, which knows whose it is; dropped, it is posted again.
    pub(super) fn posted_receipt(&mut self, posted: Box<PostedReceipt>) {
        let Some(texting) = &self.texting else {
            return;
        };
        let handed = texting.commands.try_send(Command::Receipt(posted));
        if handed.is_err() {
            tracing::warn!("a provider posts receipts faster than they are taken; posted again");
        }
    }

    fn receipt_came(&mut self, came: ReceiptCame) {
        let Some(texting) = &mut self.texting else {
            return;
        };
        if texting.receipts >= RECEIPTS {
            tracing::warn!("receipts come faster than they are kept; delivered again");
            came.acknowledgement.later();
            return;
        }
        texting.receipts += 1;
        let receipt = CarrierReceipt {
            account: came.account,
            name: came.key.as_str().into_owned(),
            word: match came.says {
                Says::Accepted => ReceiptWord::Accepted,
                Says::Unknown => ReceiptWord::Unknown,
                Says::Delivered => ReceiptWord::Delivered,
                Says::Undeliverable(error) => ReceiptWord::Undeliverable(CarrierWord::new(&error)),
            },
        };
        self.take_receipt(Box::new(Received {
            receipt,
            text: came.text,
            acknowledgement: came.acknowledgement,
        }));
    }

    pub(super) fn take_receipt(&mut self, received: Box<Received>) {
        let joined = self
            .store
            .take_receipt(received.receipt.clone(), Timestamp::now());
        self.doing.push(Box::pin(async move {
            let joined = joined.await;
            Done::TookReceipt { received, joined }
        }));
    }

    /// The store knows, or does not know, whose receipt it is.
    pub(super) fn took_receipt(
        &mut self,
        received: Box<Received>,
        joined: Result<Option<Joined>, StoreError>,
    ) {
        self.note_store(joined.is_ok());
        if let Ok(Some(joined)) = &joined
            && self
                .open
                .get(&joined.challenge)
                .is_some_and(Open::is_decided)
        {
            // The store may have found it open still, and left it alone.
            self.later(SHORTLY, Done::ReceiptAgain(received));
            return;
        }
        if let Some(texting) = &mut self.texting {
            texting.receipts = texting.receipts.saturating_sub(1);
        }
        let joined = match joined {
            Ok(Some(joined)) => joined,
            Ok(None) => return self.not_joined(*received),
            Err(error) => {
                tracing::error!(%error, "a receipt could not be kept; delivered again");
                received.acknowledgement.later();
                return;
            }
        };
        let id = joined.challenge;
        // Of an open challenge, and an earlier process has sent it.
        if let (true, None, Some(news)) = (self.open.contains_key(&id), received.text, joined.news)
        {
            self.heard_of_text(id, joined.sending, news);
        }
        match self.open.get_mut(&id) {
            Some(open) => open.acknowledge_when_written(received.acknowledgement),
            None => received.acknowledgement.taken(),
        }
    }

    /// The store does not know whose receipt it is.
    fn not_joined(&mut self, received: Received) {
        let Some(text) = received.text else {
            self.metrics.late_reports.inc();
            received.acknowledgement.taken();
            return;
        };
        let challenge = self.text_of.get(&text).map(|(challenge, _)| *challenge);
        let open = challenge.and_then(|challenge| self.open.get_mut(&challenge));
        let is_joined = self.texting.as_ref().is_none_or(|t| t.unjoined == 0);
        match open {
            // What it says was told, and may not be durable yet.
            Some(open) => open.acknowledge_when_written(received.acknowledgement),
            None if is_joined => received.acknowledgement.taken(),
            None => received.acknowledgement.later(),
        }
    }

    /// The gateway is gone: what has not left will not.
    pub(super) fn lose_texting(&mut self) {
        self.note_gone("texting");
        if let Some(texting) = &mut self.texting {
            texting.up = false;
        }
        self.health
            .send_modify(|health| health.texting = Some(false));
        let waiting = self.open.iter().filter(|(_, open)| open.unsent().is_some());
        let waiting: Vec<(Uuid, u8)> = waiting
            .filter_map(|(id, open)| Some((*id, open.text()?.sending)))
            .collect();
        for (id, sending) in waiting {
            let news = TextNews::Failed {
                why: Unsent::Unavailable,
                error: None,
            };
            self.apply(id, Event::Text { sending, news });
        }
    }

    // Codes.

    /// Judges a code. The attempt is decided here and now, in the order in which codes come; it is
    /// answered when the line that says so is durable.
    pub(super) fn check(
        &mut self,
        tenant: &Tenant,
        id: Uuid,
        code: &OneTimeCode,
        reply: oneshot::Sender<Checked>,
    ) {
        let hash = self.store.hash_code(id, code);
        let Some(open) = self.owned(tenant, id) else {
            let _ = reply.send(Checked::NotOpen);
            return;
        };
        if !open.is_text() {
            let _ = reply.send(Checked::NotText);
            return;
        }
        let was_decided = open.is_decided();
        let judgement = open.judge(&hash, (Instant::now(), Timestamp::now()));
        let seq = open.decided_seq();
        let decided = open.is_decided() && !was_decided;
        let deadline = open.deadline;
        // As many as ask may wait: each asks once, and connections are limited.
        let Some(states) = open.watch(usize::MAX) else {
            return;
        };
        if decided {
            self.deadlines.remove(&(deadline, id));
            self.call_off(id);
        }
        self.unsaved(id);
        let _ = reply.send(Checked::Judged {
            states,
            seq,
            judgement,
        });
    }

    // Sending again.

    pub(super) fn resend(&mut self, tenant: &Tenant, id: Uuid, reply: ResendReply) {
        let ending = self.owned(tenant, id).filter(|open| open.is_decided());
        if let Some(states) = ending.and_then(|open| open.watch(usize::MAX)) {
            let _ = reply.send(Ok(Resending { states, seq: None }));
            return;
        }
        match self.may_resend(tenant, id) {
            Err(error) => {
                let _ = reply.send(Err(error));
            }
            Ok(to) => {
                let blocked = self.store.is_blocked(to);
                let asked = Box::new(Asked { id, reply });
                self.doing.push(Box::pin(async move {
                    let blocked = blocked.await;
                    Done::AskedToResend { asked, blocked }
                }));
            }
        }
    }

    fn may_resend(&mut self, tenant: &Tenant, id: Uuid) -> Result<PhoneNumber, ResendError> {
        let policy = &self.config.text;
        let (resends, between) = (policy.resends, policy.resend_after);
        let draining = self.health.borrow().draining;
        let texting_up = self.texting.as_ref().is_some_and(Texting::is_up);
        let open = self.owned(tenant, id).ok_or(ResendError::Unknown)?;
        if !open.is_text() {
            return Err(ResendError::NotText);
        }
        if draining {
            return Err(ResendError::Draining);
        }
        if !texting_up {
            return Err(ResendError::TextingStopped);
        }
        let Some(text) = open.text() else {
            return Err(ResendError::NotText);
        };
        let Some(texts) = &mut open.texts else {
            return Err(ResendError::NotText);
        };
        if texts.again.is_none() {
            return Err(ResendError::CodeNotHeld);
        }
        if text.sending > resends {
            return Err(ResendError::NoMore);
        }
        let wait = texts.wait(between, Instant::now());
        if !wait.is_zero() {
            return Err(ResendError::TooSoon(wait));
        }
        if text.state == TextState::Queued {
            return Err(ResendError::NotSentYet);
        }
        if std::mem::replace(&mut texts.asking, true) {
            return Err(ResendError::TooSoon(between));
        }
        Ok(texts.to.clone())
    }

    pub(super) fn asked_to_resend(&mut self, asked: Asked, blocked: Result<bool, StoreError>) {
        let Asked { id, reply } = asked;
        if let Some(texts) = self.open.get_mut(&id).and_then(|open| open.texts.as_mut()) {
            texts.asking = false;
        }
        let resent = match blocked {
            Ok(false) => self.send_again(id),
            Ok(true) => Err(ResendError::Blocked),
            Err(error) => Err(ResendError::Engine(error.into())),
        };
        let _ = reply.send(resent);
    }

    fn send_again(&mut self, id: Uuid) -> Result<Resending, ResendError> {
        let now = Instant::now();
        // It may have ended while the store was asked, and be gone, or going.
        let open = self.open.get_mut(&id).ok_or(ResendError::Unknown)?;
        let left = open.deadline.saturating_duration_since(now);
        if open.is_decided() || left.is_zero() {
            let states = open.watch(usize::MAX).ok_or(ResendError::Unknown)?;
            return Ok(Resending { states, seq: None });
        }
        let texts = open.texts.as_ref().ok_or(ResendError::NotText)?;
        let to = texts.to.clone();
        let Again { letter, route } = texts.again.clone().ok_or(ResendError::CodeNotHeld)?;
        let wording = Arc::clone(&self.config.text.wording);
        let body = wording
            .compose(&letter, left)
            .map_err(ResendError::Wording)?;
        self.guard
            .admit_again(letter.tenant.as_str(), &to, now.into_std())
            .map_err(ResendError::Limited)?;
        let ended = self.apply(id, Event::Resend);
        if !ended {
            self.dispatch(id, route, body);
            self.metrics.resends.inc();
        }
        let open = self.open.get_mut(&id).ok_or(ResendError::Unknown)?;
        let seq = (!ended).then(|| open.decided_seq());
        let states = open.watch(usize::MAX).ok_or(ResendError::Unknown)?;
        Ok(Resending { states, seq })
    }

    // What people write.

    fn inbound(&mut self, message: Inbound) {
        let Inbound {
            by,
            from,
            to,
            words,
            acknowledgement,
        } = message;
        let wish = Wish::of(&words);
        self.metrics.inbound(wish);
        let Some(texting) = &mut self.texting else {
            return;
        };
        if texting.inbound >= INBOUND {
            match acknowledgement {
                Some(acknowledgement) => {
                    tracing::warn!(%by, "people write faster than it is kept; a message is delivered again");
                    acknowledgement.later();
                }
                None => {
                    tracing::error!(%by, "people write faster than it is kept; a message is lost");
                }
            }
            return;
        }
        texting.inbound += 1;
        let now = Timestamp::now();
        // In the order of their coming within a millisecond too.
        let id = Uuid::now_v7();
        tracing::info!(
            %id,
            %by,
            from = from.as_ref().map(|from| from.masked()),
            wish = ?wish,
            "a person wrote"
        );
        let stopped = from.clone().filter(|_| wish == Some(Wish::Stop));
        let kept = self.store.keep_message(Message {
            id,
            at: now,
            from,
            to,
            by,
            words,
            wish,
        });
        self.doing.push(Box::pin(async move {
            let kept = kept.await;
            Done::KeptMessage {
                acknowledgement,
                stopped,
                kept,
            }
        }));
    }

    /// Takes back what a person was to be sent and has not left.
    fn take_back(&mut self, number: &PhoneNumber) {
        let twin = number.twin();
        let theirs = |open: &&Open| {
            let to = open.texts.as_ref().map(|texts| &texts.to);
            to.is_some_and(|to| to == number || Some(to) == twin.as_ref())
        };
        let unsent = self.open.values().filter(theirs).filter_map(Open::unsent);
        for text in unsent.collect::<Vec<_>>() {
            self.withdraw(text);
        }
    }

    pub(super) fn kept_message(
        &mut self,
        acknowledgement: Option<Acknowledgement>,
        stopped: Option<PhoneNumber>,
        kept: Result<(), StoreError>,
    ) {
        // Now that no other can begin; and whether it could be kept or not.
        if let Some(number) = stopped {
            self.take_back(&number);
        }
        if let Some(texting) = &mut self.texting {
            texting.inbound = texting.inbound.saturating_sub(1);
        }
        self.note_store(kept.is_ok());
        match (acknowledgement, kept) {
            (Some(acknowledgement), Ok(())) => acknowledgement.taken(),
            (Some(acknowledgement), Err(error)) => {
                tracing::error!(%error, "a message from a person could not be kept; delivered again");
                acknowledgement.later();
            }
            (None, Ok(())) => {}
            (None, Err(error)) => {
                tracing::error!(%error, "a message from a person could not be kept and is lost");
            }
        }
    }
}

/// The news as the challenge takes it.
fn in_brief(news: &News) -> TextNews {
    let ms = |after: &std::time::Duration| u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    match news {
        News::Sent { messages, .. } => TextNews::Sent {
            messages: *messages,
        },
        News::Unsure { .. } => TextNews::Unsure,
        News::Accepted { after } => TextNews::Accepted { took_ms: ms(after) },
        News::Unknown { after } => TextNews::Unknown { took_ms: ms(after) },
        News::Delivered { after } => TextNews::Delivered { took_ms: ms(after) },
        News::Undeliverable { error, after } => TextNews::Undeliverable {
            took_ms: ms(after),
            error: CarrierWord::new(error),
        },
        News::Failed { failure, error } => TextNews::Failed {
            why: match failure {
                Failure::Unavailable | Failure::TooLate => Unsent::Unavailable,
                Failure::Overloaded => Unsent::Overloaded,
                Failure::Rejected => Unsent::Rejected,
                Failure::NoSuchNumber => Unsent::NoSuchNumber,
                Failure::TooLong => Unsent::TooLong,
            },
            error: error.as_deref().and_then(CarrierWord::new),
        },
    }
}
