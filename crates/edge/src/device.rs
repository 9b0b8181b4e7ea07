//! Sign-in of a device by a code that a signed-in buyer approves elsewhere (RFC 8628).
//!
//! ```text
//!   device ─▶ code ─▶ shows QR and letters         buyer's phone: scan, allow ─▶ approve
//!     └── polls token: pending … pending … a buyer token ◀──────────────────────────┘
//! ```
//!
//! Codes live for minutes and in memory only: after a restart a device that waits is told that its code has expired, and
//! shows a new one.
//!
//! Invariant: codes are found by keyed digests, so the time of an answer says nothing about a code; a device code gives a
//! token once.

mod settings;

use api::device::{
    ApprovedDevice, Decision, DeviceCode, USER_CODE_LENGTH, USER_CODE_LETTERS, WaitingDevice,
    plain_code, shown_code,
};
use api::service::Caller;
use api::{Code, Problem};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::collections::BTreeMap;
use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use world::Entropy;

pub use settings::Settings;

/// Devices that wait at the same time, at most.
const WAITING_MAX: usize = 10_000;
/// Devices of one address that wait at the same time, at most.
const OF_ONE_ADDRESS_MAX: usize = 100;
/// Wrong codes that one buyer may type in [`ATTEMPTS_TIME`].
const ATTEMPTS_MAX: u32 = 5;
const ATTEMPTS_TIME: Duration = Duration::from_secs(600);
/// Buyers whose wrong codes are counted at the same time.
const COUNTED_MAX: usize = 100_000;
/// What a device that polls too soon waits longer from then on; the standard's figure.
const SLOWER: Duration = Duration::from_secs(5);

/// What became of a poll that gives no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Poll {
    /// Nobody has decided yet.
    Pending,
    /// The device polls too often; it has to wait longer from now on.
    SlowDown,
    /// The code is over, unknown, or was used.
    Expired,
    /// The buyer said no.
    Denied,
}

impl Poll {
    /// The word of the standard.
    pub(crate) const fn error(self) -> &'static str {
        match self {
            Self::Pending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::Expired => "expired_token",
            Self::Denied => "access_denied",
        }
    }
}

/// A buyer that a device may act for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) buyer: Arc<str>,
    pub(crate) tags: Arc<[Box<str>]>,
}

enum State {
    Waiting,
    Granted(Granted),
    Denied,
}

struct Device {
    user_code: u128,
    client_id: Option<Box<str>>,
    address: IpAddr,
    ends: Duration,
    next_poll: Duration,
    interval: Duration,
    state: State,
}

#[derive(Default)]
struct Table {
    devices: BTreeMap<u128, Device>,
    /// Digests of user codes, leading to those of device codes.
    by_user_code: BTreeMap<u128, u128>,
    /// Wrong codes by digest of the buyer, and since when they are counted.
    wrong: BTreeMap<u128, (u32, Duration)>,
}

/// The devices that wait.
pub(crate) struct Devices {
    table: Mutex<Table>,
    seed: [u8; 16],
    code_time: Duration,
    interval: Duration,
}

/// A code that was just made.
pub(crate) struct Fresh {
    pub(crate) device_code: String,
    pub(crate) user_code: String,
}

impl Devices {
    pub(crate) fn new(settings: &Settings, entropy: &dyn Entropy) -> Self {
        let mut seed = [0; 16];
        entropy.fill(&mut seed);
        Self {
            table: Mutex::default(),
            seed,
            code_time: Duration::from_secs(settings.code_s),
            interval: Duration::from_secs(settings.interval_s),
        }
    }

    /// Makes codes for a device.
    pub(crate) fn ask(
        &self,
        client_id: Option<Box<str>>,
        address: IpAddr,
        now: Duration,
        entropy: &dyn Entropy,
    ) -> Result<Fresh, Problem> {
        let mut table = self.lock();
        table.sweep(now);
        let of_address = table.devices.values();
        let of_address = of_address
            .filter(|device| device.address == address)
            .count();
        if table.devices.len() >= WAITING_MAX || of_address >= OF_ONE_ADDRESS_MAX {
            let full = "too many devices wait to be signed in";
            return Err(Problem::because(Code::TooManyRequests, full).retry_after(30));
        }
        let mut code = [0; 32];
        entropy.fill(&mut code);
        let device_code = URL_SAFE_NO_PAD.encode(code);
        let mut user_code = draw_user_code(entropy);
        while table.by_user_code.contains_key(&self.digest(&user_code)) {
            user_code = draw_user_code(entropy);
        }
        let (place, user_place) = (self.digest(device_code.as_bytes()), self.digest(&user_code));
        let device = Device {
            user_code: user_place,
            client_id,
            address,
            ends: now + self.code_time,
            next_poll: now,
            interval: self.interval,
            state: State::Waiting,
        };
        table.devices.insert(place, device);
        table.by_user_code.insert(user_place, place);
        Ok(Fresh {
            device_code,
            user_code: shown_code(&user_code),
        })
    }

    /// A buyer looks at the device that shows this code, and decides nothing yet.
    pub(crate) fn look(
        &self,
        buyer: &Caller,
        typed: &str,
        now: Duration,
    ) -> Result<WaitingDevice, Problem> {
        let mut table = self.lock();
        let (_, device) = self.waiting(&mut table, buyer, typed, now)?;
        Ok(WaitingDevice {
            client_id: device.client_id.clone(),
        })
    }

    /// A buyer decides about the device that shows this code. A code is decided about once.
    pub(crate) fn decide(
        &self,
        buyer: &Caller,
        typed: &str,
        decision: Decision,
        now: Duration,
    ) -> Result<ApprovedDevice, Problem> {
        let mut table = self.lock();
        let (granted, device) = self.waiting(&mut table, buyer, typed, now)?;
        device.state = match decision {
            Decision::Approve => State::Granted(granted),
            Decision::Deny => State::Denied,
        };
        Ok(ApprovedDevice {
            decision,
            client_id: device.client_id.clone(),
        })
    }

    /// The device that waits under a code that a buyer types. Whoever types too many wrong ones is sent away, so that looking
    /// finds no more than deciding would.
    fn waiting<'a>(
        &self,
        table: &'a mut Table,
        buyer: &Caller,
        typed: &str,
        now: Duration,
    ) -> Result<(Granted, &'a mut Device), Problem> {
        let Caller::Buyer { id, tags } = buyer else {
            return Err(Problem::new(Code::ScopeMissing));
        };
        table.sweep(now);
        let buyer = self.digest(id.as_bytes());
        table.refuse_guessing(buyer, now)?;
        let place = plain_code(typed).map(|code| self.digest(&code));
        let place = place.and_then(|code| table.by_user_code.get(&code).copied());
        let waits = |place: &u128| {
            let device = table.devices.get(place);
            device.is_some_and(|device| matches!(device.state, State::Waiting))
        };
        let Some(place) = place.filter(waits) else {
            table.count_wrong(buyer, now);
            return Err(unknown());
        };
        let granted = Granted {
            buyer: Arc::clone(id),
            tags: Arc::clone(tags),
        };
        let device = table.devices.get_mut(&place).ok_or_else(unknown)?;
        Ok((granted, device))
    }

    /// A device asks whether somebody has decided. What is decided is told once.
    pub(crate) fn poll(&self, device_code: &str, now: Duration) -> Result<Granted, Poll> {
        let place = self.digest(device_code.as_bytes());
        let mut table = self.lock();
        let device = table.devices.get_mut(&place).ok_or(Poll::Expired)?;
        if device.ends <= now {
            table.remove(place);
            return Err(Poll::Expired);
        }
        if now < device.next_poll {
            device.interval += SLOWER;
            device.next_poll = now + device.interval;
            return Err(Poll::SlowDown);
        }
        device.next_poll = now + device.interval;
        let outcome = match &device.state {
            State::Waiting => return Err(Poll::Pending),
            State::Granted(granted) => Ok(granted.clone()),
            State::Denied => Err(Poll::Denied),
        };
        table.remove(place);
        outcome
    }

    fn digest(&self, text: &[u8]) -> u128 {
        let mut hasher = SipHasher13::new_with_key(&self.seed);
        hasher.write(text);
        hasher.finish128().as_u128()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn sweep(&mut self, now: Duration) {
        let over = self.devices.iter().filter(|(_, device)| device.ends <= now);
        let over: Vec<u128> = over.map(|(place, _)| *place).collect();
        for place in over {
            self.remove(place);
        }
        self.wrong
            .retain(|_, (_, since)| now.saturating_sub(*since) < ATTEMPTS_TIME);
    }

    fn remove(&mut self, place: u128) {
        if let Some(device) = self.devices.remove(&place) {
            self.by_user_code.remove(&device.user_code);
        }
    }

    fn refuse_guessing(&self, buyer: u128, now: Duration) -> Result<(), Problem> {
        let Some((_, since)) = self
            .wrong
            .get(&buyer)
            .filter(|(count, _)| *count >= ATTEMPTS_MAX)
        else {
            return Ok(());
        };
        let rest = (*since + ATTEMPTS_TIME).saturating_sub(now).as_secs();
        let rest = u32::try_from(rest).unwrap_or(u32::MAX).max(1);
        let many = "too many wrong codes; wait, and read the code once more";
        Err(Problem::because(Code::TooManyRequests, many).retry_after(rest))
    }

    fn count_wrong(&mut self, buyer: u128, now: Duration) {
        if self.wrong.len() < COUNTED_MAX || self.wrong.contains_key(&buyer) {
            self.wrong.entry(buyer).or_insert((0, now)).0 += 1;
        }
    }
}

fn unknown() -> Problem {
    Problem::because(Code::DeviceNotFound, "no device waits under this code")
}

/// Letters drawn evenly: what would favour the first ones is drawn again.
fn draw_user_code(entropy: &dyn Entropy) -> [u8; USER_CODE_LENGTH] {
    let letters = u8::try_from(USER_CODE_LETTERS.len()).unwrap_or(u8::MAX);
    let even = u8::MAX - u8::MAX % letters;
    let mut code = [0; USER_CODE_LENGTH];
    for place in &mut code {
        let mut drawn = [u8::MAX];
        while drawn[0] >= even {
            entropy.fill(&mut drawn);
        }
        *place = USER_CODE_LETTERS[usize::from(drawn[0] % letters)];
    }
    code
}

/// The answer to a device, with addresses below `base`.
pub(crate) fn answer(fresh: &Fresh, base: &str, settings: &Settings) -> DeviceCode {
    let user_code = &fresh.user_code;
    DeviceCode {
        device_code: fresh.device_code.as_str().into(),
        user_code: user_code.as_str().into(),
        verification_uri: format!("{base}/device").into(),
        verification_uri_complete: format!("{base}/device/{user_code}").into(),
        qr_uri: format!("{base}/device/{user_code}/qr.svg").into(),
        show_uri: format!("{base}/device/{user_code}/show").into(),
        expires_in: settings.code_s,
        interval: settings.interval_s,
    }
}

#[cfg(test)]
mod tests;
