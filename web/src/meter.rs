//! Counters and latencies of the HTTP side, and the text of `/metrics`.

use crate::core::Gauge;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Upper bounds of the latency histogram, in seconds.
const LATENCY_BOUNDS_S: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 20.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

/// What is counted.
pub struct Meter {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    latency: Family<RouteLabels, Histogram, fn() -> Histogram>,
}

impl Default for Meter {
    fn default() -> Meter {
        Meter::new()
    }
}

impl Meter {
    /// Nothing counted yet.
    pub fn new() -> Meter {
        let requests = Family::default();
        let latency = Family::new_with_constructor(histogram as fn() -> Histogram);
        let mut registry = Registry::with_prefix("raseed");
        registry.register(
            "http_requests",
            "Requests by method, route and status",
            requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "Time to the head of the answer, by route",
            latency.clone(),
        );
        Meter {
            registry,
            requests,
            latency,
        }
    }

    /// Counts one request. `route` is the pattern, not the address: the number of series stays small.
    pub fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let labels = RequestLabels {
            method: method.to_owned(),
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        let labels = RouteLabels {
            route: route.to_owned(),
        };
        self.latency.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Everything as OpenMetrics text, with the gauges of the core and the read models.
    pub fn text(&self, gauges: &[Gauge]) -> String {
        let mut out = String::new();
        if encode(&mut out, &self.registry).is_err() {
            return out;
        }
        let out_len = out.trim_end_matches("# EOF\n").len();
        out.truncate(out_len);
        let mut by_name: BTreeMap<&str, Vec<&Gauge>> = BTreeMap::new();
        for gauge in gauges {
            by_name.entry(gauge.name).or_default().push(gauge);
        }
        for (name, gauges) in by_name {
            let _ = writeln!(out, "# HELP raseed_{name} {}.", gauges[0].help);
            let _ = writeln!(out, "# TYPE raseed_{name} gauge");
            for gauge in gauges {
                let _ = match &gauge.label {
                    Some((key, value)) => writeln!(
                        out,
                        "raseed_{name}{{{key}=\"{}\"}} {}",
                        value.replace(['"', '\\', '\n'], "_"),
                        gauge.value
                    ),
                    None => writeln!(out, "raseed_{name} {}", gauge.value),
                };
            }
        }
        out.push_str("# EOF\n");
        out
    }
}

fn histogram() -> Histogram {
    Histogram::new(LATENCY_BOUNDS_S)
}
