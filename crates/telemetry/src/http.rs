//! The golden signals of one route, resolved once per status.

use crate::histogram::Histogram;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use std::sync::OnceLock;
use std::time::Duration;

/// Statuses that get a place of their own; anything else is counted as the last one.
const STATUSES: [u16; 22] = [
    200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 431, 499, 502,
    503, 504, 500,
];

/// Labels of the signals of a route. The route is the template, never the path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RouteLabels {
    pub(crate) method: &'static str,
    pub(crate) route: &'static str,
    pub(crate) status_code: u16,
}

type Seconds = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// Counts and durations of one route.
#[derive(Debug)]
pub struct RouteMeter {
    method: &'static str,
    route: &'static str,
    requests: Family<RouteLabels, Counter>,
    seconds: Seconds,
    by_status: [OnceLock<(Counter, Histogram)>; STATUSES.len()],
}

impl RouteMeter {
    pub(crate) fn new(
        method: &'static str,
        route: &'static str,
        requests: Family<RouteLabels, Counter>,
        seconds: Seconds,
    ) -> Self {
        Self {
            method,
            route,
            requests,
            seconds,
            by_status: [const { OnceLock::new() }; STATUSES.len()],
        }
    }

    /// The route's template.
    #[must_use]
    pub const fn route(&self) -> &'static str {
        self.route
    }

    /// The route's method.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        self.method
    }

    /// Counts one answer.
    pub fn observe(&self, status: u16, duration: Duration) {
        let place = STATUSES
            .iter()
            .position(|known| *known == status)
            .unwrap_or(STATUSES.len() - 1);
        let (requests, seconds) =
            self.by_status[place].get_or_init(|| self.resolve(STATUSES[place]));
        requests.inc();
        seconds.observe_duration(duration);
    }

    fn resolve(&self, status_code: u16) -> (Counter, Histogram) {
        let labels = RouteLabels {
            method: self.method,
            route: self.route,
            status_code,
        };
        let requests = self.requests.get_or_create(&labels).clone();
        (requests, self.seconds.get_or_create(&labels).clone())
    }
}

/// The label of a limit: the name that the operator gave it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct LimitLabel {
    pub(crate) limit: String,
}

/// What one limit of requests refused.
#[derive(Debug)]
pub struct LimitMeter {
    pub(crate) name: Box<str>,
    pub(crate) refused: Counter,
}

impl LimitMeter {
    /// Requests refused since the start.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.get()
    }
}

#[cfg(test)]
mod tests {
    use crate::Telemetry;
    use std::time::Duration;

    #[test]
    fn a_route_is_counted_by_template_method_and_status() {
        let telemetry = Telemetry::new();
        let route = telemetry.meters().route("POST", "/v1/orders");
        route.observe(201, Duration::from_millis(3));
        route.observe(418, Duration::from_millis(3));
        let page = telemetry.exposition();
        let created = "http_requests_total{service=\"tidegate\",method=\"POST\",route=\"/v1/orders\",status_code=\"201\"} 1";
        assert!(page.contains(created), "{page}");
        assert!(page.contains("route=\"/v1/orders\",status_code=\"500\"} 1"));
        let bucket = "http_request_duration_seconds_bucket{service=\"tidegate\",le=\"0.005\",method=\"POST\"";
        assert!(page.contains(bucket), "{page}");
    }
}
