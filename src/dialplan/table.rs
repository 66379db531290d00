//! The rules as a tree of digits, so that a lookup is one walk along the number.

use super::Prefix;
use super::rule::Rule;
use crate::document::{Fault, Faults};
use crate::phone::{NumberKind, PhoneNumber};

/// No child, no rule.
const NONE: u32 = u32::MAX;
/// A prefix costs at most 15 nodes of 48 octets.
const MOST_PREFIXES: usize = 500_000;

/// What a prefix leads to.
#[derive(Clone, Copy)]
struct Node {
    next: [u32; 10],
    /// The rule of this very prefix that names no kinds.
    any: u32,
    /// Row of `kinds`, if there are rules of this very prefix that do.
    kinds: u32,
}

const EMPTY: Node = Node {
    next: [NONE; 10],
    any: NONE,
    kinds: NONE,
};

pub(super) struct Table {
    /// The first stands for the empty prefix.
    nodes: Vec<Node>,
    kinds: Vec<[u32; NumberKind::ALL.len()]>,
}

/// The rule that decides.
pub(super) struct Found {
    pub rule: usize,
    pub prefix: Prefix,
}

impl Table {
    /// Builds the tree; two rules for the same prefix and kind are a fault.
    pub fn build(rules: &[Rule], faults: &mut Faults) -> Table {
        let mut table = Table {
            nodes: vec![EMPTY],
            kinds: Vec::new(),
        };
        let count: usize = rules.iter().map(|r| r.prefixes.len()).sum();
        if count > MOST_PREFIXES {
            if let Some(last) = rules.last() {
                let text = format!("{count} prefixes are more than the {MOST_PREFIXES} we take");
                faults.push(Fault::new(last.place.clone(), text));
            }
            return table;
        }
        for (index, rule) in rules.iter().enumerate() {
            for prefix in &rule.prefixes {
                let node = table.node(prefix.value.digits());
                for other in table.put(node, rule, index) {
                    faults.push(twice(rules, other, rule, prefix));
                }
            }
        }
        table
    }

    /// The node of a prefix, made if it is not there.
    fn node(&mut self, digits: &str) -> usize {
        let mut at = 0;
        for digit in digits.bytes() {
            let fresh = self.nodes.len() as u32;
            let next = self
                .nodes
                .get_mut(at)
                .and_then(|n| n.next.get_mut(usize::from(digit.wrapping_sub(b'0'))));
            let Some(next) = next else { return 0 };
            if *next == NONE {
                *next = fresh;
                at = fresh as usize;
                self.nodes.push(EMPTY);
            } else {
                at = *next as usize;
            }
        }
        at
    }

    /// Puts a rule at a node; answers the rules that were there already, each once.
    fn put(&mut self, node: usize, rule: &Rule, index: usize) -> Vec<usize> {
        let Some(node) = self.nodes.get_mut(node) else {
            return Vec::new();
        };
        let mut there = Vec::new();
        let mut settle = |slot: &mut u32| {
            if *slot == NONE {
                *slot = index as u32;
            } else if !there.contains(&(*slot as usize)) {
                there.push(*slot as usize);
            }
        };
        if rule.kinds.is_any() {
            settle(&mut node.any);
            return there;
        }
        if node.kinds == NONE {
            node.kinds = self.kinds.len() as u32;
            self.kinds.push([NONE; NumberKind::ALL.len()]);
        }
        let row = self.kinds.get_mut(node.kinds as usize);
        for slot in row.into_iter().flat_map(|row| {
            let named = |(kind, _): &(NumberKind, &mut u32)| rule.kinds.matches(*kind);
            NumberKind::ALL
                .into_iter()
                .zip(row)
                .filter(named)
                .map(|(_, slot)| slot)
        }) {
            settle(slot);
        }
        there
    }

    /// The rule that decides on a number.
    pub fn find(&self, number: &PhoneNumber) -> Option<Found> {
        let digits = number.e164().get(1..).unwrap_or("");
        let mut best = None;
        self.walk(digits, |length, node| {
            let named = self
                .kinds
                .get(node.kinds as usize)
                .and_then(|row| row.get(number.kind() as usize))
                .copied()
                .unwrap_or(NONE);
            let rule = if named == NONE { node.any } else { named };
            if rule != NONE {
                best = Some((rule, length));
            }
        });
        best.map(|(rule, length)| Found {
            rule: rule as usize,
            prefix: Prefix::of(digits, length),
        })
    }

    /// Every rule whose prefix the number begins with, whatever its kinds, the longest prefix
    /// first and rules that name kinds before one that does not.
    pub fn along(&self, number: &PhoneNumber) -> Vec<Found> {
        let digits = number.e164().get(1..).unwrap_or("");
        let mut all = Vec::new();
        self.walk(digits, |length, node| {
            let prefix = Prefix::of(digits, length);
            let mut rules = vec![node.any];
            rules.extend(self.kinds.get(node.kinds as usize).into_iter().flatten());
            rules.retain(|rule| *rule != NONE);
            // The first is the one without kinds; the others in a stable order, each once.
            let mut seen = Vec::new();
            for rule in rules {
                if !seen.contains(&rule) {
                    seen.push(rule);
                    all.push(Found {
                        rule: rule as usize,
                        prefix,
                    });
                }
            }
        });
        all.reverse();
        all
    }

    fn walk(&self, digits: &str, mut visit: impl FnMut(usize, &Node)) {
        let Some(mut node) = self.nodes.first() else {
            return;
        };
        visit(0, node);
        for (at, digit) in digits.bytes().enumerate() {
            let next = node.next.get(usize::from(digit.wrapping_sub(b'0')));
            let Some(next) = next.and_then(|next| self.nodes.get(*next as usize)) else {
                return;
            };
            node = next;
            visit(at + 1, node);
        }
    }
}

fn twice(rules: &[Rule], other: usize, rule: &Rule, prefix: &crate::document::At<Prefix>) -> Fault {
    let other = rules.get(other);
    let first = other.and_then(|r| r.prefixes.iter().find(|p| p.value == prefix.value));
    let mut text = format!("prefix {}", prefix.value);
    let kinds: Vec<&str> = other
        .into_iter()
        .flat_map(|r| r.kinds.iter())
        .filter(|k| rule.kinds.matches(*k))
        .map(|k| k.as_str())
        .collect();
    if !kinds.is_empty() {
        text.push_str(&format!(" for {}", kinds.join(", ")));
    }
    text.push_str(" is decided by another rule already");
    let help = match first {
        Some(first) => format!("remove it here or at {}", first.place),
        None => "remove it".to_owned(),
    };
    Fault::new(prefix.place.clone(), text).help(help)
}
