//! Codes, decisions and polls, without a network.

use super::*;
use std::net::Ipv4Addr;
use world::SeededEntropy;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct Stand {
    devices: Devices,
    entropy: SeededEntropy,
}

impl Stand {
    fn new() -> Self {
        let entropy = SeededEntropy::new(3);
        let devices = Devices::new(&Settings::default(), &entropy);
        Self { devices, entropy }
    }

    fn ask(&self, now: Duration) -> Fresh {
        self.devices.ask(None, HERE, now, &self.entropy).unwrap()
    }
}

fn buyer(id: &str) -> Caller {
    Caller::Buyer {
        id: id.into(),
        tags: Arc::from([Box::from("vip")]),
    }
}

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_device_waits_is_approved_and_gets_its_buyer_once() {
    let stand = Stand::new();
    let fresh = stand.ask(at(0));
    assert_eq!(
        stand.devices.poll(&fresh.device_code, at(0)),
        Err(Poll::Pending)
    );
    let typed = fresh.user_code.to_lowercase().replace('-', " ");
    let decided = stand
        .devices
        .decide(&buyer("ann"), &typed, Decision::Approve, at(3));
    assert_eq!(decided.unwrap().decision, Decision::Approve);
    let granted = stand.devices.poll(&fresh.device_code, at(5)).unwrap();
    assert_eq!((&*granted.buyer, &*granted.tags[0]), ("ann", "vip"));
    assert_eq!(
        stand.devices.poll(&fresh.device_code, at(10)),
        Err(Poll::Expired)
    );
}

#[test]
fn who_polls_too_soon_waits_longer_from_then_on() {
    let stand = Stand::new();
    let fresh = stand.ask(at(0));
    let poll = |seconds| {
        stand
            .devices
            .poll(&fresh.device_code, at(seconds))
            .unwrap_err()
    };
    assert_eq!(
        [0, 4, 13, 33, 53].map(poll),
        [
            Poll::Pending,
            Poll::SlowDown,
            Poll::SlowDown,
            Poll::Pending,
            Poll::Pending
        ]
    );
}

#[test]
fn a_code_is_over_in_its_last_second_for_both_sides() {
    let stand = Stand::new();
    let fresh = stand.ask(at(0));
    let late = stand
        .devices
        .decide(&buyer("ann"), &fresh.user_code, Decision::Approve, at(600));
    assert_eq!(late.unwrap_err().code(), Code::DeviceNotFound);
    assert_eq!(
        stand.devices.poll(&fresh.device_code, at(600)),
        Err(Poll::Expired)
    );
}

#[test]
fn a_denied_device_hears_so_and_a_code_is_decided_once() {
    let stand = Stand::new();
    let fresh = stand.ask(at(0));
    let decide = |decision| {
        stand
            .devices
            .decide(&buyer("ann"), &fresh.user_code, decision, at(1))
    };
    assert!(decide(Decision::Deny).is_ok());
    assert_eq!(
        decide(Decision::Approve).unwrap_err().code(),
        Code::DeviceNotFound
    );
    assert_eq!(
        stand.devices.poll(&fresh.device_code, at(5)),
        Err(Poll::Denied)
    );
}

#[test]
fn a_buyer_who_guesses_is_stopped_even_with_the_right_code() {
    let stand = Stand::new();
    let fresh = stand.ask(at(0));
    for _ in 0..ATTEMPTS_MAX {
        let wrong = stand
            .devices
            .decide(&buyer("eve"), "BBBB-BBBB", Decision::Approve, at(1));
        assert_eq!(wrong.unwrap_err().code(), Code::DeviceNotFound);
    }
    let stopped = stand
        .devices
        .decide(&buyer("eve"), &fresh.user_code, Decision::Approve, at(2));
    assert_eq!(stopped.unwrap_err().code(), Code::TooManyRequests);
    let other = stand
        .devices
        .decide(&buyer("ann"), &fresh.user_code, Decision::Deny, at(2));
    assert!(other.is_ok(), "others are not");
    let fresh = stand.ask(at(601));
    let later = stand
        .devices
        .decide(&buyer("eve"), &fresh.user_code, Decision::Approve, at(602));
    assert!(later.is_ok(), "the count ends");
}

#[test]
fn one_address_cannot_take_all_places() {
    let stand = Stand::new();
    for _ in 0..OF_ONE_ADDRESS_MAX {
        stand.ask(at(0));
    }
    let more = |address| stand.devices.ask(None, address, at(1), &stand.entropy);
    assert!(more(HERE).is_err());
    assert!(more(IpAddr::V4(Ipv4Addr::BROADCAST)).is_ok());
    assert!(
        stand
            .devices
            .ask(None, HERE, at(600), &stand.entropy)
            .is_ok(),
        "codes end"
    );
}

#[test]
fn user_codes_have_every_letter_and_no_other() {
    let entropy = SeededEntropy::new(1);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..200 {
        seen.extend(draw_user_code(&entropy));
    }
    assert_eq!(seen, USER_CODE_LETTERS.iter().copied().collect());
}

#[test]
fn looking_decides_nothing_and_counts_wrong_codes_too() {
    let stand = Stand::new();
    let named = Some("kiosk 7".into());
    let fresh = stand.devices.ask(named, HERE, at(0), &stand.entropy);
    let code = fresh.unwrap().user_code;
    let look = |who, code: &str| stand.devices.look(&buyer(who), code, at(1));
    for _ in 0..2 {
        let seen = look("ann", &code).unwrap();
        assert_eq!(seen.client_id.as_deref(), Some("kiosk 7"));
    }
    for _ in 0..ATTEMPTS_MAX {
        assert_eq!(
            look("eve", "BBBB-BBBB").unwrap_err().code(),
            Code::DeviceNotFound
        );
    }
    assert_eq!(
        look("eve", &code).unwrap_err().code(),
        Code::TooManyRequests
    );
    let decided = stand
        .devices
        .decide(&buyer("ann"), &code, Decision::Approve, at(2));
    assert!(decided.is_ok());
    assert_eq!(look("ann", &code).unwrap_err().code(), Code::DeviceNotFound);
}
