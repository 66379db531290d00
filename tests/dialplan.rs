//! Dialplans as an operator meets them: folders of files, and the command.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use ringtrue::cli;
use ringtrue::dialplan::Dialplan;
use ringtrue::phone::PhoneNumber;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");
const ONE: &str = "[[rule]]\nprefix = '+44'\ntrunk = 'a'\nlocale = 'en-GB'\n";
const TWO: &str = "[[rule]]\nprefix = '+33'\ntrunk = 'b'\nlocale = 'fr-FR'\n";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

#[test]
fn the_folder_of_the_repository_is_what_comes_with_the_program() {
    let folder = Dialplan::load(&Path::new(REPOSITORY).join("dialplans")).unwrap();
    let built_in = Dialplan::built_in().unwrap();
    assert_eq!(folder.rules(), built_in.rules());
    for text in [
        "+442079460123",
        "+33612345678",
        "+449098790000",
        "+870301234567",
    ] {
        let (a, b) = (
            folder.explain(&number(text)),
            built_in.explain(&number(text)),
        );
        assert_eq!(a.decision, b.decision);
    }
}

#[test]
fn every_toml_of_a_folder_is_read_and_nothing_else() {
    let folder = folder(&[
        ("b.toml", ONE),
        ("a.toml", TWO),
        (".hidden.toml", "not a file for us"),
        ("notes.txt", "nor this"),
        ("old.toml.bak", "nor this"),
    ]);
    fs::create_dir(folder.path().join("folder.toml")).unwrap();
    let plan = Dialplan::load(folder.path()).unwrap();
    assert_eq!(plan.rules(), 2);
    assert_eq!(&*plan.route(&number("+442079460123")).unwrap().trunk, "a");
    let french = plan.route(&number("+33612345678")).unwrap();
    assert!(
        french.rule.to_string().ends_with("/a.toml:1"),
        "{}",
        french.rule
    );
}

#[test]
fn names_of_files_do_not_matter() {
    let rules = [
        ONE,
        TWO,
        "[[rule]]\nprefix = '+'\nrefuse = 'no'\n",
        "[[rule]]\nprefix = '+4420'\nrefuse = 'x'\n",
    ];
    let names = ["a.toml", "b.toml", "c.toml", "d.toml"];
    let decide = |turn: usize| {
        let files: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(i, name)| (*name, rules[(i + turn) % 4]))
            .collect();
        let folder = folder(&files);
        let plan = Dialplan::load(folder.path()).unwrap();
        [
            "+442079460123",
            "+447400123456",
            "+33612345678",
            "+16502530000",
        ]
        .map(|t| plan.explain(&number(t)).decision)
    };
    let first = decide(0);
    for turn in 1..4 {
        assert_eq!(decide(turn), first);
    }
}

#[test]
fn what_cannot_be_read_is_told() {
    let empty = folder(&[("notes.txt", "")]);
    let faults = Dialplan::load(empty.path()).unwrap_err().to_string();
    assert!(
        faults.contains("there is no *.toml in this folder\n  fix: add a file"),
        "{faults}"
    );
    let faults = Dialplan::load(Path::new("/nowhere"))
        .unwrap_err()
        .to_string();
    assert!(faults.starts_with("/nowhere: "), "{faults}");
    let bad = folder(&[("a.toml", ONE)]);
    fs::write(bad.path().join("b.toml"), [0xff, 0xfe]).unwrap();
    let faults = Dialplan::load(bad.path()).unwrap_err().to_string();
    assert!(
        faults.contains("b.toml:1:1: this is not UTF-8\n  fix: save the file as UTF-8"),
        "{faults}"
    );
    // Faults of several files are told at once, and conflicts between files with both places.
    let bad = folder(&[("a.toml", ONE), ("b.toml", ONE), ("c.toml", "x = 1\n")]);
    let faults = Dialplan::load(bad.path()).unwrap_err().to_string();
    assert!(faults.contains("c.toml:1:1: unknown key `x`"), "{faults}");
    assert!(
        faults.contains("b.toml:2:10: prefix +44 is decided by another rule already"),
        "{faults}"
    );
    assert!(faults.contains("a.toml:2:10"), "{faults}");
}

/// A rate table of a wholesale carrier has tens of thousands of prefixes.
#[test]
fn a_large_dialplan_is_read_and_asked_quickly() {
    let mut text = String::from("[defaults]\ntrunk = 'a'\nlocale = 'en-GB'\n");
    for n in 0..20_000 {
        text.push_str(&format!("[[rule]]\nprefix = '+44{:05}'\n", n));
    }
    let began = Instant::now();
    let plan = Dialplan::parse([("large.toml", &*text)]).unwrap();
    let read = began.elapsed();
    assert_eq!(plan.rules(), 20_000);
    let london = number("+441582401234");
    let began = Instant::now();
    let found = (0..10_000).filter(|_| plan.route(&london).is_ok()).count();
    let asked = began.elapsed() / 10_000;
    assert_eq!(found, 10_000);
    println!("20,000 rules read in {read:?}, a lookup takes {asked:?}");
    // Far above what it takes even unoptimised on a busy machine, far below a scan of all rules.
    assert!(read.as_secs() < 60, "{read:?}");
    assert!(asked.as_micros() < 200, "{asked:?}");
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    dialplan: cli::dialplan::Dialplan,
}

/// Runs `ringtrue dialplan ...`: what it prints, and how it ends.
fn run(arguments: &[&str]) -> (String, String) {
    let line = Line::try_parse_from(["dialplan"].iter().chain(arguments)).unwrap();
    let mut out = Vec::new();
    let code = cli::dialplan::run(&line.dialplan, None, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), format!("{code:?}"))
}

/// What [guard] blocks is not called, whatever the rules say, and that is what is told.
#[test]
fn the_command_asks_the_guard() {
    let folder = folder(&[
        (
            "a.toml",
            "[[rule]]\nprefix = '+'\ntrunk = 'sandbox'\nlocale = 'en-GB'\n",
        ),
        ("config", "[dialplan]\ndir = '.'\n"),
    ]);
    let config = folder.path().join("config");
    let explain = |number: &str, format: &str| {
        let words = ["dialplan", "explain", number, "--format", format];
        let line = Line::try_parse_from(words).unwrap();
        let mut out = Vec::new();
        let code = cli::dialplan::run(&line.dialplan, Some(&config), &mut out).unwrap();
        (String::from_utf8(out).unwrap(), format!("{code:?}"))
    };
    let (out, ended) = explain("+449091234567", "text");
    assert_eq!(ended, code(1));
    assert!(
        out.contains("\n  blocked    blocked_kind: numbers of this kind are not called"),
        "{out}"
    );
    let (out, ended) = explain("+881612345678", "json");
    assert_eq!(ended, code(1));
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["blocked"]["code"], "blocked_prefix");
    let (out, ended) = explain("+442079460123", "text");
    assert_eq!(ended, code(0));
    assert!(!out.contains("blocked"), "{out}");
}

fn code(code: u8) -> String {
    format!("{:?}", ExitCode::from(code))
}

#[test]
fn the_command_explains() {
    let folder = folder(&[
        ("a.toml", ONE),
        ("b.toml", TWO),
        ("c.toml", "[[rule]]\nprefix = '+331'\nrefuse = 'no'\n"),
    ]);
    let dir = folder.path().to_str().unwrap();
    let (out, ended) = run(&["explain", "+44 20 7946 0123", "--dir", dir]);
    assert_eq!(ended, code(0));
    assert_eq!(
        out,
        format!(
            "+44********23  fixed_line, GB\n  calls      trunk a\n  caller id  the trunk's\n  texts      \
             no_text_route: these numbers are called and not texted\n  locale     en-GB\n  \
             rule       {dir}/a.toml:1  +44\n  because    it is the only rule that matches\n"
        )
    );
    let (out, ended) = run(&["explain", "+33123456789", "--dir", dir]);
    assert_eq!(ended, code(1));
    assert!(
        out.contains("refused    refused: no\n") && out.contains("others     "),
        "{out}"
    );
    let (out, ended) = run(&["explain", "+16502530000", "--dir", dir, "--format", "json"]);
    assert_eq!(ended, code(1));
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["decision"]["refuse"]["code"], "no_route");
    assert_eq!(answer["rule"], serde_json::Value::Null);
    let (out, ended) = run(&["explain", "020 7946 0123", "--region", "GB", "--dir", dir]);
    assert_eq!(ended, code(0));
    assert!(out.starts_with("+44********23"), "{out}");
}

#[test]
fn the_command_refuses_what_is_no_number() {
    let (out, ended) = run(&["explain", "+442079460123 x12"]);
    assert_eq!(
        (&*out, ended),
        ("not a direct-dial number: it has an extension\n", code(2))
    );
    let (out, ended) = run(&["explain", "020 7946 0123", "--format", "json"]);
    assert_eq!(ended, code(2));
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["error"], "no_plus");
    let (out, ended) = run(&["explain", "020 7946 0123", "--region", "ZZ"]);
    assert_eq!(ended, code(2));
    assert!(out.contains("two capital letters"), "{out}");
}

#[test]
fn the_command_checks() {
    let good = folder(&[("a.toml", ONE), ("b.toml", TWO)]);
    let dir = good.path().to_str().unwrap();
    assert_eq!(
        run(&["check", "--dir", dir]),
        ("2 rules, no mistake\n".to_owned(), code(0))
    );
    let bad = folder(&[("a.toml", "[[rule]]\nprefix = '44'\nrefuse = 'x'\n")]);
    let dir = bad.path().to_str().unwrap();
    let (out, ended) = run(&["check", "--dir", dir]);
    assert_eq!(ended, code(2));
    assert_eq!(
        out,
        format!("{dir}/a.toml:2:10: this is not a prefix\n  fix: write \"+44\"\n")
    );
    let (out, _) = run(&["check", "--dir", dir, "--format", "json"]);
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["faults"][0]["help"], "write \"+44\"");
    let (out, ended) = run(&["default"]);
    assert_eq!(ended, code(0));
    assert!(Dialplan::parse([("printed.toml", &*out)]).is_ok());
}
