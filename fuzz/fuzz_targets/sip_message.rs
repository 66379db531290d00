//! Any datagram is parsed, validated and replied to without a panic; a stream is cut into frames.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringtrue::sip::digest;
use ringtrue::sip::message::{Message, Name, StreamFramer, Uri, Via, Writer};

fuzz_target!(|data: &[u8]| {
    let mut framer = StreamFramer::new();
    for piece in data.chunks(97) {
        framer.push(piece);
        while let Ok(Some(_)) = framer.next() {}
    }
    let Ok(message) = Message::parse(data) else {
        return;
    };
    let _ = message.validate();
    let _ = (message.via(), message.from(), message.to(), message.cseq());
    let _ = (message.contact(), message.call_id(), message.sdp());
    for header in message.fields() {
        let value = header.value();
        let _ = digest::strongest([value.as_ref()]);
    }
    for name in Name::ALL {
        let _ = message.number(*name);
        for address in message.addresses(*name).flatten() {
            let _ = (address.display(), address.tag(), address.uri().user_decoded());
            let _ = address.uri().is_equivalent(&address.uri());
        }
        for element in message.list(*name) {
            let _ = Uri::parse(&element).map(|uri| uri.socket_addr());
            let _ = Via::parse(&element).map(|via| (via.received(), via.rport(), via.maddr()));
        }
    }
    let source = std::net::SocketAddr::from(([192, 0, 2, 1], 5060));
    let mut reply = Vec::new();
    if Writer::reply(&mut reply, &message, source, 400, "Bad Request", Some("t"))
        .finish()
        .is_ok()
    {
        let reply = Message::parse(&reply).expect("what is written is a message");
        assert_eq!(reply.list(Name::Via).count(), message.list(Name::Via).count());
    }
});
