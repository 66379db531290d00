//! `ringtrue demo`: a whole verification seen from outside, with nothing but this program.
//!
//! Starts the service with a store of its own and the sandbox phone, posts a challenge over HTTP
//! as an identity provider would, draws the SIP ladder while it runs, and prints the answer.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::ladder::Ladder;
use super::service::Service;
use crate::challenge::Tenant;
use crate::config::Config;
use crate::phone::PhoneNumber;
use crate::store::{ApiKey, Token};
use crate::voice::wire::Tap;

/// Shows one verification against the sandbox phone.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// The number; its last two digits decide what the person does (06 says nothing, 07 hangs up,
    /// 10 presses 0, ...; most press the hash key).
    #[arg(default_value = "+447400123456", value_parser = PhoneNumber::parse)]
    number: PhoneNumber,
    /// Go on serving afterwards, until Ctrl-C.
    #[arg(long)]
    stay: bool,
    /// Where HTTP is served; port 0 takes any.
    #[arg(long, default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    listen: SocketAddr,
}

/// Runs the demonstration.
///
/// # Errors
/// When anything of it does not work.
pub async fn run(args: DemoArgs, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("ringtrue-demo-{}", uuid::Uuid::now_v7()));
    let mut config = Config::default();
    config.server.listen = args.listen;
    config.sip.bind.set_port(0);
    config.store.path = folder.join("ringtrue.db");
    config.store.key_file = folder.join("ringtrue.key");
    let (tap, mut wire) = Tap::open(8192);
    let service = Service::start(&config, tap).await?;
    let token = Token::generate().context("the system's random source failed")?;
    let key = ApiKey::of(
        &token,
        "demo".into(),
        Tenant::new("demo")?,
        Timestamp::now(),
    );
    service.store.add_api_key(key).await?;
    let bearer = token.reveal();
    let base = format!("http://{}", service.api);
    let body = format!(
        "{{\"to\":\"{}\",\"channel\":\"voice\"}}",
        args.number.e164()
    );
    writeln!(
        out,
        "$ curl {base}/v1/challenges -H 'Authorization: Bearer {}' \\",
        *bearer
    )?;
    writeln!(out, "    -H 'Content-Type: application/json' -d '{body}'")?;
    let created = http(service.api, "POST", "/v1/challenges", &bearer, &body).await?;
    writeln!(out, "{}\n", serde_json::to_string_pretty(&created)?)?;
    let id = created["id"]
        .as_str()
        .context("the challenge has no id")?
        .to_owned();
    let path = format!("/v1/challenges/{id}?wait=60");
    let answer = {
        let mut ladder = Ladder::new(&mut *out);
        ladder.heading("Ringtrue", "sandbox phone")?;
        let waiting = http(service.api, "GET", &path, &bearer, "");
        tokio::pin!(waiting);
        let mut answer = None;
        let far = tokio::time::Instant::now() + Duration::from_secs(90);
        let mut until = far;
        loop {
            tokio::select! {
                got = &mut waiting, if answer.is_none() => {
                    let got = got?;
                    ladder.note(std::time::SystemTime::now(), &format!("outcome: {} ({})",
                        got["status"].as_str().unwrap_or("?"), got["reason"].as_str().unwrap_or("?")))?;
                    answer = Some(got);
                    // The goodbye and the BYE follow the outcome.
                    until = tokio::time::Instant::now() + Duration::from_secs(6);
                }
                datagram = wire.recv() => {
                    if let Some(datagram) = datagram {
                        ladder.datagram(&datagram)?;
                    }
                }
                () = tokio::time::sleep_until(until) => break,
            }
        }
        answer.context("no outcome in 90 s")?
    };
    writeln!(
        out,
        "\n$ curl '{base}{path}' -H 'Authorization: Bearer ...'"
    )?;
    writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
    if args.stay {
        writeln!(out, "\nServing on {base} until Ctrl-C.")?;
        tokio::signal::ctrl_c().await?;
    }
    service.stop().await;
    std::fs::remove_dir_all(&folder).ok();
    Ok(())
}

/// One request on a connection of its own, as any HTTP client would send it.
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
