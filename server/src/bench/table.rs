//! The figures of a run for people.

use sim::bench::report::{EidFigures, Report};
use std::fmt::Write as _;

/// One line a figure.
pub(super) fn of(report: &Report) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name:<22} {value}");
    };
    let kind = if report.rate.is_some() {
        "open loop"
    } else {
        "closed loop"
    };
    line(
        "mode",
        format!("{}, workload {}, {kind}", report.mode, report.workload),
    );
    let hot = report
        .hot
        .map_or_else(String::new, |hot| format!(", {hot} of them hot"));
    line("subscribers", format!("{}{hot}", thousands(report.subscribers)));
    line("operations/s", thousands(report.ops_per_s));
    if let Some(decides) = report.decides_per_s {
        line("decided alone/s", thousands(decides));
    }
    if let Some(rate) = report.rate {
        line("planned/s", thousands(rate));
    }
    line(
        "latency",
        format!(
            "p50 {}  p99 {}  p99.9 {}  max {}",
            time(report.p50_us),
            time(report.p99_us),
            time(report.p999_us),
            time(report.max_us)
        ),
    );
    line(
        "durable",
        if report.durable {
            "every answer after its sync"
        } else {
            "no disk"
        }
        .to_owned(),
    );
    if let (Some(limit), Some(ratio)) = (report.limit_ops_per_s, report.limit_ratio) {
        line(
            "raw append limit/s",
            format!("{} (this run: {ratio:.2} of it)", thousands(limit)),
        );
    }
    if let (Some(lost), Some(twice)) = (report.lost, report.credited_twice) {
        line("lost, credited twice", format!("{lost}, {twice}"));
    }
    if let Some(p99) = report.limit_p99_us {
        line("raw append p99", time(p99));
    }
    if let (Some(commits), Some(bytes)) = (report.commits, report.bytes_per_op) {
        let per_commit = report.operations / commits.max(1);
        line(
            "commits",
            format!(
                "{} of {per_commit} operations, {bytes} bytes each",
                thousands(commits)
            ),
        );
    }
    line("errors", thousands(report.errors));
    line("memory", format!("{} MiB", report.rss_bytes >> 20));
    if let Some(idle) = report.rss_idle_bytes {
        line("memory before load", format!("{} MiB", idle >> 20));
    }
    if let Some(ms) = report.populate_ms {
        line("accounts made in", format!("{}.{:03} s", ms / 1_000, ms % 1_000));
    }
    if let Some(ms) = report.open_ms {
        line("open, first answer", format!("{ms} ms"));
    }
    of_eid(report.eid.as_ref(), &mut line);
    if let Some(lag) = report.read_models {
        line(
            "read models",
            format!(
                "{} batches behind at the end, caught up in {} ms",
                lag.behind_batches, lag.caught_up_ms
            ),
        );
    }
    let machine = &report.machine;
    let build = if machine.release { "release" } else { "debug" };
    line(
        "machine",
        format!(
            "{} cores, {}, {}, {build} build, load {}",
            machine.cores, machine.cpu, machine.os, machine.load
        ),
    );
    out
}

fn of_eid(eid: Option<&EidFigures>, line: &mut dyn FnMut(&str, String)) {
    let Some(eid) = eid else { return };
    for channel in &eid.channels {
        let name = format!("{:?}", channel.channel);
        let (p50, p99, p999) = (time(channel.p50_us), time(channel.p99_us), time(channel.p999_us));
        let (count, errors) = (thousands(channel.operations), channel.errors);
        line(
            &name,
            format!("{count}: p50 {p50}  p99 {p99}  p99.9 {p999}, {errors} errors"),
        );
    }
    let asked = [eid.duplicates, eid.lost_answers, eid.asked_again].map(thousands);
    line(
        "asked twice",
        format!(
            "{}; {} answers lost; {} asked again",
            asked[0], asked[1], asked[2]
        ),
    );
    line(
        "floats, wallets wrong",
        format!("{}, {}", eid.floats_wrong, eid.charged_wrong),
    );
    line("audit", if eid.audit_ok { "ok" } else { "PROBLEMS" }.to_owned());
    let sms = [eid.sms.received, eid.sms.backlog_max, eid.sms.drained_ms].map(thousands);
    line(
        "messages",
        format!(
            "{}; at most {} waiting, none {} ms after the end",
            sms[0], sms[1], sms[2]
        ),
    );
    line(
        "server's processor",
        format!("{} ms", thousands(eid.server_cpu_ms)),
    );
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn time(us: u64) -> String {
    if us < 10_000 {
        format!("{us} us")
    } else {
        format!("{} ms", us / 1_000)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_readable() {
        assert_eq!(super::thousands(0), "0");
        assert_eq!(super::thousands(1_234_567), "1,234,567");
        assert_eq!(super::time(9_999), "9999 us");
        assert_eq!(super::time(14_400), "14 ms");
    }
}
