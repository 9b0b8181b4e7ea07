//! A fake Stripe: payment intents, refunds, search, idempotency keys that are kept with their requests, and webhooks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use api::provider::{Gateway, Knock};
use ring::hmac;
use serde_json::{Value, json};
use world::{Clock, ManualClock};

use crate::provider::bank::{Came, Gave, Trouble, lock, open};

/// The signing secret of the fake's webhooks.
pub(crate) const HOOK_SECRET: &str = "whsec_0123456789abcdef";

type Form = BTreeMap<String, String>;

#[derive(Default)]
struct Books {
    intents: BTreeMap<String, Value>,
    refunds: Vec<Value>,
    /// The form and the answer of each idempotency key.
    keys: BTreeMap<String, (String, Gave)>,
    /// Intents that their buyers pay in the moment before they are closed.
    quick: Vec<String>,
}

pub(crate) struct Fake {
    api_key: String,
    clock: Arc<ManualClock>,
    books: Mutex<Books>,
    names: AtomicU32,
    pub(crate) trouble: Arc<Trouble>,
    /// Cards are refused.
    pub(crate) refusing: AtomicBool,
    /// The search shows nothing yet.
    pub(crate) search_is_behind: AtomicBool,
    /// Lists say that they go on.
    pub(crate) lists_go_on: AtomicBool,
    /// Every call gets this status, unless it is zero.
    pub(crate) status: AtomicU16,
}

impl Fake {
    pub(crate) async fn open(api_key: &str, clock: Arc<ManualClock>) -> (Arc<Self>, String) {
        let fake = Arc::new(Self {
            api_key: api_key.to_owned(),
            clock,
            books: Mutex::default(),
            names: AtomicU32::new(1),
            trouble: Arc::default(),
            refusing: AtomicBool::new(false),
            search_is_behind: AtomicBool::new(false),
            lists_go_on: AtomicBool::new(false),
            status: AtomicU16::new(0),
        });
        let answers = fake.clone();
        let url = open(fake.trouble.clone(), move |came| answers.answer(&came)).await;
        (fake, url)
    }

    fn answer(&self, came: &Came) -> Gave {
        let status = self.status.load(Ordering::SeqCst);
        if status != 0 {
            return failure(status, "api_error", "as the test says");
        }
        if came.header("authorization") != format!("Bearer {}", self.api_key) {
            return failure(401, "invalid_request_error", "Invalid API Key provided");
        }
        if came.header("stripe-version").len() != "2024-06-20".len() {
            return failure(400, "invalid_request_error", "Invalid Stripe API version");
        }
        match &*came.method {
            "GET" => self.look(came),
            "POST" => self.keyed(came),
            _ => failure(405, "invalid_request_error", "no such method"),
        }
    }

    /// Idempotency as documented: the first answer again, marked; another form under the key is an error.
    fn keyed(&self, came: &Came) -> Gave {
        let key = came.header("idempotency-key").to_owned();
        assert!(
            !key.is_empty() && key.len() <= 255,
            "every change has a key: {key}"
        );
        assert_eq!(
            came.header("content-type"),
            "application/x-www-form-urlencoded"
        );
        let request = format!("{}?{}", came.target, came.body);
        let known = lock(&self.books).keys.get(&key).cloned();
        if let Some((first, mut gave)) = known {
            if first != request {
                let words =
                    "Keys for idempotent requests can only be used with the same parameters";
                return failure(400, "idempotency_error", words);
            }
            gave.headers
                .push(("idempotent-replayed", "true".to_owned()));
            return gave;
        }
        let form: Form = serde_urlencoded::from_str(&came.body).expect("a form");
        let gave = self.act(came.path(), &form);
        // Requests that are not even tried leave no key.
        if gave.status == 200 || gave.status == 402 {
            lock(&self.books).keys.insert(key, (request, gave.clone()));
        }
        gave
    }

    fn act(&self, path: &str, form: &Form) -> Gave {
        match path {
            "/v1/payment_intents" => self.create(form),
            "/v1/refunds" => self.refund(form),
            _ => {
                let id = path.strip_prefix("/v1/payment_intents/");
                match id.and_then(|id| id.strip_suffix("/cancel")) {
                    Some(id) => self.cancel(id),
                    None => failure(404, "invalid_request_error", "Unrecognized request URL"),
                }
            }
        }
    }

    fn create(&self, form: &Form) -> Gave {
        let text = |name: &str| form.get(name).cloned().unwrap_or_default();
        let amount: i64 = text("amount").parse().expect("an amount");
        assert_eq!(text("currency"), text("currency").to_lowercase());
        if amount < 1 {
            return failure(400, "invalid_request_error", "Invalid positive integer");
        }
        let id = format!("pi_{}", self.names.fetch_add(1, Ordering::SeqCst));
        let mut intent = json!({
            "id": id, "object": "payment_intent", "amount": amount, "amount_received": 0,
            "currency": text("currency"), "status": "requires_payment_method",
            "client_secret": format!("{id}_secret_x"), "created": self.clock.wall_ms() / 1_000,
            "livemode": false, "metadata": metadata(form),
        });
        let confirms = text("confirm") == "true";
        let refused = self.refusing.load(Ordering::SeqCst);
        if confirms && !refused {
            capture(&mut intent);
        }
        lock(&self.books).intents.insert(id, intent.clone());
        if confirms && refused {
            let error = json!({ "type": "card_error", "code": "card_declined",
                "message": "Your card was declined.", "payment_intent": intent });
            return Gave::new(402, json!({ "error": error }));
        }
        Gave::new(200, intent)
    }

    fn cancel(&self, id: &str) -> Gave {
        let mut books = lock(&self.books);
        let quick = books.quick.iter().any(|other| other == id);
        let Some(intent) = books.intents.get_mut(id) else {
            return failure(404, "invalid_request_error", "No such payment_intent");
        };
        if quick {
            capture(intent);
        }
        if intent["status"] == "succeeded" {
            return failure(
                400,
                "invalid_request_error",
                "You cannot cancel this PaymentIntent",
            );
        }
        intent["status"] = "canceled".into();
        Gave::new(200, intent)
    }

    fn refund(&self, form: &Form) -> Gave {
        let mut books = lock(&self.books);
        let intent = form["payment_intent"].as_str();
        let amount: i64 = form["amount"].parse().expect("an amount");
        let Some(found) = books.intents.get(intent) else {
            return failure(404, "invalid_request_error", "No such payment_intent");
        };
        let received = found["amount_received"].as_i64().expect("an amount");
        let gone = books
            .refunds
            .iter()
            .filter(|one| one["payment_intent"] == intent);
        let gone: i64 = gone.filter_map(|one| one["amount"].as_i64()).sum();
        if gone + amount > received {
            let words = "Refund amount is greater than unrefunded amount on charge";
            return failure(400, "invalid_request_error", words);
        }
        let id = format!("re_{}", self.names.fetch_add(1, Ordering::SeqCst));
        let refund = json!({
            "id": id, "object": "refund", "amount": amount, "currency": found["currency"],
            "payment_intent": intent, "status": "succeeded", "metadata": metadata(form),
        });
        books.refunds.push(refund.clone());
        Gave::new(200, refund)
    }

    fn look(&self, came: &Came) -> Gave {
        let books = lock(&self.books);
        let query = came.target.split_once('?').map_or("", |(_, query)| query);
        let query: Form = serde_urlencoded::from_str(query).expect("a query");
        let more = self.lists_go_on.load(Ordering::SeqCst);
        let page = |data: Vec<&Value>| {
            let page = json!({ "object": "list", "data": data, "has_more": more });
            Gave::new(200, page)
        };
        match came.path() {
            "/v1/payment_intents/search" => {
                let behind = self.search_is_behind.load(Ordering::SeqCst);
                let fits = |intent: &&Value| !behind && matches(&query["query"], intent);
                page(books.intents.values().filter(fits).collect())
            }
            "/v1/refunds" => {
                let of = |one: &&Value| one["payment_intent"] == *query["payment_intent"];
                page(books.refunds.iter().filter(of).collect())
            }
            path => {
                let intent = path.strip_prefix("/v1/payment_intents/");
                let intent = intent.and_then(|id| books.intents.get(id));
                let refund = path.strip_prefix("/v1/refunds/");
                let refund = refund.and_then(|id| books.refunds.iter().find(|one| one["id"] == id));
                match intent.or(refund) {
                    Some(found) => Gave::new(200, found),
                    None => failure(404, "invalid_request_error", "No such object"),
                }
            }
        }
    }

    /// The buyer pays in the page, if that is still possible.
    pub(crate) fn pay(&self, payment: &str) {
        let mut books = lock(&self.books);
        let mine = |intent: &&mut Value| intent["metadata"]["tidegate_payment"] == payment;
        for intent in books.intents.values_mut().filter(mine) {
            if intent["status"] == "requires_payment_method" {
                capture(intent);
            }
        }
    }

    /// Stripe's name of the intent of a payment.
    pub(crate) fn intent_of(&self, payment: &str) -> String {
        let books = lock(&self.books);
        let mut intents = books.intents.iter();
        let mine = intents.find(|(_, one)| one["metadata"]["tidegate_payment"] == payment);
        mine.expect("an intent").0.clone()
    }

    /// The buyer pays in the moment before the intent is closed.
    pub(crate) fn pays_before_close(&self, payment: &str) {
        let mut books = lock(&self.books);
        let of =
            |(_, intent): &(&String, &Value)| intent["metadata"]["tidegate_payment"] == payment;
        let ids: Vec<String> = books
            .intents
            .iter()
            .filter(of)
            .map(|(id, _)| id.clone())
            .collect();
        books.quick.extend(ids);
    }

    /// A day passes for idempotency keys.
    pub(crate) fn forget_keys(&self) {
        lock(&self.books).keys.clear();
    }

    pub(crate) fn captured(&self) -> i64 {
        let books = lock(&self.books);
        let received = books
            .intents
            .values()
            .filter_map(|one| one["amount_received"].as_i64());
        received.sum()
    }

    pub(crate) fn refunded(&self) -> i64 {
        let books = lock(&self.books);
        books
            .refunds
            .iter()
            .filter_map(|one| one["amount"].as_i64())
            .sum()
    }
}

fn capture(intent: &mut Value) {
    intent["status"] = "succeeded".into();
    intent["amount_received"] = intent["amount"].clone();
}

fn metadata(form: &Form) -> Form {
    let named = form.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("metadata[")?.strip_suffix(']')?;
        Some((name.to_owned(), value.clone()))
    });
    named.collect()
}

/// Whether an intent fits a question like `metadata['a']:'b' AND metadata['c']:'d'`.
fn matches(query: &str, intent: &Value) -> bool {
    query.split(" AND ").all(|part| {
        let part = part
            .strip_prefix("metadata['")
            .expect("only metadata is asked for");
        let (name, value) = part.split_once("']:'").expect("a name and a value");
        intent["metadata"][name] == value.strip_suffix('\'').expect("an end")
    })
}

fn failure(status: u16, kind: &str, message: &str) -> Gave {
    Gave::new(
        status,
        json!({ "error": { "type": kind, "message": message } }),
    )
}

/// An event about an intent.
pub(crate) fn intent_event(
    kind: &str,
    payment: &str,
    amount: i64,
    currency: &str,
    house: &str,
    live: bool,
) -> String {
    let metadata = json!({ "tidegate_house": house, "tidegate_payment": payment });
    let event = json!({
        "id": "evt_1", "object": "event", "api_version": "2024-06-20", "type": kind, "livemode": live,
        "data": { "object": {
            "id": "pi_77", "object": "payment_intent", "amount": amount, "amount_received": amount,
            "currency": currency, "status": "succeeded", "created": 1, "metadata": metadata,
        } },
    });
    event.to_string()
}

/// An event about a dispute: its kind behind `charge.dispute.`, its state, its name, the intent, and the money.
pub(crate) fn dispute_event(
    (kind, status): (&str, &str),
    name: &str,
    intent: Option<&str>,
    (amount, currency): (i64, &str),
) -> String {
    let event = json!({
        "id": "evt_2", "object": "event", "api_version": "2024-06-20",
        "type": format!("charge.dispute.{kind}"), "livemode": false,
        "data": { "object": {
            "id": name, "object": "dispute", "amount": amount, "currency": currency, "status": status,
            "charge": "ch_1", "payment_intent": intent, "reason": "fraudulent", "metadata": {},
            "balance_transactions": [], "is_charge_refundable": false, "created": 1,
        } },
    });
    event.to_string()
}

/// A webhook as Stripe sends it, signed at this time.
pub(crate) fn hook(body: &str, at_ms: u64, secret: &str) -> Knock {
    let time = at_ms / 1_000;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let code = hmac::sign(&key, format!("{time}.{body}").as_bytes());
    let code: String = code
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let header = format!("t={time},v1={code},v0=6ffbb59b2300aae63f272406069a9788");
    Knock {
        gateway: Gateway::Stripe,
        headers: vec![("stripe-signature".into(), header.into())],
        body: body.as_bytes().into(),
    }
}
