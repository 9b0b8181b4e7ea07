//! What the process takes from the machine, read when somebody asks.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;

/// Reads `/proc/self`; tells nothing where there is none.
#[derive(Debug)]
pub(crate) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let files = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        let gauges = [
            (
                "process_resident_memory_bytes",
                "Memory in RAM",
                field(&status, "VmRSS:") * 1024,
            ),
            (
                "process_resident_memory_max_bytes",
                "The most memory that was in RAM",
                field(&status, "VmHWM:") * 1024,
            ),
            ("process_threads", "Threads", field(&status, "Threads:")),
            (
                "process_open_fds",
                "Open files and sockets",
                u64::try_from(files).unwrap_or(0),
            ),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }
}

/// The number after a name in `/proc/self/status`; 0 when it is not there.
fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_ascii_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_their_name() {
        let status = "Name:\tx\nVmRSS:\t   1234 kB\nThreads:\t3\n";
        assert_eq!(
            (
                field(status, "VmRSS:"),
                field(status, "Threads:"),
                field(status, "VmHWM:")
            ),
            (1234, 3, 0)
        );
    }
}
