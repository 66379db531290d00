//! Beginning a challenge: asked for once, admitted, kept, and handed to its gateway.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Done, IdempotencyName, Reply, Task};
use crate::challenge::{
    Challenge, Channel, CodeLength, Details, Entry, Event, OneTimeCode, Purpose, Reason,
};
use crate::dialplan::Route;
use crate::engine::begin::{Accepted, Begin, BeginError};
use crate::engine::open::Open;
use crate::engine::texts::{Again, Texts};
use crate::guard::Admission;
use crate::phone::PhoneNumber;
use crate::store::{Begun, CodeHash, Idempotency, NewChallenge, Replay, StoreError};
use crate::voice::order::{CallOrder, CallRef, Command};
use crate::wording::Letter;

/// Requests with one idempotency key that wait for the first of them.
const SAME_KEY: usize = 16;

/// How a challenge goes out.
enum Way {
    Call(Route),
    Text {
        again: Again,
        /// The first text's words.
        body: Zeroizing<String>,
        code: CodeHash,
    },
}

/// A challenge that everyone who may refuse has let pass.
struct Prepared {
    challenge: Challenge,
    entry: Entry,
    way: Way,
    admission: Admission,
}

/// A challenge on its way to the store.
pub(super) struct Beginning {
    challenge: Challenge,
    began: Instant,
    deadline: Instant,
    number: PhoneNumber,
    way: Way,
    admission: Admission,
    key: Option<IdempotencyName>,
    reply: Reply,
}

impl Task {
    pub(super) fn begin(&mut self, begin: Box<Begin>, reply: Reply) {
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

    pub(super) fn looked_up(
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
            Ok(Prepared {
                challenge,
                entry,
                way,
                admission,
            }) => {
                let began = Instant::now();
                let life = self.life(&begin);
                let code = match &way {
                    Way::Call(_) => None,
                    Way::Text { code, .. } => Some(*code),
                };
                let kept = self.store.begin(NewChallenge {
                    challenge: challenge.clone(),
                    entry,
                    number: begin.to.clone(),
                    idempotency,
                    code,
                });
                let beginning = Box::new(Beginning {
                    challenge,
                    began,
                    deadline: began + life,
                    number: begin.to,
                    way,
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
        let usual = match begin.channel {
            Channel::Voice => self.config.time_to_live,
            Channel::Sms => self.config.text.time_to_live,
        };
        begin
            .time_to_live
            .unwrap_or(usual)
            .min(crate::engine::LONGEST_LIFE)
    }

    /// Asks everyone who may refuse; the guard last, since it counts what it admits.
    fn prepare(&mut self, begin: &Begin) -> Result<Prepared, BeginError> {
        if self.health.borrow().draining {
            return Err(BeginError::Draining);
        }
        // Whole milliseconds, as the store keeps them and as a UUID of version 7 begins with.
        let now = Timestamp::now().as_millisecond();
        let random: [u8; 10] = rand::random();
        let id = uuid::Builder::from_unix_timestamp_millis(now.unsigned_abs(), &random);
        let id = id.into_uuid();
        let (way, locale) = match begin.channel {
            Channel::Voice => self.way_of_call(begin)?,
            Channel::Sms => self.way_of_text(id, begin)?,
        };
        if self.open.len() + self.beginning >= self.config.max_open {
            return Err(BeginError::Full);
        }
        let asked = Instant::now().into_std();
        let until = asked + self.life(begin);
        let admission = self
            .guard
            .admit(begin.tenant.as_str(), &begin.to, asked, until)
            .map_err(BeginError::Limited)?;
        let at = |ms| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX);
        let life = i64::try_from(self.life(begin).as_millis()).unwrap_or(i64::MAX);
        let (challenge, entry) = Challenge::begin(Details {
            id,
            tenant: begin.tenant.clone(),
            subject: begin.subject.clone(),
            purpose: begin.purpose,
            channel: begin.channel,
            to: Some(begin.to.masked().into()),
            locale,
            created: at(now),
            expires: at(now.saturating_add(life)),
            attempts: self.config.text.attempts,
        });
        Ok(Prepared {
            challenge,
            entry,
            way,
            admission,
        })
    }

    fn way_of_call(&self, begin: &Begin) -> Result<(Way, Arc<str>), BeginError> {
        if !self.health.borrow().gateway || self.commands.is_closed() {
            return Err(BeginError::NoGateway);
        }
        if begin.purpose != Purpose::SignIn {
            // The recordings ask to finish signing in.
            return Err(BeginError::Unspoken);
        }
        let route = self
            .dialplan
            .route(&begin.to)
            .map_err(BeginError::Refused)?;
        let wanted = begin.locale.as_ref().unwrap_or(&route.locale);
        let locale = self
            .locale(wanted)
            .ok_or_else(|| BeginError::Locale(self.config.locales.clone()))?;
        Ok((Way::Call(route), locale))
    }

    /// Draws the code and writes the text, so that a text that cannot be is refused before anything
    /// is kept or counted.
    fn way_of_text(&self, id: Uuid, begin: &Begin) -> Result<(Way, Arc<str>), BeginError> {
        let Some(texting) = &self.texting else {
            return Err(BeginError::NoTexting);
        };
        if !texting.is_up() {
            return Err(BeginError::TextingStopped);
        }
        let route = (texting.route)(&begin.to).map_err(BeginError::Refused)?;
        let text = &self.config.text;
        let wanted = begin.locale.as_ref().unwrap_or(&route.locale);
        let locale = text
            .wording
            .locale(&begin.tenant, begin.purpose, wanted)
            .map_err(BeginError::Wording)?;
        let wishes = &begin.text;
        let code = draw(wishes.code_length.unwrap_or(text.code_length))?;
        let hash = self.store.hash_code(id, &code);
        let letter = Letter {
            tenant: begin.tenant.clone(),
            purpose: begin.purpose,
            locale: Arc::clone(&locale),
            brand: wishes.brand.clone(),
            mark: wishes.mark.clone(),
            code,
        };
        let body = text
            .wording
            .compose(&letter, self.life(begin))
            .map_err(BeginError::Wording)?;
        let way = Way::Text {
            again: Again { letter, route },
            body,
            code: hash,
        };
        Ok((way, locale))
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

    pub(super) fn begun(&mut self, beginning: Beginning, kept: Result<Begun, StoreError>) {
        self.beginning = self.beginning.saturating_sub(1);
        self.note_store(kept.is_ok());
        let Beginning {
            challenge,
            began,
            deadline,
            number,
            way,
            admission,
            key,
            reply,
        } = beginning;
        let answer = match kept {
            Ok(Begun::New) => {
                self.go(&challenge, (began, deadline), number, way, admission);
                Ok(Accepted {
                    challenge,
                    replayed: false,
                })
            }
            Ok(Begun::Replay(replay)) => {
                self.guard.withdraw(admission);
                answer_replay(replay)
            }
            Ok(Begun::Blocked) => {
                self.guard.withdraw(admission);
                Err(BeginError::Blocked)
            }
            Err(error) => {
                self.guard.withdraw(admission);
                Err(error.into())
            }
        };
        let _ = reply.send(answer);
        self.release_key(key);
    }

    /// Takes a challenge that is durable among the open ones, and has it called or texted.
    fn go(
        &mut self,
        challenge: &Challenge,
        (began, deadline): (Instant, Instant),
        number: PhoneNumber,
        way: Way,
        admission: Admission,
    ) {
        let details = challenge.details();
        let id = details.id;
        let trunk = match &way {
            Way::Call(route) => Some(&*route.trunk),
            Way::Text { .. } => None,
        };
        tracing::info!(
            challenge = %id,
            tenant = %details.tenant,
            to = details.to.as_deref(),
            channel = details.channel.name(),
            trunk,
            "challenge begun"
        );
        let texts = match &way {
            Way::Call(_) => None,
            Way::Text { again, code, .. } => {
                Some(Texts::new(*code, number.clone(), Some(again.clone())))
            }
        };
        let began = (began, details.created);
        let open = Open::new(challenge.clone(), began, deadline, Some(admission), texts);
        self.open.insert(id, open);
        self.deadlines.insert((deadline, id));
        self.metrics.open.set(self.open.len() as i64);
        if self.health.borrow().draining {
            self.apply(id, Event::Interrupt);
            return;
        }
        match way {
            Way::Call(route) => self.place(id, challenge, deadline, number, route),
            Way::Text { again, body, .. } => self.dispatch(id, again.route, body),
        }
    }

    fn place(
        &mut self,
        id: Uuid,
        challenge: &Challenge,
        deadline: Instant,
        to: PhoneNumber,
        route: Route,
    ) {
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
}

/// A code of evenly drawn digits.
fn draw(length: CodeLength) -> Result<OneTimeCode, BeginError> {
    let mut random = Zeroizing::new([0; 32]);
    // Too few of 32 octets can be used less often than once in 10^20 times.
    for _ in 0..8 {
        SysRng
            .try_fill_bytes(random.as_mut_slice())
            .map_err(|_| BeginError::NoRandomness)?;
        if let Some(code) = OneTimeCode::draw(length, random.as_slice()) {
            return Ok(code);
        }
    }
    Err(BeginError::NoRandomness)
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
