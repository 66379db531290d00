//! The configuration as an operator meets it: the annotated file, mistakes, checks, the command.

use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use proptest::prelude::*;
use ringtrue::audio::Codec;
use ringtrue::cli;
use ringtrue::config::{self, Config};
use ringtrue::dtmf::Digit;
use ringtrue::smpp::pdu::{BindKind, Status, Verdict, Version};
use ringtrue::smpp::receipt::IdForm;
use ringtrue::smpp::text::{Concatenation, DefaultAlphabet, Language, Style};
use ringtrue::voice::OnMachine;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

fn parse(text: &str) -> Config {
    Config::parse("r.toml", text, Path::new("")).unwrap_or_else(|faults| panic!("{faults}"))
}

fn faults(text: &str) -> String {
    match Config::parse("r.toml", text, Path::new("")) {
        Ok(_) => String::new(),
        Err(faults) => faults.to_string(),
    }
}

#[test]
fn the_annotated_file_says_the_defaults() {
    let annotated = parse(config::ANNOTATED);
    let shown =
        |config: &Config| -> String { config.shown().iter().map(|s| s.to_string()).collect() };
    assert_eq!(shown(&annotated), shown(&Config::default()));
    assert_eq!(shown(&parse("")), shown(&Config::default()));
    // And the file of the repository holds together with the dialplan and prompts it names.
    let loaded = Config::load(&Path::new(REPOSITORY).join("ringtrue.toml")).unwrap();
    assert_eq!(
        loaded.store.path,
        Path::new(REPOSITORY).join("data/ringtrue.db")
    );
    let checked = loaded.check().unwrap();
    assert_eq!(checked.warnings, []);
    assert!(checked.dialplan.rules() > 5);
}

#[test]
fn the_annotated_file_tells_every_key() {
    let mut section = String::new();
    let mut written = Vec::new();
    for line in config::ANNOTATED.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        }
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some((key, _)) = line.split_once(" = ")
            && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        {
            written.push(format!("{section}.{key}"));
        }
    }
    for shown in Config::default().shown() {
        for (key, _) in shown.entries() {
            let key = format!("{}.{key}", shown.name());
            assert!(written.contains(&key), "{key} is not in ringtrue.toml");
        }
    }
    assert!(written.contains(&"trunk.sandbox.password_file".to_owned()));
}

#[test]
fn what_is_printed_is_itself_a_configuration() {
    let text = "[trunk.a]\nproxy = 'sip.example.net:5080'\ncodecs = ['pcmu']\n[call]\nrefuse = false\nconfirm = '*'\n\
                [sip]\nbind = '0.0.0.0:5060'\nadvertise = '203.0.113.7:5070'\n[media]\nshards = 3\n[guard]\nper_range = []\n";
    let config = parse(text);
    let printed: String = config.shown().iter().map(|s| s.to_string()).collect();
    let again = parse(&printed);
    assert_eq!(again.shown(), config.shown());
}

#[test]
fn every_key_is_read() {
    let text = r##"
        [server]
        listen = "[::1]:9090"
        max_connections = 7
        stop_time = "1s"
        [store]
        path = "/var/lib/ringtrue/db"
        key_file = "key"
        keep_numbers = "0s"
        keep_challenges = "1d"
        [sip]
        bind = "192.0.2.1:5062"
        advertise = "203.0.113.7"
        [media]
        bind = "192.0.2.1"
        advertise = "203.0.113.8"
        ports = "40000-40099"
        shards = 4
        [trunk.carrier]
        proxy = "sip.example.net:5080"
        domain = "example.net"
        username = "me"
        password = "secret"
        realm = "carrier"
        caller_id = "+442079460000"
        codecs = ["PCMU", "PCMA"]
        latch = true
        max_calls = 9
        plus = false
        [trunk.other]
        proxy = "[2001:db8::1]:5061"
        [bind.smsc]
        address = "smpp.example.net"
        tls = true
        ca_file = "ca.pem"
        server_name = "smsc.example.net"
        system_id = "us"
        password = "secret2"
        system_type = "VMS"
        mode = "transmitter"
        version = "5.0"
        sessions = 2
        window = 50
        rate = 30
        sender = "+447700900000"
        service_type = "OTP"
        receipts = false
        validity = false
        id_form = "hex_then_decimal"
        alphabet = "latin1"
        data_coding = 3
        concatenation = "sar"
        languages = ["turkish"]
        most_messages = 2
        plain_punctuation = false
        connect_time = "3s"
        response_time = "7s"
        enquire_link = "15s"
        inactivity = "2m"
        attempts = 2
        retry = ["0x400"]
        fail_over = ["ESME_RINVDSTADR", "66"]
        give_up = []
        [bind.plain]
        address = "192.0.2.7:9000"
        system_id = "us"
        password = "secret3"
        [call]
        ring_time = "25s"
        longest_call = "1m"
        prompt_plays = 2
        pause_between_plays = "4s"
        listen_first = "0s"
        wrong_keys = 5
        confirm = "1"
        refuse = "*"
        refuse_forwarded = false
        machine = "hang_up"
        media_timeout = "7s"
        [challenge]
        time_to_live = "3m"
        max_open = 11
        max_waiting = 12
        [text]
        wording = "words.toml"
        most_messages = 2
        code_length = 8
        attempts = 3
        time_to_live = "4m"
        resend_after = "45s"
        resends = 0
        end_undeliverable = true
        patience = "45s"
        most_waiting = 500
        await_receipts = "2d"
        most_receipts = 2000
        [guard]
        open_per_number = 2
        per_number = "1 per 1m"
        unconfirmed_per_number = []
        hold_after_report = "1h"
        per_range = ["2 per 1m"]
        per_tenant = ["3 per 1m", "4 per 2m"]
        overall = ["5 per 1m"]
        blocked_kinds = []
        blocked_prefixes = ["+7"]
        most_numbers = 1000
        [prompts]
        dir = "/srv/prompts"
        default_locale = "fr-FR"
        [dialplan]
        dir = "rules"
        [log]
        format = "json"
        filter = "warn,ringtrue::sip=debug"
    "##;
    let config = Config::parse("r.toml", text, Path::new("/etc/ringtrue")).unwrap();
    assert_eq!(config.server.listen.to_string(), "[::1]:9090");
    assert_eq!(config.server.max_connections, 7);
    assert_eq!(config.server.stop_time, Duration::from_secs(1));
    assert_eq!(config.store.path, Path::new("/var/lib/ringtrue/db"));
    assert_eq!(config.store.key_file, Path::new("/etc/ringtrue/key"));
    assert_eq!(config.store.keep_numbers, Duration::ZERO);
    assert_eq!(config.store.keep_challenges, Duration::from_secs(86_400));
    assert_eq!(config.sip.bind.to_string(), "192.0.2.1:5062");
    assert_eq!(
        config.sip.advertise.unwrap().to_string(),
        "203.0.113.7:5062"
    );
    assert_eq!(config.media.bind.to_string(), "192.0.2.1");
    assert_eq!(config.media.advertise.unwrap().to_string(), "203.0.113.8");
    assert_eq!(
        (config.media.ports.calls(), config.media.shards),
        (50, Some(4))
    );
    let trunk = &config.trunks["carrier"];
    assert_eq!(
        (&*trunk.proxy, &*trunk.domain),
        ("sip.example.net:5080", "example.net")
    );
    let credentials = trunk.credentials.as_ref().unwrap();
    assert_eq!(
        (&*credentials.username, credentials.password.as_str()),
        ("me", "secret")
    );
    assert_eq!(credentials.realm.as_deref(), Some("carrier"));
    assert_eq!(trunk.caller_id.as_deref(), Some("+442079460000"));
    assert_eq!(trunk.codecs, [Codec::Pcmu, Codec::Pcma]);
    assert_eq!((trunk.latch, trunk.max_calls, trunk.plus), (true, 9, false));
    assert_eq!(&*config.trunks["other"].domain, "[2001:db8::1]");
    assert_eq!(config.trunks.len(), 2);
    let line = &config.binds["smsc"];
    let (bind, session) = (&line.bind, &line.bind.session);
    assert_eq!(
        (&*bind.name, &*bind.address),
        ("smsc", "smpp.example.net:3550")
    );
    let tls = bind.tls.as_ref().unwrap();
    assert_eq!(
        (tls.ca_file.as_deref(), tls.server_name.as_deref()),
        (
            Some(Path::new("/etc/ringtrue/ca.pem")),
            Some("smsc.example.net")
        )
    );
    assert_eq!(
        (
            &*session.system_id,
            session.password.as_str(),
            &*session.system_type
        ),
        ("us", "secret2", "VMS")
    );
    assert_eq!(
        (session.kind, session.version),
        (BindKind::Transmitter, Version::V50)
    );
    assert_eq!(
        (line.sessions, session.window, session.rate),
        (2, 50, Some(15.0))
    );
    assert_eq!(
        (&*bind.sender, &*bind.service_type),
        ("+447700900000", "OTP")
    );
    assert_eq!(
        (bind.receipts, bind.validity, bind.attempts),
        (false, false, 2)
    );
    assert_eq!(bind.id_form, IdForm::HexThenDecimal);
    assert_eq!(
        bind.style,
        Style {
            default_alphabet: DefaultAlphabet::Latin1,
            default_coding: 3,
            concatenation: Concatenation::Sar,
            languages: vec![Language::Turkish],
            most_messages: 2,
            plain_punctuation: false,
        }
    );
    assert_eq!(
        [
            bind.connect,
            session.response,
            session.session_init,
            session.enquire_link
        ],
        [3, 7, 7, 15].map(Duration::from_secs)
    );
    assert_eq!(session.inactivity, Some(Duration::from_secs(120)));
    assert_eq!(
        session.verdicts,
        [
            (Status(0x400), Verdict::Retry),
            (Status::INVALID_DESTINATION, Verdict::FailOver),
            (Status(66), Verdict::FailOver),
        ]
    );
    assert_eq!(&*config.binds["plain"].bind.address, "192.0.2.7:9000");
    assert_eq!(config.binds.len(), 2);
    let call = &config.call;
    assert_eq!(
        (call.prompt_plays, call.wrong_keys, call.refuse_forwarded),
        (2, 5, false)
    );
    assert_eq!(call.machine, OnMachine::HangUp);
    assert_eq!(
        (call.confirm, call.refuse),
        (Digit::from_event(1).unwrap(), Some(Digit::STAR))
    );
    assert_eq!(
        [
            call.ring_time,
            call.longest_call,
            call.pause_between_plays,
            call.listen_first,
            call.media_timeout
        ],
        [25, 60, 4, 0, 7].map(Duration::from_secs)
    );
    let challenge = &config.challenge;
    assert_eq!(challenge.time_to_live, Duration::from_secs(180));
    assert_eq!((challenge.max_open, challenge.max_waiting), (11, 12));
    let text = &config.text;
    assert_eq!(
        text.wording.as_deref(),
        Some(Path::new("/etc/ringtrue/words.toml"))
    );
    assert_eq!((text.most_messages, text.resends), (2, 0));
    assert_eq!((text.code_length.digits(), text.attempts.get()), (8, 3));
    assert_eq!(
        [text.time_to_live, text.resend_after],
        [240, 45].map(Duration::from_secs)
    );
    assert!(text.end_undeliverable);
    let (patience, awaited) = (text.patience.as_secs(), text.await_receipts.as_secs());
    assert_eq!((patience, awaited), (45, 172_800));
    assert_eq!((text.most_waiting, text.most_receipts), (500, 2000));
    let guard = &config.guard;
    assert_eq!((guard.open_per_number, guard.most_numbers), (2, 1000));
    assert_eq!(guard.hold_after_report, Duration::from_secs(3600));
    assert_eq!(
        guard.per_number.len() + guard.per_range.len() + guard.overall.len(),
        3
    );
    assert_eq!(
        (guard.unconfirmed_per_number.len(), guard.per_tenant.len()),
        (0, 2)
    );
    assert_eq!(guard.blocked_prefixes, ["+7".into()]);
    assert!(guard.blocked_kinds.is_empty());
    assert_eq!(
        config.prompts.dir.as_deref(),
        Some(Path::new("/srv/prompts"))
    );
    assert_eq!(&*config.prompts.default_locale, "fr-FR");
    assert_eq!(
        config.dialplan.dir.as_deref(),
        Some(Path::new("/etc/ringtrue/rules"))
    );
    assert_eq!(config.log.format, config::LogFormat::Json);
    assert_eq!(config.log.filter, "warn,ringtrue::sip=debug");
}

#[test]
fn a_mistake_names_its_place_and_fix() {
    for (text, expected) in [
        (
            "[sever]",
            "r.toml:1:2: unknown key `sever`\n  fix: did you mean `server`?",
        ),
        (
            "listen = 'x'",
            "r.toml:1:1: unknown key `listen`\n  fix: `listen` belongs in [server]",
        ),
        (
            "[server]\nlisten = '8080'",
            "r.toml:2:10: `listen` cannot be this text\n  fix: write address and port",
        ),
        ("[server]\nbind = 'x'", "unknown key `bind` in [server]"),
        (
            "[server]\nstop_time = 10",
            "r.toml:2:13: `stop_time` cannot be a number\n  fix: write a duration from \"0s\" to \"10m\"",
        ),
        ("[server]\nstop_time = '1h'", "`stop_time` is out of range"),
        (
            "[store]\npath = 'a'\nkey_file = 'a'",
            "r.toml:3:1: `key_file` is the database itself",
        ),
        (
            "[media]\nports = '20010'",
            "fix: write a port of at least 1024 and a higher one",
        ),
        (
            "[trunk.a]\nproxi = 'x'",
            "r.toml:1:8: this trunk has no `proxy`",
        ),
        (
            "[trunk.a]\nproxi = 'x'",
            "r.toml:2:1: unknown key `proxi` in [trunk.NAME]\n  fix: did you mean `proxy`?",
        ),
        (
            "[trunk.a]\nproxy = 'sip:x'",
            "r.toml:2:9: `proxy` cannot be this text",
        ),
        (
            "[trunk.'a b']\nproxy = 'x'",
            "r.toml:1:8: this is not a trunk's name",
        ),
        (
            "[trunk]\nproxy = 'x'",
            "r.toml:2:9: `trunk.proxy` cannot be this text\n  fix: write [trunk.NAME]",
        ),
        (
            "[trunk.a]\nproxy = 'x'\nusername = 'u'",
            "r.toml:3:1: `username` is given without `password`",
        ),
        (
            "[trunk.a]\nproxy = 'x'\npassword = 'hunter2'",
            "r.toml:3:1: `password` is given without `username`",
        ),
        (
            "[trunk.a]\nproxy = 'x'\nrealm = 'r'",
            "r.toml:3:9: `realm` is given without `username`",
        ),
        (
            "[trunk.a]\nproxy = 'x'\nusername = 'u'\npassword = 'hunter2'\npassword_file = 'f'",
            "r.toml:5:17: `password_file` and `password` are both given",
        ),
        (
            "[trunk.a]\nproxy = 'x'\nusername = 'u'\npassword_file = '/nowhere/f'",
            "r.toml:4:17: /nowhere/f cannot be used: ",
        ),
        (
            "[trunk.a]\nproxy = 'x'\nusername = 'u'\npasword = 'hunter2'",
            "fix: did you mean `password`?",
        ),
        (
            "[trunk.a]\nproxy = 'x'\nusername = 'u'\npassword = 7331",
            "`password` cannot be a number",
        ),
        (
            "[trunk.a]\nproxy = 'x'\ncodecs = ['G729']",
            "r.toml:3:11: there is no such codec",
        ),
        (
            "[trunk.a]\nproxy = 'x'\ncodecs = ['PCMU', 'pcmu']",
            "r.toml:3:19: PCMU is listed twice",
        ),
        (
            "[trunk.a]\nproxy = 'x'\nlatch = 'yes'",
            "`latch` cannot be this text\n  fix: write true or false",
        ),
        (
            "[trunk.a]\nproxy = 'x'\ncaller_id = '+44 20'",
            "`caller_id` cannot be this text",
        ),
        (
            "[bind.a]\nsystem_id = 's'\npassword = 'hunter2'",
            "r.toml:1:7: this bind has no `address`",
        ),
        (
            "[bind.a]\naddress = 'x'\npassword = 'hunter2'",
            "r.toml:1:7: this bind has no `system_id`",
        ),
        (
            "[bind.a]\naddress = 'x'\nsystem_id = 's'",
            "r.toml:1:7: this bind has no `password`\n  fix: add `password_file`",
        ),
        (
            "[bind.a]\naddress = 'x'\nsystem_id = 's'\npassword = 'hunter2'\npassword_file = 'f'",
            "r.toml:5:17: `password_file` and `password` are both given",
        ),
        (
            "[bind.a]\naddress = 'smpp://x'",
            "r.toml:2:11: `address` cannot be this text",
        ),
        (
            "[bind.a]\naddress = 'sandbox'\nmode = 'reciever'",
            "r.toml:3:8: `mode` cannot be this text\n  fix: did you mean \"receiver\"?",
        ),
        (
            "[bind.a]\naddress = 'sandbox'\nversion = '3.5'",
            "fix: did you mean \"3.3\"?",
        ),
        (
            "[bind.a]\naddress = 'sandbox'\nca_file = 'ca.pem'",
            "r.toml:3:1: `ca_file` goes with tls = true",
        ),
        (
            "[bind.a]\naddress = 'sandbox'\nsender = 'a name too long'",
            "`sender` cannot be this text",
        ),
        (
            "[bind.a]\naddress = 'sandbox'\nlanguages = ['klingon']",
            "r.toml:3:14: there are no tables of such a language",
        ),
        (
            "[bind.a]\naddress = 'sandbox'\nretry = ['0x58', '0']",
            "r.toml:3:18: this is no status of a refusal",
        ),
        (
            "[bind.a]\naddress = 'sandbox'\nretry = ['0x58']\ngive_up = ['ESME_RTHROTTLED']",
            "r.toml:4:12: this status is listed twice",
        ),
        (
            "[bind.a]\naddress = 'sandbox'\nwindow = 0",
            "`window` is out of range",
        ),
        (
            "[text_gateway.a]\nmethod = 'GET'",
            "r.toml:1:15: this text gateway has no `url`",
        ),
        (
            "[text_gateway.a]\nurl = 'ftp://x'",
            "r.toml:2:7: this is no address of HTTP\n  fix: write an address",
        ),
        (
            "[text_gateway.a]\nurl = 'https://me:hunter2@x/'",
            "an address must not hold an account: use `auth`",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x/${to}'",
            "slots like ${to} may stand in the query alone",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x/?a=${tu}'",
            "there is no ${tu}; there are ${to}",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x'\njson = '{to: 1}'",
            "r.toml:3:8: this is not JSON",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x'\njson = '{}'\nform = 'a=b'",
            "r.toml:4:8: `form` and `json` are both given",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x'\nmethod = 'GET'\njson = '{}'",
            "r.toml:4:1: a GET has no body",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x'\nheaders = ['nothing']",
            "r.toml:3:12: this is no header",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x'\nauth = 'bearer'",
            "r.toml:3:8: `auth` needs `secret_file`",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x'\nauth = 'basic'\nsecret = 'hunter2'",
            "r.toml:3:8: `auth` needs `user`",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x'\nauth = 'header'\nsecret = 'hunter2'",
            "r.toml:3:8: `auth` needs `auth_header`",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x'\nsecret = 'hunter2'",
            "r.toml:3:1: `secret` is given without `auth`",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x'\nsuccess_pointer = '/a'",
            "r.toml:3:1: `success_pointer` is given without `success_values`",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x'\nid_pointer = 'a'",
            "`id_pointer` cannot be this text\n  fix: write a JSON pointer",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x'\nreceipt_id = '/id'",
            "r.toml:3:1: `receipt_id` is given without `receipt_auth`",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x'\nid_pointer = '/id'\nreceipt_auth = 'bearer'",
            "r.toml:4:16: `receipt_auth` needs `receipt_secret_file`",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x'\nreceipt_auth = 'bearer'\nreceipt_secret = 'hunter2'",
            "r.toml:3:16: receipts need `id_pointer`",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x'\nid_pointer = '/id'\nreceipt_auth = 'hmac'\n\
             receipt_secret = 'hunter2'\nreceipt_id = '/id'\nreceipt_status = '/st'\nreceipt_delivered = 'ok'",
            "r.toml:4:16: `receipt_auth` needs `receipt_auth_name`",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x'\nid_pointer = '/id'\nreceipt_auth = 'bearer'\n\
             receipt_secret = 'hunter2'\nreceipt_id = '/id'\nreceipt_status = 'st'\nreceipt_delivered = 'ok'",
            "r.toml:7:18: JSON pointers and names of a form's fields cannot be mixed",
        ),
        (
            "[text_gateway.a]\nurl = 'https://x'\nid_pointer = '/id'\nreceipt_auth = 'bearer'\n\
             receipt_secret = 'hunter2'\nreceipt_id = '/id'\nreceipt_status = '/st'\n\
             receipt_delivered = 'ok'\nreceipt_unknown = ['eh', 'OK']",
            "r.toml:9:26: this word is given two meanings",
        ),
        (
            "[call]\nconfirm = '0'",
            "r.toml:1:2: `refuse` and `confirm` are the same key, 0",
        ),
        ("[call]\nconfirm = 'A'", "`confirm` cannot be this text"),
        ("[call]\nrefuse = true", "`refuse` cannot be true or false"),
        (
            "[call]\nprompt_plays = 0",
            "`prompt_plays` is out of range\n  fix: write a whole number from 1 to 20",
        ),
        (
            "[challenge]\ntime_to_live = '5s'",
            "fix: write a duration from \"30s\" to \"10m\"",
        ),
        (
            "[guard]\nper_number = '5/m'",
            "r.toml:2:14: this is not a rate\n  fix: write a number and a duration, as in \"5 per 10m\"",
        ),
        (
            "[guard]\nper_number = ['5 per 10m', '2000 per 1d']",
            "r.toml:2:28: this rate is out of range",
        ),
        (
            "[guard]\nblocked_kinds = ['premum']",
            "fix: did you mean \"premium\"?",
        ),
        (
            "[guard]\nblocked_prefixes = ['870']",
            "this is not a prefix",
        ),
        ("[guard]\nblocked_prefixes = ['+']", "this is not a prefix"),
        (
            "[prompts]\ndefault_locale = 'english'",
            "`default_locale` cannot be this text",
        ),
        ("[log]\nformat = 'xml'", "fix: write \"text\" or \"json\""),
        (
            "[log]\nfilter = 'ringtrue=loud'",
            "r.toml:2:10: `filter` cannot be this text",
        ),
        (
            "[trunk.a]\nproxy = 'x'\n[trunk.a]\nproxy = 'y'",
            "r.toml:3:8: this is not TOML: duplicate key\n  fix: keep one of the two",
        ),
        (
            "[log]\nfilter = ringtrue",
            "  fix: write name = value, one on a line",
        ),
    ] {
        let got = faults(text);
        assert!(got.contains(expected), "{text}\n{got}");
        assert!(!got.contains("hunter2") && !got.contains("7331"), "{got}");
    }
    // One mistake, one complaint.
    for text in [
        "[trunk.a]\nproxy = 'x'\nusername = 'u'\npassword = 7331",
        "[trunk.a]\nproxy = 'x'\nusername = 'u'\npassword_file = '/nowhere/f'",
        "[trunk.a]\nproxy = 7",
        "[sip]\nbind = '0.0.0.0:5060'\nadvertise = 'x y'",
    ] {
        let got = faults(text);
        assert_eq!(got.matches("r.toml:").count(), 1, "{text}\n{got}");
    }
}

#[test]
fn no_secret_is_shown() {
    let config = parse(
        "[trunk.a]\nproxy = 'x'\nusername = 'u'\npassword = 'hunter2'\n\
         [bind.b]\naddress = 'x'\nsystem_id = 'u'\npassword = 'hunter2'\n",
    );
    assert_eq!(config.binds["b"].bind.session.password.as_str(), "hunter2");
    assert_eq!(
        config.trunks["a"]
            .credentials
            .as_ref()
            .unwrap()
            .password
            .as_str(),
        "hunter2"
    );
    let printed: String = config.shown().iter().map(|s| s.to_string()).collect();
    for shown in [
        format!("{config:?}"),
        format!("{config:#?}"),
        printed,
        config.shown_json().to_string(),
    ] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    assert!(config.shown_json()["trunk"]["a"]["password"] == "********");
    assert!(config.shown_json()["bind"]["b"]["password"] == "********");
}

#[test]
fn a_password_may_have_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[trunk.a]\nproxy = 'x'\nusername = 'u'\npassword_file = 'secret'\n";
    let read = |secret: &[u8]| {
        fs::write(folder.path().join("secret"), secret).unwrap();
        Config::parse("r.toml", text, folder.path())
    };
    for secret in ["hunter2", "hunter2\n", "hunter2\r\n"] {
        let config = read(secret.as_bytes()).unwrap();
        let credentials = config.trunks["a"].credentials.as_ref().unwrap();
        assert_eq!(credentials.password.as_str(), "hunter2");
    }
    for secret in [
        "".as_bytes(),
        b"\n",
        b"hunter2\nhunter3",
        b"hunter\xff",
        &[b'x'; 5000],
    ] {
        let faults = read(secret).unwrap_err().to_string();
        assert!(
            faults.starts_with("r.toml:4:17: ") && faults.contains("cannot be used"),
            "{faults}"
        );
        assert!(!faults.contains("hunter"), "{faults}");
    }
}

/// A folder with a configuration, rules and prompts.
fn folder(config: &str, rules: &str, locales: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("ringtrue.toml"), config).unwrap();
    fs::create_dir(at("rules")).unwrap();
    fs::write(at("rules/a.toml"), rules).unwrap();
    fs::create_dir(at("prompts")).unwrap();
    for locale in locales {
        fs::create_dir(at("prompts").join(locale)).unwrap();
    }
    folder
}

const PARTS: &str = "[dialplan]\ndir = 'rules'\n[prompts]\ndir = 'prompts'\n";
const RULES: &str = "[[rule]]\nprefix = '+'\ntrunk = 'carrier'\nlocale = 'en-GB'\n";

#[test]
fn parts_that_do_not_fit_each_other_are_told() {
    let check = |config: &str, rules: &str, locales: &[&str]| -> String {
        let folder = folder(&format!("{PARTS}{config}"), rules, locales);
        let config = Config::load(&folder.path().join("ringtrue.toml")).unwrap();
        let text = match config.check() {
            Ok(checked) => {
                let warnings = checked.warnings.iter().map(|w| format!("warning: {w}\n"));
                warnings.collect()
            }
            Err(faults) => faults.to_string(),
        };
        text.replace(&format!("{}/", folder.path().display()), "")
    };
    let carrier = "[trunk.carrier]\nproxy = '127.0.0.1:5080'\n";
    assert_eq!(check(carrier, RULES, &["en-GB", "make"]), "");
    assert_eq!(
        check("[trunk.carier]\nproxy = 'x'\n", RULES, &["en-GB"]),
        "rules/a.toml:3:9: there is no trunk carrier in ringtrue.toml\n  fix: did you mean \"carier\"?"
    );
    assert_eq!(
        check("", RULES, &["en-GB"]),
        "rules/a.toml:3:9: there is no trunk carrier in ringtrue.toml\n  \
         fix: add [trunk.carrier] to the configuration, or name another trunk"
    );
    assert_eq!(
        check(
            carrier,
            &RULES.replace("en-GB", "cy-GB"),
            &["en-GB", "fr-FR"]
        ),
        "rules/a.toml:4:10: there are no prompts for cy-GB\n  \
         fix: record them in prompts/cy-GB, or use one of en-GB, fr-FR"
    );
    let got = check(carrier, &RULES.replace("en-GB", "en-AU"), &["en-GB"]);
    assert!(
        got.starts_with(
            "warning: rules/a.toml:4:10: there are no prompts for en-AU: those for en-GB stand in"
        ),
        "{got}"
    );
    let texts =
        "[[rule]]\nprefix = \"+\"\ntrunk = false\nbinds = [\"sandbox\"]\nlocale = \"cy-GB\"\n";
    let got = check(carrier, texts, &["en-GB"]);
    assert!(
        got.starts_with(
            "rules/a.toml:5:10: there are no words for texts in cy-GB\n  \
             fix: write them in the file under [text] wording, or use one of "
        ),
        "{got}"
    );
    let got = check(carrier, &RULES.replace("en-GB", "fr-FR"), &["fr-FR"]);
    assert!(
        got.starts_with("ringtrue.toml: there are no prompts for en-GB"),
        "{got}"
    );
    let got = check(carrier, "[[rule]]\nprefix = 44\n", &["en-GB"]);
    assert!(
        got.contains("rules/a.toml:2:10: `prefix` cannot be a number"),
        "{got}"
    );

    let got = check(
        "[trunk.carrier]\nproxy = 'sip.example.net'\nmax_calls = 100\n[trunk.spare]\nproxy = '[::1]:5070'\nmax_calls = 1\n\
         [media]\nports = '20000-20009'\n[server]\nlisten = '0.0.0.0:8080'\n[challenge]\ntime_to_live = '40s'\n[call]\nring_time = '50s'\n",
        RULES,
        &["en-GB"],
    );
    let warnings = [
        "trunk spare is not used",
        "trunk spare is never reached: [::1] is of another IP version than [sip] bind 127.0.0.1:5060",
        "trunk carrier is elsewhere, and [sip] bind 127.0.0.1:5060 reaches this machine alone",
        "[media] ports 20000-20009 are enough for 5 calls at once, and the trunks may have 101",
        "[server] listen 0.0.0.0:8080 is reached from elsewhere",
        "[challenge] time_to_live 40s is shorter than [call] ring_time 50s",
    ];
    for warning in warnings {
        assert!(
            got.contains(&format!("warning: ringtrue.toml: {warning}")),
            "{warning}\n{got}"
        );
    }
    assert_eq!(got.matches("warning: ").count(), warnings.len(), "{got}");
}

#[test]
fn texts_need_binds_that_send() {
    let rules = "[[rule]]\nprefix = '+'\nbinds = ['main', 'spare']\nlocale = 'fr-FR'\n";
    let bind = |name: &str, more: &str| {
        format!("[bind.{name}]\naddress = '192.0.2.1'\nsystem_id = 'u'\npassword = 'p'\n{more}\n")
    };
    let check = |config: &str| {
        let folder = folder(&format!("{PARTS}{config}"), rules, &["en-GB"]);
        let config = Config::load(&folder.path().join("ringtrue.toml")).unwrap();
        match config.check() {
            Ok(checked) => checked.warnings.iter().map(|w| format!("{w}\n")).collect(),
            Err(faults) => faults.to_string(),
        }
    };
    let got = check(&bind("mian", ""));
    assert!(
        got.contains("a.toml:3:10: there is no bind main in")
            && got.contains("did you mean \"mian\"?"),
        "{got}"
    );
    let got = check(&format!(
        "{}{}",
        bind("main", ""),
        bind("spare", "mode = 'receiver'")
    ));
    assert!(
        got.contains("a.toml:3:18: bind spare only receives"),
        "{got}"
    );
    // Prompts are for calls: texts of a locale without prompts are no fault.
    let got = check(&format!(
        "{}{}{}",
        bind("main", "mode = 'transmitter'"),
        bind("spare", "").replace("'u'", "'other'"),
        bind("more", "").replace("'u'", "'another'"),
    ));
    assert!(
        got.contains("bind main asks for receipts, and no bind of its account receives"),
        "{got}"
    );
    assert!(got.contains("bind more is not used"), "{got}");
    let got = check(&format!(
        "{}{}{}",
        bind("main", "mode = 'transmitter'"),
        bind("ear", "mode = 'receiver'"),
        "[bind.spare]\naddress = 'sandbox'\n",
    ));
    assert!(
        !got.contains("asks for receipts") && !got.contains("ear is not used"),
        "{got}"
    );
    assert!(
        got.contains("texts by bind spare go to the sandbox"),
        "{got}"
    );
}

#[test]
fn text_gateways_stand_beside_binds() {
    let gateway = "[text_gateway.web]\nurl = 'http://api.example.net/send?key=hunter2'\n\
                   form = 'To=${to}'\nheaders = ['X-Key: hunter2']\nauth = 'bearer'\nsecret = 'hunter2'\n\
                   success_pointer = '/status'\nsuccess_values = 'ok'\nrate = 9\n";
    let config = parse(gateway);
    assert!(config.binds.is_empty() && config.text_gateways.len() == 1);
    let printed: String = config.shown().iter().map(|s| s.to_string()).collect();
    let receipts = parse(&format!(
        "{gateway}id_pointer = '/id'\nreceipt_auth = 'query'\nreceipt_auth_name = 'key'\n\
         receipt_secret = 'hunter2'\nreceipt_id = 'Sid'\nreceipt_status = 'Status'\n\
         receipt_delivered = 'ok'\n"
    ));
    let told = receipts.shown_json().to_string();
    assert!(!told.contains("hunter2") && !format!("{receipts:?}").contains("hunter2"));
    assert_eq!(
        receipts.shown_json()["text_gateway"]["web"]["receipt_id"],
        "Sid"
    );
    // Queries and headers may be secrets too.
    for shown in [
        format!("{config:?}"),
        config.shown_json().to_string(),
        printed.clone(),
    ] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    assert!(printed.contains("form = \"To=${to}\"\n") && printed.contains("rate = 9\n"));
    assert_eq!(config.shown_json()["text_gateway"]["web"]["auth"], "bearer");
    let rules =
        "[[rule]]\nprefix = '+'\nbinds = ['web', { name = 'main', cost = 9 }]\nlocale = 'fr-FR'\n";
    let main = "[bind.NAME]\naddress = '192.0.2.1'\nsystem_id = 'u'\npassword = 'p'\n";
    let check = |name: &str| {
        let config = format!("{PARTS}{gateway}{}", main.replace("NAME", name));
        let folder = folder(&config, rules, &["en-GB"]);
        let config = Config::load(&folder.path().join("ringtrue.toml")).unwrap();
        match config.check() {
            Ok(checked) => checked.warnings.iter().map(|w| format!("{w}\n")).collect(),
            Err(faults) => faults.to_string(),
        }
    };
    let got: String = check("main");
    assert!(
        got.contains("numbers and codes go to text gateway web in the clear"),
        "{got}"
    );
    let got = check("web");
    assert!(
        got.contains("web is the name of a bind and of a text gateway"),
        "{got}"
    );
    assert!(got.contains("there is no bind main"), "{got}");
}

#[test]
fn own_trunks_need_own_rules() {
    let config = parse("[trunk.carrier]\nproxy = '127.0.0.1'\n");
    let faults = config.check().unwrap_err().to_string();
    assert!(faults.contains("there is no trunk sandbox"), "{faults}");
    assert!(faults.contains("`ringtrue dialplan default`"), "{faults}");
}

#[test]
fn folders_that_are_not_there_are_told() {
    let mut config = Config::default();
    config.prompts.dir = Some("/nowhere/prompts".into());
    let faults = config.check().unwrap_err().to_string();
    assert!(faults.starts_with("/nowhere/prompts: "), "{faults}");
    let mut config = Config::default();
    config.dialplan.dir = Some("/nowhere/rules".into());
    let faults = config.check().unwrap_err().to_string();
    assert!(faults.starts_with("/nowhere/rules: "), "{faults}");
    let faults = Config::load(Path::new("/nowhere/r.toml"))
        .unwrap_err()
        .to_string();
    assert!(faults.starts_with("/nowhere/r.toml: "), "{faults}");
}

#[test]
fn a_file_of_another_size_or_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.toml");
    fs::write(&path, vec![b'#'; 2 << 20]).unwrap();
    let faults = Config::load(&path).unwrap_err().to_string();
    assert!(faults.contains("larger than 1 MiB"), "{faults}");
    fs::write(&path, [0xff, 0xfe, b'x']).unwrap();
    assert!(Config::load(&path).is_err());
    assert!(Config::load(folder.path()).is_err());
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    config: cli::config::Config,
}

/// Runs `ringtrue config ...`: what it prints, and how it ends.
fn run(arguments: &[&str]) -> (String, String) {
    let line = Line::try_parse_from(["config"].iter().chain(arguments)).unwrap();
    let mut out = Vec::new();
    let code = cli::config::run(&line.config, None, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), format!("{code:?}"))
}

fn code(code: u8) -> String {
    format!("{:?}", std::process::ExitCode::from(code))
}

#[test]
fn the_command_prints_what_would_be_run_with() {
    let account = "username = 'u'\npassword = 'hunter2'\n";
    let text = format!("{PARTS}[trunk.carrier]\nproxy = 'sip.example.net'\n{account}");
    let folder = folder(&text, RULES, &["en-GB"]);
    let file = folder.path().join("ringtrue.toml");
    let file = file.to_str().unwrap();

    let (out, ended) = run(&["check", file]);
    assert_eq!(ended, code(0));
    assert!(
        out.starts_with(&format!("# {file}: no mistake\n# warning: ")),
        "{out}"
    );
    assert!(
        out.contains("[trunk.carrier]\nproxy = \"sip.example.net\"\n"),
        "{out}"
    );
    assert!(
        out.contains("password = \"********\"\n") && !out.contains("hunter2"),
        "{out}"
    );
    assert_eq!(run(&["check", "--strict", file]).1, code(1));

    let (out, ended) = run(&["check", "--format", "json", file]);
    assert_eq!(ended, code(0));
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        answer["config"]["trunk"]["carrier"]["proxy"],
        "sip.example.net"
    );
    assert_eq!(answer["config"]["call"]["ring_time"], "30s");
    assert!(!out.contains("hunter2"));

    fs::write(
        folder.path().join("ringtrue.toml"),
        "[server]\nlissen = 'x'\n",
    )
    .unwrap();
    let (out, ended) = run(&["check", file]);
    assert_eq!(ended, code(2));
    assert_eq!(
        out,
        format!("{file}:2:1: unknown key `lissen` in [server]\n  fix: did you mean `listen`?\n")
    );
    let (out, ended) = run(&["check", "--format", "json", file]);
    assert_eq!(ended, code(2));
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["faults"][0]["place"]["line"], 2);

    assert_eq!(run(&["default"]), (config::ANNOTATED.to_owned(), code(0)));
}

#[test]
fn words_are_checked_with_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ringtrue.toml");
    fs::write(&file, "[text]\nwording = 'words.toml'\n").unwrap();
    let config = Config::load(&file).unwrap();
    let told = config.check().unwrap_err().to_string();
    assert!(
        told.contains("words.toml: ") && told.contains("[text] wording"),
        "{told}"
    );
    let words = folder.path().join("words.toml");
    fs::write(&words, "[[text]]\nlocale = 'en-GB'\nwords = '{kode}'\n").unwrap();
    let told = config.check().unwrap_err().to_string();
    let place = format!("{}:3:1: there is no place {{kode}}", words.display());
    assert!(told.starts_with(&place), "{told}");
    fs::write(&words, "brand = 'Example'\n").unwrap();
    assert_eq!(config.check().unwrap().wording.locales().len(), 5);
    // What is printed to begin from is itself a file of words.
    let (printed, ended) = run(&["wording"]);
    assert_eq!(ended, code(0));
    fs::write(&words, printed).unwrap();
    assert!(config.check().is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_file_is_read_without_panic_and_tells_no_secret(
        parts in prop::collection::vec(prop::sample::select(vec![
            "[server]\n", "[trunk.a]\n", "[trunk]\n", "[call]\n", "[guard]\n", "[log]\n", "[sip]\n", "[[sip]]\n",
            "listen", "proxy", "password", "username", "confirm", "per_number", "filter", "bind", " = ", "'hunter2'",
            "'127.0.0.1:1'", "'#'", "['5 per 10m']", "[]", "{}", "7", "true", "\n", "\n", "\n", "'", "\"", "\u{0}", "é",
        ]), 0..40)
    ) {
        let text = parts.concat();
        if let Err(faults) = Config::parse("r.toml", &text, Path::new("")) {
            let faults = faults.to_string();
            prop_assert!(!faults.is_empty());
            prop_assert!(!faults.contains("hunter2") || text.contains("'hunter2' ="), "{}", faults);
        }
    }
}
