//! A message centre by hand over TCP, for tests that want it hostile, and orders for a bind.

#![allow(dead_code)]

use std::time::{Duration, Instant};

use ringtrue::smpp::pdu::{
    Address, BindKind, BindResp, Body, Command, Framer, Header, MessageResp, Pdu, Status, Tlvs,
};
use ringtrue::smpp::session::Config;
use ringtrue::sms::order::{News, Submission, TextOrder, TextRef, Words};
use ringtrue::sms::{Bind, BindConfig, Reports, reports};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use uuid::Uuid;

/// Long enough for a loaded machine, short enough to notice that something hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One connection, seen from the message centre.
pub struct Wire {
    stream: TcpStream,
    framer: Framer,
    unread: Vec<u8>,
    /// Octets written at once; everything if 0.
    pub chunk: usize,
}

impl Wire {
    pub async fn accept(listener: &TcpListener) -> Wire {
        let (stream, _) = timeout(PATIENCE, listener.accept())
            .await
            .expect("a connection in time")
            .expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Wire {
            stream,
            framer: Framer::default(),
            unread: Vec::new(),
            chunk: 0,
        }
    }

    /// The next PDU, or `None` once the peer has closed.
    pub async fn next(&mut self) -> Option<(Header, Vec<u8>)> {
        loop {
            let mut octets = self.unread.as_slice();
            let before = octets.len();
            let found = self.framer.next(&mut octets).expect("a sane client");
            let found =
                found.map(|frame| (Header::decode(frame).expect("a header"), frame.to_vec()));
            let used = before - octets.len();
            self.unread.drain(..used);
            if found.is_some() {
                return found;
            }
            let mut buffer = [0; 4096];
            let read = timeout(PATIENCE, self.stream.read(&mut buffer))
                .await
                .expect("something to read in time");
            match read {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// The next PDU, which is to be of this kind; answers link tests on the way.
    pub async fn expect(&mut self, command: Command) -> (Header, Vec<u8>) {
        loop {
            let (header, frame) = self
                .next()
                .await
                .unwrap_or_else(|| panic!("closed before {command}"));
            if header.command == Command::ENQUIRE_LINK && command != Command::ENQUIRE_LINK {
                self.say(Status::OK, header.sequence, Body::EnquireLinkResp)
                    .await;
                continue;
            }
            assert_eq!(header.command, command, "{header:?}");
            return (header, frame);
        }
    }

    pub async fn raw(&mut self, octets: &[u8]) {
        let chunk = if self.chunk == 0 {
            octets.len().max(1)
        } else {
            self.chunk
        };
        for piece in octets.chunks(chunk) {
            // The client may have closed: that is its business.
            let _ = self.stream.write_all(piece).await;
            if self.chunk != 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    pub async fn say(&mut self, status: Status, sequence: u32, body: Body<'_>) {
        let octets = octets(status, sequence, body);
        self.raw(&octets).await;
    }

    /// Takes the bind.
    pub async fn bind(&mut self) {
        let (header, _) = self.expect(Command::BIND_TRANSCEIVER).await;
        self.say(Status::OK, header.sequence, bind_resp()).await;
    }

    /// Takes the next text; gives its words and its sequence number.
    pub async fn text(&mut self) -> (String, u32) {
        let (header, frame) = self.expect(Command::SUBMIT_SM).await;
        let Ok(Pdu {
            body: Body::SubmitSm(sms),
            ..
        }) = Pdu::decode(&frame)
        else {
            panic!("not a text")
        };
        let words = String::from_utf8_lossy(sms.message()).into_owned();
        (words, header.sequence)
    }

    pub async fn accept_text(&mut self) -> String {
        let (words, sequence) = self.text().await;
        self.say(Status::OK, sequence, submit_resp(words.as_bytes()))
            .await;
        words
    }

    /// Waits until the client has closed, reading whatever else it says.
    pub async fn closed(mut self) -> Vec<Header> {
        let mut seen = Vec::new();
        while let Some((header, _)) = self.next().await {
            seen.push(header);
        }
        seen
    }

    /// Hangs up with a reset, as a crashed peer does.
    pub fn crash(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).expect("linger");
    }
}

pub fn octets(status: Status, sequence: u32, body: Body<'_>) -> Vec<u8> {
    let mut octets = Vec::new();
    let pdu = Pdu {
        status,
        sequence,
        body,
    };
    pdu.encode(&mut octets).expect("a PDU that fits");
    octets
}

pub fn bind_resp() -> Body<'static> {
    Body::BindResp(
        BindKind::Transceiver,
        BindResp {
            system_id: b"hostile",
            tlvs: Tlvs::NONE,
        },
    )
}

/// A name for a text, which is its words, as long as a name may be.
pub fn submit_resp(words: &[u8]) -> Body<'_> {
    Body::SubmitSmResp(MessageResp {
        message_id: &words[..words.len().min(64)],
        tlvs: Tlvs::NONE,
    })
}

pub async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address").to_string();
    (listener, address)
}

/// A bind with short timers.
pub fn quick(address: &str) -> BindConfig {
    let mut session = Config::new("ringtrue", "secret");
    session.session_init = Duration::from_secs(2);
    session.response = Duration::from_secs(2);
    session.enquire_link = Duration::from_secs(5);
    let mut config = BindConfig::new("carrier", address, session);
    config.sender = "Ringtrue".to_owned();
    config.backoff.first = Duration::from_millis(20);
    config.backoff.most = Duration::from_millis(100);
    config.backoff.refused = Duration::from_millis(50);
    config
}

pub fn order(number: u128, words: &str) -> TextOrder {
    TextOrder {
        text: TextRef(Uuid::from_u128(number)),
        to: Address::international("+447700900100").to_owned(),
        sender: None,
        body: Words::from(words),
        deadline: Instant::now() + Duration::from_secs(120),
        patient: true,
        withdrawal: None,
    }
}

pub fn start(config: BindConfig) -> (Bind, Reports) {
    let (to, from) = reports(64);
    (Bind::start(config, to).expect("a bind that fits"), from)
}

/// Waits until the bind stands.
pub async fn bound(bind: &Bind) {
    let bound = timeout(PATIENCE, bind.bound())
        .await
        .expect("bound in time");
    assert!(bound);
}

pub async fn report(reports: &mut Reports) -> News {
    loop {
        let report = timeout(PATIENCE, reports.recv())
            .await
            .expect("a report in time")
            .expect("a report");
        // These are watched from the bind's handle.
        if !matches!(report.news, News::State(_) | News::Slowed { .. }) {
            return report.news;
        }
    }
}

/// The next report on a text, which is to be this one.
pub async fn fate(reports: &mut Reports, number: u128) -> Submission {
    match report(reports).await {
        News::Text { text, fate, .. } => {
            assert_eq!(text, TextRef(Uuid::from_u128(number)));
            fate
        }
        other => panic!("not a text: {other:?}"),
    }
}

/// That a text was taken under these names.
pub fn assert_sent(fate: &Submission, names: &[&str]) {
    let Submission::Sent(taken) = fate else {
        panic!("not sent: {fate:?}")
    };
    let seen: Vec<String> = taken.iter().map(ToString::to_string).collect();
    assert_eq!(seen, names);
}
