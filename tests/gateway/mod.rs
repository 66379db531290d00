//! The voice gateway, played by a test on the ends of the engine's channels.
#![allow(dead_code, reason = "each test uses a part")]

use std::time::Duration;

use ringtrue::challenge::Reason;
use ringtrue::dtmf::Digit;
use ringtrue::voice::order::{CallOrder, CallRef, Command, KeySource, News, Report};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What a call that is answered reports.
pub const ANSWERED: [News; 3] = [News::Dialling, News::Ringing, News::Answered];
/// The word that approves.
pub const PRESSED: News = News::Ended(Reason::KeyPressed);

/// The gateway's ends of the two channels.
pub struct Gateway {
    /// What the engine orders.
    pub commands: mpsc::Receiver<Command>,
    /// What it is told.
    pub reports: mpsc::Sender<Report>,
}

impl Gateway {
    /// A gateway, and the engine's ends of its channels.
    pub fn new(room: usize) -> (Gateway, mpsc::Sender<Command>, mpsc::Receiver<Report>) {
        let (order, commands) = mpsc::channel(room);
        let (reports, told) = mpsc::channel(room);
        (Gateway { commands, reports }, order, told)
    }

    /// The next command, which must be a call to place.
    pub async fn placed(&mut self) -> CallOrder {
        let command = timeout(Duration::from_secs(10), self.commands.recv()).await;
        match command.expect("a command in time") {
            Some(Command::Place(order)) => *order,
            other => panic!("{other:?}"),
        }
    }

    /// The next command, which must be a call to end.
    pub async fn cancelled(&mut self) -> CallRef {
        let command = timeout(Duration::from_secs(10), self.commands.recv()).await;
        match command.expect("a command in time") {
            Some(Command::Cancel(call)) => call,
            other => panic!("{other:?}"),
        }
    }

    /// Reports what happened to a call.
    pub async fn tell(&self, call: CallRef, news: &[News]) {
        for news in news {
            let report = Report {
                call,
                news: news.clone(),
            };
            self.reports.send(report).await.expect("an engine");
        }
    }

    /// Plays every call from now on: it is answered and the key is pressed.
    pub async fn approve_all(mut self) {
        while let Some(command) = self.commands.recv().await {
            if let Command::Place(order) = command {
                self.tell(order.call, &ANSWERED).await;
                self.tell(order.call, &[hash(), PRESSED]).await;
            }
        }
    }
}

/// The hash key, counted.
pub fn hash() -> News {
    News::Key {
        digit: Digit::HASH,
        source: KeySource::Rfc4733,
        counted: true,
    }
}

/// A dialplan that leads every number to the trunk `carrier`.
pub fn plan() -> ringtrue::dialplan::Dialplan {
    let mut plan = ringtrue::dialplan::Dialplan::default();
    plan.add(
        "test.toml",
        "[[rule]]\nprefix = \"+\"\ntrunk = \"carrier\"\n",
    )
    .expect("a sound dialplan");
    plan
}

/// A guard that limits nothing.
pub fn guard() -> ringtrue::guard::Guard {
    ringtrue::guard::Guard::new(ringtrue::guard::GuardConfig {
        per_number: u32::MAX,
        per_tenant: u32::MAX,
        total: u32::MAX,
        ..Default::default()
    })
}
