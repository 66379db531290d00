//! HTTP gateways: texts handed to a provider by one request each.
//!
//! A request that may have arrived is never made again: no redirects, no retries. Where the
//! provider cannot be reached nothing has left, and the text may go another way; where it was
//! reached and gave no clear answer, its fate is unknown.

mod answer;
mod callback;
mod config;
mod template;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Request, Response, redirect};
use smallvec::SmallVec;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep_until;
use zeroize::Zeroizing;

pub use callback::{
    Callback, CallbackError, Fields as CallbackFields, LARGEST as LARGEST_CALLBACK, Meaning, Proof,
};
pub use config::{Auth, HttpLine, Method, Success, Target, TargetError};
pub use template::{Body, Template, TemplateError};

use self::answer::Verdict;
use self::template::Filling;
use super::bind::{NotQueued, StartError};
use super::dispatch::Failure;
use super::order::{NotSent, TextRef};
use super::routing::{Fate, LinkId, Order};
use super::tls;
use crate::smpp::receipt::Key;
use crate::smpp::text::{self, Style};

/// Octets of an answer that are read; what is longer counts as not understood.
const LONGEST_ANSWER: usize = 64 * 1024;
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a provider is spared that cannot be reached, at first and at most.
const FIRST_BREAK: Duration = Duration::from_secs(1);
const LONGEST_BREAK: Duration = Duration::from_secs(30);
/// How long others are preferred after a request that was not answered.
const WARY: Duration = Duration::from_secs(5);

/// What happened at an HTTP gateway.
#[derive(Debug)]
pub(super) enum News {
    /// What became of a text: exactly one for each order.
    Fared {
        text: TextRef,
        /// When it left, if it did.
        left: Instant,
        fate: Fate,
    },
    /// The provider is to be left alone until then, as far as there are others.
    Slowed(Instant),
    /// The provider may be asked again, after a [`NotSent::Down`].
    Up,
}

/// A running HTTP gateway. Dropped, it takes no more orders and ends those it has.
#[derive(Debug)]
pub(super) struct HttpGateway {
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

impl HttpGateway {
    /// Starts it; what happens goes to `reports` under the name of `link`.
    pub(super) fn start(
        line: HttpLine,
        link: LinkId,
        reports: mpsc::Sender<(LinkId, News)>,
    ) -> Result<HttpGateway, StartError> {
        let asker = Asker::new(line)?;
        let (orders, queue) = mpsc::channel(room(&asker.line) as usize);
        let post = Post {
            asker: Arc::new(asker),
            link,
            reports,
        };
        Ok(HttpGateway {
            orders,
            task: tokio::spawn(post.run(queue)),
        })
    }

    pub(super) fn try_send(&self, order: Order) -> Result<(), NotQueued<Order>> {
        self.orders.try_send(order).map_err(|error| match error {
            mpsc::error::TrySendError::Full(order) => NotQueued::Full(Box::new(order)),
            mpsc::error::TrySendError::Closed(order) => NotQueued::Stopped(Box::new(order)),
        })
    }

    /// Takes no more orders and waits until those it has have ended, at the latest after the
    /// timeout of a request; the reports must be read meanwhile.
    pub(super) async fn stop(self) {
        drop(self.orders);
        // A panic in the task has been reported by the runtime.
        let _ = self.task.await;
    }
}

/// Texts that a gateway may have in hand: its requests twice, and no more than it may send in two
/// seconds.
pub(super) fn room(line: &HttpLine) -> u32 {
    let requests = u32::from(line.connections.max(1)) * 2;
    let paced = line.rate.map_or(u32::MAX, |rate| rate.saturating_mul(2));
    requests.min(paced).max(1)
}

/// The task behind a gateway.
struct Post {
    asker: Arc<Asker>,
    link: LinkId,
    reports: mpsc::Sender<(LinkId, News)>,
}

impl Post {
    async fn run(self, mut queue: mpsc::Receiver<Order>) {
        let most = usize::from(self.asker.line.connections.max(1));
        let pace = self.asker.line.rate;
        let pace = pace.map(|rate| Duration::from_secs(1) / rate.max(1));
        let mut asked = FuturesUnordered::new();
        let mut next_at = Instant::now();
        let mut open = true;
        let mut down: Option<Instant> = None;
        let mut break_for = FIRST_BREAK;
        while open || !asked.is_empty() {
            let now = Instant::now();
            let free = asked.len() < most && next_at <= now;
            tokio::select! {
                order = queue.recv(), if open && (free || down.is_some()) => match order {
                    None => open = false,
                    Some(order) if down.is_some() => {
                        let fate = Fate::NotSent(NotSent::Down);
                        self.tell(fared(order.text, now, fate)).await;
                    }
                    Some(order) => {
                        if let Some(pace) = pace {
                            next_at = next_at.max(now) + pace;
                        }
                        let asker = Arc::clone(&self.asker);
                        asked.push(async move { asker.ask(order).await });
                    }
                },
                Some(asked) = asked.next() => {
                    let unreachable = asked.fate == Fate::NotSent(NotSent::Down);
                    if let Some(pause) = asked.pause {
                        self.tell(News::Slowed(Instant::now() + pause)).await;
                    }
                    self.tell(fared(asked.text, asked.left, asked.fate)).await;
                    if unreachable {
                        if down.is_none() {
                            down = Some(Instant::now() + break_for);
                            break_for = (break_for * 2).min(LONGEST_BREAK);
                        }
                    } else {
                        break_for = FIRST_BREAK;
                    }
                }
                () = sleep_until(down.unwrap_or(now).into()), if down.is_some() && open => {
                    down = None;
                    self.tell(News::Up).await;
                }
                () = sleep_until(next_at.into()), if open && next_at > now => {}
            }
        }
    }

    async fn tell(&self, news: News) {
        // Nobody listens any more: then nobody waits for it either.
        let _ = self.reports.send((self.link, news)).await;
    }
}

fn fared(text: TextRef, left: Instant, fate: Fate) -> News {
    News::Fared { text, left, fate }
}

/// How asking went.
struct Asked {
    text: TextRef,
    left: Instant,
    fate: Fate,
    /// How long others are to be preferred.
    pause: Option<Duration>,
}

/// Makes requests.
struct Asker {
    line: HttpLine,
    client: Client,
}

impl Asker {
    fn new(line: HttpLine) -> Result<Asker, StartError> {
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(CONNECT.min(line.timeout / 2))
            .timeout(line.timeout)
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("ringtrue/", env!("CARGO_PKG_VERSION")));
        // Without TLS no authorities are needed; the client wants some all the same.
        let tls = match line.target.is_tls() {
            true => tls::client(line.ca_file.as_deref())?,
            false => tls::client_of_nobody()?,
        };
        builder = builder.tls_backend_preconfigured(tls);
        let client = builder
            .build()
            .map_err(|error| tls::TlsError::Setup(error.to_string()))?;
        Ok(Asker { line, client })
    }

    async fn ask(&self, order: Order) -> Asked {
        let now = Instant::now();
        let asked = |fate| Asked {
            text: order.text,
            left: now,
            fate,
            pause: None,
        };
        if order.withdrawal.is_withdrawn() {
            return asked(Fate::NotSent(NotSent::Withdrawn));
        }
        if now >= order.deadline {
            return asked(Fate::NotSent(NotSent::TooLate));
        }
        let style = Style {
            most_messages: self.line.most_messages,
            ..Style::default()
        };
        let messages = match text::measure(&order.body, &style) {
            Ok(measure) => u8::try_from(measure.messages).unwrap_or(u8::MAX),
            Err(error) => return asked(Fate::NotSent(NotSent::Text(error))),
        };
        let unknown = || Fate::Unknown {
            messages,
            keys: SmallVec::new(),
        };
        let name = &self.line.name;
        let request = match self.request(&order) {
            Ok(request) => request,
            Err(error) => {
                tracing::error!(gateway = %name, %error, "a request cannot be made");
                return asked(Fate::Refused {
                    failure: Failure::Rejected,
                    error: "request cannot be made".into(),
                    elsewhere: true,
                });
            }
        };
        let response = match self.client.execute(request).await {
            Ok(response) => response,
            Err(error) => {
                // The address may hold a number.
                let error = error.without_url();
                if error.is_connect() || error.is_builder() {
                    tracing::warn!(gateway = %name, error = chain(&error), "cannot be reached");
                    return asked(Fate::NotSent(NotSent::Down));
                }
                tracing::warn!(gateway = %name, error = chain(&error), "no answer");
                return Asked {
                    pause: Some(WARY),
                    ..asked(unknown())
                };
            }
        };
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok());
        let (verdict, key) = match answer::judge_status(status, retry_after) {
            Some(verdict) => (verdict, None),
            None => self.judge(response, &order).await,
        };
        match verdict {
            Verdict::Taken => asked(Fate::Sent {
                messages,
                keys: key.into_iter().map(Some).collect(),
            }),
            Verdict::Refused {
                failure,
                error,
                pause,
            } => {
                tracing::warn!(gateway = %name, %error, "refused");
                Asked {
                    pause,
                    ..asked(Fate::Refused {
                        failure,
                        error,
                        elsewhere: true,
                    })
                }
            }
            Verdict::Unclear(error) => {
                tracing::warn!(gateway = %name, %error, "answer unclear");
                match key {
                    // One receipt will tell of all of it.
                    Some(key) => asked(Fate::Unknown {
                        messages: 1,
                        keys: SmallVec::from_iter([Some(key)]),
                    }),
                    None => asked(unknown()),
                }
            }
        }
    }

    /// Reads and judges the body of a success; with it what joins the text's receipts.
    async fn judge(&self, response: Response, order: &Order) -> (Verdict, Option<Key>) {
        let (success, pointer) = (self.line.success.as_ref(), self.line.id_pointer.as_deref());
        if success.is_none() && pointer.is_none() {
            return (Verdict::Taken, None);
        }
        let body = read(response).await;
        let id = answer::id(body.as_deref(), pointer);
        if let Some(id) = &id {
            tracing::info!(gateway = %self.line.name, %id, "taken under this name");
        }
        let key = id.as_ref().and_then(Key::exact);
        let sent = [order.to.e164(), order.body.as_str()];
        (answer::judge_body(body.as_deref(), success, sent), key)
    }

    fn request(&self, order: &Order) -> Result<Request, String> {
        let id = order.text.0.to_string();
        let with = Filling {
            to: order.to.e164(),
            from: order.sender.as_deref().unwrap_or(&self.line.sender),
            words: &order.body,
            id: &id,
        };
        let mut url = self.line.target.url.clone();
        if !self.line.target.query.is_empty() {
            url.set_query(Some(&template::encode(&self.line.target.query, with)));
        }
        let method = match self.line.method {
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Get => reqwest::Method::GET,
        };
        let mut builder = self.client.request(method, url);
        for (name, value) in &self.line.headers {
            builder = builder.header(name, value);
        }
        builder = match &self.line.auth {
            Auth::None => builder,
            Auth::Basic { user, password } => builder.basic_auth(user, Some(&**password)),
            Auth::Bearer(token) => builder.bearer_auth(&**token),
            Auth::Header(name, value) => {
                let value = HeaderValue::from_str(value);
                let mut value = value.map_err(|_| "the secret does not fit a header")?;
                value.set_sensitive(true);
                builder.header(name, value)
            }
        };
        if let Some(body) = &self.line.body {
            let filled: Zeroizing<String> = body.fill(with);
            builder = builder
                .header(CONTENT_TYPE, body.media_type())
                .body(filled.as_bytes().to_vec());
        }
        builder
            .build()
            .map_err(|error| error.without_url().to_string())
    }
}

/// The body, unless it is too long or breaks off.
async fn read(response: Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.ok()?;
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

/// An error and what it came from; the client tells the reason there alone.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text.push_str(&format!(": {inner}"));
        source = inner.source();
    }
    text
}
