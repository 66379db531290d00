use proptest::prelude::*;

use super::*;
use crate::phone::NumberKind;

const MINUTE: Duration = Duration::from_secs(60);

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// A British mobile whose last six digits are `n`.
fn mobile(n: u32) -> PhoneNumber {
    number(&format!("+447400{:06}", n % 1_000_000))
}

/// A policy without limits.
fn open() -> Policy {
    Policy::unlimited()
}

fn rates(text: &str) -> Vec<Rate> {
    vec![Rate::parse(text).unwrap()]
}

struct Bench {
    guard: Guard,
    now: Instant,
}

impl Bench {
    fn new(policy: Policy) -> Bench {
        let now = Instant::now();
        Bench {
            guard: Guard::new(policy, [7; 32], now),
            now,
        }
    }

    fn after(&mut self, time: Duration) -> &mut Bench {
        self.now += time;
        self
    }

    fn ask(
        &mut self,
        tenant: &str,
        number: &PhoneNumber,
    ) -> Result<Admission, (&'static str, Option<Duration>)> {
        self.guard
            .admit(tenant, number, self.now, self.now + 2 * MINUTE)
            .map_err(|r| (r.code(), r.retry_after()))
    }

    /// What asking at another time would be refused for, without asking.
    fn look(&self, tenant: &str, number: &PhoneNumber, at: Instant) -> Option<&'static str> {
        let asked = Admission {
            number: self.guard.name(b"number", number.e164()),
            range: self
                .guard
                .name(b"range", number.e164().get(..9).unwrap_or("")),
            tenant: self.guard.name(b"tenant", tenant),
            at: self.guard.time(at),
            until: self.guard.time(at),
        };
        self.guard.check(&asked, true).err().map(|r| r.code())
    }

    /// Asks, and has the challenge end at once.
    fn pass(&mut self, tenant: &str, number: &PhoneNumber, ending: Ending) -> Option<&'static str> {
        match self.ask(tenant, number) {
            Ok(admission) => {
                self.guard.conclude(admission, ending, self.now);
                None
            }
            Err((code, _)) => Some(code),
        }
    }
}

#[test]
fn one_challenge_to_a_number_is_open_at_a_time() {
    let mut bench = Bench::new(Policy {
        open_per_number: 1,
        ..open()
    });
    let first = bench.ask("a", &mobile(1)).unwrap();
    bench.after(MINUTE);
    assert_eq!(
        bench.ask("b", &mobile(1)).unwrap_err(),
        ("number_busy", Some(MINUTE))
    );
    let other = bench.ask("a", &mobile(2)).unwrap();
    let now = bench.now;
    bench.guard.conclude(first, Ending::Approved, now);
    let second = bench.ask("a", &mobile(1)).unwrap();
    // Lost without a word, it is open until its time is up, and no longer.
    drop((second, other));
    bench.after(2 * MINUTE - Duration::from_millis(1));
    assert_eq!(
        bench.ask("a", &mobile(1)).unwrap_err(),
        ("number_busy", Some(Duration::from_millis(1)))
    );
    bench.after(Duration::from_millis(1));
    assert!(bench.ask("a", &mobile(1)).is_ok());
}

#[test]
fn a_number_is_called_so_often_and_no_more() {
    let per_number = [rates("2 per 1m"), rates("3 per 1h")].concat();
    let mut bench = Bench::new(Policy {
        per_number,
        ..open()
    });
    assert_eq!(bench.pass("a", &mobile(1), Ending::Approved), None);
    bench.after(Duration::from_secs(30));
    assert_eq!(bench.pass("b", &mobile(1), Ending::Approved), None);
    let (code, wait) = bench.ask("a", &mobile(1)).unwrap_err();
    assert_eq!(
        (code, wait),
        ("number_limit", Some(Duration::from_secs(30)))
    );
    // Being refused does not count.
    for _ in 0..50 {
        assert!(bench.ask("a", &mobile(1)).is_err());
    }
    bench.after(Duration::from_secs(30));
    assert_eq!(bench.pass("a", &mobile(1), Ending::Approved), None);
    let (_, wait) = bench.ask("a", &mobile(1)).unwrap_err();
    assert_eq!(wait, Some(59 * MINUTE));
    assert_eq!(bench.pass("a", &mobile(2), Ending::Approved), None);
}

#[test]
fn a_phone_does_not_ring_until_its_owner_gives_in() {
    let unconfirmed_per_number = rates("3 per 30m");
    let mut bench = Bench::new(Policy {
        unconfirmed_per_number,
        ..open()
    });
    for _ in 0..2 {
        assert_eq!(bench.pass("a", &mobile(1), Ending::Unconfirmed), None);
    }
    // A confirmed one wipes the slate; one that never rang does not count.
    assert_eq!(bench.pass("a", &mobile(1), Ending::Approved), None);
    assert_eq!(bench.pass("a", &mobile(1), Ending::NotCalled), None);
    for _ in 0..3 {
        assert_eq!(bench.pass("a", &mobile(1), Ending::Unconfirmed), None);
    }
    assert_eq!(
        bench.ask("b", &mobile(1)).unwrap_err(),
        ("number_unconfirmed", Some(30 * MINUTE))
    );
    bench.after(30 * MINUTE);
    assert_eq!(bench.pass("a", &mobile(1), Ending::Unconfirmed), None);
}

#[test]
fn a_reported_number_is_left_alone() {
    let mut bench = Bench::new(Policy {
        hold_after_report: 10 * MINUTE,
        ..open()
    });
    assert_eq!(bench.pass("a", &mobile(1), Ending::Reported), None);
    bench.after(MINUTE);
    assert_eq!(
        bench.ask("a", &mobile(1)).unwrap_err(),
        ("number_held", Some(9 * MINUTE))
    );
    assert!(bench.ask("a", &mobile(2)).is_ok());
    bench.after(9 * MINUTE);
    assert!(bench.ask("a", &mobile(1)).is_ok());
}

#[test]
fn ranges_tenants_and_all_have_their_limits() {
    let mut bench = Bench::new(Policy {
        per_range: rates("3 per 1h"),
        ..open()
    });
    for n in 0..3 {
        assert_eq!(bench.pass("a", &mobile(n), Ending::Approved), None);
    }
    assert_eq!(
        bench.ask("b", &mobile(9_999)).unwrap_err(),
        ("range_limit", Some(60 * MINUTE))
    );
    assert!(bench.ask("b", &mobile(10_000)).is_ok());

    let mut bench = Bench::new(Policy {
        per_tenant: rates("2 per 1m"),
        overall: rates("3 per 1m"),
        ..open()
    });
    for n in 0..2 {
        assert_eq!(bench.pass("a", &mobile(n), Ending::Approved), None);
    }
    assert_eq!(
        bench.pass("a", &mobile(3), Ending::Approved),
        Some("tenant_limit")
    );
    assert_eq!(bench.pass("b", &mobile(3), Ending::Approved), None);
    assert_eq!(
        bench.pass("c", &mobile(4), Ending::Approved),
        Some("overall_limit")
    );
}

#[test]
fn what_is_never_called_is_refused_for_ever() {
    let mut bench = Bench::new(Policy::default());
    for (text, code) in [
        ("+449098790000", "blocked_kind"),
        ("+80012345678", "blocked_kind"),
        ("+870301234567", "blocked_prefix"),
    ] {
        assert_eq!(
            bench.ask("a", &number(text)).unwrap_err(),
            (code, None),
            "{text}"
        );
    }
    for text in ["+447400123456", "+442079460123", "+16502530000"] {
        assert!(bench.ask("a", &number(text)).is_ok(), "{text}");
    }
}

#[test]
fn what_never_began_leaves_no_trace() {
    let policy = Policy {
        open_per_number: 1,
        per_number: rates("1 per 1h"),
        per_range: rates("1 per 1h"),
        per_tenant: rates("1 per 1h"),
        overall: rates("1 per 1h"),
        ..open()
    };
    let mut bench = Bench::new(policy);
    for _ in 0..5 {
        let admission = bench.ask("a", &mobile(1)).unwrap();
        bench.guard.withdraw(admission);
    }
    assert!(bench.ask("a", &mobile(1)).is_ok());
    assert!(bench.ask("a", &mobile(1)).is_err());
}

#[test]
fn memory_is_bounded_and_given_back() {
    let mut bench = Bench::new(Policy {
        most_numbers: 100,
        per_number: rates("1 per 1m"),
        ..open()
    });
    for n in 0..1000 {
        bench.after(Duration::from_millis(1));
        assert_eq!(bench.pass("a", &mobile(n), Ending::Approved), None);
        assert!(bench.guard.remembered() <= 100);
    }
    // The latest are remembered.
    assert_eq!(
        bench.pass("a", &mobile(999), Ending::Approved),
        Some("number_limit")
    );
    bench.after(Policy::LONGEST_CHALLENGE + MINUTE);
    assert_eq!(bench.pass("a", &mobile(1), Ending::Approved), None);
    assert_eq!(bench.guard.remembered(), 1);
}

#[test]
fn neither_numbers_nor_their_hashes_are_shown() {
    let mut bench = Bench::new(Policy::default());
    let admission = bench.ask("a", &mobile(123_456)).unwrap();
    let shown = format!("{:?} {:?}", bench.guard, admission);
    assert!(!shown.contains("123456"), "{shown}");
    // Another seed, another name.
    let other = Guard::new(Policy::default(), [8; 32], bench.now);
    assert_ne!(
        other.name(b"number", "+447400123456"),
        bench.guard.name(b"number", "+447400123456")
    );
    assert_ne!(
        other.name(b"number", "+447400123456"),
        other.name(b"range", "+447400123456")
    );
}

#[test]
fn every_limit_has_one_code() {
    let codes: std::collections::BTreeSet<_> = Limit::ALL.iter().map(|l| l.as_str()).collect();
    assert_eq!(codes.len(), Limit::ALL.len());
}

#[test]
fn the_defaults_hold_together() {
    let policy = Policy::default();
    for rates in [&policy.per_number, &policy.unconfirmed_per_number] {
        assert!(rates.iter().all(|r| r.count <= Policy::MOST_PER_NUMBER));
    }
    for rates in [&policy.per_range, &policy.per_tenant, &policy.overall] {
        assert!(rates.iter().all(|r| r.count <= Policy::MOST));
    }
    assert!(policy.blocked_kinds.contains(&NumberKind::Premium));
}

#[derive(Debug, Clone)]
enum Act {
    Wait(u64),
    Ask(u32, u8),
    End(usize, u8),
    Withdraw(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0u64..40_000).prop_map(Act::Wait),
        (0u32..5, 0u8..3).prop_map(|(n, t)| Act::Ask(n, t)),
        (0u32..5, 0u8..3).prop_map(|(n, t)| Act::Ask(n, t)),
        (any::<usize>(), 0u8..4).prop_map(|(i, e)| Act::End(i, e)),
        any::<usize>().prop_map(Act::Withdraw),
    ]
}

#[test]
fn a_further_text_counts_as_a_new_challenge_but_is_not_in_the_way_of_its_own() {
    let now = Instant::now();
    let policy = Policy {
        open_per_number: 1,
        per_number: Rate::parse("3 per 10m").into_iter().collect(),
        ..Policy::unlimited()
    };
    let mut guard = Guard::new(policy, [7; 32], now);
    let number = PhoneNumber::parse("+442079460123").unwrap();
    let until = now + 2 * MINUTE;
    let first = guard.admit("a", &number, now, until).unwrap();
    let again = |guard: &mut Guard, at| {
        let refused = guard.admit_again("a", &number, at).err();
        refused.map(|refusal| refusal.code())
    };
    assert_eq!(again(&mut guard, now), None, "open as its challenge is");
    assert_eq!(again(&mut guard, now), None);
    assert_eq!(again(&mut guard, now), Some("number_limit"));
    guard.conclude(first, Ending::Approved, now);
    let fourth = guard.admit("a", &number, now, until).err();
    assert_eq!(fourth.map(|r| r.code()), Some("number_limit"));
    assert_eq!(again(&mut guard, now + 11 * MINUTE), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_window_ever_holds_more_than_its_rate(acts in prop::collection::vec(act(), 1..120)) {
        let policy = Policy {
            open_per_number: 2,
            per_number: [rates("3 per 1m"), rates("6 per 5m")].concat(),
            per_tenant: rates("5 per 1m"),
            overall: rates("8 per 1m"),
            hold_after_report: MINUTE,
            ..open()
        };
        let mut bench = Bench::new(policy.clone());
        // Admissions that began: when, number, tenant, and whether it is open until when.
        let mut log: Vec<(Instant, u32, u8, Option<Instant>)> = Vec::new();
        let mut held: Vec<(usize, Admission)> = Vec::new();
        for act in acts {
            match act {
                Act::Wait(ms) => { bench.after(Duration::from_millis(ms)); }
                Act::Ask(n, tenant) => {
                    let now = bench.now;
                    match bench.ask(&tenant.to_string(), &mobile(n * 20_000)) {
                        Ok(admission) => {
                            held.push((log.len(), admission));
                            log.push((now, n, tenant, Some(now + 2 * MINUTE)));
                            let within = |window: Duration, whose: &dyn Fn(u32, u8) -> bool| {
                                log.iter().filter(|(at, n, t, _)| now - *at < window && whose(*n, *t)).count()
                            };
                            prop_assert!(within(MINUTE, &|m, _| m == n) <= 3);
                            prop_assert!(within(5 * MINUTE, &|m, _| m == n) <= 6);
                            prop_assert!(within(MINUTE, &|_, t| t == tenant) <= 5);
                            prop_assert!(within(MINUTE, &|_, _| true) <= 8);
                            let open = log.iter().filter(|(_, m, _, until)| *m == n && until.is_some_and(|u| u > now)).count();
                            prop_assert!(open <= 2);
                        }
                        Err((code, wait)) => {
                            // The promise is kept: not a moment before, and then not for this reason.
                            let wait = wait.unwrap();
                            prop_assert!(!wait.is_zero() && wait <= 5 * MINUTE);
                            let then = |at| bench.look(&tenant.to_string(), &mobile(n * 20_000), at);
                            prop_assert_eq!(then(now + wait - Duration::from_millis(1)), Some(code));
                            prop_assert_ne!(then(now + wait), Some(code));
                        }
                    }
                }
                Act::End(index, ending) if !held.is_empty() => {
                    let (at, admission) = held.swap_remove(index % held.len());
                    let ending = [Ending::Approved, Ending::Unconfirmed, Ending::Reported, Ending::NotCalled]
                        [usize::from(ending)];
                    let now = bench.now;
                    bench.guard.conclude(admission, ending, now);
                    log[at].3 = None;
                }
                Act::Withdraw(index) if !held.is_empty() => {
                    let (at, admission) = held.swap_remove(index % held.len());
                    bench.guard.withdraw(admission);
                    // As if it had been in another age, of nobody.
                    let long_ago = bench.now.checked_sub(10 * MINUTE).unwrap();
                    log[at] = (long_ago, u32::MAX, u8::MAX, None);
                }
                _ => {}
            }
            prop_assert!(bench.guard.remembered() <= 5);
        }
    }
}
