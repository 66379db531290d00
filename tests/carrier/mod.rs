//! The texting gateway, played by a test on the ends of the engine's channels.
#![allow(dead_code, reason = "each test uses a part")]

use std::sync::Arc;
use std::time::Duration;

use ringtrue::dialplan::{Dialplan, TextRoute, TextWay};
use ringtrue::engine::TextGateway;
use ringtrue::phone::PhoneNumber;
use ringtrue::sms::dispatch::{Command, Dispatch, Inbound, News, Report};
use ringtrue::sms::order::TextRef;
use tokio::sync::mpsc;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// The gateway's ends of the two channels.
pub struct Carrier {
    /// What the engine orders.
    pub commands: mpsc::Receiver<Command>,
    /// What it is told.
    pub reports: mpsc::Sender<Report>,
}

impl Carrier {
    /// A gateway that every number leads to, and the engine's ends of its channels.
    pub fn new(plan: &Dialplan) -> (Carrier, TextGateway) {
        let (order, commands) = mpsc::channel(64);
        let (reports, told) = mpsc::channel(64);
        let number = PhoneNumber::parse("+442079460958").expect("a number");
        let rule = plan.route(&number).expect("a rule that can be cited").rule;
        let route = move |_: &PhoneNumber| {
            Ok(TextRoute {
                ways: [TextWay {
                    by: "bind".into(),
                    weight: 1,
                    cost: 1,
                }]
                .into(),
                sender: None,
                locale: "en-GB".into(),
                rule: rule.clone(),
            })
        };
        let gateway = TextGateway {
            commands: order,
            reports: told,
            route: Arc::new(route),
        };
        (Carrier { commands, reports }, gateway)
    }

    /// The next command, which must be a text to send.
    pub async fn dispatched(&mut self) -> Dispatch {
        let command = timeout(Duration::from_secs(10), self.commands.recv()).await;
        match command.expect("a command in time") {
            Some(Command::Send(dispatch)) => *dispatch,
            other => panic!("{other:?}"),
        }
    }

    /// Reports what happened to a text.
    pub async fn tell(&self, text: TextRef, news: News) {
        let report = Report::Text { text, news };
        self.reports.send(report).await.expect("an engine");
    }

    /// Brings what a person wrote.
    pub async fn says(&self, words: &str, from: &str) {
        let inbound = Inbound {
            by: "bind".into(),
            from: PhoneNumber::parse(from).ok(),
            to: "12345".into(),
            words: Zeroizing::new(words.into()),
            acknowledgement: None,
        };
        let report = Report::Inbound(Box::new(inbound));
        self.reports.send(report).await.expect("an engine");
    }
}

/// A carrier has taken the text.
pub fn sent() -> News {
    News::Sent {
        by: "bind".into(),
        messages: 1,
    }
}

/// The code in a text: its first word.
pub fn code_of(dispatch: &Dispatch) -> String {
    let code = dispatch.body.split(' ').next().expect("a word").to_owned();
    assert!(code.bytes().all(|b| b.is_ascii_digit()), "no code first");
    code
}

/// A code of the same length that differs in the first digit; another for each `n` below 9.
pub fn another(right: &str, n: u8) -> String {
    let first = right.bytes().next().expect("a digit") - b'0';
    format!("{}{}", (first + 1 + n % 9) % 10, &right[1..])
}
