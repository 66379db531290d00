//! What the system says of a process.

use std::fs;
use std::time::Duration;

/// CPU time of all threads of a process that still run.
pub fn processor_time(id: u32) -> anyhow::Result<Duration> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{id}/task"))? {
        let line = fs::read_to_string(task?.path().join("schedstat"))?;
        total += line.split(' ').next().unwrap_or("0").parse::<u64>()?;
    }
    Ok(Duration::from_nanos(total))
}

/// Resident memory of a process, in KiB.
pub fn resident(id: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.unwrap_or("0").parse()?)
}
