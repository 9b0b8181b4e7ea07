//! One limit at work.

use super::{Limit, LimitState};
use api::{Code, Problem};
use http::{HeaderMap, HeaderName, HeaderValue};
use resilience::{Keyed, Pace, Standing};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use telemetry::fact::RequestLimited;
use telemetry::{LimitMeter, Telemetry};
use world::Entropy;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// A limit with what it has counted.
pub(super) struct Rule {
    pub(super) limit: Limit,
    pace: Pace,
    keyed: Mutex<Keyed>,
    /// How many are in the table: as long as nobody is, a look needs no lock.
    keys: AtomicUsize,
    meter: LimitMeter,
    policy: Option<HeaderValue>,
}

/// What a caller hears about the limit that is nearest.
pub(super) struct Told {
    limit: u32,
    pub(super) remaining: u32,
    reset: Duration,
    policy: Option<HeaderValue>,
}

impl Rule {
    pub(super) fn new(limit: &Limit, telemetry: &Telemetry) -> Self {
        let period = Duration::from_secs(limit.per_s.into());
        let pace = Pace::new(limit.rate, period, limit.burst);
        // In the words of the draft: a quota of so many in the time in which they come back.
        let window = seconds(pace.span());
        let policy = format!("{};w={window};name=\"{}\"", limit.burst, limit.name);
        Self {
            pace,
            keyed: Mutex::new(Keyed::new(pace, limit.keys_max)),
            keys: AtomicUsize::new(0),
            meter: telemetry.meters().limit(&limit.name),
            policy: HeaderValue::try_from(policy).ok(),
            limit: limit.clone(),
        }
    }

    /// Whether a request may go on. What is counted by its answer has no standing yet.
    pub(super) fn admit(&self, key: u128, now: Duration) -> Result<Option<Standing>, Duration> {
        if !self.limit.statuses.is_empty() {
            if self.keys.load(Ordering::Acquire) == 0 {
                return Ok(None);
            }
            let mut keyed = self.keyed();
            let looked = keyed.look(key, now).map(|_| None);
            self.keys.store(keyed.len(), Ordering::Release);
            return looked;
        }
        let mut keyed = self.keyed();
        let taken = keyed.take(key, now);
        self.keys.store(keyed.len(), Ordering::Release);
        taken.map(Some)
    }

    /// What the answer was.
    pub(super) fn answered(&self, key: u128, status: u16, now: Duration) {
        let counts = |statuses: &super::Statuses| statuses.contains(status);
        if !self.limit.statuses.iter().any(counts) {
            return;
        }
        let mut keyed = self.keyed();
        keyed.charge(key, now);
        self.keys.store(keyed.len(), Ordering::Release);
    }

    pub(super) fn refusal(&self, wait: Duration, client: IpAddr, telemetry: &Telemetry) -> Problem {
        telemetry.tell(&RequestLimited {
            limit: &self.meter,
            client,
            wait,
        });
        let name = &self.limit.name;
        let detail = format!("too many requests: the limit `{name}` is reached");
        Problem::because(Code::TooManyRequests, detail)
            .with("limit", name.clone())
            .retry_after(seconds(wait))
    }

    pub(super) fn told(&self, standing: Standing) -> Told {
        Told {
            limit: self.pace.burst(),
            remaining: standing.remaining,
            reset: standing.reset,
            policy: self.policy.clone(),
        }
    }

    pub(super) fn none_left(&self, wait: Duration) -> Told {
        self.told(Standing {
            remaining: 0,
            reset: wait,
        })
    }

    pub(super) fn state(&self) -> LimitState {
        LimitState {
            limit: self.limit.clone(),
            keys: self.keys.load(Ordering::Acquire),
            refused: self.meter.refused(),
        }
    }

    fn keyed(&self) -> MutexGuard<'_, Keyed> {
        // Nothing in there panics half-way through a change.
        self.keyed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, HeaderValue::from(self.limit));
        headers.insert(REMAINING, HeaderValue::from(self.remaining));
        headers.insert(RESET, HeaderValue::from(seconds(self.reset)));
        if let Some(policy) = &self.policy {
            headers.insert(POLICY, policy.clone());
        }
    }
}

/// Whole seconds, so that nobody comes back too early.
fn seconds(time: Duration) -> u32 {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// What makes digests of callers that nobody outside can aim at.
pub(super) struct Seed([u8; 16]);

impl Seed {
    pub(super) fn new(entropy: &dyn Entropy) -> Self {
        let mut seed = [0; 16];
        entropy.fill(&mut seed);
        Self(seed)
    }

    pub(super) fn address(&self, address: IpAddr) -> u128 {
        match address.to_canonical() {
            IpAddr::V4(address) => self.bytes(b"4", &address.octets()),
            // A customer has a network of 64 bits at least, and could come from another address each time.
            IpAddr::V6(address) => self.bytes(b"6", &address.octets()[..8]),
        }
    }

    pub(super) fn header(&self, value: Option<&HeaderValue>) -> u128 {
        value.map_or(0, |value| self.bytes(b"h", value.as_bytes()))
    }

    pub(super) fn text(&self, text: &str) -> u128 {
        self.bytes(b"t", text.as_bytes())
    }

    fn bytes(&self, kind: &[u8], bytes: &[u8]) -> u128 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(kind);
        hasher.write(bytes);
        hasher.finish128().as_u128()
    }
}
