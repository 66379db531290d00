//! The sandbox message centre: real SMPP over loopback, and nobody behind it, so that everything
//! can be tried without a carrier.
//!
//! The last two digits of the number decide what becomes of a text; see [`Behaviour::of`]. What
//! the texts say can be watched.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use zeroize::Zeroizing;

use crate::smpp::centre::{self, Centre, Host, Reply};
use crate::smpp::pdu::{Bind, BindKind, Sms, SmsBuf, Status};
use crate::smpp::receipt::{Fate, Stamp};
use crate::smpp::session::{Lost, MessageId};
use crate::smpp::text::{self, Assembler, DefaultAlphabet};

/// Connections at once; more are turned away.
const MOST_CONNECTIONS: usize = 64;
/// Deeds that one connection has before it; what is beyond is throttled.
const MOST_DUE: usize = 10_000;
/// Numbers that were throttled once and are remembered.
const MOST_THROTTLED: usize = 1000;

/// What becomes of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// It is taken, and this receipt follows, if any.
    Taken(Option<Fate>),
    /// It is refused.
    Refused(Status),
    /// It is taken after a while.
    Slowly,
    /// It is throttled the first time, and taken the second.
    ThrottledFirst,
    /// It is taken and never answered.
    Unanswered,
    /// It is taken, and its receipt comes before the answer.
    ReceiptFirst,
    /// It is delivered, and the person answers STOP.
    Stop,
}

impl Behaviour {
    /// What the number's last two digits ask for:
    ///
    /// | ends in | the text |
    /// |---|---|
    /// | 01 | cannot be delivered: `UNDELIV` |
    /// | 02 | is taken, and no receipt follows |
    /// | 03 | is refused: there is no such number |
    /// | 04 | is taken slowly |
    /// | 05 | is throttled the first time |
    /// | 06 | is taken and never answered |
    /// | 07 | has its receipt before its answer |
    /// | 08 | expires: `EXPIRED` |
    /// | 09 | is delivered, and the person answers `STOP` |
    /// | 10 | is refused by a carrier in trouble |
    /// | else | is delivered |
    pub fn of(number: &str) -> Behaviour {
        let digits: Vec<u8> = number.bytes().filter(u8::is_ascii_digit).collect();
        let last = digits.get(digits.len().saturating_sub(2)..).unwrap_or(&[]);
        match last {
            b"01" => Behaviour::Taken(Some(Fate::Undeliverable)),
            b"02" => Behaviour::Taken(None),
            b"03" => Behaviour::Refused(Status::INVALID_DESTINATION),
            b"04" => Behaviour::Slowly,
            b"05" => Behaviour::ThrottledFirst,
            b"06" => Behaviour::Unanswered,
            b"07" => Behaviour::ReceiptFirst,
            b"08" => Behaviour::Taken(Some(Fate::Expired)),
            b"09" => Behaviour::Stop,
            b"10" => Behaviour::Refused(Status::SYSTEM_ERROR),
            _ => Behaviour::Taken(Some(Fate::Delivered)),
        }
    }
}

/// When the message centre acts.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// From a text to its receipt.
    pub receipt: Duration,
    /// From a text to the answer that comes slowly.
    pub slow: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            receipt: Duration::from_millis(800),
            slow: Duration::from_secs(3),
        }
    }
}

/// A text that the sandbox took, for whoever watches. It holds a number and words in the clear, so
/// it has no `Debug`.
pub struct Shown {
    /// Whom it is for, digits alone.
    pub to: String,
    /// Who it is from.
    pub from: String,
    /// What it says.
    pub words: Zeroizing<String>,
}

/// The sandbox message centre.
pub struct Sandbox {
    listener: TcpListener,
    address: SocketAddr,
    timing: Timing,
    watcher: mpsc::Sender<Shown>,
}

impl Sandbox {
    /// A message centre on a loopback port of its own choosing. What texts say goes to `watcher`,
    /// as far as it has room.
    ///
    /// # Errors
    /// When loopback has no free port.
    pub async fn start(timing: Timing, watcher: mpsc::Sender<Shown>) -> io::Result<Sandbox> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Sandbox {
            address: listener.local_addr()?,
            listener,
            timing,
            watcher,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is told to stop.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        let stopped = async {
            // A sender that is gone without a word is no reason to go on.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                () = &mut stopped => return,
                _ = connections.join_next(), if !connections.is_empty() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) if connections.len() < MOST_CONNECTIONS => {
                        let phone = Phone::new(self.timing, self.watcher.clone());
                        connections.spawn(converse(stream, phone));
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(%error, "the sandbox message centre takes no connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
    }
}

/// What is still to be done, and when it is due.
enum Deed {
    Answer(u32, Reply),
    Deliver(Box<SmsBuf>),
}

/// What stands behind one connection.
struct Phone {
    timing: Timing,
    watcher: mpsc::Sender<Shown>,
    now: Instant,
    due: BTreeMap<(Instant, u64), Deed>,
    number: u64,
    /// No two connections give the same names.
    prefix: u32,
    throttled: VecDeque<Vec<u8>>,
    pieces: Assembler,
}

impl Phone {
    fn new(timing: Timing, watcher: mpsc::Sender<Shown>) -> Phone {
        Phone {
            timing,
            watcher,
            now: Instant::now(),
            due: BTreeMap::new(),
            number: 0,
            prefix: rand::random(),
            throttled: VecDeque::new(),
            pieces: Assembler::new(64, Duration::from_secs(60)),
        }
    }

    fn plan(&mut self, after: Duration, deed: Deed) {
        self.number += 1;
        self.due.insert((self.now + after, self.number), deed);
    }

    fn name(&mut self) -> MessageId {
        self.number += 1;
        MessageId::new(format!("{:08x}{:06x}", self.prefix, self.number).as_bytes())
    }

    /// Plans a receipt, if one was asked for.
    fn plan_receipt(&mut self, after: Duration, sms: &Sms<'_>, id: &MessageId, fate: Fate) {
        // registered_delivery: 1 asks for any, 2 for that of a failure (SMPP 3.4 5.2.17).
        let wanted = match sms.registered_delivery & 0x03 {
            0x01 => true,
            0x02 => fate != Fate::Delivered,
            _ => false,
        };
        let error = if fate == Fate::Delivered { 0 } else { 27 };
        let now = stamp();
        if wanted && let Ok(receipt) = centre::receipt(sms, id, fate, error, now, now) {
            self.plan(after, Deed::Deliver(Box::new(receipt)));
        }
    }

    fn show(&mut self, sms: &Sms<'_>) {
        let reading = text::read(sms, DefaultAlphabet::Gsm);
        let piece = reading.text.unwrap_or_default();
        let words = match reading.part {
            None => Some(piece),
            Some(part) => {
                let whole = self.pieces.add(self.now, sms, part, piece, ());
                whole.map(|(words, _)| words)
            }
        };
        if let Some(words) = words {
            // A full channel is the watcher's loss.
            let _ = self.watcher.try_send(Shown {
                to: sms.destination.text().into_owned(),
                from: sms.source.text().into_owned(),
                words: Zeroizing::new(words),
            });
        }
    }

    /// Whether a text to this number is to be throttled: every other time.
    fn throttles(&mut self, digits: &[u8]) -> bool {
        if let Some(at) = self.throttled.iter().position(|seen| seen == digits) {
            self.throttled.remove(at);
            return false;
        }
        if self.throttled.len() >= MOST_THROTTLED {
            self.throttled.pop_front();
        }
        self.throttled.push_back(digits.to_owned());
        true
    }
}

impl Host<()> for Phone {
    fn bind(&mut self, _: BindKind, _: &Bind<'_>) -> Result<(), Status> {
        Ok(())
    }

    fn submit(&mut self, sequence: u32, sms: &Sms<'_>) -> Reply {
        if self.due.len() >= MOST_DUE {
            return Reply::Refuse(Status::THROTTLED);
        }
        let behaviour = Behaviour::of(&sms.destination.text());
        match behaviour {
            Behaviour::Refused(status) => return Reply::Refuse(status),
            Behaviour::ThrottledFirst if self.throttles(sms.destination.digits) => {
                return Reply::Refuse(Status::THROTTLED);
            }
            _ => {}
        }
        self.show(sms);
        let id = self.name();
        let after = self.timing.receipt;
        match behaviour {
            Behaviour::Taken(None) | Behaviour::Refused(_) => {}
            Behaviour::Taken(Some(fate)) => self.plan_receipt(after, sms, &id, fate),
            Behaviour::ThrottledFirst => self.plan_receipt(after, sms, &id, Fate::Delivered),
            Behaviour::Unanswered => return Reply::Later,
            Behaviour::Slowly => {
                let slow = self.timing.slow;
                self.plan(slow, Deed::Answer(sequence, Reply::Accept(id.clone())));
                self.plan_receipt(slow + after, sms, &id, Fate::Delivered);
                return Reply::Later;
            }
            Behaviour::ReceiptFirst => {
                self.plan_receipt(Duration::ZERO, sms, &id, Fate::Delivered);
                self.plan(after, Deed::Answer(sequence, Reply::Accept(id)));
                return Reply::Later;
            }
            Behaviour::Stop => {
                self.plan_receipt(after, sms, &id, Fate::Delivered);
                let answer = SmsBuf {
                    source: sms.destination.to_owned(),
                    destination: sms.source.to_owned(),
                    short_message: b"STOP".to_vec(),
                    ..SmsBuf::default()
                };
                self.plan(after * 2, Deed::Deliver(Box::new(answer)));
            }
        }
        Reply::Accept(id)
    }

    fn delivered(&mut self, (): (), _: Result<Status, Lost>) {}
}

async fn converse(mut stream: TcpStream, mut phone: Phone) {
    let mut centre = Centre::new(centre::Config::default(), Instant::now());
    let mut buffer = vec![0; 16 * 1024];
    while centre.closed().is_none() {
        phone.now = Instant::now();
        act(&mut centre, &mut phone);
        while let Some(octets) = centre.poll_transmit() {
            match stream.write(octets).await {
                Ok(count) if count > 0 => centre.transmitted(count),
                _ => return,
            }
        }
        let due = phone.due.first_key_value().map(|((at, _), _)| *at);
        let wake = due.into_iter().chain(centre.poll_timeout()).min();
        let wake = wake.unwrap_or(phone.now + Duration::from_secs(60));
        tokio::select! {
            read = stream.read(&mut buffer) => match read {
                Ok(count) if count > 0 => {
                    let now = Instant::now();
                    phone.now = now;
                    let octets = buffer.get(..count).unwrap_or_default();
                    centre.handle_bytes(now, octets, &mut phone);
                }
                _ => return,
            },
            () = sleep_until(wake.into()) => {
                let now = Instant::now();
                phone.now = now;
                centre.handle_timeout(now, &mut phone);
            }
        }
    }
    // The last words.
    while let Some(octets) = centre.poll_transmit() {
        match stream.write(octets).await {
            Ok(count) if count > 0 => centre.transmitted(count),
            _ => return,
        }
    }
}

/// Does what is due.
fn act(centre: &mut Centre<()>, phone: &mut Phone) {
    while let Some(entry) = phone.due.first_entry()
        && entry.key().0 <= phone.now
    {
        match entry.remove() {
            Deed::Answer(sequence, reply) => centre.answer(sequence, &reply),
            // A bind that does not receive, or one that does not answer, goes without.
            Deed::Deliver(sms) => drop(centre.deliver(phone.now, (), &sms.as_sms())),
        }
    }
}

fn stamp() -> Stamp {
    let now = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now());
    let two = |number: i8| u8::try_from(number).unwrap_or(0);
    Stamp {
        year: u16::try_from(now.year()).unwrap_or(0),
        month: two(now.month()),
        day: two(now.day()),
        hour: two(now.hour()),
        minute: two(now.minute()),
        second: two(now.second()),
    }
}
