//! What carriers say of texts that have left.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::smpp::receipt::{Bounded, Fate, Joiner, Key, Receipt};
use crate::sms::dispatch::{News, Says};
use crate::sms::order::TextRef;

/// The longest word on an error, in octets.
const LONGEST_ERROR: usize = 64;

/// A message whose receipt is awaited.
#[derive(Debug, Clone, Copy)]
struct Awaited {
    text: TextRef,
    left: Instant,
    /// Whether the text has a tally: it has several messages, or it was unsure whether they left.
    tallied: bool,
}

/// What the routing learns of a text.
#[derive(Debug)]
pub(super) struct Learnt {
    /// The receipt that says so, if it came before the name that joins it.
    pub(super) early: Option<(Key, Says)>,
    /// What is to be told.
    pub(super) news: Option<News>,
}

/// A text that has left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub(super) text: TextRef,
    pub(super) at: Instant,
    /// As so many messages.
    pub(super) messages: u8,
    /// Whether more of them may have been taken than the carrier named.
    pub(super) unsure: bool,
}

/// How far the messages of one text have come.
#[derive(Debug)]
struct Tally {
    left: Instant,
    messages: u8,
    delivered: u8,
    /// Whether its end was told.
    over: bool,
}

/// Joins receipts to texts; forgets the oldest beyond a bound.
#[derive(Debug)]
pub(super) struct Receipts {
    accounts: Vec<Joiner<Awaited>>,
    tallies: Bounded<TextRef, Tally>,
}

impl Receipts {
    pub(super) fn new(accounts: usize, most: usize, patience: Duration) -> Receipts {
        let joiner = || Joiner::new(most, patience);
        Receipts {
            accounts: std::iter::repeat_with(joiner).take(accounts).collect(),
            tallies: Bounded::new(most, patience),
        }
    }

    /// A text has left, and the carrier named its messages. Gives what early receipts tell.
    pub(super) fn sent(
        &mut self,
        now: Instant,
        account: usize,
        left: Left,
        keys: impl IntoIterator<Item = Option<Key>>,
    ) -> SmallVec<[Learnt; 1]> {
        let tallied = left.unsure || left.messages > 1;
        if tallied {
            let tally = Tally {
                left: left.at,
                messages: left.messages,
                delivered: 0,
                over: false,
            };
            self.tallies.put(now, left.text, tally);
        }
        let awaited = Awaited {
            text: left.text,
            left: left.at,
            tallied,
        };
        let mut news = SmallVec::new();
        for key in keys.into_iter().flatten() {
            news.extend(self.await_receipt(now, account, key, awaited));
        }
        news
    }

    fn await_receipt(
        &mut self,
        now: Instant,
        account: usize,
        key: Key,
        awaited: Awaited,
    ) -> SmallVec<[Learnt; 1]> {
        let Some(joiner) = self.accounts.get_mut(account) else {
            return SmallVec::new();
        };
        let early = joiner.sent(now, key.clone(), awaited);
        early
            .iter()
            .filter_map(says)
            .map(|says| Learnt {
                early: Some((key.clone(), says.clone())),
                news: self.learn(now, awaited, says),
            })
            .collect()
    }

    /// The answer to a message of a text that was unsure.
    pub(super) fn late(
        &mut self,
        now: Instant,
        account: usize,
        text: TextRef,
        answer: Result<Option<Key>, Arc<str>>,
    ) -> SmallVec<[Learnt; 1]> {
        let Some(tally) = self.tallies.get(now, &text) else {
            return SmallVec::new();
        };
        let left = tally.left;
        match answer {
            Ok(Some(key)) => {
                let awaited = Awaited {
                    text,
                    left,
                    tallied: true,
                };
                self.await_receipt(now, account, key, awaited)
            }
            Ok(None) => SmallVec::new(),
            Err(_) if std::mem::replace(&mut tally.over, true) => SmallVec::new(),
            Err(error) => SmallVec::from_iter([Learnt {
                early: None,
                news: Some(News::Undeliverable {
                    error,
                    after: now.saturating_duration_since(left),
                }),
            }]),
        }
    }

    /// When a text that was unsure left, and of how many messages it is.
    pub(super) fn unsure(&mut self, now: Instant, text: TextRef) -> Option<(Instant, u8)> {
        let tally = self.tallies.get(now, &text)?;
        Some((tally.left, tally.messages))
    }

    /// A receipt came; gives the text it is of, if that is known, and what it tells of it, if
    /// anything.
    pub(super) fn received(
        &mut self,
        now: Instant,
        account: usize,
        key: Key,
        receipt: &Receipt,
    ) -> Option<(TextRef, Option<News>)> {
        let joiner = self.accounts.get_mut(account)?;
        let awaited = joiner.received(now, key, receipt)?;
        let news = says(receipt).and_then(|says| self.learn(now, awaited, says));
        Some((awaited.text, news))
    }

    fn learn(&mut self, now: Instant, awaited: Awaited, says: Says) -> Option<News> {
        let after = now.saturating_duration_since(awaited.left);
        let delivered = match says {
            Says::Delivered => true,
            Says::Undeliverable(_) => false,
            // Neither says whether the phone has it.
            Says::Accepted | Says::Unknown => {
                let over = awaited.tallied
                    && self
                        .tallies
                        .get(now, &awaited.text)
                        .is_none_or(|tally| tally.over);
                return match says {
                    _ if over => None,
                    Says::Accepted => Some(News::Accepted { after }),
                    _ => Some(News::Unknown { after }),
                };
            }
        };
        if awaited.tallied {
            let tally = self.tallies.get(now, &awaited.text)?;
            if delivered {
                tally.delivered = tally.delivered.saturating_add(1);
            }
            // Whole with the last of its messages, and lost with the first that is.
            if tally.over || (delivered && tally.delivered < tally.messages) {
                return None;
            }
            tally.over = true;
        }
        Some(match says {
            Says::Undeliverable(error) => News::Undeliverable { error, after },
            _ => News::Delivered { after },
        })
    }

    /// Messages whose receipts are awaited, and texts that are counted.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        let awaited = self.accounts.iter().map(|joiner| joiner.held().0);
        (awaited.sum(), self.tallies.len())
    }
}

/// What a receipt says; `None` if it says nothing that anybody could rely on.
pub(in crate::sms) fn says(receipt: &Receipt) -> Option<Says> {
    Some(match receipt.fate {
        Fate::Scheduled | Fate::EnRoute | Fate::Accepted => Says::Accepted,
        // A fate is final, and an intermediate notification is not.
        _ if receipt.intermediate => return None,
        Fate::Unknown => Says::Unknown,
        Fate::Delivered => Says::Delivered,
        Fate::Expired | Fate::Deleted | Fate::Undeliverable | Fate::Rejected | Fate::Skipped => {
            Says::Undeliverable(word(receipt))
        }
        Fate::Other => return None,
    })
}

/// What a receipt says of a failure: `UNDELIV err:027 net:3/17`.
fn word(receipt: &Receipt) -> Arc<str> {
    let mut word = receipt.fate.word().to_owned();
    if let Some(error) = &receipt.error {
        // So many digits are no error's: they could be a number.
        match error.iter().filter(|octet| octet.is_ascii_digit()).count() {
            0..=8 => word.push_str(&format!(" err:{}", error.escape_ascii())),
            _ => word.push_str(" err:?"),
        }
    }
    if let Some(network) = receipt.network_error {
        word.push_str(&format!(" net:{}/{}", network.network, network.code));
    }
    plain(&word)
}

/// Printable ASCII, cut to what a report may hold.
pub(in crate::sms) fn plain(text: &str) -> Arc<str> {
    let plain = text.chars().map(|c| match c {
        ' '..='~' => c,
        _ => '?',
    });
    plain.take(LONGEST_ERROR).collect::<String>().into()
}
