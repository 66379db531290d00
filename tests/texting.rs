//! The texting gateway against the sandbox message centre and against one by hand: from the
//! engine's order to the phone, and back.

#[path = "smpp/wire.rs"]
mod wire;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ringtrue::config::Config;
use ringtrue::dialplan::{Dialplan, TextRoute, TextWay};
use ringtrue::phone::PhoneNumber;
use ringtrue::smpp::pdu::{Command as Operation, Status};
use ringtrue::sms::SmppLine;
use ringtrue::sms::dispatch::{Command, Dispatch, Failure, Inbound, News, Report};
use ringtrue::sms::gateway::{Gateway, GatewayConfig};
use ringtrue::sms::order::TextRef;
use ringtrue::sms::sandbox::{Sandbox, Shown, Timing};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;
use wire::{PATIENCE, Wire, bind_resp, listen, quick};
use zeroize::Zeroizing;

/// A sandbox whose receipts come soon.
async fn sandbox() -> (SocketAddr, mpsc::Receiver<Shown>, watch::Sender<bool>) {
    let (watcher, shown) = mpsc::channel(64);
    let timing = Timing {
        receipt: Duration::from_millis(50),
        slow: Duration::from_millis(300),
    };
    let sandbox = Sandbox::start(timing, watcher).await.expect("a sandbox");
    let address = sandbox.address();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(sandbox.run(stopped));
    (address, shown, stop)
}

fn line(name: &str, address: &str) -> SmppLine {
    let mut bind = quick(address);
    bind.name = name.into();
    SmppLine { bind, sessions: 1 }
}

struct House {
    commands: mpsc::Sender<Command>,
    reports: mpsc::Receiver<Report>,
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
    route: TextRoute,
}

impl House {
    /// A gateway with these lines, each a way that costs more than the one before.
    fn new(lines: Vec<SmppLine>) -> House {
        let ways = lines.iter().enumerate();
        let ways = ways.map(|(at, line)| TextWay {
            by: line.bind.name.clone(),
            weight: 1,
            cost: at as u32,
        });
        let any = Dialplan::built_in()
            .expect("the built-in dialplan")
            .text_route(&number("+447400123456"))
            .expect("a route");
        let route = TextRoute {
            ways: ways.collect(),
            ..any
        };
        let (stop, stopped) = watch::channel(false);
        let mut config = GatewayConfig::new(lines);
        config.patience = Duration::from_secs(5);
        let gateway = Gateway::start(config, stopped).expect("a gateway");
        House {
            commands: gateway.commands,
            reports: gateway.reports,
            task: gateway.task,
            stop,
            route,
        }
    }

    async fn send(&self, text: u128, to: &str, words: &str) {
        let dispatch = Dispatch {
            text: TextRef(Uuid::from_u128(text)),
            to: number(to),
            route: self.route.clone(),
            body: Zeroizing::new(words.to_owned()),
            deadline: Instant::now() + Duration::from_secs(60),
        };
        let command = Command::Send(Box::new(dispatch));
        self.commands.send(command).await.expect("a gateway");
    }

    /// The next report but for what is for the store.
    async fn report(&mut self) -> Report {
        loop {
            let report = timeout(PATIENCE, self.reports.recv()).await;
            match report.expect("a report in time").expect("a report") {
                Report::Named(_) => {}
                Report::Receipt(came) => came.acknowledgement.taken(),
                report => return report,
            }
        }
    }

    async fn news(&mut self, text: u128) -> News {
        match self.report().await {
            Report::Text { text: of, news } => {
                assert_eq!(of, TextRef(Uuid::from_u128(text)), "{news:?}");
                news
            }
            other => panic!("{other:?}"),
        }
    }

    async fn sent(&mut self, text: u128) -> (String, u8) {
        match self.news(text).await {
            News::Sent { by, messages } => (by.to_string(), messages),
            other => panic!("not sent: {other:?}"),
        }
    }

    async fn failed(&mut self, text: u128) -> (Failure, Option<String>) {
        match self.news(text).await {
            News::Failed { failure, error } => (failure, error.map(|e| e.to_string())),
            other => panic!("not failed: {other:?}"),
        }
    }

    async fn stop(mut self) {
        self.stop.send_replace(true);
        while let Ok(report) = timeout(PATIENCE, self.reports.recv()).await {
            if report.is_none() {
                break;
            }
        }
        timeout(PATIENCE, self.task)
            .await
            .expect("it ends in time")
            .expect("no panic");
    }
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[tokio::test]
async fn the_sandbox_does_as_the_number_says() {
    let (address, mut shown, _sandbox) = sandbox().await;
    let mut house = House::new(vec![line("sandbox", &address.to_string())]);
    house.send(1, "+447400123456", "Your code is 123456").await;
    assert_eq!(house.sent(1).await, ("sandbox".to_owned(), 1));
    match house.news(1).await {
        News::Delivered { after } => assert!(after >= Duration::from_millis(30), "{after:?}"),
        other => panic!("{other:?}"),
    }
    let seen = shown.recv().await.expect("what it said");
    assert_eq!(
        (&*seen.to, &*seen.from, seen.words.as_str()),
        ("447400123456", "Ringtrue", "Your code is 123456")
    );
    // It cannot be delivered.
    house.send(2, "+447400123401", "x").await;
    house.sent(2).await;
    match house.news(2).await {
        News::Undeliverable { error, .. } => assert_eq!(&*error, "UNDELIV err:027"),
        other => panic!("{other:?}"),
    }
    // No receipt; no such number; a carrier in trouble.
    house.send(3, "+447400123402", "x").await;
    house.sent(3).await;
    house.send(4, "+447400123403", "x").await;
    let refused = Some("ESME_RINVDSTADR".to_owned());
    assert_eq!(house.failed(4).await, (Failure::NoSuchNumber, refused));
    house.send(5, "+447400123410", "x").await;
    let refused = Some("ESME_RSYSERR".to_owned());
    assert_eq!(house.failed(5).await, (Failure::Rejected, refused));
    // Slowly, throttled at first, with its receipt before the answer, and too late.
    for (text, to) in [
        (6, "+447400123404"),
        (7, "+447400123405"),
        (8, "+447400123407"),
    ] {
        house.send(text, to, "x").await;
        house.sent(text).await;
        let news = house.news(text).await;
        assert!(matches!(news, News::Delivered { .. }), "{to}: {news:?}");
    }
    house.send(9, "+447400123408", "x").await;
    house.sent(9).await;
    let news = house.news(9).await;
    assert!(matches!(news, News::Undeliverable { error, .. } if &*error == "EXPIRED err:027"));
    // Never answered: it may have arrived.
    house.send(10, "+447400123406", "x").await;
    assert_eq!(
        house.news(10).await,
        News::Unsure {
            by: "sandbox".into()
        }
    );
    house.stop().await;
}

#[tokio::test]
async fn a_long_text_arrives_with_its_last_message() {
    let (address, mut shown, _sandbox) = sandbox().await;
    let mut house = House::new(vec![line("sandbox", &address.to_string())]);
    let words = "Your code is 123456. Нікому його не кажіть. ".repeat(4);
    house.send(1, "+447400123456", &words).await;
    let (_, messages) = house.sent(1).await;
    assert!(messages > 1, "{messages}");
    assert!(matches!(house.news(1).await, News::Delivered { .. }));
    assert_eq!(shown.recv().await.expect("it").words.as_str(), words);
    // And no word on it after that.
    house.send(2, "+447400123402", "x").await;
    house.sent(2).await;
    // More than the bind allows.
    house.send(3, "+447400123456", &words.repeat(10)).await;
    assert_eq!(house.failed(3).await, (Failure::TooLong, None));
    house.stop().await;
}

#[tokio::test]
async fn what_people_send_is_told_and_acknowledged() {
    let (address, _shown, _sandbox) = sandbox().await;
    let mut house = House::new(vec![line("sandbox", &address.to_string())]);
    house.send(1, "+447400123409", "Answer STOP to stop").await;
    let mut inbound = None;
    while inbound.is_none() {
        if let Report::Inbound(message) = house.report().await {
            inbound = Some(message);
        }
    }
    let inbound: Box<Inbound> = inbound.expect("a message");
    assert_eq!(inbound.from, Some(number("+447400123409")));
    assert_eq!((&*inbound.by, &*inbound.to), ("sandbox", "Ringtrue"));
    assert_eq!(inbound.words.as_str(), "STOP");
    inbound.acknowledgement.expect("one").taken();
    house.stop().await;
}

#[tokio::test]
async fn a_way_that_is_down_is_left_aside() {
    let (address, _shown, _sandbox) = sandbox().await;
    // Nobody listens there.
    let (listener, nowhere) = listen().await;
    drop(listener);
    let several = SmppLine {
        sessions: 3,
        ..line("several", &address.to_string())
    };
    let mut house = House::new(vec![line("nowhere", &nowhere), several]);
    for text in 0..50 {
        house.send(text, "+447400123402", "x").await;
    }
    for _ in 0..50 {
        match house.report().await {
            Report::Text {
                news: News::Sent { by, .. },
                ..
            } => assert_eq!(&*by, "several"),
            other => panic!("{other:?}"),
        }
    }
    house.stop().await;
    // With no way up at all.
    let mut house = House::new(vec![line("nowhere", &nowhere)]);
    house.send(1, "+447400123456", "x").await;
    assert_eq!(house.failed(1).await, (Failure::Unavailable, None));
    house.stop().await;
}

/// A message centre reads a text and hangs up: it may have taken it, so the other bind never sees
/// it. One that never takes the bind is passed over.
#[tokio::test]
async fn what_may_have_left_goes_nowhere_else() {
    let (address, mut shown, _sandbox) = sandbox().await;
    let (listener, hostile) = listen().await;
    let centre = tokio::spawn(async move {
        let mut seen = Vec::new();
        for turn in 0..6 {
            let mut wire = Wire::accept(&listener).await;
            if turn % 2 == 1 {
                let (header, _) = wire.expect(Operation::BIND_TRANSCEIVER).await;
                wire.say(Status::SYSTEM_ERROR, header.sequence, bind_resp())
                    .await;
                continue;
            }
            wire.bind().await;
            seen.push(wire.text().await.0);
            if turn == 2 {
                wire.crash();
            }
        }
        seen
    });
    let mut house = House::new(vec![
        line("hostile", &hostile),
        line("sandbox", &address.to_string()),
    ]);
    let (mut unsure, mut sent) = (Vec::new(), Vec::new());
    for text in 0..200 {
        house
            .send(text, "+447400123402", &format!("text {text}"))
            .await;
        match house.news(text).await {
            News::Unsure { by } => {
                assert_eq!(&*by, "hostile");
                unsure.push(format!("text {text}"));
            }
            News::Sent { by, .. } => {
                assert_eq!(&*by, "sandbox");
                sent.push(format!("text {text}"));
            }
            other => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        if unsure.len() == 3 {
            break;
        }
    }
    assert_eq!(
        timeout(PATIENCE, centre)
            .await
            .expect("in time")
            .expect("it"),
        unsure
    );
    let mut arrived = Vec::new();
    while arrived.len() < sent.len() {
        arrived.push(shown.recv().await.expect("a text").words.to_string());
    }
    assert_eq!(arrived, sent);
    assert!(shown.try_recv().is_err());
    house.stop().await;
}

/// Withdrawn while the bind is throttled: nothing of it leaves.
#[tokio::test]
async fn what_is_withdrawn_does_not_leave() {
    let (listener, address) = listen().await;
    let mut house = House::new(vec![line("slow", &address)]);
    let mut wire = Wire::accept(&listener).await;
    wire.bind().await;
    house.send(1, "+447400123456", "first").await;
    let (_, sequence) = wire.text().await;
    let busy = ringtrue::smpp::pdu::Body::SubmitSmResp(Default::default());
    wire.say(Status::THROTTLED, sequence, busy).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    house.send(2, "+447400123456", "second").await;
    let withdrawn = Command::Withdraw(TextRef(Uuid::from_u128(2)));
    house.commands.send(withdrawn).await.expect("a gateway");
    assert_eq!(house.failed(2).await, (Failure::TooLate, None));
    assert_eq!(wire.accept_text().await, "first");
    house.sent(1).await;
    house.send(3, "+447400123456", "third").await;
    assert_eq!(wire.accept_text().await, "third");
    house.sent(3).await;
    let serving = tokio::spawn(async move {
        let (header, _) = wire.expect(Operation::UNBIND).await;
        let bye = ringtrue::smpp::pdu::Body::UnbindResp;
        wire.say(Status::OK, header.sequence, bye).await;
    });
    house.stop().await;
    serving.await.expect("the message centre");
}

/// Withdrawn after the message centre has refused it for the moment: nothing of it has left, and it is
/// not tried again.
#[tokio::test]
async fn what_is_withdrawn_is_not_tried_again() {
    let (listener, address) = listen().await;
    let mut house = House::new(vec![line("busy", &address)]);
    let mut wire = Wire::accept(&listener).await;
    wire.bind().await;
    house.send(1, "+447400123456", "first").await;
    let (_, sequence) = wire.text().await;
    let busy = ringtrue::smpp::pdu::Body::SubmitSmResp(Default::default());
    wire.say(Status::QUEUE_FULL, sequence, busy).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let withdrawn = Command::Withdraw(TextRef(Uuid::from_u128(1)));
    house.commands.send(withdrawn).await.expect("a gateway");
    assert_eq!(house.failed(1).await, (Failure::TooLate, None));
    house.send(2, "+447400123456", "second").await;
    assert_eq!(wire.accept_text().await, "second");
    house.sent(2).await;
}

/// What waits and what has left is reported when the gateway stops.
#[tokio::test]
async fn stopping_reports_everything() {
    let (listener, address) = listen().await;
    let mut lines = vec![line("a", &address)];
    lines[0].bind.session.window = 2;
    lines[0].bind.drain = Duration::from_millis(300);
    let mut house = House::new(lines);
    let mut wire = Wire::accept(&listener).await;
    wire.bind().await;
    for text in 0..20 {
        house.send(text, "+447400123456", "x").await;
    }
    wire.text().await;
    wire.text().await;
    house.stop.send_replace(true);
    let mut ends = [0; 20];
    let mut unsure = 0;
    while let Some(report) = timeout(PATIENCE, house.reports.recv())
        .await
        .expect("in time")
    {
        let Report::Text { text, news } = report else {
            panic!("nobody wrote")
        };
        ends[text.0.as_u128() as usize] += 1;
        match news {
            News::Unsure { .. } => unsure += 1,
            News::Failed { failure, .. } => assert_eq!(failure, Failure::Unavailable),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((ends, unsure), ([1; 20], 2));
    house.task.await.expect("no panic");
}

/// The defaults lead texts to the sandbox, as they lead calls to the sandbox phone.
#[tokio::test]
async fn the_defaults_send_to_the_sandbox() {
    let config = Config::default();
    let plan = config.check().expect("the defaults hold together").dialplan;
    let (mut texts, (commands, mut reports)) =
        ringtrue::cli::service::Texts::start(&config, Default::default())
            .await
            .expect("texts");
    let to = number("+33612345678");
    let route = plan.text_route(&to).expect("a route");
    assert_eq!(&*route.locale, "fr-FR");
    let dispatch = Dispatch {
        text: TextRef(Uuid::from_u128(1)),
        to,
        route,
        body: Zeroizing::new("Votre code : 123456".to_owned()),
        deadline: Instant::now() + Duration::from_secs(60),
    };
    commands
        .send(Command::Send(Box::new(dispatch)))
        .await
        .expect("a gateway");
    let mut delivered = false;
    while !delivered {
        let report = timeout(PATIENCE, reports.recv()).await.expect("in time");
        match report.expect("a report") {
            Report::Text {
                news: News::Sent { .. },
                ..
            }
            | Report::Named(_) => {}
            Report::Text {
                news: News::Delivered { .. },
                ..
            } => delivered = true,
            other => panic!("{other:?}"),
        }
    }
    let seen = texts.shown.recv().await.expect("what it said");
    assert_eq!(seen.words.as_str(), "Votre code : 123456");
    assert_eq!(seen.from, "Ringtrue");
    texts.stop().await;
}
