//! `ringtrue number`: what is known of one person's number, and its erasure, beside a running
//! service too.

use std::io::Write;

use jiff::Timestamp;

use crate::phone::{PhoneError, PhoneNumber};
use crate::store::{BlockedBy, Store};

/// What to do with what is kept of a number.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub enum NumberCommand {
    /// List the latest challenges to a number, newest first.
    History {
        /// The number, in E.164: `+442079460123`.
        #[arg(value_parser = number)]
        number: PhoneNumber,
        /// How many at most.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// List the latest messages from a number, newest first.
    Messages {
        /// The number, in E.164: `+442079460123`.
        #[arg(value_parser = number)]
        number: PhoneNumber,
        /// How many at most.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
    },
    /// List the numbers that are sent no texts.
    Blocked,
    /// Send a number no more texts; calls are not affected.
    Block {
        /// The number, in E.164: `+442079460123`.
        #[arg(value_parser = number)]
        number: PhoneNumber,
    },
    /// Send a number texts again, at its holder's wish.
    Unblock {
        /// The number, in E.164: `+442079460123`.
        #[arg(value_parser = number)]
        number: PhoneNumber,
    },
    /// Erase a number from every challenge that has ended, and its messages; the challenges stay.
    Erase {
        /// The number, in E.164: `+442079460123`.
        #[arg(value_parser = number)]
        number: PhoneNumber,
    },
}

fn number(text: &str) -> Result<PhoneNumber, PhoneError> {
    PhoneNumber::parse(text)
}

/// Carries the command out.
///
/// # Errors
/// If the store cannot be used.
pub async fn run(
    command: NumberCommand,
    store: &dyn Store,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    match command {
        NumberCommand::History { number, limit } => {
            let challenges = store.history(number.clone(), limit).await?;
            if challenges.is_empty() {
                writeln!(out, "Nothing is kept of {}.", number.masked())?;
            }
            for challenge in challenges {
                let details = challenge.details();
                let reason = challenge
                    .state()
                    .reason()
                    .map_or("", |reason| reason.name());
                writeln!(
                    out,
                    "{}  {}  {}  {} {reason}",
                    details.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    details.id,
                    details.tenant,
                    challenge.state().status().name(),
                )?;
            }
        }
        NumberCommand::Messages { number, limit } => {
            let messages = store.messages(number.clone(), limit).await?;
            if messages.is_empty() {
                writeln!(out, "No messages from {} are kept.", number.masked())?;
            }
            for message in messages {
                // What a person wrote does as it likes on a terminal, unless it is escaped.
                writeln!(
                    out,
                    "{}  {}  {}",
                    message.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    message.by.escape_debug(),
                    message.words.escape_debug(),
                )?;
            }
        }
        NumberCommand::Blocked => {
            let blocks = store.blocks().await?;
            if blocks.is_empty() {
                writeln!(out, "No number is blocked.")?;
            }
            for block in blocks {
                writeln!(
                    out,
                    "{}  {}  by the {}",
                    block.since.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    block.masked.as_deref().unwrap_or("(erased)"),
                    block.by.name(),
                )?;
            }
        }
        NumberCommand::Block { number } => {
            let masked = number.masked();
            match store
                .block(number, BlockedBy::Operator, Timestamp::now())
                .await?
            {
                true => writeln!(out, "{masked} is sent no more texts.")?,
                false => writeln!(out, "{masked} was blocked already; the block is now yours.")?,
            }
        }
        NumberCommand::Unblock { number } => {
            let masked = number.masked();
            match store.unblock(number).await? {
                true => writeln!(out, "{masked} is sent texts again.")?,
                false => writeln!(out, "{masked} was not blocked.")?,
            }
        }
        NumberCommand::Erase { number } => {
            let erased = store.erase(number.clone()).await?;
            let masked = number.masked();
            writeln!(
                out,
                "Erased {masked} from {} challenges.",
                erased.challenges
            )?;
            if erased.messages > 0 {
                writeln!(out, "Dropped {} messages from it.", erased.messages)?;
            }
            if erased.still_open > 0 {
                let open = erased.still_open;
                writeln!(
                    out,
                    "{open} still open: run this again when they have ended."
                )?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;
    use zeroize::Zeroizing;

    use super::*;
    use crate::challenge::{Attempts, Challenge, Channel, Details, Event, Purpose, Step, Tenant};
    use crate::guard::Wish;
    use crate::store::{Haste, Message, Metrics, NewChallenge, Sqlite, Use};

    fn store() -> anyhow::Result<(tempfile::TempDir, Sqlite)> {
        let directory = tempfile::tempdir()?;
        let store = Sqlite::open(
            &directory.path().join("db"),
            &directory.path().join("key"),
            Use::Administration,
            Metrics::default(),
        )?;
        Ok((directory, store))
    }

    #[tokio::test]
    async fn a_numbers_history_is_listed_and_erased() -> anyhow::Result<()> {
        let (_directory, store) = store()?;
        let number = PhoneNumber::parse("+442079460958")?;
        let (mut challenge, entry) = Challenge::begin(Details {
            id: Uuid::from_u128(1),
            tenant: Tenant::default(),
            subject: None,
            purpose: Purpose::SignIn,
            channel: Channel::Voice,
            to: Some(number.masked().into()),
            locale: "en-GB".into(),
            created: Timestamp::UNIX_EPOCH,
            expires: Timestamp::UNIX_EPOCH + Duration::from_secs(120),
            attempts: Attempts::default(),
        });
        store
            .begin(NewChallenge {
                challenge: challenge.clone(),
                entry,
                number: number.clone(),
                idempotency: None,
                code: None,
            })
            .await?;
        let said = |command| async {
            let mut out = Vec::new();
            run(command, &store, &mut out).await?;
            let said = String::from_utf8(out)?;
            assert!(!said.contains("2079460958"), "{said}");
            anyhow::Ok(said)
        };
        let history = || NumberCommand::History {
            number: number.clone(),
            limit: 5,
        };
        let erase = || NumberCommand::Erase {
            number: number.clone(),
        };
        assert!(said(history()).await?.contains("queued"));
        assert!(said(erase()).await?.contains("1 still open"));
        if let Step::Noted(entry) = challenge.apply(Event::Cancel, Timestamp::UNIX_EPOCH) {
            store.record(challenge, vec![entry], Haste::Now).await?;
        }
        assert!(said(history()).await?.contains("cancelled_by_caller"));
        assert!(said(erase()).await?.contains("from 1 challenges"));
        assert!(said(history()).await?.starts_with("Nothing is kept"));
        Ok(())
    }

    #[tokio::test]
    async fn blocks_and_messages_are_listed_and_lifted() -> anyhow::Result<()> {
        let (_directory, store) = store()?;
        let number = PhoneNumber::parse("+442079460958")?;
        store
            .keep_message(Message {
                id: Uuid::from_u128(1),
                at: Timestamp::UNIX_EPOCH,
                from: Some(number.clone()),
                to: "12345".into(),
                by: "bind".into(),
                words: Zeroizing::new("STOP\u{1b}[2J".into()),
                wish: Some(Wish::Stop),
            })
            .await?;
        let said = |command| async {
            let mut out = Vec::new();
            run(command, &store, &mut out).await?;
            let said = String::from_utf8(out)?;
            assert!(
                !said.contains("2079460958") && !said.contains('\u{1b}'),
                "{said}"
            );
            anyhow::Ok(said)
        };
        let number = || number.clone();
        assert!(
            said(NumberCommand::Blocked)
                .await?
                .contains("by the person")
        );
        let messages = || NumberCommand::Messages {
            number: number(),
            limit: 5,
        };
        assert!(said(messages()).await?.contains("bind  STOP"));
        let block = || NumberCommand::Block { number: number() };
        assert!(said(block()).await?.contains("now yours"));
        assert!(
            said(NumberCommand::Blocked)
                .await?
                .contains("by the operator")
        );
        let unblock = || NumberCommand::Unblock { number: number() };
        assert!(said(unblock()).await?.contains("texts again"));
        assert!(said(unblock()).await?.contains("not blocked"));
        assert!(said(block()).await?.contains("no more texts"));
        let erase = NumberCommand::Erase { number: number() };
        assert!(said(erase).await?.contains("Dropped 1 messages"));
        assert!(said(messages()).await?.starts_with("No messages"));
        assert!(said(NumberCommand::Blocked).await?.contains("(erased)"));
        assert!(
            store.is_blocked(number()).await?,
            "a block outlives erasure"
        );
        Ok(())
    }
}
