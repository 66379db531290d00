use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;

/// Reads a file of one section and says what was wrong.
fn faults(text: &str) -> String {
    let document = match Document::parse("a.toml", text) {
        Ok(document) => document,
        Err(faults) => return faults.to_string(),
    };
    read(&document);
    document
        .close()
        .err()
        .map(|f| f.to_string())
        .unwrap_or_default()
}

fn read(document: &Document<'_>) {
    let root = document.root();
    {
        let server = root.section("server");
        let _ = server.read("listen", "\"ADDRESS:PORT\"", |t| {
            t.parse::<SocketAddr>().ok()
        });
        let _ = server.integer("max_connections", 1..=100);
        let _ = server.duration("grace", Duration::from_secs(1)..=Duration::from_secs(90));
    }
    {
        let store = root.section("store");
        let _ = store.text("path", "a path");
        let _ = store.flag("sync");
    }
    for trunk in root.named("trunk") {
        let _ = trunk.text("proxy", "\"HOST\"");
        let _ = trunk.any_texts("codecs", "\"PCMA\"");
    }
    for rule in root.list("rule") {
        let _ = rule.texts("prefix", "\"+44\"");
    }
}

#[test]
fn a_good_file_has_no_faults() {
    let text = "[server]\nlisten = '127.0.0.1:8080'\nmax_connections = 0x10\ngrace = '1m30s'\n\
                [store]\npath = 'a'\nsync = true\n[trunk.a]\nproxy = 'b'\ncodecs = []\n\
                [trunk.'b c']\ncodecs = ['x', 'y']\n[[rule]]\nprefix = '+44'\n[[rule]]\nprefix = ['+1']\n";
    assert_eq!(faults(text), "");
    assert_eq!(faults(""), "");
}

#[test]
fn what_is_asked_is_answered_with_its_place() {
    let text = "[server]\ngrace = '30s'\n\n[trunk.one]\nproxy = 'p'\n";
    let document = Document::parse("a.toml", text).unwrap();
    let root = document.root();
    let server = root.section("server");
    let grace = server
        .duration("grace", Duration::ZERO..=Duration::MAX)
        .unwrap();
    assert_eq!(grace.value, Duration::from_secs(30));
    assert_eq!(grace.place.to_string(), "a.toml:2:9");
    assert_eq!(server.place_of("grace").to_string(), "a.toml:2:1");
    assert_eq!(server.place_of("listen").to_string(), "a.toml:1:2");
    let trunks = root.named("trunk");
    assert_eq!(trunks.len(), 1);
    assert_eq!(trunks[0].name(), "one");
    assert_eq!(trunks[0].place().to_string(), "a.toml:4:8");
    assert_eq!(trunks[0].text("proxy", "").unwrap().value, "p");
}

#[test]
fn every_fault_of_a_file_is_told_with_its_place_and_fix() {
    let text = "liste = 1\n[server]\nlisten = 'nowhere'\nmax_connection = 5\nmax_connections = 500\n\
                grace = 30\npath = 'x'\n[stor]\n[trunk.a]\nprozy = 'x'\ncodecs = 'PC\\u0007'\n";
    let got = faults(text);
    let expected = "a.toml:1:1: unknown key `liste`\n  \
fix: remove it; the keys here are rule, server, store, trunk
a.toml:3:10: `listen` cannot be this text\n  fix: write \"ADDRESS:PORT\"
a.toml:4:1: unknown key `max_connection` in [server]\n  fix: did you mean `max_connections`?
a.toml:5:19: `max_connections` is out of range\n  fix: write a whole number from 1 to 100, without quotes
a.toml:6:9: `grace` cannot be a number\n  fix: write a duration from \"1s\" to \"1m30s\", with units: \"30s\", \"1m30s\", \"250ms\"
a.toml:7:1: unknown key `path` in [server]\n  fix: `path` belongs in [store]
a.toml:8:2: unknown key `stor`\n  fix: did you mean `store`?
a.toml:10:1: unknown key `prozy` in [trunk.NAME]\n  fix: did you mean `proxy`?";
    // The control character was in a literal string, where it is a backslash and letters.
    assert_eq!(
        got.lines().collect::<Vec<_>>(),
        expected.replace("    ", "").lines().collect::<Vec<_>>(),
        "{got}"
    );
}

#[test]
fn the_wrong_shape_is_told() {
    for (text, part) in [
        (
            "server = 1",
            "a.toml:1:10: `server` cannot be a number\n  fix: write [server] on a line",
        ),
        ("[trunk]\na = 1", "a.toml:2:5: `trunk.a` cannot be a number"),
        (
            "trunk = 'x'",
            "`trunk` cannot be this text\n  fix: write [trunk.NAME]",
        ),
        (
            "[rule]\nprefix = 'x'",
            "`rule` cannot be a table\n  fix: write [[rule]] in double brackets",
        ),
        ("rule = [1]", "`rule` cannot be a number"),
        (
            "[[rule]]\nprefix = []",
            "a.toml:2:10: `prefix` cannot be a list",
        ),
        (
            "[[rule]]\nprefix = ['a', 1]",
            "a.toml:2:16: `prefix` cannot be a number",
        ),
        (
            "[store]\nsync = 'yes'",
            "`sync` cannot be this text\n  fix: write true or false",
        ),
        ("[store]\npath = ''", "`path` cannot be this text"),
        (
            "[server]\nmax_connections = -1",
            "`max_connections` cannot be a number",
        ),
        (
            "[server]\nmax_connections = 99999999999999999999",
            "a.toml:2:19:",
        ),
        (
            "[server]\nserver = 1\nserver = 2",
            "a.toml:3:1: this is not TOML: duplicate key",
        ),
        ("[server\n", "a.toml:1:8: this is not TOML:"),
    ] {
        let got = faults(text);
        assert!(got.contains(part), "{text}: {got}");
    }
}

#[test]
fn a_syntax_error_does_not_repeat_the_text() {
    for text in [
        "password = hunter2",
        "password = \"hunter2",
        "password = 'hunter2' x",
        "password hunter2",
    ] {
        let got = faults(text);
        assert!(
            got.contains("not TOML") && !got.contains("hunter2"),
            "{got}"
        );
    }
}

#[test]
fn the_key_that_was_meant_is_found() {
    let keys = [
        "username",
        "password",
        "password_file",
        "proxy",
        "domain",
        "max_calls",
        "plus",
    ];
    for (word, meant) in [
        ("user", Some("username")),
        ("usrname", Some("username")),
        ("Password", Some("password")),
        ("password-file", Some("password_file")),
        ("maxcalls", Some("max_calls")),
        ("porxy", Some("proxy")),
        ("pluss", Some("plus")),
        ("x", None),
        ("colour", None),
        ("", None),
    ] {
        assert_eq!(resembling(word, keys), meant, "{word}");
    }
}

#[test]
fn a_file_of_something_else_is_refused_in_bounds() {
    let many: String = (0..5000).map(|i| format!("key{i} = 1\n")).collect();
    assert!(faults(&many).lines().count() < 500);
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(faults(&deep).contains("not TOML"));
    let long = format!("\"{}\" = 1", "k\\u0000".repeat(100_000));
    assert!(faults(&long).len() < 2000);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_without_panic(text in "\\PC{0,60}") {
        let _ = faults(&text);
    }

    #[test]
    fn anything_like_a_file_is_read_without_panic(
        parts in prop::collection::vec(prop::sample::select(vec![
            "[server]", "[[rule]]", "[trunk.a]", "[trunk]", "listen", "prefix", "rule", " = ", "'x'", "[", "]", "{", "}",
            ",", "1", "true", "\n", "\n", "\n", "1979-05-27", "é", "\"", ".", "codecs", "1e400", "\u{0}",
        ]), 0..40)
    ) {
        let _ = faults(&parts.concat());
    }
}
