//! `ringtrue key`: makes, lists and revokes API keys, beside a running service too.

use std::io::Write;

use anyhow::{Context, bail};
use jiff::Timestamp;

use crate::challenge::Tenant;
use crate::store::{ApiKey, KeyId, Store, Token};

/// What to do with API keys.
#[derive(Debug, Clone, PartialEq, Eq, clap::Subcommand)]
pub enum KeyCommand {
    /// Make a key and print its token, once: only a hash of it is kept.
    Create {
        /// What the key is for, as `key list` will show it.
        name: String,
        /// Whose challenges the key may begin and see.
        #[arg(long, default_value = "default", value_parser = tenant)]
        tenant: Tenant,
    },
    /// List the keys, oldest first, without their tokens.
    List,
    /// Revoke a key: requests with it are refused from the next second on.
    Revoke {
        /// The key's id, as `key list` shows it, or its whole token.
        #[arg(value_parser = key_id)]
        id: KeyId,
    },
}

fn tenant(name: &str) -> Result<Tenant, crate::challenge::InvalidTenant> {
    Tenant::new(name)
}

fn key_id(text: &str) -> Result<KeyId, &'static str> {
    let token = Token::parse(text).map(|token| token.id());
    let id = text.strip_prefix(Token::PREFIX).unwrap_or(text);
    token
        .or_else(|| KeyId::parse(id))
        .ok_or("a key's id is 16 hexadecimal digits; `ringtrue key list` shows them")
}

/// The longest name.
const LONGEST_NAME: usize = 100;

/// Carries the command out.
///
/// # Errors
/// If the store or the system's random source cannot be used, or there is no such key.
pub async fn run(
    command: KeyCommand,
    store: &dyn Store,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    match command {
        KeyCommand::Create { name, tenant } => create(store, &name, tenant, out).await,
        KeyCommand::List => list(store, out).await,
        KeyCommand::Revoke { id } => {
            let Some(key) = store.revoke_api_key(id, Timestamp::now()).await? else {
                bail!("there is no key {id}; `ringtrue key list` shows those there are");
            };
            writeln!(out, "Revoked {id} ({}).", key.name)?;
            Ok(())
        }
    }
}

async fn create(
    store: &dyn Store,
    name: &str,
    tenant: Tenant,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let name = name.trim();
    if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
        bail!("a key's name is 1 to {LONGEST_NAME} bytes without control characters");
    }
    let token = Token::generate().context("the system's random source failed")?;
    // Whole milliseconds, as the store keeps them.
    let now = Timestamp::from_millisecond(Timestamp::now().as_millisecond())?;
    let key = ApiKey::of(&token, name.to_owned(), tenant, now);
    store.add_api_key(key).await?;
    // The token alone on its line, and first, so that a script can read it.
    writeln!(out, "{}", *token.reveal())?;
    Ok(())
}

async fn list(store: &dyn Store, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let keys = store.api_keys().await?;
    if keys.is_empty() {
        writeln!(
            out,
            "There are no keys. `ringtrue key create NAME` makes one."
        )?;
        return Ok(());
    }
    let width = |column: fn(&ApiKey) -> usize| keys.iter().map(column).max().unwrap_or(0);
    let tenants = width(|key| key.tenant.as_str().len()).max("TENANT".len());
    let names = width(|key| key.name.chars().count()).max("NAME".len());
    writeln!(
        out,
        "{:<16}  {:<tenants$}  {:<names$}  {:<20}  STATE",
        "ID", "TENANT", "NAME", "CREATED"
    )?;
    for key in &keys {
        let state = match key.revoked {
            Some(when) => format!("revoked {}", when.strftime("%Y-%m-%d")),
            None => "active".to_owned(),
        };
        let created = key.created.strftime("%Y-%m-%dT%H:%M:%SZ");
        writeln!(
            out,
            "{:<16}  {:<tenants$}  {:<names$}  {created:<20}  {state}",
            key.id.to_string(),
            key.tenant.as_str(),
            key.name,
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::store::{Metrics, Sqlite, Use};

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: KeyCommand,
    }

    async fn run_line(store: &dyn Store, line: &[&str]) -> anyhow::Result<String> {
        let line = std::iter::once(&"key").chain(line);
        let command = Line::try_parse_from(line)?.command;
        let mut out = Vec::new();
        run(command, store, &mut out).await?;
        Ok(String::from_utf8(out)?)
    }

    #[tokio::test]
    async fn keys_are_made_listed_and_revoked() -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let store = Sqlite::open(
            &directory.path().join("db"),
            &directory.path().join("key"),
            Use::Administration,
            Metrics::default(),
        )?;
        assert!(run_line(&store, &["list"]).await?.contains("key create"));
        let text = run_line(&store, &["create", "console"]).await?;
        let token = Token::parse(text.trim()).context("a token")?;
        let other = run_line(&store, &["create", "idp", "--tenant", "acme"]).await?;
        let key = store.api_key(token.id()).await?.context("is kept")?;
        assert!(key.accepts(&token));
        assert_eq!(
            (key.name.as_str(), key.tenant),
            ("console", Tenant::default())
        );

        let listed = run_line(&store, &["list"]).await?;
        assert_eq!(listed.lines().count(), 3);
        assert!(listed.contains("acme") && listed.contains("console"));
        let secret = text.trim().rsplit('_').next().context("a secret")?;
        assert!(!listed.contains(secret));

        run_line(&store, &["revoke", &token.id().to_string()]).await?;
        run_line(&store, &["revoke", other.trim()]).await?;
        let listed = run_line(&store, &["list"]).await?;
        assert_eq!(listed.matches("revoked 2").count(), 2);
        let key = store.api_key(token.id()).await?.context("is kept")?;
        assert!(!key.accepts(&token));
        Ok(())
    }

    #[tokio::test]
    async fn what_cannot_be_is_refused() -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let store = Sqlite::open(
            &directory.path().join("db"),
            &directory.path().join("key"),
            Use::Administration,
            Metrics::default(),
        )?;
        for line in [
            &["create", ""][..],
            &["create", "a\nb"],
            &["create", &"x".repeat(101)],
            &["create", "x", "--tenant", "No Such"],
            &["revoke", "0123456789abcdef"],
            &["revoke", "nothing"],
        ] {
            assert!(run_line(&store, line).await.is_err(), "{line:?}");
        }
        assert_eq!(store.api_keys().await?, []);
        Ok(())
    }
}
