//! `ringtrue demo`: whole verifications seen from outside, with nothing but this program.
//!
//! Starts the service with a store of its own, the sandbox phone and the sandbox message centre.
//! Posts a challenge over HTTP as an identity provider would, draws the SIP ladder while the call
//! runs, and prints the answer; then another by text, shows the text, and checks its code.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::ladder::Ladder;
use super::service::Service;
use crate::challenge::{Channel, Tenant};
use crate::config::Config;
use crate::phone::PhoneNumber;
use crate::store::{ApiKey, Token};
use crate::voice::wire::{Datagram, Tap};

/// Shows a verification by call and one by text, against the sandbox phone and message centre.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// The number; its last two digits decide what the person does (06 says nothing, 07 hangs up,
    /// 10 presses 0, ...; most press the hash key), and what becomes of the text (01 cannot be
    /// delivered, 03 is refused, ...; most are delivered).
    #[arg(default_value = "+447400123456", value_parser = PhoneNumber::parse)]
    number: PhoneNumber,
    /// Show this one alone, `voice` or `sms`; without it, a call and then a text.
    #[arg(long, value_parser = channel)]
    channel: Option<Channel>,
    /// Go on serving afterwards, until Ctrl-C.
    #[arg(long)]
    stay: bool,
    /// Where HTTP is served; port 0 takes any.
    #[arg(long, default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    listen: SocketAddr,
}

fn channel(name: &str) -> Result<Channel, String> {
    Channel::from_name(name).ok_or_else(|| "it is voice or sms".to_owned())
}

/// Runs the demonstration.
///
/// # Errors
/// When anything of it does not work.
pub async fn run(args: DemoArgs, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let folder = Folder::new();
    let mut config = Config::default();
    config.server.listen = args.listen;
    config.sip.bind.set_port(0);
    config.store.path = folder.0.join("ringtrue.db");
    config.store.key_file = folder.0.join("ringtrue.key");
    let (tap, wire) = Tap::open(8192);
    let mut service = Service::start(&config, tap).await?;
    let token = Token::generate().context("the system's random source failed")?;
    let key = ApiKey::of(
        &token,
        "demo".into(),
        Tenant::new("demo")?,
        Timestamp::now(),
    );
    service.store.add_api_key(key).await?;
    let bearer = token.reveal();
    let client = Client {
        api: service.api,
        bearer: &bearer,
    };
    let channel = args.channel;
    let show = async {
        if channel != Some(Channel::Sms) {
            call(&client, &args.number, wire, out).await?;
        }
        if channel != Some(Channel::Voice) {
            text(&client, &args.number, &mut service, out).await?;
        }
        if args.stay {
            writeln!(out, "\nServing on http://{} until Ctrl-C.", client.api)?;
            std::future::pending::<()>().await;
        }
        anyhow::Ok(())
    };
    let shown = tokio::select! {
        shown = show => shown,
        interrupted = super::interrupted() => interrupted.map_err(Into::into),
    };
    service.stop().await;
    shown
}

/// A folder for the store of a demonstration, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let name = format!("ringtrue-demo-{}", uuid::Uuid::now_v7());
        Folder(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// A verification by phone call: its ladder, and the answer.
async fn call(
    client: &Client<'_>,
    number: &PhoneNumber,
    mut wire: mpsc::Receiver<Datagram>,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let id = client.challenge(number, Channel::Voice, out).await?;
    let path = format!("/v1/challenges/{id}?wait=60");
    let mut ladder = Ladder::new(&mut *out);
    ladder.heading("Ringtrue", "sandbox phone")?;
    let waiting = client.ask("GET", &path, "");
    tokio::pin!(waiting);
    let mut answer = None;
    let mut until = tokio::time::Instant::now() + Duration::from_secs(90);
    loop {
        tokio::select! {
            got = &mut waiting, if answer.is_none() => {
                let got = got?;
                // What was sent before it stands before it.
                while let Ok(datagram) = wire.try_recv() {
                    ladder.datagram(&datagram)?;
                }
                let word = |name: &str| got[name].as_str().unwrap_or("?").to_owned();
                let note = format!("outcome: {} ({})", word("status"), word("reason"));
                ladder.note(SystemTime::now(), &note)?;
                answer = Some(got);
                // The goodbye and the BYE follow the outcome.
                until = tokio::time::Instant::now() + Duration::from_secs(6);
            }
            datagram = wire.recv() => {
                let Some(datagram) = datagram else { break };
                ladder.datagram(&datagram)?;
            }
            () = tokio::time::sleep_until(until) => break,
        }
        if answer.is_some() && ladder.is_over() {
            break;
        }
    }
    let answer = answer.context("no outcome in 90 s")?;
    client.show("GET", &path, "", &answer, out)
}

/// A verification by text: the words that the sandbox message centre was handed, and the code in
/// them checked as the website would.
async fn text(
    client: &Client<'_>,
    number: &PhoneNumber,
    service: &mut Service,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let id = client.challenge(number, Channel::Sms, out).await?;
    let shown = tokio::time::timeout(Duration::from_secs(10), service.texts.shown.recv()).await;
    let path = format!("/v1/challenges/{id}");
    let Ok(Some(shown)) = shown else {
        writeln!(out, "The sandbox message centre took no text.\n")?;
        let path = format!("{path}?wait=30");
        let answer = client.ask("GET", &path, "").await?;
        return client.show("GET", &path, "", &answer, out);
    };
    writeln!(out, "The sandbox message centre was handed this text:\n")?;
    for line in shown.words.lines() {
        writeln!(out, "    {line}")?;
    }
    writeln!(out)?;
    let code = shown
        .words
        .split(|c: char| !c.is_ascii_digit())
        .find(|digits| digits.len() >= 4)
        .context("the text holds no code")?;
    let body = format!("{{\"code\":\"{code}\"}}");
    let path = format!("{path}/check");
    let answer = client.ask("POST", &path, &body).await?;
    client.show("POST", &path, &body, &answer, out)
}

/// An identity provider, as far as a demonstration needs one.
struct Client<'a> {
    api: SocketAddr,
    bearer: &'a str,
}

impl Client<'_> {
    /// Posts a challenge and shows it; its id.
    async fn challenge(
        &self,
        number: &PhoneNumber,
        channel: Channel,
        out: &mut (dyn Write + Send),
    ) -> anyhow::Result<String> {
        let (to, channel) = (number.e164(), channel.name());
        let body = format!("{{\"to\":\"{to}\",\"channel\":\"{channel}\"}}");
        let created = self.ask("POST", "/v1/challenges", &body).await?;
        self.show("POST", "/v1/challenges", &body, &created, out)?;
        let id = created["id"].as_str();
        Ok(id.context("the challenge has no id")?.to_owned())
    }

    /// Shows a request as one would type it, and its answer.
    fn show(
        &self,
        method: &str,
        path: &str,
        body: &str,
        answer: &serde_json::Value,
        out: &mut (dyn Write + Send),
    ) -> anyhow::Result<()> {
        let end = if method == "POST" && !body.is_empty() {
            format!(" \\\n    -H 'Content-Type: application/json' -d '{body}'")
        } else {
            String::new()
        };
        writeln!(
            out,
            "$ curl 'http://{}{path}' -H 'Authorization: Bearer {}'{end}",
            self.api, self.bearer
        )?;
        writeln!(out, "{}\n", serde_json::to_string_pretty(answer)?)?;
        Ok(())
    }

    /// One request on a connection of its own, as any HTTP client would send it.
    async fn ask(&self, method: &str, path: &str, body: &str) -> anyhow::Result<serde_json::Value> {
        http(self.api, method, path, self.bearer, body).await
    }
}

async fn http(
    to: SocketAddr,
    method: &str,
    path: &str,
    bearer: &str,
    body: &str,
) -> anyhow::Result<serde_json::Value> {
    let mut stream = TcpStream::connect(to).await?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {to}\r\nAuthorization: Bearer {bearer}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer).await?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("not an HTTP answer")?;
    let status = head.lines().next().unwrap_or_default();
    if !status.contains(" 20") {
        anyhow::bail!("{status}: {body}");
    }
    Ok(serde_json::from_str(body)?)
}
