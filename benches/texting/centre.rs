//! A message centre that takes every text, reports it delivered at once, and shows the codes.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ringtrue::smpp::centre::{self, Centre, Config, Host, Reply};
use ringtrue::smpp::pdu::{Bind, BindKind, Sms, SmsBuf, Status};
use ringtrue::smpp::receipt::{Fate, Stamp};
use ringtrue::smpp::session::{Lost, MessageId};
use tokio::sync::oneshot;

/// For a code that was asked for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The codes that arrived, and those who wait for one.
#[derive(Default)]
pub struct Phones {
    shown: Mutex<HashMap<String, Shown>>,
}

enum Shown {
    Arrived(String),
    Awaited(oneshot::Sender<String>),
}

impl Phones {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, number: String, code: String) {
        let mut shown = self.lock();
        match shown.remove(&number) {
            Some(Shown::Awaited(waiting)) => drop(waiting.send(code)),
            _ => drop(shown.insert(number, Shown::Arrived(code))),
        }
    }

    /// The code that was texted to this number.
    pub async fn code(&self, number: &str) -> String {
        let (waiting, arrived) = oneshot::channel();
        {
            let mut shown = self.lock();
            if let Some(Shown::Arrived(code)) = shown.remove(number) {
                return code;
            }
            shown.insert(number.to_owned(), Shown::Awaited(waiting));
        }
        let code = tokio::time::timeout(PATIENCE, arrived).await;
        code.expect("a code in time").expect("a code")
    }
}

struct Desk {
    phones: Arc<Phones>,
    number: u64,
    receipts: Vec<SmsBuf>,
}

const AT: Stamp = Stamp {
    year: 2026,
    month: 1,
    day: 1,
    hour: 12,
    minute: 0,
    second: 0,
};

impl Host<()> for Desk {
    fn bind(&mut self, _: BindKind, _: &Bind<'_>) -> Result<(), Status> {
        Ok(())
    }

    fn submit(&mut self, _: u32, sms: &Sms<'_>) -> Reply {
        self.number += 1;
        let id = MessageId::new(format!("{:010}", self.number).as_bytes());
        let receipt = centre::receipt(sms, &id, Fate::Delivered, 0, AT, AT);
        self.receipts.push(receipt.expect("a receipt that fits"));
        let words = String::from_utf8_lossy(sms.short_message);
        let code: String = words
            .split(|c: char| !c.is_ascii_digit())
            .find(|digits| digits.len() == 6)
            .expect("a code")
            .to_owned();
        self.phones.show(
            format!("+{}", sms.destination.text().trim_start_matches('+')),
            code,
        );
        Reply::Accept(id)
    }

    fn delivered(&mut self, (): (), _: Result<Status, Lost>) {}
}

fn serve(mut socket: TcpStream, phones: Arc<Phones>, first: u64) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let config = Config {
        window: 10_000,
        ..Config::default()
    };
    let mut centre = Centre::new(config, Instant::now());
    let mut desk = Desk {
        phones,
        number: first,
        receipts: Vec::new(),
    };
    let mut buffer = vec![0; 256 * 1024];
    while centre.closed().is_none() {
        let count = socket.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        let now = Instant::now();
        centre.handle_bytes(now, &buffer[..count], &mut desk);
        desk.receipts
            .retain(|receipt| centre.deliver(now, (), &receipt.as_sms()).is_err());
        while let Some(octets) = centre.poll_transmit() {
            let count = socket.write(octets)?;
            centre.transmitted(count);
        }
    }
    Ok(())
}

/// Listens; its port.
pub fn start(phones: Arc<Phones>) -> std::io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for (nth, socket) in listener.incoming().flatten().enumerate() {
            let phones = Arc::clone(&phones);
            // Each connection has names of its own.
            let first = nth as u64 * 1_000_000_000;
            std::thread::spawn(move || serve(socket, phones, first));
        }
    });
    Ok(port)
}
