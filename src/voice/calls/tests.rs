use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use uuid::Uuid;

use super::*;
use crate::audio::Codec;
use crate::phone::PhoneNumber;
use crate::sip::endpoint::EndpointConfig;
use crate::voice::media::MediaConfig;

struct Bench {
    calls: Calls,
    endpoint: Endpoint,
    _news: mpsc::Receiver<StreamEvent>,
}

const PROXY: &str = "127.0.0.1:5070";

impl Bench {
    fn new(policy: CallPolicy, bound: &str, ports: std::ops::RangeInclusive<u16>) -> Bench {
        let (events, news) = mpsc::channel(64);
        let media = MediaPlane::start(
            MediaConfig {
                bind: IpAddr::from([0, 0, 0, 0]),
                advertise: None,
                ports,
                shards: 1,
                tap: Default::default(),
            },
            events,
        );
        let trunk = Trunk {
            name: "carrier".into(),
            proxy: "proxy.example.org".into(),
            domain: "example.org".into(),
            credentials: None,
            caller_id: None,
            codecs: vec![Codec::Pcma],
            latch: false,
            max_calls: 10,
            plus: true,
        };
        let locale = "en-GB".parse().expect("a locale");
        let prompts = PromptLibrary::builtin(&locale).expect("prompts");
        let calls = Calls::new(
            policy,
            [TrunkLine::new(trunk, None)],
            Arc::new(prompts),
            media.expect("a media plane"),
        );
        let bound = bound.parse().expect("an address");
        Bench {
            calls,
            endpoint: Endpoint::new(EndpointConfig::new(bound), [7; 32]),
            _news: news,
        }
    }

    fn found(&mut self) {
        let hop = NextHop {
            target: PROXY.parse().expect("an address"),
            local: "127.0.0.1:5060".parse().expect("an address"),
        };
        self.calls.resolved(&mut self.endpoint, "carrier", hop);
    }

    fn place(&mut self) -> CallRef {
        let call = CallRef(Uuid::now_v7());
        let order = CallOrder {
            call,
            to: PhoneNumber::parse("+442079460123").expect("a number"),
            trunk: "carrier".into(),
            caller_id: None,
            locale: "en-GB".into(),
            time_left: Duration::from_secs(60),
        };
        self.calls.place(&mut self.endpoint, Instant::now(), order);
        call
    }

    fn sent(&mut self) -> Option<String> {
        let sent = self.endpoint.poll_transmit()?;
        Some(String::from_utf8(sent.bytes).expect("text"))
    }

    /// The proxy answers a request.
    fn answer(&mut self, request: &str, status: &str) {
        let kept = request.lines().filter(|line| {
            ["Via:", "From:", "To:", "Call-ID:", "CSeq:"]
                .iter()
                .any(|name| line.starts_with(name))
        });
        let mut response = format!("SIP/2.0 {status}\r\n");
        for line in kept {
            response.push_str(line);
            if line.starts_with("To:") {
                response.push_str(";tag=there");
            }
            response.push_str("\r\n");
        }
        response.push_str("Contact: <sip:127.0.0.1:5070>\r\nContent-Length: 0\r\n\r\n");
        let now = Instant::now();
        let from = PROXY.parse().expect("an address");
        self.endpoint
            .handle_datagram(now, from, response.as_bytes());
        while let Some(event) = self.endpoint.poll_event() {
            self.calls.on_sip(&mut self.endpoint, now, event);
        }
    }

    fn told(&mut self) -> Vec<News> {
        std::iter::from_fn(|| self.calls.poll_report())
            .map(|report| report.news)
            .collect()
    }
}

#[test]
fn a_trunk_that_is_found_late_is_dialled_with_the_address_towards_it() {
    let mut bench = Bench::new(CallPolicy::default(), "0.0.0.0:5060", 26_000..=26_019);
    bench.place();
    let unavailable = News::Ended(Reason::TrunkUnavailable);
    assert_eq!(bench.told(), [unavailable]);
    bench.found();
    bench.place();
    assert_eq!(bench.told(), [News::Dialling]);
    let invite = bench.sent().expect("an INVITE");
    assert!(!invite.contains("0.0.0.0"), "{invite}");
    assert!(
        invite.contains("\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;"),
        "{invite}"
    );
    assert!(invite.contains("@127.0.0.1:5060>") || invite.contains("<sip:127.0.0.1:5060>"));
    assert!(invite.contains("\r\nc=IN IP4 127.0.0.1\r\n"), "{invite}");
}

#[test]
fn an_address_that_was_told_stays() {
    let mut bench = Bench::new(CallPolicy::default(), "192.0.2.1:5060", 26_020..=26_039);
    bench.found();
    let told = bench.endpoint.advertised();
    assert_eq!(told.to_string(), "192.0.2.1:5060");
}

#[test]
fn a_forwarded_call_that_was_let_pass_fails_as_any_other() {
    for (refuse_forwarded, reason) in [(true, Reason::Forwarded), (false, Reason::Busy)] {
        let policy = CallPolicy {
            refuse_forwarded,
            ..CallPolicy::default()
        };
        let mut bench = Bench::new(policy, "127.0.0.1:5060", 26_040..=26_059);
        bench.found();
        bench.place();
        let invite = bench.sent().expect("an INVITE");
        bench.answer(&invite, "181 Call Is Being Forwarded");
        bench.answer(&invite, "486 Busy Here");
        assert_eq!(bench.told().last(), Some(&News::Ended(reason)));
    }
}

#[test]
fn nothing_follows_the_end() {
    let mut bench = Bench::new(CallPolicy::default(), "127.0.0.1:5060", 26_060..=26_079);
    bench.found();
    let call = bench.place();
    let invite = bench.sent().expect("an INVITE");
    bench.answer(&invite, "100 Trying");
    let now = Instant::now();
    bench.calls.cancel(&mut bench.endpoint, now, call);
    let ended = News::Ended(Reason::CancelledByCaller);
    assert_eq!(bench.told().last(), Some(&ended));
    // The phone rings, is answered and sends a key while the CANCEL is on its way.
    bench.answer(&invite, "180 Ringing");
    bench.answer(&invite, "200 OK");
    let source = KeySource::SipInfo;
    bench
        .calls
        .key(&mut bench.endpoint, now, call, Digit::HASH, source, now);
    assert_eq!(bench.told(), []);
    assert!(bench.calls.by_stream.is_empty());
}
