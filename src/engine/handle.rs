//! The handle: what callers ask of the engine.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::begin::{Accepted, Begin, BeginError};
use super::follow::Follow;
use super::metrics::Metrics;
use super::open::Judgement;
use crate::challenge::{Challenge, Channel, OneTimeCode, Reason, State, Tenant};
use crate::guard;
use crate::smpp::receipt::Receipt;
use crate::sms::dispatch::PostedReceipt;
use crate::sms::order::Acknowledgement;
use crate::store::{Store, StoreError};
use crate::wording::WordingError;

/// A hand on a running engine; cheap to clone. The engine stops when the last is dropped.
#[derive(Clone)]
pub struct EngineHandle {
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) store: Arc<dyn Store>,
    pub(super) health: watch::Receiver<Health>,
    pub(super) waiting: Arc<Semaphore>,
    pub(super) metrics: Metrics,
}

impl std::fmt::Debug for EngineHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineHandle").finish_non_exhaustive()
    }
}

/// How the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// The store can be written.
    pub store: bool,
    /// The gateway takes orders.
    pub gateway: bool,
    /// The texting gateway takes texts; `None` if there is none.
    pub texting: Option<bool>,
    /// The engine is being shut down and takes no new challenges.
    pub draining: bool,
}

impl Health {
    /// Whether new challenges are taken.
    pub fn ready(self) -> bool {
        self.store && self.gateway && self.texting != Some(false) && !self.draining
    }
}

/// Why the engine could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The store could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine has stopped.
    #[error("the engine has stopped")]
    Stopped,
}

/// Why a wait could not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// Too many wait already, for this challenge or in all.
    #[error("too many requests are waiting for outcomes")]
    TooMany,
    /// The engine could not answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Why a challenge could not be cancelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CancelError {
    /// There is none of that id, or it is another tenant's.
    #[error("there is no such challenge")]
    Unknown,
    /// It had already ended otherwise, as this.
    #[error("the challenge has already ended")]
    Ended(Box<Challenge>),
    /// The engine could not answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Why a code did not approve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// There is no challenge of that id, or it is another tenant's.
    #[error("there is no such challenge")]
    Unknown,
    /// The challenge is by call: it has no code.
    #[error("the challenge has no code")]
    NotText,
    /// It is not the code; the attempt is counted and durable.
    #[error("the code is not right")]
    Wrong {
        /// How many more may be wrong, this one being counted; at least 1.
        left: u8,
    },
    /// The challenge has ended, as this. If it was denied for too many attempts, this may have been
    /// the last of them.
    #[error("the challenge has ended")]
    Ended(Box<Challenge>),
    /// The engine could not answer. The attempt may be counted.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Why a text is not sent again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ResendError {
    /// There is no open challenge of that id, or it is another tenant's.
    #[error("there is no such challenge")]
    Unknown,
    /// The challenge is by call.
    #[error("the challenge has no text")]
    NotText,
    /// The challenge has ended, as this.
    #[error("the challenge has ended")]
    Ended(Box<Challenge>),
    /// The last text was sent a moment ago.
    #[error("the last text was sent a moment ago")]
    TooSoon(Duration),
    /// The last text has not left yet.
    #[error("the last text has not left yet")]
    NotSentYet,
    /// As many were sent as may be.
    #[error("as many texts were sent as may be")]
    NoMore,
    /// The service was restarted, and no code is kept in the clear.
    #[error("the code is not known any more")]
    CodeNotHeld,
    /// The number is sent no texts.
    #[error("the number is sent no texts")]
    Blocked,
    /// A limit says not now.
    #[error("a limit was reached: {0}")]
    Limited(guard::Refusal),
    /// The text cannot be written.
    #[error(transparent)]
    Wording(WordingError),
    /// The texting gateway has stopped.
    #[error("the texting gateway has stopped")]
    TextingStopped,
    /// The engine is being shut down.
    #[error("the engine is being shut down")]
    Draining,
    /// The engine could not answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What the engine's task is asked.
pub(super) enum Request {
    /// Begin a challenge.
    Begin {
        begin: Box<Begin>,
        reply: oneshot::Sender<Result<Accepted, BeginError>>,
    },
    /// Where an open challenge stands.
    Look {
        tenant: Tenant,
        id: Uuid,
        reply: oneshot::Sender<Option<Challenge>>,
    },
    /// Where an open challenge stands, and where it goes from there.
    Watch {
        tenant: Tenant,
        id: Uuid,
        reply: oneshot::Sender<Watched>,
    },
    /// Cancel an open challenge.
    Cancel {
        tenant: Tenant,
        id: Uuid,
        reply: oneshot::Sender<Option<watch::Receiver<Challenge>>>,
    },
    /// Judge a code.
    Check {
        tenant: Tenant,
        id: Uuid,
        code: OneTimeCode,
        reply: oneshot::Sender<Checked>,
    },
    /// Send the text of an open challenge again.
    Resend {
        tenant: Tenant,
        id: Uuid,
        reply: oneshot::Sender<Result<Resending, ResendError>>,
    },
    /// Pass on a receipt that a provider of texts has posted.
    Receipt(Box<PostedReceipt>),
    /// Stop: take nothing new, end what is still open at the deadline.
    Shutdown {
        deadline: Instant,
        reply: oneshot::Sender<()>,
    },
}

/// What became of a wish to watch.
pub(super) enum Watched {
    /// Its present and coming states.
    Open(watch::Receiver<Challenge>),
    /// It is not open: the store knows if there is such a challenge.
    NotOpen,
    /// Too many watch it already.
    TooMany,
}

/// What became of a code.
pub(super) enum Checked {
    /// The challenge is not open: the store knows if there is such a challenge.
    NotOpen,
    /// It is by call.
    NotText,
    /// It was judged; to be told when line `seq` is durable.
    Judged {
        states: watch::Receiver<Challenge>,
        seq: u32,
        judgement: Judgement,
    },
}

/// What became of a wish for a text to be sent again.
pub(super) struct Resending {
    pub states: watch::Receiver<Challenge>,
    /// The line that says so, to be durable before it is told; `None` if the challenge is ending.
    pub seq: Option<u32>,
}

impl EngineHandle {
    /// Begins a challenge. It is durable when this answers, and it is begun even if the one who
    /// asked does not wait for the answer.
    ///
    /// # Errors
    /// If it is refused, limited, or cannot be kept; nothing is dialled then.
    pub async fn begin(&self, begin: Begin) -> Result<Accepted, BeginError> {
        let begin = Box::new(begin);
        let answer = self.ask(|reply| Request::Begin { begin, reply }).await;
        let answer = answer.map_err(BeginError::from).and_then(|answer| answer);
        self.metrics.asked(answer.as_ref().err());
        answer
    }

    /// A tenant's challenge as it stands; `None` if there is none of that id or it is another's.
    ///
    /// # Errors
    /// If engine or store cannot answer.
    pub async fn find(&self, tenant: &Tenant, id: Uuid) -> Result<Option<Challenge>, EngineError> {
        let tenant = tenant.clone();
        let look = |reply| Request::Look {
            tenant: tenant.clone(),
            id,
            reply,
        };
        match self.ask(look).await? {
            Some(open) => Ok(Some(open)),
            // What the engine let go of had been made durable before.
            None => Ok(self.store.find(tenant, id).await?),
        }
    }

    /// A tenant's challenge once it has ended, or as it stands when the patience runs out.
    ///
    /// # Errors
    /// If too many wait already, or engine or store cannot answer.
    pub async fn wait(
        &self,
        tenant: &Tenant,
        id: Uuid,
        patience: Duration,
    ) -> Result<Option<Challenge>, WaitError> {
        let deadline = Instant::now() + patience;
        let Some((mut states, _place)) = self.watch(tenant, id).await? else {
            return Ok(self.in_store(tenant, id).await?);
        };
        loop {
            let now = states.borrow_and_update().clone();
            if matches!(now.state(), State::Ended(_)) {
                return Ok(Some(now));
            }
            match timeout_at(deadline, states.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Ok(self.in_store(tenant, id).await?),
                Err(_) => return Ok(Some(now)),
            }
        }
    }

    /// The log of a tenant's challenge after a line, and what is added to it until it ends.
    ///
    /// # Errors
    /// If too many wait already, or engine or store cannot answer.
    pub async fn follow(
        &self,
        tenant: &Tenant,
        id: Uuid,
        after: u32,
    ) -> Result<Option<Follow>, WaitError> {
        let store = Arc::clone(&self.store);
        if let Some((states, place)) = self.watch(tenant, id).await? {
            return Ok(Some(Follow::open(store, id, after, states, place)));
        }
        let ended = self.in_store(tenant, id).await?;
        Ok(ended.map(|_| Follow::ended(store, id, after)))
    }

    /// Cancels a tenant's challenge. To cancel one that was cancelled is no error. What the
    /// engine's task hears first decides: a key pressed before, or a cancel.
    ///
    /// # Errors
    /// If it is unknown, has ended otherwise, or engine or store cannot answer.
    pub async fn cancel(&self, tenant: &Tenant, id: Uuid) -> Result<Challenge, CancelError> {
        let owner = tenant.clone();
        let cancel = |reply| Request::Cancel {
            tenant: owner,
            id,
            reply,
        };
        let mut ended = None;
        if let Some(mut states) = self.ask(cancel).await? {
            let is_end = |c: &Challenge| matches!(c.state(), State::Ended(_));
            if let Ok(end) = states.wait_for(is_end).await {
                ended = Some(end.clone());
            }
        }
        let ended = match ended {
            Some(ended) => Some(ended),
            None => self.in_store(tenant, id).await?,
        };
        match ended {
            None => Err(CancelError::Unknown),
            Some(ended)
                if ended.state() == State::Ended(crate::challenge::Reason::CancelledByCaller) =>
            {
                Ok(ended)
            }
            // The engine stopped before the end was durable.
            Some(open) if matches!(open.state(), State::Open(_)) => {
                Err(EngineError::Stopped.into())
            }
            Some(ended) => Err(CancelError::Ended(Box::new(ended))),
        }
    }

    /// Checks the code of a tenant's challenge. Codes are judged in the order in which they come, one
    /// after another; what is answered is durable.
    ///
    /// # Errors
    /// [`CheckError`] says why the code did not approve; only an `Ok` is an approval, and there is
    /// one at most.
    pub async fn check(
        &self,
        tenant: &Tenant,
        id: Uuid,
        code: OneTimeCode,
    ) -> Result<Challenge, CheckError> {
        let answer = self.judged(tenant, id, code).await;
        self.metrics.checked(answer.as_ref().err());
        answer
    }

    async fn judged(
        &self,
        tenant: &Tenant,
        id: Uuid,
        code: OneTimeCode,
    ) -> Result<Challenge, CheckError> {
        let owner = tenant.clone();
        let check = |reply| Request::Check {
            tenant: owner,
            id,
            code,
            reply,
        };
        let (states, seq, judgement) = match self.ask(check).await? {
            Checked::NotText => return Err(CheckError::NotText),
            Checked::NotOpen => {
                let ended = self.in_store(tenant, id).await?;
                let ended = ended.ok_or(CheckError::Unknown)?;
                return Err(match (ended.details().channel, ended.state()) {
                    (Channel::Voice, _) => CheckError::NotText,
                    (Channel::Sms, State::Ended(_)) => CheckError::Ended(Box::new(ended)),
                    // The engine let go of it because it is stopping.
                    (Channel::Sms, State::Open(_)) => EngineError::Stopped.into(),
                });
            }
            Checked::Judged {
                states,
                seq,
                judgement,
            } => (states, seq, judgement),
        };
        let now = self.durable(tenant, id, states, seq).await?;
        let now = now.ok_or(CheckError::Unknown)?;
        let last = now.life().seq() == seq;
        match (judgement, now.state()) {
            (Judgement::Right, State::Ended(Reason::CodeMatched)) if last => Ok(now),
            // Counted, whatever happened to the challenge after.
            (Judgement::Wrong { left }, State::Open(_)) if left > 0 && now.life().seq() >= seq => {
                Err(CheckError::Wrong { left })
            }
            (
                Judgement::Wrong { left },
                State::Ended(Reason::CodeMatched | Reason::TooManyAttempts),
            ) if left > 0 && !last => Err(CheckError::Wrong { left }),
            (_, State::Ended(_)) => Err(CheckError::Ended(Box::new(now))),
            // The engine stopped before the line was durable.
            (_, State::Open(_)) => Err(EngineError::Stopped.into()),
        }
    }

    /// Sends the text of a tenant's open challenge again, with the same code.
    ///
    /// # Errors
    /// If it is not, or not now; [`ResendError`] says why.
    pub async fn resend(&self, tenant: &Tenant, id: Uuid) -> Result<Challenge, ResendError> {
        let owner = tenant.clone();
        let resend = |reply| Request::Resend {
            tenant: owner,
            id,
            reply,
        };
        let now = match self.ask(resend).await? {
            Ok(Resending {
                states,
                seq: Some(seq),
            }) => {
                let now = self.durable(tenant, id, states, seq).await?;
                match now {
                    Some(now) if now.life().seq() >= seq => return Ok(now),
                    now => now,
                }
            }
            Ok(Resending { states, seq: None }) => {
                self.durable(tenant, id, states, u32::MAX).await?
            }
            Err(ResendError::Unknown) => self.in_store(tenant, id).await?,
            Err(error) => return Err(error),
        };
        Err(match now {
            None => ResendError::Unknown,
            Some(ended) if ended.details().channel == Channel::Voice => ResendError::NotText,
            Some(ended) if matches!(ended.state(), State::Ended(_)) => {
                ResendError::Ended(Box::new(ended))
            }
            // The engine let go of it because it is stopping.
            Some(_) => EngineError::Stopped.into(),
        })
    }

    /// A challenge once a line of its log is durable, or its end is.
    async fn durable(
        &self,
        tenant: &Tenant,
        id: Uuid,
        mut states: watch::Receiver<Challenge>,
        seq: u32,
    ) -> Result<Option<Challenge>, EngineError> {
        let is_there =
            |c: &Challenge| c.life().seq() >= seq || matches!(c.state(), State::Ended(_));
        if let Ok(now) = states.wait_for(is_there).await {
            return Ok(Some(now.clone()));
        }
        self.in_store(tenant, id).await
    }

    /// How the engine is. An engine whose task is gone is not draining but has no gateway.
    pub fn health(&self) -> Health {
        let health = *self.health.borrow();
        Health {
            gateway: health.gateway && !self.requests.is_closed(),
            ..health
        }
    }

    /// The store behind the engine.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Stops the engine: nothing new is taken, what is open may come to its outcome within the
    /// grace, and what is then still open is interrupted. Answers when all of it is durable, or
    /// cannot be made so.
    pub async fn shutdown(&self, grace: Duration) {
        let deadline = Instant::now() + grace;
        // An engine that has stopped is what was asked for.
        let _ = self
            .ask(|reply| Request::Shutdown { deadline, reply })
            .await;
    }

    async fn watch(
        &self,
        tenant: &Tenant,
        id: Uuid,
    ) -> Result<Option<(watch::Receiver<Challenge>, OwnedSemaphorePermit)>, WaitError> {
        let place = Arc::clone(&self.waiting);
        let place = place.try_acquire_owned().map_err(|_| WaitError::TooMany)?;
        let tenant = tenant.clone();
        let watch = |reply| Request::Watch { tenant, id, reply };
        match self.ask(watch).await? {
            Watched::Open(states) => Ok(Some((states, place))),
            Watched::NotOpen => Ok(None),
            Watched::TooMany => Err(WaitError::TooMany),
        }
    }

    async fn in_store(&self, tenant: &Tenant, id: Uuid) -> Result<Option<Challenge>, EngineError> {
        Ok(self.store.find(tenant.clone(), id).await?)
    }

    /// Takes in a receipt that the provider of a text gateway has posted. Whether what it says is
    /// kept; if not, it is to be posted again.
    ///
    /// # Errors
    /// If the engine has stopped.
    pub async fn receipt(&self, by: Arc<str>, receipt: Receipt) -> Result<bool, EngineError> {
        let (acknowledgement, told) = Acknowledgement::awaited();
        let posted = Box::new(PostedReceipt {
            by,
            receipt,
            acknowledgement,
        });
        let asked = self.requests.send(Request::Receipt(posted)).await;
        asked.map_err(|_| EngineError::Stopped)?;
        // Dropped on its way, it tells so itself.
        Ok(told.await.unwrap_or(false))
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, EngineError> {
        let (reply, answer) = oneshot::channel();
        let stopped = |_| EngineError::Stopped;
        self.requests.send(request(reply)).await.map_err(stopped)?;
        answer.await.map_err(|_| EngineError::Stopped)
    }
}
