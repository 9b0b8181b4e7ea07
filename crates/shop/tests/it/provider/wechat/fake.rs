//! A fake WeChat Pay: orders, refunds, certificates that rotate, signatures that are checked and made, sealed content.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use api::provider::{Gateway, Knock};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use world::{Clock, ManualClock};

use crate::provider::bank::{Came, Gave, Trouble, lock, open};

pub(crate) const APPID: &str = "wxd678efh567hg6787";
pub(crate) const MCHID: &str = "1900009191";
pub(crate) const MERCHANT_SERIAL: &str = "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C";
pub(crate) const API_V3_KEY: &str = "0123456789abcdefghijklmnopqrstuv";
pub(crate) const PUBLIC_KEY_ID: &str = "PUB_KEY_ID_0000000000000024101100397200000006";
/// When the first platform certificate is over: 2027-06-01T00:00:00+08:00.
pub(crate) const FIRST_ENDS_MS: u64 = 1_811_779_200_000;

const SERIALS: [&str; 2] = [
    "5157F09EFDC096DE15EBE81A47057A7232F1B8E1",
    "7132D72A03E93CDDF8C03BBD1F37EEDF5E1F1B0A",
];
const CERTIFICATES: [&str; 2] = [
    include_str!("../../../keys/platform-1.crt"),
    include_str!("../../../keys/platform-2.crt"),
];
const KEYS: [&[u8]; 2] = [
    include_bytes!("../../../keys/platform-1.pem"),
    include_bytes!("../../../keys/platform-2.pem"),
];
const MERCHANT: &[u8] = include_bytes!("../../../keys/merchant.pem");

#[derive(Default)]
struct Books {
    /// Each order with the body that asked for it.
    orders: BTreeMap<String, (String, Value)>,
    refunds: BTreeMap<String, (String, Value)>,
    nonces: BTreeSet<String>,
    /// Orders that their buyers pay in the moment before they are closed.
    quick: Vec<String>,
}

pub(crate) struct Fake {
    clock: Mutex<Arc<ManualClock>>,
    books: Mutex<Books>,
    merchant: KeyPair,
    platform: Vec<KeyPair>,
    /// The certificate that signs now.
    current: AtomicUsize,
    names: AtomicU32,
    pub(crate) trouble: Arc<Trouble>,
    /// How often the list of certificates was fetched.
    pub(crate) lists: AtomicU32,
    /// Answers carry no signature.
    pub(crate) unsigned: AtomicBool,
    /// Refunds end abnormally.
    pub(crate) abnormal: AtomicBool,
    /// Every call gets this status, unless it is zero.
    pub(crate) status: AtomicU16,
}

fn key(pem: &[u8]) -> KeyPair {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem).expect("PEM");
    KeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("a key")
}

fn sign(key: &KeyPair, text: &str) -> String {
    let mut signature = vec![0; key.public().modulus_len()];
    let random = SystemRandom::new();
    let signed = key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature);
    signed.expect("it signs");
    STANDARD.encode(signature)
}

fn verify(key: &KeyPair, text: &str, signature: &str) -> bool {
    let signature = STANDARD.decode(signature).expect("base64");
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public().as_ref());
    public.verify(text.as_bytes(), &signature).is_ok()
}

/// Seals with the APIv3 key.
fn seal(text: &str, data: &str) -> Value {
    let key = aead::UnboundKey::new(&aead::AES_256_GCM, API_V3_KEY.as_bytes()).expect("32 bytes");
    let key = aead::LessSafeKey::new(key);
    let nonce = aead::Nonce::assume_unique_for_key(*b"fdasflkja484");
    let mut sealed = text.as_bytes().to_vec();
    let data_bytes = aead::Aad::from(data.as_bytes());
    key.seal_in_place_append_tag(nonce, data_bytes, &mut sealed)
        .expect("it seals");
    json!({
        "algorithm": "AEAD_AES_256_GCM", "nonce": "fdasflkja484", "associated_data": data,
        "ciphertext": STANDARD.encode(sealed),
    })
}

fn failure(status: u16, code: &str) -> Gave {
    Gave::new(
        status,
        json!({ "code": code, "message": "as the documents say" }),
    )
}

impl Fake {
    pub(crate) async fn open(clock: Arc<ManualClock>) -> (Arc<Self>, String) {
        let fake = Arc::new(Self {
            clock: Mutex::new(clock),
            books: Mutex::default(),
            merchant: key(MERCHANT),
            platform: KEYS.map(key).into(),
            current: AtomicUsize::new(0),
            names: AtomicU32::new(1),
            trouble: Arc::default(),
            lists: AtomicU32::new(0),
            unsigned: AtomicBool::new(false),
            abnormal: AtomicBool::new(false),
            status: AtomicU16::new(0),
        });
        let answers = fake.clone();
        let url = open(fake.trouble.clone(), move |came| answers.answer(&came)).await;
        (fake, url)
    }

    fn now_ms(&self) -> u64 {
        lock(&self.clock).wall_ms()
    }

    /// From now on the fake has a clock of its own.
    pub(crate) fn set_clock(&self, wall_ms: u64) {
        *lock(&self.clock) = Arc::new(ManualClock::new(wall_ms));
    }

    fn answer(&self, came: &Came) -> Gave {
        let status = self.status.load(Ordering::SeqCst);
        if status != 0 {
            return failure(status, "SYSTEM_ERROR");
        }
        if let Err(why) = self.admit(came) {
            let mut gave = failure(401, "SIGN_ERROR");
            gave.body = json!({ "code": "SIGN_ERROR", "message": why }).to_string();
            gave.headers.push(("date", date(self.now_ms())));
            return gave;
        }
        let gave = self.judge(came);
        match self.unsigned.load(Ordering::SeqCst) {
            true => gave,
            false => self.sealed_answer(came, gave),
        }
    }

    /// Checks the merchant's signature as documented.
    fn admit(&self, came: &Came) -> Result<(), &'static str> {
        assert!(
            !came.header("user-agent").is_empty() && came.header("accept") == "application/json"
        );
        let parts = came
            .header("authorization")
            .strip_prefix("WECHATPAY2-SHA256-RSA2048 ");
        let parts: BTreeMap<_, _> = parts
            .ok_or("another scheme")?
            .split(',')
            .map(|part| part.split_once('=').expect("a name and a value"))
            .map(|(name, value)| (name, value.trim_matches('"')))
            .collect();
        if parts["mchid"] != MCHID || parts["serial_no"] != MERCHANT_SERIAL {
            return Err("another merchant");
        }
        let (time, nonce) = (parts["timestamp"], parts["nonce_str"]);
        let now_s = self.now_ms() / 1_000;
        if time.parse::<u64>().expect("a number").abs_diff(now_s) > 300 {
            return Err("the timestamp is more than 5 minutes off");
        }
        let fresh = lock(&self.books).nonces.insert(nonce.to_owned());
        assert!(fresh && nonce.len() == 32, "a nonce is used once: {nonce}");
        let text = [&*came.method, &came.target, time, nonce, &came.body, ""].join("\n");
        match verify(&self.merchant, &text, parts["signature"]) {
            true => Ok(()),
            false => Err("the signature does not fit"),
        }
    }

    fn sealed_answer(&self, came: &Came, mut gave: Gave) -> Gave {
        let by_key = came.header("wechatpay-serial") == PUBLIC_KEY_ID;
        let current = self.current.load(Ordering::SeqCst);
        let (serial, key) = match by_key {
            true => (PUBLIC_KEY_ID, &self.platform[0]),
            false => (SERIALS[current], &self.platform[current]),
        };
        let (time, nonce) = (self.now_ms() / 1_000, "c5ac7061fccab6bf3e254dcf98995b8c");
        let text = format!("{time}\n{nonce}\n{}\n", gave.body);
        gave.headers.extend([
            ("wechatpay-serial", serial.to_owned()),
            ("wechatpay-timestamp", time.to_string()),
            ("wechatpay-nonce", nonce.to_owned()),
            ("wechatpay-signature", sign(key, &text)),
        ]);
        gave
    }

    fn judge(&self, came: &Came) -> Gave {
        let body = || serde_json::from_str::<Value>(&came.body).expect("JSON");
        let orders = "/v3/pay/transactions/out-trade-no/";
        match (&*came.method, came.path()) {
            ("GET", "/v3/certificates") => self.list(),
            ("POST", "/v3/pay/transactions/native") => self.prepay(&came.body, &body(), false),
            ("POST", "/v3/pay/transactions/jsapi") => self.prepay(&came.body, &body(), true),
            ("POST", "/v3/refund/domestic/refunds") => self.refund(&came.body, &body()),
            ("GET", path) => {
                if let Some(name) = path.strip_prefix(orders) {
                    assert!(came.target.ends_with(&format!("?mchid={MCHID}")));
                    return self.show(name);
                }
                let name = path.strip_prefix("/v3/refund/domestic/refunds/");
                let books = lock(&self.books);
                match name.and_then(|name| books.refunds.get(name)) {
                    Some((_, refund)) => Gave::new(200, refund),
                    None => failure(404, "RESOURCE_NOT_EXISTS"),
                }
            }
            ("POST", path) => {
                assert_eq!(body(), json!({ "mchid": MCHID }));
                let name = path.strip_prefix(orders);
                let name = name.and_then(|name| name.strip_suffix("/close"));
                self.close(name.expect("nothing else is posted"))
            }
            _ => failure(405, "PARAM_ERROR"),
        }
    }

    fn list(&self) -> Gave {
        self.lists.fetch_add(1, Ordering::SeqCst);
        let known = ..=self.current.load(Ordering::SeqCst);
        let ends = ["2027-06-01T00:00:00+08:00", "2031-06-01T00:00:00+08:00"];
        let certificates = SERIALS[known].iter().zip(CERTIFICATES).zip(ends);
        let data: Vec<Value> = certificates
            .map(|((serial, pem), end)| {
                json!({
                    "serial_no": serial, "effective_time": "2026-06-01T00:00:00+08:00",
                    "expire_time": end, "encrypt_certificate": seal(pem, "certificate"),
                })
            })
            .collect();
        Gave::new(200, json!({ "data": data }))
    }

    fn prepay(&self, text: &str, body: &Value, jsapi: bool) -> Gave {
        assert_eq!(
            (&body["appid"], &body["mchid"]),
            (&json!(APPID), &json!(MCHID))
        );
        assert_eq!(body["amount"]["currency"], "CNY");
        assert_eq!(body["payer"]["openid"].is_string(), jsapi);
        let name = body["out_trade_no"].as_str().expect("a number").to_owned();
        assert!((6..=32).contains(&name.len()), "{name}");
        let mut books = lock(&self.books);
        if let Some((first, order)) = books.orders.get(&name) {
            if order["trade_state"] == "SUCCESS" {
                return failure(400, "ORDERPAID");
            }
            if order["trade_state"] == "CLOSED" {
                return failure(400, "ORDER_CLOSED");
            }
            if first != text {
                return failure(400, "INVALID_REQUEST");
            }
        }
        let order = json!({
            "appid": APPID, "mchid": MCHID, "out_trade_no": name, "trade_state": "NOTPAY",
            "trade_state_desc": "not paid", "amount": { "total": body["amount"]["total"] },
        });
        let known = (text.to_owned(), order);
        books.orders.entry(name.clone()).or_insert(known);
        match jsapi {
            true => Gave::new(200, json!({ "prepay_id": format!("wx{name}") })),
            false => Gave::new(
                200,
                json!({ "code_url": format!("weixin://wxpay/bizpayurl?pr={name}") }),
            ),
        }
    }

    fn show(&self, name: &str) -> Gave {
        let books = lock(&self.books);
        let Some((_, order)) = books.orders.get(name) else {
            return failure(404, "ORDER_NOT_EXIST");
        };
        let mut shown = order.clone();
        if shown["trade_state"] != "SUCCESS" {
            // Who has not paid is not told about amounts.
            shown.as_object_mut().expect("an object").remove("amount");
        }
        Gave::new(200, shown)
    }

    fn close(&self, name: &str) -> Gave {
        let mut books = lock(&self.books);
        let quick = books.quick.iter().any(|other| other == name);
        let Some((_, order)) = books.orders.get_mut(name) else {
            return failure(404, "ORDER_NOT_EXIST");
        };
        if quick {
            paid(order);
        }
        if order["trade_state"] == "SUCCESS" {
            return failure(400, "ORDERPAID");
        }
        order["trade_state"] = "CLOSED".into();
        Gave::new(204, "")
    }

    fn refund(&self, text: &str, body: &Value) -> Gave {
        let name = |field: &str| body[field].as_str().expect("a number").to_owned();
        let (order, number) = (name("out_trade_no"), name("out_refund_no"));
        let mut books = lock(&self.books);
        if let Some((first, refund)) = books.refunds.get(&number) {
            return match first == text {
                true => Gave::new(200, refund),
                false => failure(400, "INVALID_REQUEST"),
            };
        }
        let Some((_, paid)) = books.orders.get(&order) else {
            return failure(404, "RESOURCE_NOT_EXISTS");
        };
        assert_eq!(paid["amount"]["total"], body["amount"]["total"]);
        let gone = books
            .refunds
            .values()
            .filter(|(_, one)| one["out_trade_no"] == *order);
        let gone: i64 = gone
            .filter_map(|(_, one)| one["amount"]["refund"].as_i64())
            .sum();
        let amount = body["amount"]["refund"].as_i64().expect("an amount");
        let total = paid["amount"]["total"].as_i64().expect("an amount");
        if gone + amount > total || paid["trade_state"] != "SUCCESS" {
            return failure(400, "INVALID_REQUEST");
        }
        let status = match self.abnormal.load(Ordering::SeqCst) {
            true => "ABNORMAL",
            false => "SUCCESS",
        };
        let refund = json!({
            "refund_id": self.names.fetch_add(1, Ordering::SeqCst).to_string(), "status": status,
            "out_refund_no": number, "out_trade_no": order, "channel": "ORIGINAL",
            "amount": { "total": total, "refund": amount, "currency": "CNY" },
        });
        books
            .refunds
            .insert(number, (text.to_owned(), refund.clone()));
        Gave::new(200, refund)
    }

    /// Who was charged by name.
    pub(crate) fn payers(&self) -> Vec<String> {
        let books = lock(&self.books);
        let bodies = books.orders.values().map(|(body, _)| body);
        let bodies = bodies.map(|body| serde_json::from_str::<Value>(body).expect("JSON"));
        bodies
            .filter_map(|body| Some(body["payer"]["openid"].as_str()?.to_owned()))
            .collect()
    }

    /// The buyer pays, if that is still possible.
    pub(crate) fn pay(&self, name: &str) {
        if let Some((_, order)) = lock(&self.books).orders.get_mut(name)
            && order["trade_state"] == "NOTPAY"
        {
            paid(order);
        }
    }

    /// The buyer pays in the moment before the order is closed.
    pub(crate) fn pays_before_close(&self, name: &str) {
        lock(&self.books).quick.push(name.to_owned());
    }

    /// The next certificate signs from now on.
    pub(crate) fn rotate(&self) {
        self.current.store(1, Ordering::SeqCst);
    }

    pub(crate) fn captured(&self) -> i64 {
        let books = lock(&self.books);
        let paid = books
            .orders
            .values()
            .filter(|(_, one)| one["trade_state"] == "SUCCESS");
        paid.filter_map(|(_, one)| one["amount"]["total"].as_i64())
            .sum()
    }

    pub(crate) fn refunded(&self) -> i64 {
        let books = lock(&self.books);
        let refunds = books.refunds.values();
        refunds
            .filter_map(|(_, one)| one["amount"]["refund"].as_i64())
            .sum()
    }

    /// WeChat's app takes what the page hands over, if the merchant signed it.
    pub(crate) fn takes_page(&self, page: &str) {
        let page: Value = serde_json::from_str(page).expect("JSON");
        let text = |name: &str| page[name].as_str().expect("text").to_owned();
        assert_eq!(
            (text("appId"), text("signType")),
            (APPID.to_owned(), "RSA".to_owned())
        );
        let signed = ["appId", "timeStamp", "nonceStr", "package"]
            .map(text)
            .join("\n")
            + "\n";
        assert!(verify(&self.merchant, &signed, &text("paySign")));
    }

    /// The body of a notification.
    pub(crate) fn sealed(&self, event: &str, kind: &str, content: &str) -> String {
        let mut resource = seal(content, kind);
        resource["original_type"] = kind.into();
        let body = json!({
            "id": "EV-2018022511223320873", "create_time": "2027-01-15T16:00:00+08:00",
            "resource_type": "encrypt-resource", "event_type": event, "summary": "as it says",
            "resource": resource,
        });
        body.to_string()
    }

    /// A notification as WeChat sends it, signed at this time.
    pub(crate) fn notice(&self, event: &str, kind: &str, content: &str, at_ms: u64) -> Knock {
        let current = self.current.load(Ordering::SeqCst);
        self.signed_by(current, &self.sealed(event, kind, content), at_ms)
    }

    pub(crate) fn signed_by(&self, certificate: usize, body: &str, at_ms: u64) -> Knock {
        self.knock(
            SERIALS[certificate],
            &self.platform[certificate],
            body,
            at_ms,
        )
    }

    pub(crate) fn signed_by_public_key(&self, body: &str, at_ms: u64) -> Knock {
        self.knock(PUBLIC_KEY_ID, &self.platform[0], body, at_ms)
    }

    /// Whoever has only the merchant's own key.
    pub(crate) fn signed_by_the_merchant(&self, body: &str, at_ms: u64) -> Knock {
        self.knock(SERIALS[0], &self.merchant, body, at_ms)
    }

    fn knock(&self, serial: &str, key: &KeyPair, body: &str, at_ms: u64) -> Knock {
        let time = at_ms / 1_000;
        let number = self.names.fetch_add(1, Ordering::SeqCst);
        let nonce = format!("EcFr2xZ0tKJiQ3XRD5VAW8zl{number:08}");
        let signature = sign(key, &format!("{time}\n{nonce}\n{body}\n"));
        let headers = [
            ("wechatpay-serial", serial.to_owned()),
            ("wechatpay-timestamp", time.to_string()),
            ("wechatpay-nonce", nonce),
            ("wechatpay-signature", signature),
        ];
        Knock {
            gateway: Gateway::Wechat,
            headers: headers
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
            body: body.as_bytes().into(),
        }
    }
}

fn paid(order: &mut Value) {
    let total = order["amount"]["total"].clone();
    order["trade_state"] = "SUCCESS".into();
    order["amount"] = json!({ "total": total, "payer_total": total, "currency": "CNY" });
}

/// A time as the header `Date` has it. Tests stay in the one day that is named here.
fn date(wall_ms: u64) -> String {
    const DAY_MS: u64 = 86_400_000;
    assert_eq!(
        wall_ms / DAY_MS,
        1_800_000_000_000 / DAY_MS,
        "within the day"
    );
    let second = wall_ms % DAY_MS / 1_000;
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!(
        "Fri, 15 Jan 2027 {hour:02}:{minute:02}:{:02} GMT",
        second % 60
    )
}
