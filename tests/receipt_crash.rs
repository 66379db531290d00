//! Receipts across a restart: the service is killed with SIGKILL between a text and its receipt, and
//! the next process tells what has become of the text.

mod peers;
#[path = "smpp/wire.rs"]
mod wire;

use peers::{Ringtrue, Wanted, udp_port};
use ringtrue::smpp::pdu::{Address, Body, Command, EsmClass, Sms, Status};
use serde_json::json;
use wire::{Wire, listen, submit_resp};

/// The message centre's end, and the service whose texts it takes.
struct House {
    listener: tokio::net::TcpListener,
    ringtrue: Ringtrue,
    wire: Wire,
    delivery: u32,
}

/// A challenge, and the code that it was texted.
struct Texted {
    id: String,
    code: String,
}

impl House {
    async fn new() -> House {
        let (listener, address) = listen().await;
        let call = format!(
            "[bind.carrier]\naddress = \"{address}\"\nsystem_id = \"ringtrue\"\n\
             password = \"secret\"\nsender = \"Ringtrue\"\n"
        );
        let ringtrue = Ringtrue::start(Wanted {
            proxy: format!("127.0.0.1:{}", udp_port()),
            trunk: "",
            call: &call,
            rule: "binds = [\"carrier\"]",
        });
        let (ringtrue, wire) = tokio::join!(ringtrue, bound(&listener));
        House {
            listener,
            ringtrue,
            wire,
            delivery: 1000,
        }
    }

    /// Kills the service and starts it again.
    async fn crash(&mut self) {
        self.ringtrue.kill();
        let (_, wire) = tokio::join!(self.ringtrue.restart(), bound(&self.listener));
        self.wire = wire;
    }

    /// Begins a challenge by text, which the message centre takes under a name.
    async fn texted(&mut self, to: &str, name: &str) -> Texted {
        let body = json!({ "to": to, "channel": "sms", "web_otp": "example.org" });
        let (posted, (words, sequence)) =
            tokio::join!(self.ringtrue.post("", body), self.wire.text());
        let (status, answer) = posted;
        assert_eq!(status, 201, "{answer}");
        self.wire
            .say(Status::OK, sequence, submit_resp(name.as_bytes()))
            .await;
        let id = answer["id"].as_str().expect("an id").to_owned();
        self.ringtrue.text_is(&id, "sent").await;
        let (_, code) = words.rsplit_once('#').expect("a code");
        Texted {
            id,
            code: code.to_owned(),
        }
    }

    /// Delivers a receipt; how it was answered.
    async fn receipt(&mut self, words: &str) -> Status {
        self.delivery += 1;
        let receipt = Sms {
            source: Address::international("+447400123456"),
            destination: Address::sender("Ringtrue"),
            esm_class: EsmClass::RECEIPT,
            short_message: words.as_bytes(),
            ..Sms::default()
        };
        self.wire
            .say(Status::OK, self.delivery, Body::DeliverSm(receipt))
            .await;
        let (header, _) = self.wire.expect(Command::DELIVER_SM_RESP).await;
        assert_eq!(header.sequence, self.delivery);
        header.status
    }

    async fn check(&self, texted: &Texted) -> u16 {
        let path = format!("/{}/check", texted.id);
        let (status, _) = self
            .ringtrue
            .post(&path, json!({ "code": texted.code }))
            .await;
        status
    }
}

async fn bound(listener: &tokio::net::TcpListener) -> Wire {
    let mut wire = Wire::accept(listener).await;
    wire.bind().await;
    wire
}

#[tokio::test]
async fn a_receipt_finds_its_text_in_the_next_process() {
    let mut house = House::new().await;
    let open = house.texted("+447400123401", "m-1").await;
    let lost = house.texted("+447400123402", "m-2").await;
    let approved = house.texted("+447400123403", "m-3").await;
    let told = house.texted("+447400123404", "m-4").await;
    assert_eq!(house.check(&approved).await, 200);
    house.crash().await;

    // Once a receipt is acknowledged, what it says outlives the next kill too.
    let ok = Status::OK;
    assert_eq!(house.receipt("id:m-1 stat:DELIVRD err:000").await, ok);
    assert_eq!(house.receipt("id:m-2 stat:UNDELIV err:027").await, ok);
    assert_eq!(house.receipt("id:m-3 stat:DELIVRD err:000").await, ok);
    assert_eq!(house.receipt("id:m-4 stat:ACCEPTD err:000").await, ok);
    house.crash().await;

    let seen = house.ringtrue.get(&open.id).await;
    assert_eq!(seen["status"], "delivered", "{seen}");
    assert_eq!(seen["text"]["state"], "delivered", "{seen}");
    assert!(seen["text"]["took_ms"].is_u64(), "{seen}");
    assert!(seen["text"]["delivered_at"].is_string(), "{seen}");
    let seen = house.ringtrue.get(&lost.id).await;
    assert_eq!(seen["status"], "undeliverable", "{seen}");
    assert_eq!(seen["text"]["carrier_error"], "UNDELIV err:027", "{seen}");
    // What has ended stays as it ended.
    let seen = house.ringtrue.get(&approved.id).await;
    assert_eq!(seen["status"], "approved", "{seen}");
    assert_eq!(seen["text"]["state"], "delivered", "{seen}");
    // Not the end of it: the carrier has yet to say more, and says it to a third process.
    let seen = house.ringtrue.get(&told.id).await;
    assert_eq!(seen["status"], "sent", "{seen}");
    assert_eq!(seen["text"]["state"], "accepted", "{seen}");
    assert_eq!(house.receipt("id:m-4 stat:UNKNOWN err:000").await, ok);
    let seen = house.ringtrue.text_is(&told.id, "unknown").await;
    assert_eq!(seen["status"], "sent", "{seen}");
    assert_eq!(house.receipt("id:m-4 stat:DELIVRD err:000").await, ok);
    house.ringtrue.text_is(&told.id, "delivered").await;

    // A receipt that nobody knows is acknowledged, or it would come for ever; one that comes twice
    // says nothing new.
    assert_eq!(house.receipt("id:nobody stat:DELIVRD").await, ok);
    assert_eq!(house.receipt("id:m-2 stat:UNDELIV err:027").await, ok);
    for texted in [&open, &lost, &told] {
        assert_eq!(house.check(texted).await, 200);
    }
    let log = house.ringtrue.log();
    assert!(!log.contains("7400123401"), "{log}");
}

#[tokio::test]
async fn a_receipt_that_comes_after_the_approval_is_told() {
    let mut house = House::new().await;
    let texted = house.texted("+447400123405", "late-1").await;
    assert_eq!(house.check(&texted).await, 200);
    assert_eq!(
        house.receipt("id:late-1 stat:DELIVRD err:000").await,
        Status::OK
    );
    let seen = house.ringtrue.text_is(&texted.id, "delivered").await;
    assert_eq!(seen["status"], "approved", "{seen}");
    assert!(seen["text"]["delivered_at"].is_string(), "{seen}");
}
