//! An HTTP client that does as little as can be, so that what is measured is the service.

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection that is kept.
pub struct Client {
    socket: TcpStream,
    head: String,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Client {
    /// Connects to `http://HOST:PORT`.
    pub async fn new(base: &str, token: &str) -> anyhow::Result<Client> {
        let host = base.trim_start_matches("http://");
        let socket = TcpStream::connect(host).await?;
        socket.set_nodelay(true)?;
        Ok(Client {
            socket,
            head: format!(
                "Host: {host}\r\nAuthorization: Bearer {token}\r\n\
                 Content-Type: application/json\r\nContent-Length: "
            ),
            request: Vec::new(),
            answer: Vec::new(),
        })
    }

    /// Begins a challenge by text; its id.
    pub async fn begin(&mut self, number: &str) -> anyhow::Result<String> {
        let body = format!(r#"{{"to":"{number}","channel":"sms"}}"#);
        let answer = self.post("/v1/challenges", &body, "201").await?;
        let at = answer.find("\"id\":\"").context("an id")? + 6;
        Ok(answer.get(at..at + 36).context("an id")?.to_owned())
    }

    /// Enters the code.
    pub async fn check(&mut self, id: &str, code: &str) -> anyhow::Result<()> {
        let path = format!("/v1/challenges/{id}/check");
        let body = format!(r#"{{"code":"{code}"}}"#);
        let answer = self.post(&path, &body, "200").await?;
        anyhow::ensure!(answer.contains("\"approved\""), "{answer}");
        Ok(())
    }

    async fn post(&mut self, path: &str, body: &str, expected: &str) -> anyhow::Result<String> {
        self.request.clear();
        let Client { request, head, .. } = self;
        for part in ["POST ", path, " HTTP/1.1\r\n", head] {
            request.extend_from_slice(part.as_bytes());
        }
        request.extend_from_slice(format!("{}\r\n\r\n{body}", body.len()).as_bytes());
        self.socket.write_all(&self.request).await?;
        self.answer.clear();
        loop {
            anyhow::ensure!(self.socket.read_buf(&mut self.answer).await? > 0, "closed");
            let text = std::str::from_utf8(&self.answer)?;
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .context("a length")?
                .parse()?;
            if body.len() >= length {
                let status = head.split(' ').nth(1);
                anyhow::ensure!(status == Some(expected), "{text}");
                return Ok(body.to_owned());
            }
        }
    }
}
