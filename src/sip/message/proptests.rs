//! Any octets are read without a panic, and what is written reads back.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Asks a message everything there is to ask.
fn read_all(data: &[u8]) {
    let Ok(message) = Message::parse(data) else {
        return;
    };
    let _ = message.validate();
    let _ = (message.via(), message.from(), message.to(), message.cseq());
    let _ = (message.contact(), message.call_id(), message.content_type());
    let _ = (message.sdp(), message.extension("x"));
    for header in message.fields() {
        let _ = header.value();
    }
    for name in Name::ALL {
        let _ = message.header(*name);
        for element in message.list(*name) {
            let _ = Uri::parse(&element).map(|uri| (uri.user_decoded(), uri.socket_addr()));
            let _ = Via::parse(&element).map(|via| (via.received(), via.rport()));
            let _ = RAck::parse(&element);
        }
        for address in message.addresses(*name).flatten() {
            let _ = (address.display(), address.tag());
            let _ = address.uri().is_equivalent(&address.uri());
        }
        let _ = message.number(*name);
    }
    let source = "192.0.2.1:5060".parse().expect("an address");
    let mut buffer = Vec::new();
    let writer = Writer::reply(&mut buffer, &message, source, 400, "Bad Request", Some("t"));
    if writer.finish().is_ok() {
        let reply = Message::parse(&buffer).expect("what is written is a message");
        assert_eq!(reply.code(), Some(400));
        assert_eq!(
            reply.list(Name::Via).count(),
            message.list(Name::Via).count()
        );
    }
}

/// Lines that are nearly right.
fn field_line() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("Via"),
        Just("v"),
        Just("From"),
        Just("To"),
        Just("t"),
        Just("Call-ID"),
        Just("CSeq"),
        Just("Contact"),
        Just("Route"),
        Just("Content-Length"),
        Just("l"),
        Just("Content-Type"),
        Just("Max-Forwards"),
        Just("X-Any"),
        Just("Date"),
        Just(" "),
    ];
    let value = "(SIP/2\\.0/UDP|<|>|\"|\\\\|;|,|=|:|@|%|sip:|tel:|tag|branch|z9hG4bK|rport|[0-9]{1,3}| |\r\n |\\[::1\\]|\\PC){0,16}";
    (name, value).prop_map(|(name, value)| format!("{name}: {value}\r\n"))
}

fn token() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9.!%*_+`'~-]{1,16}"
}

/// A header field value with no line break and no white space at its ends.
fn value() -> impl Strategy<Value = String> {
    "[^\\p{Cc}]{0,40}".prop_map(|text| text.trim_matches([' ', '\t']).to_owned())
}

proptest! {
    #[test]
    fn any_octets(data in vec(any::<u8>(), 0..600)) {
        read_all(&data);
        let mut message = b"INVITE sip:a@b SIP/2.0\r\n".to_vec();
        message.extend_from_slice(&data);
        message.extend_from_slice(b"\r\n\r\n");
        read_all(&message);
    }

    #[test]
    fn any_fields(lines in vec(field_line(), 0..12), body in vec(any::<u8>(), 0..40)) {
        for start in ["INVITE sip:a@b;c=d SIP/2.0", "SIP/2.0 183 Session Progress"] {
            let mut message = format!("{start}\r\n{}\r\n", lines.concat()).into_bytes();
            message.extend_from_slice(&body);
            read_all(&message);
        }
    }

    #[test]
    fn octets_changed_in_a_sound_message(changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut message = b"INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060\
            ;branch=z9hG4bKx;rport\r\nFrom: \"A\" <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\
            \r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.1>\r\nContent-Type: \
            multipart/mixed;boundary=b\r\nContent-Length: 40\r\n\r\n--b\r\nc: application/sdp\r\n\r\n\
            v=0\r\n--b--\r\n".to_vec();
        for (at, octet) in changes {
            let at = at.index(message.len());
            message[at] = octet;
        }
        read_all(&message);
    }

    #[test]
    fn written_requests_read_back(
        method in token(),
        uri in "sip:[a-z0-9]{1,8}@[a-z]{1,8}\\.example(;[a-z]{1,4}(=[a-z0-9]{1,4})?){0,2}",
        fields in vec((token(), value()), 0..8),
        subject in value(),
        body in vec(any::<u8>(), 0..60),
    ) {
        let mut buffer = Vec::new();
        let mut writer = Writer::request(&mut buffer, Method::parse(&method).expect("a token"), &uri);
        writer.header(Name::Subject, &subject);
        let unknown: Vec<_> = fields
            .iter()
            .filter(|(name, _)| Name::parse(name.as_bytes()).is_none())
            .collect();
        for (name, value) in &unknown {
            writer.extension(name, value);
        }
        writer.body("application/octet-stream", &body);
        prop_assert_eq!(writer.finish(), Ok(()));
        let message = Message::parse(&buffer).expect("a message");
        prop_assert_eq!(message.method().map(|m| m.as_str()), Some(method.as_str()));
        let start = message.start();
        let is_uri = matches!(start, StartLine::Request { uri: read, .. } if read == uri);
        prop_assert!(is_uri);
        let read = message.header(Name::Subject);
        prop_assert_eq!(read.as_deref(), Some(subject.as_str()));
        prop_assert_eq!(message.body(), body.as_slice());
        let read: Vec<_> = message
            .fields()
            .filter(|f| f.known.is_none())
            .map(|f| (f.name.to_owned(), f.value().into_owned()))
            .collect();
        let wrote: Vec<_> = unknown.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
        prop_assert_eq!(read, wrote);
    }

    #[test]
    fn written_values_never_add_fields(value in "(\r|\n|\0|[a-z:; ]|Via: x){0,12}") {
        let mut buffer = Vec::new();
        let mut writer = Writer::response(&mut buffer, 200, "OK");
        writer
            .header(Name::Subject, &value)
            .header_fmt(Name::Subject, format_args!("{value}"))
            .extension("X-Any", &value)
            .body("text/plain", b"");
        if writer.finish().is_ok() {
            let message = Message::parse(&buffer).expect("a message");
            prop_assert_eq!(message.fields().count(), 5);
        } else {
            prop_assert!(buffer.is_empty());
        }
    }

    #[test]
    fn streams_come_apart_where_they_were_joined(
        bodies in vec(vec(any::<u8>(), 0..50), 1..5),
        piece in 1usize..80,
    ) {
        let mut stream = Vec::new();
        for body in &bodies {
            let mut writer = Writer::response(&mut stream, 200, "OK");
            writer.body("a/b", body);
            prop_assert_eq!(writer.finish(), Ok(()));
        }
        let mut framer = StreamFramer::new();
        let mut found = Vec::new();
        for piece in stream.chunks(piece) {
            framer.push(piece);
            while let Some(frame) = framer.next().expect("sound") {
                if let Frame::Message(octets) = frame {
                    found.push(Message::parse(octets).expect("sound").body().to_vec());
                }
            }
        }
        prop_assert_eq!(found, bodies);
    }

    #[test]
    fn any_stream(data in vec(any::<u8>(), 0..400), piece in 1usize..50) {
        let mut framer = StreamFramer::new();
        'stream: for piece in data.chunks(piece) {
            framer.push(piece);
            loop {
                match framer.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => break 'stream,
                }
            }
        }
    }
}
