//! The texting gateway as the engine sees it: two channels, with the routing and all links behind
//! them.

mod fate;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep_until;

use super::bind::{Bind, NotQueued, StartError};
use super::config::{BindConfig, SmppLine};
use super::dispatch::{Command, Named, PostedReceipt, ReceiptCame, Report};
use super::http::{self, HttpGateway, HttpLine};
use super::inbound::Inbox;
use super::order::{self, Acknowledgement, NotSent, TextOrder, destination};
use super::report::{self, Batch, Reports};
use super::routing::{self, Fate, LineConfig, LinkId, Order, Output, Routing, RoutingConfig};
use crate::smpp::receipt::{IdForm, Key, Receipt};

/// Orders and reports that may wait in each channel.
const WAITING: usize = 4096;
/// Batches of news that may wait of all binds together.
const BATCHES: usize = 256;
/// Reports that wait for the engine above which nothing more is taken in.
const BEHIND: usize = 1024;
/// Orders or news taken in at once.
const BATCH: usize = 256;
/// The fewest texts in hand of a bind.
const LEAST_ROOM: u32 = 4;

/// What a gateway is made of.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Ways to message centres.
    pub binds: Vec<SmppLine>,
    /// Providers that take texts by HTTP.
    pub http: Vec<HttpLine>,
    /// Texts that may wait for a way at once; beyond it they fail.
    pub most_waiting: usize,
    /// How long a text waits for a way.
    pub patience: Duration,
    /// Messages of one account whose receipts are awaited at once, at some 300 bytes each; the
    /// oldest is forgotten beyond it.
    pub most_receipts: usize,
    /// How long a receipt is awaited.
    pub receipt_patience: Duration,
}

impl GatewayConfig {
    /// These binds and the usual bounds.
    pub fn new(binds: Vec<SmppLine>) -> GatewayConfig {
        GatewayConfig {
            binds,
            http: Vec::new(),
            most_waiting: 10_000,
            patience: Duration::from_secs(20),
            most_receipts: 100_000,
            receipt_patience: Duration::from_secs(24 * 3600),
        }
    }
}

/// A running gateway.
pub struct Gateway {
    /// Orders go in here.
    pub commands: mpsc::Sender<Command>,
    /// Reports come out here.
    pub reports: mpsc::Receiver<Report>,
    /// The gateway's task; it ends after the stop, with every text reported.
    pub task: JoinHandle<()>,
}

impl Gateway {
    /// Starts the binds, which connect by and by, and the routing. It stops when `stop` says so,
    /// or when its commands' sender or its reports' receiver is gone: what waits fails, what has
    /// left is waited for as long as each bind's `drain` allows.
    ///
    /// # Errors
    /// A bind's fields do not fit the wire, or TLS cannot be spoken.
    pub fn start(
        config: GatewayConfig,
        stop: watch::Receiver<bool>,
    ) -> Result<Gateway, StartError> {
        let (news, from_binds) = report::reports(BATCHES);
        let mut lines = Vec::new();
        let mut links: Vec<Vec<Link>> = Vec::new();
        let mut names = HashMap::new();
        let mut id_forms = Vec::new();
        let mut accounts: Vec<(Arc<str>, String)> = Vec::new();
        for SmppLine { bind, sessions } in config.binds {
            let line = u16::try_from(lines.len()).unwrap_or(u16::MAX);
            let account = (bind.address.clone(), bind.session.system_id.clone());
            let at = accounts.iter().position(|known| *known == account);
            let account = at.unwrap_or_else(|| {
                accounts.push(account);
                accounts.len() - 1
            });
            let sessions = sessions.max(1);
            id_forms.push(bind.id_form);
            lines.push(LineConfig {
                name: bind.name.clone(),
                account,
                links: sessions,
                room: room(&bind),
                sends: bind.session.kind.sends(),
                up: false,
            });
            let mut binds = Vec::new();
            for link in 0..sessions {
                let name: Arc<str> = match sessions {
                    1 => bind.name.clone(),
                    _ => format!("{}/{}", bind.name, link + 1).into(),
                };
                names.insert(name.clone(), LinkId { line, link });
                let one = BindConfig {
                    name,
                    // The routing holds what waits, and may send it by another way.
                    hold: Duration::ZERO,
                    queue: bind.queue.max(room(&bind) as usize),
                    ..bind.clone()
                };
                binds.push(Link::Bind(Bind::start(one, news.clone())?));
            }
            links.push(binds);
        }
        // The same in every process, since receipts may come to the next.
        let mut account_names: HashMap<usize, Arc<str>> = HashMap::new();
        for (at, (address, system_id)) in accounts.iter().enumerate() {
            account_names.insert(at, format!("smpp {system_id}@{address}").into());
        }
        let (http_news, from_http) = mpsc::channel(WAITING);
        for one in config.http {
            let line = u16::try_from(lines.len()).unwrap_or(u16::MAX);
            let id = LinkId { line, link: 0 };
            // Nobody else hears of its texts.
            let account = accounts.len() + usize::from(line);
            account_names.insert(account, format!("http {}", one.name).into());
            lines.push(LineConfig {
                name: one.name.clone(),
                account,
                links: 1,
                room: http::room(&one),
                sends: true,
                up: true,
            });
            names.insert(Arc::clone(&one.name), id);
            let gateway = HttpGateway::start(one, id, http_news.clone())?;
            links.push(vec![Link::Http(gateway)]);
        }
        let line_names = lines.iter().map(|line| line.name.clone()).collect();
        let routing = RoutingConfig {
            lines,
            most_waiting: config.most_waiting,
            patience: config.patience,
            most_receipts: config.most_receipts,
            receipt_patience: config.receipt_patience,
        };
        let (commands, orders) = mpsc::channel(WAITING);
        let (reports, to_engine) = mpsc::channel(WAITING);
        let exchange = Exchange {
            routing: Routing::new(routing, rand::random()),
            inbox: Inbox::new(),
            links,
            names,
            line_names,
            accounts: account_names,
            id_forms,
            outbox: VecDeque::new(),
            reports,
        };
        Ok(Gateway {
            commands,
            reports: to_engine,
            task: tokio::spawn(exchange.run(orders, (from_binds, from_http), stop)),
        })
    }
}

/// Texts that a bind may have in hand: its window twice, so that it never runs dry, and no more
/// than it may send in two seconds, so that others can help out.
fn room(bind: &BindConfig) -> u32 {
    let window = u32::from(bind.session.window) * 2;
    let paced = bind
        .session
        .rate
        .map_or(u32::MAX, |rate| (rate * 2.0) as u32);
    window.min(paced).max(LEAST_ROOM)
}

/// What a text leaves by.
enum Link {
    Bind(Bind),
    Http(HttpGateway),
}

impl Link {
    /// Takes an order, or says why not.
    fn take(&self, order: Order) -> Option<NotSent> {
        let full = match self {
            Link::Bind(bind) => match bind.try_send(text_order(order)) {
                Ok(()) => return None,
                Err(not) => matches!(not, NotQueued::Full(_)),
            },
            Link::Http(gateway) => match gateway.try_send(order) {
                Ok(()) => return None,
                Err(not) => matches!(not, NotQueued::Full(_)),
            },
        };
        Some(if full {
            NotSent::Full
        } else {
            NotSent::Stopped
        })
    }

    async fn stop(self) {
        match self {
            Link::Bind(bind) => bind.stop().await,
            Link::Http(gateway) => gateway.stop().await,
        }
    }
}

/// What binds and HTTP gateways tell.
type FromLinks = (Reports, mpsc::Receiver<(LinkId, http::News)>);

/// The gateway's task.
struct Exchange {
    routing: Routing,
    inbox: Inbox,
    /// By line and link; emptied when they stop.
    links: Vec<Vec<Link>>,
    names: HashMap<Arc<str>, LinkId>,
    line_names: Vec<Arc<str>>,
    /// The names of accounts, by their numbers in the routing.
    accounts: HashMap<usize, Arc<str>>,
    /// How the ids in receipts relate to those in answers, by line.
    id_forms: Vec<IdForm>,
    outbox: VecDeque<Report>,
    reports: mpsc::Sender<Report>,
}

impl Exchange {
    async fn run(
        mut self,
        mut orders: mpsc::Receiver<Command>,
        (mut from_binds, mut from_http): FromLinks,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut stopping = JoinSet::new();
        let mut batch = Vec::new();
        let (mut asked, mut http_heard) = (Vec::new(), true);
        let (mut ordered, mut heard, mut stopped) = (true, true, false);
        while ordered || heard || http_heard || !self.outbox.is_empty() {
            self.carry_out();
            self.send_reports();
            let now = Instant::now();
            let room = self.outbox.len() < BEHIND;
            let wakes = [self.routing.poll_timeout(now), self.inbox.poll_timeout()];
            let wake = wakes.into_iter().flatten().min();
            let reports = self.reports.clone();
            let mut ending = false;
            tokio::select! {
                permit = reports.reserve(), if !self.outbox.is_empty() => match permit {
                    Ok(permit) => {
                        if let Some(report) = self.outbox.pop_front() {
                            permit.send(report);
                        }
                    }
                    Err(_) => {
                        // Nobody listens any more: what is left is let go.
                        self.outbox.clear();
                        ending = true;
                    }
                },
                count = orders.recv_many(&mut batch, BATCH), if ordered && room => {
                    let now = Instant::now();
                    for command in batch.drain(..) {
                        match command {
                            Command::Send(dispatch) => self.routing.send(now, *dispatch),
                            Command::Withdraw(text) => self.routing.withdraw(text),
                            Command::Receipt(posted) => self.posted(now, *posted),
                        }
                    }
                    ordered = count > 0;
                    ending = count == 0;
                }
                news = from_binds.recv_batch(), if heard && room => match news {
                    Some(batch) => self.hear_all(batch),
                    // Every bind has ended.
                    None => heard = false,
                },
                count = from_http.recv_many(&mut asked, BATCH), if http_heard && room => {
                    let now = Instant::now();
                    for (link, news) in asked.drain(..) {
                        self.hear_http(now, link, news);
                    }
                    http_heard = count > 0;
                }
                () = sleep_until(wake.unwrap_or(now).into()), if wake.is_some() => {
                    let now = Instant::now();
                    self.routing.handle_timeout(now);
                    self.inbox.handle_timeout(now);
                }
                told = stop.wait_for(|stop| *stop), if !stopped => {
                    // A sender that is gone without a word is no reason to go on.
                    drop(told);
                    ending = true;
                }
            }
            if ending {
                stopped = true;
                // What is still in the channel is answered yet, as refused.
                orders.close();
                self.routing.stop();
                for link in self.links.drain(..).flatten() {
                    stopping.spawn(link.stop());
                }
            }
        }
        while stopping.join_next().await.is_some() {}
    }

    fn posted(&mut self, now: Instant, posted: PostedReceipt) {
        let PostedReceipt {
            by,
            receipt,
            acknowledgement,
        } = posted;
        let link = self.names.get(&by).copied();
        let key = Key::exact(&receipt.id);
        // Without either nobody's text can be meant, now or later.
        match (link, key) {
            (Some(link), Some(key)) => self.receive(now, link, key, &receipt, acknowledgement),
            _ => acknowledgement.taken(),
        }
    }

    /// Takes in a receipt. What it means for a text that is known is told first.
    fn receive(
        &mut self,
        now: Instant,
        link: LinkId,
        key: Key,
        receipt: &Receipt,
        acknowledgement: Acknowledgement,
    ) {
        let text = self.routing.receipt(now, link, key.clone(), receipt);
        self.carry_out();
        let account = self.routing.account(link);
        let account = account.and_then(|at| self.accounts.get(&at)).cloned();
        match (account, routing::says(receipt)) {
            (Some(account), Some(says)) => {
                let came = Box::new(ReceiptCame {
                    account,
                    key,
                    says,
                    text,
                    acknowledgement,
                });
                self.outbox.push_back(Report::Receipt(came));
            }
            // It says nothing, and would say no more if it came again.
            _ => acknowledgement.taken(),
        }
    }

    /// Does what the routing wants done.
    fn carry_out(&mut self) {
        while let Some(output) = self.routing.poll_output() {
            match output {
                Output::Report(report) => self.outbox.push_back(report),
                Output::Named {
                    text,
                    account,
                    keys,
                    messages,
                    left,
                } => {
                    if let Some(account) = self.accounts.get(&account) {
                        let named = Box::new(Named {
                            text,
                            account: Arc::clone(account),
                            keys,
                            messages,
                            left: left.elapsed(),
                        });
                        self.outbox.push_back(Report::Named(named));
                    }
                }
                Output::Early {
                    text,
                    account,
                    key,
                    says,
                } => {
                    if let Some(account) = self.accounts.get(&account) {
                        let came = Box::new(ReceiptCame {
                            account: Arc::clone(account),
                            key,
                            says,
                            text: Some(text),
                            // The carrier was told when it came.
                            acknowledgement: Acknowledgement::default(),
                        });
                        self.outbox.push_back(Report::Receipt(came));
                    }
                }
                Output::Order { by, order } => self.hand_over(by, *order),
            }
        }
    }

    fn hand_over(&mut self, by: LinkId, order: Order) {
        let text = order.text;
        let line = self.links.get(usize::from(by.line));
        let link = line.and_then(|line| line.get(usize::from(by.link)));
        let Some(why) = link.map_or(Some(NotSent::Stopped), |link| link.take(order)) else {
            return;
        };
        let now = Instant::now();
        self.routing.fared(now, by, text, now, Fate::NotSent(why));
    }

    fn hear_http(&mut self, now: Instant, link: LinkId, news: http::News) {
        match news {
            http::News::Fared { text, left, fate } => {
                self.routing.fared(now, link, text, left, fate);
            }
            http::News::Slowed(until) => self.routing.slowed(link, until),
            http::News::Up => self.routing.turned(now, link, true),
        }
    }

    fn hear_all(&mut self, batch: Batch) {
        let now = Instant::now();
        let Some(link) = self.names.get(&batch.bind).copied() else {
            return;
        };
        for news in batch.news {
            self.hear(now, link, &batch.bind, news);
        }
    }

    fn hear(&mut self, now: Instant, link: LinkId, bind: &Arc<str>, news: order::News) {
        match news {
            order::News::Text {
                text,
                fate,
                messages,
                waited,
            } => {
                let left = now.checked_sub(waited).unwrap_or(now);
                let fate = Fate::of(fate, messages, self.id_form(link));
                self.routing.fared(now, link, text, left, fate);
            }
            order::News::Late { text, answer } => {
                let form = self.id_form(link);
                let answer = answer.map(|id| Key::of_answer(&id, form));
                let answer = answer.map_err(fate::said);
                self.routing.answered_late(now, link, text, answer);
            }
            order::News::Receipt {
                key,
                receipt,
                acknowledgement,
            } => {
                self.receive(now, link, key, &receipt, acknowledgement);
            }
            order::News::State(state) => self.routing.turned(now, link, state.is_bound()),
            order::News::Slowed { until } => self.routing.slowed(link, until),
            order::News::Message {
                from,
                to,
                reading,
                acknowledgement,
            } => {
                let addresses = (&*from, &*to);
                let line = self.line_names.get(usize::from(link.line));
                let by = line.unwrap_or(bind);
                let inbound = self
                    .inbox
                    .take(now, by, addresses, *reading, acknowledgement);
                let inbound = inbound.map(|inbound| Report::Inbound(Box::new(inbound)));
                self.outbox.extend(inbound);
            }
        }
    }

    fn id_form(&self, link: LinkId) -> IdForm {
        let form = self.id_forms.get(usize::from(link.line));
        form.copied().unwrap_or_default()
    }

    /// Sends the reports that wait, while the engine has room.
    fn send_reports(&mut self) {
        while !self.outbox.is_empty() {
            let Ok(permit) = self.reports.try_reserve() else {
                return;
            };
            if let Some(report) = self.outbox.pop_front() {
                permit.send(report);
            }
        }
    }
}

fn text_order(order: Order) -> TextOrder {
    TextOrder {
        text: order.text,
        to: destination(&order.to),
        sender: order.sender,
        body: order.body.into(),
        deadline: order.deadline,
        patient: order.patient,
        withdrawal: Some(order.withdrawal),
    }
}
