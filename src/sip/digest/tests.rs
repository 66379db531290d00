use super::*;

const GET: Method<'static> = Method::Other("GET");

/// The value of a parameter of an answer.
fn param(answer: &str, name: &str) -> Option<String> {
    fields::schemes(answer)
        .expect("sound")
        .first()
        .and_then(|f| f.get(name).map(|v| v.clone().into_owned()))
}

fn invite<'a>() -> Request<'a> {
    Request {
        method: Method::Invite,
        uri: "sip:bob@biloxi.example.com",
        body: b"v=0\r\n",
    }
}

const ALICE: Credentials<'static> = Credentials {
    username: "alice",
    password: "s3cret",
};

#[test]
fn the_example_of_rfc_2617() {
    let challenge = "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
        nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
    let credentials = Credentials {
        username: "Mufasa",
        password: "Circle Of Life",
    };
    let value = answer(
        challenge,
        &credentials,
        GET,
        "/dir/index.html",
        b"",
        "0a4f113b",
        1,
    )
    .expect("answered");
    assert_eq!(
        value,
        "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
         nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", \
         response=\"6629fae49393a05397450978507c4ef1\", qop=auth, nc=00000001, \
         cnonce=\"0a4f113b\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""
    );
}

#[test]
fn the_examples_of_rfc_7616() {
    let credentials = Credentials {
        username: "Mufasa",
        password: "Circle of Life",
    };
    for (algorithm, response) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        (
            "SHA-256",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ] {
        let challenge = format!(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
             algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        );
        let value = answer(
            &challenge,
            &credentials,
            GET,
            "/dir/index.html",
            b"",
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            1,
        )
        .expect("answered");
        assert_eq!(param(&value, "response").as_deref(), Some(response));
        assert_eq!(param(&value, "algorithm").as_deref(), Some(algorithm));
    }
}

/// Computed with Python's hashlib from the formulas of RFC 7616 3.4.
const RESPONSES: [(&str, &str, &str); 18] = [
    ("MD5", "auth", "1145751afc97e2fcfe585c15bea2c6a1"),
    ("MD5", "auth-int", "7606c1946c3a6b6a7d1791945ae80656"),
    ("MD5", "", "b789fe1a32e93f034eaf446aad9e5ae5"),
    ("MD5-sess", "auth", "abfc3c81eee36fc1e1bebfb59a1e0f67"),
    ("MD5-sess", "auth-int", "87d7b97534c92aa3594c78d5a6b5300e"),
    ("MD5-sess", "", "ab0c8df258da1d1a2889c98f1e5a78f3"),
    (
        "SHA-256",
        "auth",
        "c0b1b93c54232800d5285690ad4637a798aad68b023e44a5161bb795b4816caf",
    ),
    (
        "SHA-256",
        "auth-int",
        "7d8462605600dcb6a3692f55ee490609491494e73f7cca5df8e5c5d3f098e03f",
    ),
    (
        "SHA-256",
        "",
        "ad6a397bc41d1913c714f64561157df012866580a6dbe7a58026ea85f9de1a2b",
    ),
    (
        "SHA-256-sess",
        "auth",
        "7f0b37fccea9488baa6ac4d269f2379f1b6f09eed5b75aa171f2c5f8b11fead2",
    ),
    (
        "SHA-256-sess",
        "auth-int",
        "4ba0090a0f0eaefa7822e71db6173a038c22204c1e252e1987f3dee1fcbf5a77",
    ),
    (
        "SHA-256-sess",
        "",
        "bb4e0503b484ef41aebc0b4cfd7c1d5b96247df00f1d00e97ed30f793e733858",
    ),
    (
        "SHA-512-256",
        "auth",
        "e1bbcecfd936e21c35b92b2f54fcd01c70737b5d9254c814bbd6176eb02526bf",
    ),
    (
        "SHA-512-256",
        "auth-int",
        "846412aca3073b9ad1ab08d003c42c0dc7c838f80ed6602552a684d96692b037",
    ),
    (
        "SHA-512-256",
        "",
        "f0c25389f8c3598e1cc595c561ce05c6b28f5b49bb8aa7af1dc1b70e5c7caf1d",
    ),
    (
        "SHA-512-256-sess",
        "auth",
        "b4e85ed86e48322c1e4d3283fdea7570fadbc2bef96c9a773026549ae8f8f7c9",
    ),
    (
        "SHA-512-256-sess",
        "auth-int",
        "8bff7fd80d75492bc920f9afbf533780a2818a2a77b73ce1f145bc65ea7b0026",
    ),
    (
        "SHA-512-256-sess",
        "",
        "165c95073fa98fc28451d3f371dc188592cb94b1faf5b3096c342d7680e1219c",
    ),
];

fn demand(algorithm: &str, qop: &str) -> Demand {
    Demand {
        realm: "biloxi.example.com".into(),
        nonce: "n0nce".into(),
        opaque: None,
        algorithm: Algorithm::parse(algorithm).expect("known"),
        qop: match qop {
            "auth" => Some(Qop::Auth),
            "auth-int" => Some(Qop::AuthInt),
            _ => None,
        },
        stale: false,
    }
}

#[test]
fn every_algorithm_and_quality_is_answered_and_verified() {
    for (algorithm, qop, response) in RESPONSES {
        let demand = demand(algorithm, qop);
        let header = demand.header().expect("written");
        let challenge = strongest([header.as_str()]).expect("read");
        let value = challenge
            .answer(&ALICE, &invite(), "c0nce", 10)
            .expect("answered");
        assert_eq!(
            param(&value, "response").as_deref(),
            Some(response),
            "{algorithm} {qop}"
        );
        let verified = demand.verify(&value, &ALICE, &invite(), 9).expect("right");
        assert_eq!(verified.nonce_count, (!qop.is_empty()).then_some(10));

        let wrong = Credentials {
            password: "other",
            ..ALICE
        };
        let verdict = |c: &Credentials<'_>, r: &Request<'_>, n| demand.verify(&value, c, r, n);
        assert_eq!(verdict(&wrong, &invite(), 0), Err(DigestError::Wrong));
        let bob = Credentials {
            username: "bob",
            ..ALICE
        };
        assert_eq!(verdict(&bob, &invite(), 0), Err(DigestError::Wrong));
        let bye = Request {
            method: Method::Bye,
            ..invite()
        };
        assert_eq!(verdict(&ALICE, &bye, 0), Err(DigestError::Wrong));
        let elsewhere = Request {
            uri: "sip:carol@biloxi.example.com",
            ..invite()
        };
        assert_eq!(verdict(&ALICE, &elsewhere, 0), Err(DigestError::OtherUri));
        let changed = Request {
            body: b"v=1\r\n",
            ..invite()
        };
        let expected = match qop {
            "auth-int" => Err(DigestError::Wrong),
            _ => Ok(verified),
        };
        assert_eq!(verdict(&ALICE, &changed, 0), expected);
        if !qop.is_empty() {
            assert_eq!(verdict(&ALICE, &invite(), 10), Err(DigestError::Replayed));
        }
    }
}

#[test]
fn an_answer_to_another_challenge_is_refused() {
    let posed = demand("SHA-256", "auth");
    let header = posed.header().expect("written");
    let value =
        answer(&header, &ALICE, Method::Invite, invite().uri, b"", "c", 1).expect("answered");
    for other in [
        Demand {
            nonce: "later".into(),
            ..posed.clone()
        },
        Demand {
            realm: "elsewhere".into(),
            ..posed.clone()
        },
        Demand {
            opaque: Some("o".into()),
            ..posed.clone()
        },
        demand("MD5", "auth"),
        demand("SHA-256", "auth-int"),
        demand("SHA-256", ""),
    ] {
        assert_eq!(
            other.verify(&value, &ALICE, &invite(), 0),
            Err(DigestError::OtherChallenge)
        );
    }
    let verify = |value: &str| posed.verify(value, &ALICE, &invite(), 0);
    assert_eq!(verify("Basic YTpi"), Err(DigestError::NoDigest));
    assert_eq!(verify(""), Err(DigestError::NoDigest));
    assert_eq!(
        verify(&value.replace("nc=00000001", "nc=1")),
        Err(DigestError::Malformed)
    );
    assert_eq!(
        verify(&value.replace("nc=00000001", "nc=+0000001")),
        Err(DigestError::Malformed)
    );
    assert_eq!(
        verify(&value.replace(", cnonce=\"c\"", "")),
        Err(DigestError::Missing("cnonce"))
    );
    // Hexadecimal digits in upper case are the same number.
    let response = param(&value, "response").expect("there");
    assert!(verify(&value.replace(&response, &response.to_uppercase())).is_ok());
}

#[test]
fn the_strongest_of_several_is_chosen() {
    let md5 = "Digest realm=\"r\", nonce=\"1\", qop=\"auth\"";
    let md5_sess = "Digest realm=\"r\", nonce=\"2\", algorithm=MD5-sess";
    let sha256 = "Digest realm=\"r\", nonce=\"3\", algorithm=sha-256, qop=\"auth\"";
    let sha512 = "Digest realm=\"r\", nonce=\"4\", algorithm=SHA-512-256, qop=\"auth\"";
    let unknown = "Digest realm=\"r\", nonce=\"5\", algorithm=SHA-9000";
    let basic = "Basic realm=\"r\"";
    let other_qop = "Digest realm=\"r\", nonce=\"6\", algorithm=SHA-256, qop=\"token\"";
    let broken = "Digest realm=\"r";
    let choose =
        |values: &[&'static str]| strongest(values.iter().copied()).map(|c| c.nonce().to_owned());
    assert_eq!(choose(&[md5, sha256]).as_deref(), Ok("3"));
    assert_eq!(choose(&[sha256, md5]).as_deref(), Ok("3"));
    assert_eq!(choose(&[sha512, sha256, md5]).as_deref(), Ok("4"));
    assert_eq!(choose(&[sha256, sha512]).as_deref(), Ok("3"));
    assert_eq!(choose(&[md5_sess, md5]).as_deref(), Ok("2"));
    assert_eq!(
        choose(&[basic, unknown, broken, other_qop, md5]).as_deref(),
        Ok("1")
    );
    assert_eq!(choose(&[unknown]), Err(DigestError::UnsupportedAlgorithm));
    assert_eq!(choose(&[other_qop]), Err(DigestError::UnsupportedQop));
    assert_eq!(choose(&[basic]), Err(DigestError::NoDigest));
    assert_eq!(choose(&[]), Err(DigestError::NoDigest));
    assert_eq!(choose(&[broken]), Err(DigestError::Malformed));
    assert_eq!(
        choose(&["Digest realm=r"]),
        Err(DigestError::Missing("nonce"))
    );
    // Several in one field.
    let joined =
        "Digest realm=\"r\", nonce=\"1\", Digest realm=\"r\", nonce=\"3\", algorithm=SHA-256";
    assert_eq!(
        strongest([joined]).map(|c| c.nonce().to_owned()).as_deref(),
        Ok("3")
    );
}

#[test]
fn quoted_strings_are_escaped_both_ways() {
    let challenge = r#"Digest realm="the \"best\" \\ realm", nonce="n\"1", opaque="", qop=auth"#;
    let credentials = Credentials {
        username: r#"al"ice\"#,
        password: "p",
    };
    let value = answer(
        challenge,
        &credentials,
        Method::Invite,
        "sip:a",
        b"",
        "c",
        1,
    )
    .expect("answered");
    assert!(value.contains(r#"username="al\"ice\\""#));
    assert!(value.contains(r#"realm="the \"best\" \\ realm""#));
    assert!(value.contains(r#"nonce="n\"1""#));
    assert!(value.contains(r#"opaque="""#));
    let posed = Demand {
        realm: r#"the "best" \ realm"#.into(),
        nonce: "n\"1".into(),
        opaque: Some(String::new()),
        algorithm: Algorithm::MD5,
        qop: Some(Qop::Auth),
        stale: false,
    };
    let request = Request {
        method: Method::Invite,
        uri: "sip:a",
        body: b"",
    };
    assert!(posed.verify(&value, &credentials, &request, 0).is_ok());
}

#[test]
fn nothing_can_be_injected() {
    for bad in ["a\r\nVia: x", "a\nb", "a\0b"] {
        let challenge = "Digest realm=\"r\", nonce=\"n\"";
        let credentials = Credentials {
            username: bad,
            password: "p",
        };
        let send = |c: &Credentials<'_>, uri: &str, cnonce: &str| {
            answer(challenge, c, Method::Invite, uri, b"", cnonce, 1)
        };
        assert_eq!(
            send(&credentials, "sip:a", "c"),
            Err(DigestError::Unwritable)
        );
        assert_eq!(send(&ALICE, bad, "c"), Err(DigestError::Unwritable));
        assert_eq!(send(&ALICE, "sip:a", bad), Err(DigestError::Unwritable));
        let challenge = format!("Digest realm=\"{bad}\", nonce=\"n\"");
        assert_eq!(
            answer(&challenge, &ALICE, Method::Invite, "sip:a", b"", "c", 1),
            Err(DigestError::Malformed)
        );
        let posed = Demand {
            realm: bad.into(),
            ..demand("MD5", "")
        };
        assert_eq!(posed.header(), Err(DigestError::Unwritable));
    }
}

#[test]
fn a_session_counts_and_gives_up() {
    let first = "Digest realm=\"r\", nonce=\"1\", qop=\"auth\"";
    let stale = "Digest realm=\"r\", nonce=\"2\", qop=\"auth\", stale=TRUE";
    let mut session = Session::new();
    let count = |session: &mut Session| {
        session
            .authorization(&ALICE, &invite(), "c")
            .expect("answered")
            .map(|value| (param(&value, "nonce"), param(&value, "nc")))
    };
    let is = |nonce: &str, nc: &str| Some((Some(nonce.to_owned()), Some(nc.to_owned())));
    session.begin();
    assert_eq!(count(&mut session), None);
    assert_eq!(session.challenged([first]), Ok(()));
    assert_eq!(count(&mut session), is("1", "00000001"));
    // The same again without `stale`: the password is wrong.
    assert_eq!(
        session.clone().challenged([first]),
        Err(DigestError::Refused)
    );
    // The nonce serves the next requests, too, until it goes stale.
    session.begin();
    assert_eq!(count(&mut session), is("1", "00000002"));
    assert_eq!(session.challenged([stale]), Ok(()));
    assert_eq!(count(&mut session), is("2", "00000001"));
    // Stale for ever is no way either.
    assert_eq!(session.challenged([stale]), Ok(()));
    assert_eq!(count(&mut session), is("2", "00000002"));
    assert_eq!(session.challenged([stale]), Ok(()));
    assert_eq!(session.challenged([stale]), Err(DigestError::Refused));
    // Servers that give each request its own nonce do not say `stale`.
    session.begin();
    assert_eq!(
        session.challenged(["Digest realm=\"r\", nonce=\"9\""]),
        Ok(())
    );
    assert!(session.is_challenged());
    assert_eq!(
        session.challenged(["Basic realm=\"r\""]),
        Err(DigestError::NoDigest)
    );
}

#[test]
fn an_account_of_a_realm_answers_that_one_alone() {
    let stronger = "Digest realm=\"phone\", nonce=\"1\", algorithm=SHA-256, \
                    Digest realm=\"carrier\", nonce=\"2\"";
    let mut session = Session::within(Some("carrier".into()));
    assert_eq!(
        session.challenged(["Digest realm=\"phone\", nonce=\"1\""]),
        Err(DigestError::OtherRealm)
    );
    assert!(!session.is_challenged());
    assert_eq!(session.challenged([stronger]), Ok(()));
    let answer = session.authorization(&ALICE, &invite(), "c");
    let answer = answer.expect("answered").expect("challenged");
    assert_eq!(param(&answer, "nonce").as_deref(), Some("2"));
    // Realms are compared letter by letter (RFC 3261 22.1).
    assert_eq!(
        session.challenged(["Digest realm=\"Carrier\", nonce=\"3\""]),
        Err(DigestError::OtherRealm)
    );
}

#[test]
fn no_secret_in_debug() {
    let posed = demand("SHA-256", "auth");
    let header = posed.header().expect("written");
    let challenge = strongest([header.as_str()]).expect("read");
    let mut session = Session::new();
    session.challenged([header.as_str()]).expect("taken");
    let shown = format!("{ALICE:?} {challenge:?} {posed:?} {session:?}");
    for secret in ["s3cret", "alice", "n0nce"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

proptest::proptest! {
    #[test]
    fn any_challenge_is_answered_or_refused(text in "\\PC*", nc in proptest::num::u32::ANY) {
        let _ = answer(&text, &ALICE, Method::Invite, "sip:a", b"", "c", nc);
        let _ = answer(&format!("Digest {text}"), &ALICE, Method::Invite, "sip:a", b"", "c", nc);
        let _ = demand("MD5", "auth").verify(&text, &ALICE, &invite(), nc);
    }

    #[test]
    fn what_is_answered_is_verified(
        username in "[^\\p{Cc}]{0,12}",
        password in "\\PC{0,12}",
        realm in "[^\\p{Cc}]{0,12}",
        nonce in "[^\\p{Cc}]{1,12}",
        which in 0usize..18,
    ) {
        let (algorithm, qop, _) = RESPONSES[which];
        let posed = Demand { realm, nonce, ..demand(algorithm, qop) };
        let credentials = Credentials { username: &username, password: &password };
        let header = posed.header().expect("written");
        let value = answer(&header, &credentials, Method::Invite, invite().uri, invite().body, "c", 1)
            .expect("answered");
        proptest::prop_assert!(posed.verify(&value, &credentials, &invite(), 0).is_ok());
    }
}
