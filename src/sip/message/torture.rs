//! The torture tests of RFC 4475, and fields as carriers and phones really send them.

use std::path::PathBuf;

use super::*;

fn fixture(folder: &str, name: &str) -> Vec<u8> {
    let path: PathBuf = [
        env!("CARGO_MANIFEST_DIR"),
        "fixtures/sip/torture",
        folder,
        &format!("{name}.sip"),
    ]
    .iter()
    .collect();
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whether a user agent would act on it, and if not, why.
fn judge(datagram: &[u8]) -> Result<(), String> {
    let message = Message::parse(datagram).map_err(|error| format!("{error:?}"))?;
    message.validate().map_err(|fault| format!("{fault:?}"))
}

#[test]
fn the_valid_messages_are_accepted() {
    for name in [
        "wsinv",
        "intmeth",
        "esc01",
        "escnull",
        "esc02",
        "lwsdisp",
        "longreq",
        "dblreq",
        "semiuri",
        "transports",
        "mpart01",
        "unreason",
        "noreason",
    ] {
        assert_eq!(judge(&fixture("valid", name)), Ok(()), "{name}");
    }
}

#[test]
fn the_invalid_messages_are_rejected_for_the_right_reason() {
    for (name, reason) in [
        ("badinv01", "Malformed(Via)"),
        ("clerr", "BodyTruncated"),
        ("ncl", "Malformed(Content-Length)"),
        ("scalar02", "Malformed(CSeq)"),
        ("scalarlg", "Malformed(CSeq)"),
        ("quotbal", "Malformed(To)"),
        ("ltgtruri", "RequestUri"),
        ("lwsruri", "RequestLine"),
        ("lwsstart", "RequestLine"),
        ("trws", "RequestLine"),
        ("escruri", "RequestUri"),
        ("baddate", "Malformed(Date)"),
        ("regbadct", "Malformed(Contact)"),
        ("badaspec", "Malformed(To)"),
        ("baddn", "Malformed(From)"),
        ("badvers", "Version"),
        ("mismatch01", "MethodMismatch"),
        ("mismatch02", "MethodMismatch"),
        ("bigcode", "StatusCode"),
    ] {
        assert_eq!(
            judge(&fixture("invalid", name)),
            Err(reason.to_owned()),
            "{name}"
        );
    }
}

#[test]
fn the_messages_for_the_layers_above() {
    for (name, verdict) in [
        ("badbranch", Ok(())),
        ("insuf", Err("Missing(From)".to_owned())),
        ("unkscm", Ok(())),
        ("novelsc", Ok(())),
        ("unksm2", Ok(())),
        ("bext01", Ok(())),
        ("invut", Ok(())),
        ("regaut01", Ok(())),
        ("multi01", Err("BodyTruncated".to_owned())),
        ("mcl01", Err("Repeated(Content-Length)".to_owned())),
        ("bcast", Ok(())),
        ("zeromf", Ok(())),
        ("cparam01", Ok(())),
        ("cparam02", Ok(())),
        ("regescrt", Ok(())),
        ("sdp01", Ok(())),
        ("inv2543", Ok(())),
    ] {
        assert_eq!(judge(&fixture("application", name)), verdict, "{name}");
    }
    let bad = fixture("application", "badbranch");
    let message = Message::parse(&bad).expect("sound");
    assert!(!message.via().expect("sound").has_unique_branch());
    let multi = fixture("application", "multi01");
    let message = Message::parse(&multi).expect("sound");
    assert_eq!(message.from(), Err(Fault::Repeated(Name::From)));
    assert_eq!(message.cseq(), Err(Fault::Repeated(Name::CSeq)));
}

#[test]
fn wsinv_reads_as_the_rfc_says() {
    let data = fixture("valid", "wsinv");
    let message = Message::parse(&data).expect("sound");
    let vias: Vec<_> = message.vias().map(|v| v.expect("sound")).collect();
    let branches: Vec<_> = vias.iter().map(|v| v.branch()).collect();
    assert_eq!(
        branches,
        [
            Some("390skdjuw"),
            Some("z9hG4bK9ikj8"),
            Some("z9hG4bK30239")
        ]
    );
    assert_eq!(vias[1].transport(), "TCP");
    assert_eq!(message.to().map(|t| t.tag()), Ok(Some("1918181833n")));
    let from = message.from().expect("sound");
    assert_eq!(from.display().as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(from.tag(), Some("98asjd8"));
    let cseq = message.cseq().expect("sound");
    assert_eq!((cseq.number, cseq.method), (9, Method::Invite));
    assert_eq!(message.number(Name::MaxForwards), Ok(Some(68)));
    assert_eq!(message.header(Name::Subject).as_deref(), Some(""));
    assert_eq!(
        message.extension("newfangledheader").as_deref(),
        Some("newfangled value continued newfangled value")
    );
    let contact = message.contact().expect("sound");
    assert_eq!(contact.display().as_deref(), Some("Quoted string \"\""));
    assert_eq!(contact.params().value("newparam"), Some("newvalue"));
    assert!(contact.params().has("secondparam"));
    assert_eq!(contact.params().value("q"), Some("0.33"));
    let route = message
        .addresses(Name::Route)
        .next()
        .expect("one")
        .expect("sound");
    assert!(route.uri().is_loose_route());
    assert_eq!(message.body().len(), 150);
}

#[test]
fn the_other_valid_messages_read_as_the_rfc_says() {
    let data = fixture("valid", "intmeth");
    let message = Message::parse(&data).expect("sound");
    assert_eq!(
        message.method(),
        Some(Method::Other("!interesting-Method0123456789_*+`.%indeed'~"))
    );
    let to = message.to().expect("sound");
    assert_eq!(to.display().as_deref(), Some("BEL:\u{7} NUL:\0 DEL:\u{7f}"));
    assert_eq!(
        to.uri().user(),
        Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")
    );
    let from = message.from().expect("sound");
    assert_eq!(
        from.display().as_deref(),
        Some("token1~` token2'+_ token3*%!.-")
    );
    assert_eq!(
        from.params().value("fromParam''~+*_!.-%"),
        Some("\u{440}\u{430}\u{431}\u{43e}\u{442}\u{430}\u{44e}\u{449}\u{438}\u{439}")
    );
    assert_eq!(from.tag(), Some("_token~1'+`*%!-."));

    let data = fixture("valid", "esc01");
    let message = Message::parse(&data).expect("sound");
    assert_eq!(
        message.to().expect("sound").uri().user_decoded().as_deref(),
        Some("user")
    );
    assert!(message.contact().expect("sound").uri().is_loose_route());

    let data = fixture("valid", "esc02");
    let message = Message::parse(&data).expect("sound");
    assert_eq!(message.addresses(Name::Contact).count(), 2);
    assert_eq!(
        message.extension("C%6Fntact").as_deref(),
        Some("<sip:alias2@host2.example.com>")
    );

    let data = fixture("valid", "longreq");
    assert_eq!(Message::parse(&data).expect("sound").vias().count(), 34);

    let data = fixture("valid", "dblreq");
    let message = Message::parse(&data).expect("sound");
    assert_eq!(message.method(), Some(Method::Register));
    assert!(message.body().is_empty());

    let data = fixture("valid", "semiuri");
    let message = Message::parse(&data).expect("sound");
    assert_eq!(message.list(Name::Accept).count(), 6);
    assert!(message.has_token(Name::Accept, "message/SIP"));

    let data = fixture("valid", "mpart01");
    let message = Message::parse(&data).expect("sound");
    assert_eq!(message.body().len(), 553);
    assert_eq!(message.content_type(), Some("multipart/mixed"));

    let data = fixture("valid", "unreason");
    let StartLine::Response { code, reason } = Message::parse(&data).expect("sound").start() else {
        panic!("a response");
    };
    assert_eq!(code, 200);
    assert!(reason.starts_with("= 2**3 * 5**2 "));
}

/// An INVITE in which one line is replaced, or added where there is none of that name.
fn with_line(name: &str, line: &str) -> Vec<u8> {
    let mut message = String::from("INVITE sip:bob@example.com SIP/2.0\r\n");
    for (field, value) in [
        ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx;rport"),
        ("Max-Forwards", "70"),
        ("From", "<sip:alice@example.com>;tag=f1"),
        ("To", "<sip:bob@example.com>"),
        ("Call-ID", "c1@192.0.2.1"),
        ("CSeq", "1 INVITE"),
        ("Contact", "<sip:alice@192.0.2.1:5060>"),
    ] {
        if field != name {
            message.push_str(&format!("{field}: {value}\r\n"));
        }
    }
    message.push_str(line);
    message.push_str("\r\nContent-Length: 0\r\n\r\n");
    message.into_bytes()
}

/// Fields that are not as the grammar wants them, or seldom seen, yet come from real equipment.
#[test]
fn odd_fields_of_the_real_world_are_read() {
    type Check = fn(&Message<'_>) -> bool;
    let from_tag: Check = |m| m.from().is_ok_and(|f| f.tag() == Some("t1"));
    let branch: Check = |m| m.via().is_ok_and(|v| v.branch() == Some("z9hG4bKy"));
    let contact: Check = |m| m.contact().is_ok_and(|c| c.uri().user() == Some("a"));
    let loose: Check = |m| {
        m.addresses(Name::Route)
            .all(|r| r.is_ok_and(|r| r.uri().is_loose_route()))
    };
    let table: &[(&str, &str, Check)] = &[
        ("From", "From:<sip:a@b>;tag=t1", from_tag),
        ("From", "from:sip:a@b;tag=t1", from_tag),
        ("From", "FROM : \"A, B; C <x>\" <sip:a@b>;tag=t1", from_tag),
        ("From", "f:\"\"<sip:a@b>;tag=t1", from_tag),
        (
            "From",
            "From: +442079460123 <sip:+442079460123@b>;tag=t1",
            from_tag,
        ),
        (
            "From",
            "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=t1",
            from_tag,
        ),
        (
            "From",
            "From: a@b.example <sip:a@b.example>;tag=t1",
            from_tag,
        ),
        ("From", "From: J\u{f6}rg <sip:a@b>;tag=t1", from_tag),
        (
            "From",
            "From: <sip:a@b;user=phone>;tag=t1;epid=01 ",
            from_tag,
        ),
        ("From", "From: <sip:a@b> ;tag=t1;", from_tag),
        (
            "From",
            "From: \"a\\\"b\" <sip:a@b>;x=\"y;tag=z\";tag=t1",
            from_tag,
        ),
        (
            "From",
            "From: <tel:+44-20-7946-0123;phone-context=+44>;tag=t1",
            from_tag,
        ),
        ("From", "From: <sip:a:secret@b:5060>;tag=t1", from_tag),
        ("From", "From: <sip:@@b>;tag=t1", |m| m.from().is_err()),
        ("Via", "Via:SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKy", branch),
        (
            "Via",
            "Via: SIP/2.0/UDP   192.0.2.1 :5060 ;branch=z9hG4bKy",
            branch,
        ),
        (
            "Via",
            "v: SIP/2.0/udp 192.0.2.1:5060; branch = z9hG4bKy;rport=",
            branch,
        ),
        (
            "Via",
            "Via: SIP / 2.0 / UDP 192.0.2.1;branch=z9hG4bKy",
            branch,
        ),
        (
            "Via",
            "Via: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bKy",
            branch,
        ),
        (
            "Via",
            "Via: SIP/2.0/UDP my_host.local;branch=z9hG4bKy;received=[2001:db8::1]",
            branch,
        ),
        (
            "Via",
            "Via: SIP/2.0/TLS-SCTP h;branch=z9hG4bKy;alias;keep=30",
            branch,
        ),
        (
            "Via",
            "Via: SIP/2.0/UDP h;branch=z9hG4bKy,SIP/2.0/UDP i;branch=z9hG4bKz",
            branch,
        ),
        (
            "Contact",
            "m: <sip:a@192.0.2.1;transport=udp>;+sip.instance=\"<urn:uuid:1>\";q=1",
            contact,
        ),
        (
            "Contact",
            "Contact: sip:a@192.0.2.1:5060;expires=60",
            contact,
        ),
        (
            "Contact",
            "Contact: \"a\" <sip:a@[2001:db8::1]:5060;ob>;reg-id=1",
            contact,
        ),
        ("Contact", "Contact: <sip:a@b>,<sip:c@d>;expires=5", contact),
        ("Contact", "Contact: <sip:a@b>,", contact),
        (
            "Contact",
            "Contact: <sip:a@192.0.2.1;x-nearend;x-farend=1%20:2>",
            contact,
        ),
        (
            "Route",
            "Route: <sip:p1.example.com;lr=on>,<sip:p2.example.com;lr=true;ftag=1>",
            loose,
        ),
        (
            "Route",
            "route:<sip:p1;lr>\r\n\t, <sip:p2;LR;did=a.b>",
            loose,
        ),
        ("CSeq", "CSEQ:1   INVITE ", |m| {
            m.cseq().is_ok_and(|c| c.number == 1)
        }),
        ("Call-ID", "i:{6F1A}@192.0.2.1", |m| {
            m.call_id() == Ok("{6F1A}@192.0.2.1")
        }),
        ("Supported", "k: timer,100REL , ,path", |m| {
            m.has_token(Name::Supported, "100rel") && m.list(Name::Supported).count() == 3
        }),
        ("Session-Expires", "x:1800;refresher=uac", |m| {
            m.number(Name::SessionExpires) == Ok(Some(1800))
        }),
        (
            "Retry-After",
            "Retry-After: 120 (in a meeting);duration=60",
            |m| m.number(Name::RetryAfter) == Ok(Some(120)),
        ),
        ("Subject", "Subject: caf\u{e9}\r\n\tau lait", |m| {
            m.header(Name::Subject).as_deref() == Some("caf\u{e9} au lait")
        }),
        ("X-Empty", "X-Empty:", |m| {
            m.extension("x-empty").as_deref() == Some("")
        }),
        (
            "P-Asserted-Identity",
            "P-Asserted-Identity: \"N\" <sip:+1@b>, tel:+1",
            |m| {
                m.addresses(Name::PAssertedIdentity)
                    .filter(|a| a.is_ok())
                    .count()
                    == 2
            },
        ),
        (
            "Diversion",
            "diversion:<sip:+1@b>;reason=no-answer;privacy=off;screen=no",
            |m| {
                m.addresses(Name::Diversion)
                    .all(|a| a.is_ok_and(|a| a.params().value("reason") == Some("no-answer")))
            },
        ),
    ];
    assert!(table.len() >= 32);
    for (name, line, check) in table {
        let data = with_line(name, line);
        let message = Message::parse(&data).unwrap_or_else(|e| panic!("{line}: {e}"));
        if !line.contains("@@") {
            assert_eq!(message.validate(), Ok(()), "{line}");
        }
        assert!(check(&message), "{line}");
    }
}

#[test]
fn whole_messages_that_are_unusual() {
    let sound = with_line("", "X-A: 1");
    // Line ends of a bare LF, and line breaks before the message.
    let text = String::from_utf8(sound.clone()).expect("text");
    assert_eq!(judge(text.replace("\r\n", "\n").as_bytes()), Ok(()));
    assert_eq!(judge(format!("\r\n\r\n{text}").as_bytes()), Ok(()));
    // Octets behind the body are cut off, a missing Content-Length takes all.
    let mut longer = sound.clone();
    longer.extend_from_slice(b"\0\0junk");
    assert_eq!(judge(&longer), Ok(()));
    let without = text.replace("Content-Length: 0\r\n", "") + "all";
    assert_eq!(
        Message::parse(without.as_bytes()).expect("sound").body(),
        b"all"
    );
    // Twice the same Content-Length is one.
    let twice = text.replace("Content-Length: 0\r\n", "l: 0\r\nContent-Length: 0\r\n");
    assert_eq!(judge(twice.as_bytes()), Ok(()));
    // A Latin-1 name where UTF-8 should be.
    let mut latin = text.replace("From: <", "From: \"Jos@\" <").into_bytes();
    if let Some(at) = latin.windows(4).position(|w| w == b"Jos@") {
        latin[at + 3] = 0xe9;
    }
    assert_eq!(judge(&latin), Ok(()));
}

#[test]
fn what_is_no_message() {
    let verdict = |data: &[u8]| Message::parse(data).map(|_| ()).err();
    for keep_alive in [&b""[..], b"\r\n\r\n", b"\r\n", b"\0\0\0\0", b"\0"] {
        assert_eq!(verdict(keep_alive), Some(ParseError::KeepAlive));
    }
    assert_eq!(verdict(b"junk"), Some(ParseError::Truncated));
    assert_eq!(verdict(b"junk\r\n\r\n"), Some(ParseError::StartLine));
    let line = |rest: &str| verdict(format!("INVITE sip:a SIP/2.0\r\n{rest}").as_bytes());
    assert_eq!(line(""), Some(ParseError::Truncated));
    assert_eq!(line("To: x\r\n"), Some(ParseError::Truncated));
    assert_eq!(line("To: x\r"), Some(ParseError::Truncated));
    assert_eq!(line("To x\r\n\r\n"), Some(ParseError::HeaderLine));
    assert_eq!(line(": x\r\n\r\n"), Some(ParseError::HeaderLine));
    assert_eq!(line("T o: x\r\n\r\n"), Some(ParseError::HeaderLine));
    assert_eq!(line(" folded\r\n\r\n"), Some(ParseError::HeaderLine));
    assert_eq!(
        line("To: a\rb\r\n\r\n"),
        Some(ParseError::BareCarriageReturn)
    );
    let many = "A: b\r\n".repeat(MAX_HEADERS + 1);
    assert_eq!(
        line(&format!("{many}\r\n")),
        Some(ParseError::TooManyHeaders)
    );
    let long = format!("A: {}\r\n\r\n", "b".repeat(MAX_HEAD));
    assert_eq!(line(&long), Some(ParseError::HeadTooLong));
    assert_eq!(line("\r\n"), None);
}

#[test]
fn nothing_personal_in_debug() {
    let data = with_line("From", "From: \"Carol\" <sip:+442079460123@b>;tag=t1");
    let message = Message::parse(&data).expect("sound");
    let shown = format!(
        "{message:?} {:?} {:?} {:?}",
        message.start(),
        message.from(),
        message.fields().collect::<Vec<_>>()
    );
    for word in ["Carol", "7946", "bob"] {
        assert!(!shown.contains(word), "{word} in {shown}");
    }
}
