//! SpanDSP's receiver in a process of its own: compiled from `spandsp.c` when the bench runs.

use std::io::{BufReader, BufWriter, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};

/// The running comparison program.
pub struct SpanDsp {
    child: Child,
    to: BufWriter<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl SpanDsp {
    /// Compiles and starts the program.
    pub fn start() -> anyhow::Result<SpanDsp> {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/dtmf/spandsp.c");
        let program = std::env::temp_dir().join(format!("spandsp-dtmf-{}", std::process::id()));
        let built = Command::new("cc")
            .args(["-O3", "-march=native", "-o"])
            .arg(&program)
            .args([source, "-lspandsp"])
            .status()
            .context("no C compiler: apt-get install gcc libspandsp-dev")?;
        if !built.success() {
            bail!("spandsp.c does not compile: apt-get install libspandsp-dev");
        }
        let mut child = Command::new(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let to = BufWriter::new(child.stdin.take().context("no stdin")?);
        let from = BufReader::new(child.stdout.take().context("no stdout")?);
        std::fs::remove_file(&program)?;
        Ok(SpanDsp { child, to, from })
    }

    fn send(&mut self, flags: u32, samples: &[i16]) -> anyhow::Result<()> {
        self.to.write_all(&flags.to_ne_bytes())?;
        self.to.write_all(&(samples.len() as u32).to_ne_bytes())?;
        let mut bytes = Vec::with_capacity(samples.len() * 2);
        for sample in samples {
            bytes.extend_from_slice(&sample.to_ne_bytes());
        }
        self.to.write_all(&bytes)?;
        self.to.flush()?;
        Ok(())
    }

    /// The keys it hears in these samples.
    pub fn keys(&mut self, samples: &[i16], dial_tone_filter: bool) -> anyhow::Result<String> {
        self.send(u32::from(dial_tone_filter), samples)?;
        let mut count = [0u8; 4];
        self.from.read_exact(&mut count)?;
        let mut digits = vec![0u8; u32::from_ne_bytes(count) as usize];
        self.from.read_exact(&mut digits)?;
        Ok(String::from_utf8_lossy(&digits).into_owned())
    }

    /// The CPU seconds it takes for these samples.
    #[allow(dead_code, reason = "the speed table asks for it when it is run")]
    pub fn seconds(&mut self, samples: &[i16]) -> anyhow::Result<f64> {
        self.send(2, samples)?;
        let mut seconds = [0u8; 8];
        self.from.read_exact(&mut seconds)?;
        Ok(f64::from_ne_bytes(seconds))
    }
}

impl Drop for SpanDsp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
