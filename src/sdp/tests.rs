use super::*;

use std::net::SocketAddr;

const BOTH: [Codec; 2] = [Codec::Pcma, Codec::Pcmu];

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn offer() -> Offer {
    Offer::new(addr("192.0.2.1:20000"), &BOTH, Some(101), SessionId::new(7)).expect("sound")
}

fn read(sdp: &str) -> Result<RemoteAudio, SdpError> {
    offer().read_answer(sdp.as_bytes())
}

/// A usual answer with another line, or another in place of one.
fn answer_with(key: &str, line: &str) -> String {
    let mut out = String::new();
    for usual in [
        "v=0",
        "o=- 1 2 IN IP4 192.0.2.9",
        "s=call",
        "c=IN IP4 192.0.2.9",
        "t=0 0",
        "m=audio 4000 RTP/AVP 8 101",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
    ] {
        out.push_str(if !key.is_empty() && usual.starts_with(key) {
            line
        } else {
            usual
        });
        out.push_str("\r\n");
    }
    if key.is_empty() {
        out.push_str(line);
        out.push_str("\r\n");
    }
    out
}

#[test]
fn the_offer_is_written() {
    assert_eq!(
        offer().to_string(),
        "v=0\r\n\
         o=- 7 1 IN IP4 192.0.2.1\r\n\
         s=-\r\n\
         c=IN IP4 192.0.2.1\r\n\
         t=0 0\r\n\
         m=audio 20000 RTP/AVP 8 0 101\r\n\
         a=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\n\
         a=fmtp:101 0-15\r\n\
         a=ptime:20\r\n\
         a=sendrecv\r\n"
    );
    let six = Offer::new(
        addr("[2001:db8::1]:4"),
        &[Codec::Pcmu],
        None,
        SessionId::new(1).next(),
    )
    .expect("sound")
    .with_direction(Direction::Inactive)
    .to_string();
    assert!(six.contains("o=- 1 2 IN IP6 2001:db8::1\r\n"));
    assert!(six.contains("c=IN IP6 2001:db8::1\r\n"));
    assert!(
        six.contains("m=audio 4 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=inactive\r\n")
    );
}

#[test]
fn what_cannot_be_offered() {
    let new = |local, codecs: &[Codec], event| {
        Offer::new(addr(local), codecs, event, SessionId::new(1)).map(|_| ())
    };
    assert_eq!(new("0.0.0.0:1", &BOTH, None), Err(SdpError::NoLocalAddress));
    assert_eq!(new("[::]:1", &BOTH, None), Err(SdpError::NoLocalAddress));
    assert_eq!(
        new("192.0.2.1:0", &BOTH, None),
        Err(SdpError::NoLocalAddress)
    );
    assert_eq!(new("192.0.2.1:1", &[], None), Err(SdpError::NoCodec));
    assert_eq!(
        new("192.0.2.1:1", &BOTH, Some(95)),
        Err(SdpError::EventType)
    );
    assert_eq!(
        new("192.0.2.1:1", &BOTH, Some(128)),
        Err(SdpError::EventType)
    );
    let twice = Offer::new(
        addr("192.0.2.1:1"),
        &[Codec::Pcmu; 3],
        None,
        SessionId::new(1),
    );
    assert!(twice.is_ok_and(|o| o.to_string().contains("RTP/AVP 0\r\n")));
}

#[test]
fn a_usual_answer() {
    let remote = read(&answer_with("", "a=ptime:30\r\na=maxptime:60")).expect("agreed");
    assert_eq!(remote.addr, addr("192.0.2.9:4000"));
    assert_eq!((remote.codec, remote.payload_type), (Codec::Pcma, 8));
    assert_eq!((remote.event, remote.event_alias), (Some(101), None));
    assert_eq!((remote.ptime, remote.max_ptime), (Some(30), Some(60)));
    assert_eq!(remote.direction, Direction::SendRecv);
    assert!(remote.listens());
    assert_eq!(remote.codec_of(8), Some(Codec::Pcma));
    assert_eq!(remote.codec_of(0), None);
    assert!(remote.is_event(101) && !remote.is_event(8));
}

#[test]
fn codecs_and_payload_types() {
    let with = |media: &str| read(&answer_with("m=", media));
    // Static payload types need no rtpmap, both may be answered, the first counts.
    let remote = read("v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4 RTP/AVP 0 8\r\n").expect("agreed");
    assert_eq!(remote.codec, Codec::Pcmu);
    assert_eq!(remote.event, None);
    assert_eq!(remote.codec_of(8), Some(Codec::Pcma));
    // What was not offered is passed over.
    let remote = with("m=audio 4 RTP/AVP 18 9 8 13").expect("agreed");
    assert_eq!((remote.codec, remote.event), (Codec::Pcma, None));
    assert_eq!(with("m=audio 4 RTP/AVP 18"), Err(SdpError::NoCodec));
    assert_eq!(with("m=audio 4 RTP/AVP 101"), Err(SdpError::NoCodec));
    let only_pcmu = Offer::new(addr("192.0.2.1:2"), &[Codec::Pcmu], None, SessionId::new(1));
    let only_pcmu = only_pcmu.expect("sound");
    let answer = answer_with("", "");
    assert_eq!(
        only_pcmu.read_answer(answer.as_bytes()),
        Err(SdpError::NoCodec)
    );
    // Dynamic payload types, in any case, with a channel count.
    let remote = with(
        "m=audio 4 RTP/AVP 97 96\r\na=rtpmap:97 pcmu/8000/1\r\na=rtpmap:96 Telephone-Event/8000",
    )
    .expect("agreed");
    assert_eq!((remote.codec, remote.payload_type), (Codec::Pcmu, 97));
    assert_eq!((remote.event, remote.event_alias), (Some(101), Some(96)));
    assert_eq!(remote.codec_of(0), Some(Codec::Pcmu));
    assert_eq!(remote.codec_of(97), Some(Codec::Pcmu));
    assert!(remote.is_event(96) && remote.is_event(101));
    // A dynamic number without rtpmap means nothing, an rtpmap outdoes the static meaning.
    assert_eq!(with("m=audio 4 RTP/AVP 97"), Err(SdpError::NoCodec));
    assert_eq!(
        with("m=audio 4 RTP/AVP 0\r\na=rtpmap:0 G722/8000"),
        Err(SdpError::NoCodec)
    );
    // Other clocks are other codecs.
    assert_eq!(
        with("m=audio 4 RTP/AVP 97\r\na=rtpmap:97 PCMU/16000"),
        Err(SdpError::NoCodec)
    );
    let remote =
        with("m=audio 4 RTP/AVP 8 97\r\na=rtpmap:97 telephone-event/48000").expect("agreed");
    assert_eq!(remote.event, None);
    // Not a payload type.
    assert_eq!(with("m=audio 4 RTP/AVP 128 x -1"), Err(SdpError::NoCodec));
}

/// RFC 3264 6.1 lets the answer number differently: what it calls audio must not be heard as keys.
#[test]
fn a_number_that_the_answer_gives_to_something_else_is_no_event() {
    let answer = |formats: &str, maps: &[&str]| {
        let mut sdp = format!("v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4 RTP/AVP {formats}\r\n");
        maps.iter()
            .for_each(|map| sdp.push_str(&format!("a=rtpmap:{map}\r\n")));
        read(&sdp).expect("agreed")
    };
    let events = |remote: &RemoteAudio| (remote.event, remote.event_alias);
    let remote = answer("101 100", &["101 PCMA/8000", "100 telephone-event/8000"]);
    assert_eq!(events(&remote), (Some(100), None));
    assert_eq!(remote.payload_type, 101);
    assert_eq!(remote.codec_of(101), Some(Codec::Pcma));
    assert!(!remote.is_event(101));
    // A codec that is none of ours, another clock, a format that it does not list.
    for other in ["101 G729/8000", "101 telephone-event/48000"] {
        for formats in ["8 101 100", "8 100"] {
            let remote = answer(formats, &[other, "100 telephone-event/8000"]);
            assert_eq!(events(&remote), (Some(100), None), "{other}");
            assert_eq!(remote.codec_of(101), None);
        }
    }
    // Unnamed, or an event's as well: ours it stays.
    let remote = answer("8 101 100", &["100 telephone-event/8000"]);
    assert_eq!(events(&remote), (Some(101), Some(100)));
    // A number of theirs that we gave to audio.
    let remote = answer("8 0", &["0 telephone-event/8000"]);
    assert_eq!(events(&remote), (Some(101), None));
    assert_eq!(remote.codec_of(0), None);
    let remote = answer("8 0", &["0 telephone-event/8000", "101 PCMA/8000"]);
    assert_eq!(events(&remote), (None, None));
}

#[test]
fn addresses() {
    let with = |line: &str| read(&answer_with("c=", line)).map(|r| r.addr);
    assert_eq!(with("c=IN IP6 2001:db8::9"), Ok(addr("[2001:db8::9]:4000")));
    assert_eq!(with("c=IN IP4  192.0.2.8"), Ok(addr("192.0.2.8:4000")));
    assert_eq!(with("c=IN IP4 192.0.2.8/127"), Ok(addr("192.0.2.8:4000")));
    assert_eq!(
        with("c=IN IP6 ::ffff:192.0.2.8"),
        Ok(addr("192.0.2.8:4000"))
    );
    assert_eq!(with("c=IN IP4 media.example.com"), Err(SdpError::HostName));
    assert_eq!(with("c=IN IP4 999.0.2.1"), Err(SdpError::Malformed));
    assert_eq!(
        with("c=IN IP4 224.0.0.1/127"),
        Err(SdpError::UnusableAddress)
    );
    assert_eq!(with("c=IN IP6 ff02::1"), Err(SdpError::UnusableAddress));
    assert_eq!(
        with("c=IN IP4 255.255.255.255"),
        Err(SdpError::UnusableAddress)
    );
    assert_eq!(with("x=no connection"), Err(SdpError::NoAddress));
    // The media's own goes before the session's.
    let own = answer_with("m=", "m=audio 4 RTP/AVP 8\r\nc=IN IP4 192.0.2.77");
    assert_eq!(read(&own).map(|r| r.addr), Ok(addr("192.0.2.77:4")));
    let other = answer_with(
        "m=",
        "m=audio 4 RTP/AVP 8\r\nm=video 0 RTP/AVP 31\r\nc=IN IP4 192.0.2.77",
    );
    assert_eq!(read(&other).map(|r| r.addr), Ok(addr("192.0.2.9:4")));
}

#[test]
fn several_media_and_refusals() {
    let with = |line: &str| read(&answer_with("m=", line));
    assert_eq!(with("m=audio 0 RTP/AVP 8"), Err(SdpError::Refused));
    assert_eq!(with("m=audio 0 RTP/AVP"), Err(SdpError::Refused));
    assert_eq!(with("m=video 4 RTP/AVP 31"), Err(SdpError::NoAudio));
    assert_eq!(with("x=nothing"), Err(SdpError::NoAudio));
    assert_eq!(with("m=audio 4 RTP/SAVP 8"), Err(SdpError::Transport));
    assert_eq!(
        with("m=audio 4 UDP/TLS/RTP/SAVPF 8"),
        Err(SdpError::Transport)
    );
    assert!(with("m=audio 4 RTP/AVPF 8").is_ok());
    assert!(with("m=AUDIO  4/1  rtp/avp  8").is_ok());
    let remote =
        with("m=image 0 udptl t38\r\nm=audio 0 RTP/AVP 8\r\nm=audio 6 RTP/AVP 8").expect("agreed");
    assert_eq!(remote.addr.port(), 6);
    let many = "m=video 0 RTP/AVP 31\r\n".repeat(MAX_MEDIA + 1);
    assert_eq!(with(&many), Err(SdpError::TooManyMedia));
    assert_eq!(with("m=audio 70000 RTP/AVP 8"), Err(SdpError::Malformed));
    assert_eq!(with("m=audio"), Err(SdpError::Malformed));
}

#[test]
fn holds() {
    let with = |line: &str| read(&answer_with("", line)).expect("agreed");
    assert_eq!(with("a=sendonly").direction, Direction::SendOnly);
    assert!(!with("a=sendonly").listens());
    assert_eq!(with("a=inactive").direction, Direction::Inactive);
    assert_eq!(with("a=recvonly").direction, Direction::RecvOnly);
    // For the whole session, and the media's own before it.
    let session = answer_with("t=", "t=0 0\r\na=inactive");
    assert_eq!(read(&session).map(|r| r.direction), Ok(Direction::Inactive));
    let both = session + "a=sendrecv\r\n";
    assert_eq!(read(&both).map(|r| r.direction), Ok(Direction::SendRecv));
    // The old way.
    let old = read(&answer_with("c=", "c=IN IP4 0.0.0.0")).expect("agreed");
    assert_eq!((old.direction, old.listens()), (Direction::SendOnly, false));
}

#[test]
fn what_equipment_gets_wrong() {
    let usual = answer_with("", "a=sendrecv");
    let agreed = read(&usual);
    assert!(agreed.is_ok());
    for odd in [
        format!("{usual}\0"),
        format!("{usual}\0\0garbage"),
        format!("{usual}\r\n\r\n"),
        format!("{usual}junk without an equals sign\r\n"),
        usual.replace("\r\n", "\n"),
        usual.replace("\r\n", "\r\r\n"),
        usual.replace("v=0", "v= 0"),
        usual.replace("a=rtpmap:101 ", "a=rtpmap: 101   "),
        usual.replace("a=", " a="),
        usual.replace("o=- 1 2 IN IP4 192.0.2.9\r\n", ""),
        usual.replace("o=- 1 2", "o=- 1 99999999999999999999999"),
        usual.replace("o=- 1 2", "o=user name 1 2"),
        usual.replace("o=- 1 2", "o=- 1 2 IN IP4 192.0.2.9\r\no=- 1 2"),
        usual.replace("s=call\r\n", ""),
        usual.replace("t=0 0", "t=now"),
        usual.replace("t=0 0", "b=AS:lots\r\nk=\r\nr=7d 1h\r\nz=0\r\nt=0 0"),
        usual.replace("t=0 0", "c=IN IP4 192.0.2.200\r\nt=0 0"),
        usual.replace("s=call", "s=caf\u{e9}\r\ni=\r\ne=\r\np=+44"),
        usual.replace("a=fmtp:101 0-16", "a=fmtp:101\r\na=fmtp"),
    ] {
        let mut remote = read(&odd);
        if let Ok(remote) = &mut remote {
            remote.ptime = None;
        }
        assert_eq!(remote, agreed, "{odd:?}");
    }
    let mut latin = usual.clone().into_bytes();
    latin.splice(30..30, *b"\xe9");
    assert!(offer().read_answer(&latin).is_ok());
    for time in ["0", "-1", "x", "201", "99999999"] {
        let remote = read(&format!("{usual}a=ptime:{time}\r\n")).expect("agreed");
        assert_eq!(remote.ptime, None);
    }
    assert_eq!(
        read(&format!("{usual}a=ptime:20.0\r\n")).map(|r| r.ptime),
        Ok(Some(20))
    );
    for none in [
        "",
        "\0",
        "\r\n",
        "hello",
        "o=- 1 2 IN IP4 192.0.2.9\r\nv=0\r\n",
    ] {
        assert_eq!(read(none), Err(SdpError::Malformed), "{none:?}");
    }
    assert_eq!(read(&usual.repeat(100)), Err(SdpError::TooLong));
}

fn answer(offer: &str, codecs: &[Codec], events: bool) -> Result<Answer, SdpError> {
    let description = Description::parse(offer.as_bytes())?;
    Answer::new(
        &description,
        addr("192.0.2.2:30000"),
        codecs,
        events,
        SessionId::new(9),
    )
}

#[test]
fn our_own_offer_is_answered_and_the_answer_read() {
    for (codecs, events) in [(&BOTH[..], true), (&BOTH[1..], true), (&BOTH[..], false)] {
        let answer = answer(&offer().to_string(), codecs, events).expect("agreed");
        assert_eq!(answer.remote().addr, addr("192.0.2.1:20000"));
        assert_eq!(answer.remote().codec, codecs[0]);
        assert_eq!(answer.remote().event, events.then_some(101));
        let remote = read(answer.as_str()).expect("agreed");
        assert_eq!(remote.addr, addr("192.0.2.2:30000"));
        assert_eq!(remote.codec, codecs[0]);
        assert_eq!(remote.event, events.then_some(101));
        assert_eq!(remote.ptime, Some(PTIME));
    }
}

#[test]
fn an_answer_mirrors_its_offer() {
    let offer = "v=0\r\no=x 77 88 IN IP4 192.0.2.5\r\ns=-\r\nc=IN IP4 192.0.2.5\r\nt=0 0\r\n\
        m=video 5000 RTP/AVP 31 34\r\nm=audio 5002 RTP/AVPF 9 96 8 97\r\n\
        a=rtpmap:96 PCMU/8000\r\na=rtpmap:97 telephone-event/8000\r\na=sendonly\r\n\
        m=image 5004 udptl t38\r\n";
    let answer = answer(offer, &BOTH, true).expect("agreed");
    assert_eq!(
        answer.to_string(),
        "v=0\r\no=- 9 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n\
         m=video 0 RTP/AVP 31\r\n\
         m=audio 30000 RTP/AVPF 96 97\r\na=rtpmap:96 PCMU/8000\r\n\
         a=rtpmap:97 telephone-event/8000\r\na=fmtp:97 0-15\r\na=ptime:20\r\na=recvonly\r\n\
         m=image 0 udptl t38\r\n"
    );
    assert_eq!(answer.remote().payload_type, 96);
    assert_eq!(answer.remote().codec_of(96), Some(Codec::Pcmu));
    let description = Description::parse(offer.as_bytes()).expect("sound");
    assert_eq!(
        description.session,
        Some(SessionId {
            id: 77,
            version: 88
        })
    );
    let none = Description::parse(b"v=0\r\n").expect("sound");
    assert_eq!((none.session, none.media.len()), (None, 0));
}

#[test]
fn offers_that_are_not_acceptable() {
    let with = |media: &str| {
        let offer = format!("v=0\r\nc=IN IP4 192.0.2.5\r\nm={media}\r\n");
        answer(&offer, &BOTH, true).map(|_| ())
    };
    assert_eq!(with("audio 4 RTP/AVP 0"), Ok(()));
    assert_eq!(with("audio 4 RTP/AVP 18"), Err(SdpError::NoCodec));
    assert_eq!(with("audio 4 RTP/SAVP 0"), Err(SdpError::Transport));
    assert_eq!(with("audio 0 RTP/AVP 0"), Err(SdpError::Refused));
    assert_eq!(with("video 4 RTP/AVP 31"), Err(SdpError::NoAudio));
    let description = Description::parse(b"v=0\r\nc=IN IP4 192.0.2.5\r\nm=audio 4 RTP/AVP 0\r\n");
    let description = description.expect("sound");
    let unspecified = Answer::new(
        &description,
        addr("0.0.0.0:1"),
        &BOTH,
        true,
        SessionId::new(1),
    );
    assert_eq!(unspecified, Err(SdpError::NoLocalAddress));
}

proptest::proptest! {
    #[test]
    fn any_octets_are_read_or_refused(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let _ = offer().read_answer(&octets);
        let mut sdp = b"v=0\r\n".to_vec();
        sdp.extend_from_slice(&octets);
        let _ = Description::parse(&sdp);
    }

    #[test]
    fn any_lines_are_read_or_refused(lines in proptest::collection::vec("(v|o|c|m|a|b|t)=(0|IN|IP4|audio|rtpmap:|:|/| |8|8000|PCMA|\\PC){0,12}", 0..20)) {
        let sdp = format!("v=0\r\n{}\r\n", lines.join("\r\n"));
        if let Ok(description) = Description::parse(sdp.as_bytes())
            && let Ok(answer) = Answer::new(
                &description, addr("192.0.2.2:30000"), &BOTH, true, SessionId::new(9),
            )
        {
            let back = Description::parse(answer.as_str().as_bytes()).expect("ours");
            proptest::prop_assert_eq!(back.media.len(), description.media.len());
            proptest::prop_assert!(back.audio().is_ok());
        }
        let _ = offer().read_answer(sdp.as_bytes());
    }
}
