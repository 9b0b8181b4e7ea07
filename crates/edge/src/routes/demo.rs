//! The demo page, its crowd, and fresh stock for it. Only there in demo mode, only for this machine.

use crate::asked::Asked;
use crate::door::{Demo, Door};
use crate::endpoint::Making;
use crate::pages;
use crate::pages::words::Language;
use crate::said::Said;
use crate::token::{Claims, mint};
use api::check::Nothing;
use api::order::{AskedLine, PlaceOrder};
use api::sale::Sale;
use api::service::{Call, Caller};
use api::stock::AddStock;
use api::{Code, KeyId, OrderId, Problem, Scopes};
use http::header::{ACCEPT_LANGUAGE, CONTENT_SECURITY_POLICY};
use http::{HeaderValue, StatusCode};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Buyers of one crowd.
const CROWD: u64 = 1_000;
/// Time over which the crowd arrives, ms.
const ARRIVAL_MS: u64 = 2_500;
/// Buyers that act at the same time, at most.
const AT_ONCE: usize = 128;
/// Units that a refill brings for each SKU.
const REFILL_UNITS: u32 = 500;
/// How long a visitor's token is good, s.
const VISIT_S: u64 = 24 * 60 * 60;

pub(super) fn page(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let demo = here(door, &asked)?;
        let visitor = format!("visitor-{:08x}", door.ids.span() >> 32);
        let sale = look(door, &asked, demo, &visitor).await?;
        let token = token(door, &visitor)?;
        let accepted = asked
            .headers
            .get(ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok());
        let language = Language::choose(asked.query_value("lang"), accepted);
        let nonce = format!("{:032x}", door.ids.trace());
        let policy = format!(
            "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
             img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        let policy = HeaderValue::try_from(policy).map_err(|_| Problem::new(Code::Internal))?;
        let page = pages::demo::page(&sale, &token, language, &nonce);
        Ok(Said::page("text/html; charset=utf-8", page).with(CONTENT_SECURITY_POLICY, policy))
    })
}

/// The demo, for callers on this machine.
fn here(door: &Door, asked: &Asked) -> Result<Demo, Problem> {
    let demo = door
        .rooms
        .demo
        .filter(|_| asked.client.to_canonical().is_loopback());
    demo.ok_or_else(|| Problem::because(Code::NoRoute, "the demo is for this machine only"))
}

fn token(door: &Door, visitor: &str) -> Result<String, Problem> {
    let secret = door.settings.token_secrets.first();
    let secret = secret
        .ok_or_else(|| Problem::because(Code::Internal, "the demo has no secret for tokens"))?;
    let exp = door.rooms.clock.wall_ms() / 1_000 + VISIT_S;
    let claims = Claims {
        sub: visitor.into(),
        exp,
        nbf: None,
        tags: Arc::new([]),
    };
    mint(secret, &claims).map_err(|_| Problem::new(Code::Internal))
}

async fn look(door: &Door, asked: &Asked, demo: Demo, buyer: &str) -> Result<Sale, Problem> {
    let call = Call {
        caller: buyer_named(buyer),
        key: None,
        request_id: asked.context.request_id,
        address: None,
    };
    Ok(door.rooms.sales.sale(call, demo.sale).await?.body)
}

fn buyer_named(name: &str) -> Caller {
    Caller::Buyer {
        id: name.into(),
        tags: Arc::new([]),
    }
}

pub(super) fn refill(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let demo = here(door, &asked)?;
        let (call, _) = asked.change::<Nothing>()?;
        let key = call.key.unwrap_or_default();
        let sale = look(door, &asked, demo, "refill").await?;
        for (place, sku) in sale.skus.iter().enumerate() {
            let caller = Caller::Merchant {
                account: "demo".into(),
                key: KeyId(0),
                scopes: Scopes::ALL,
            };
            let key = Some(format!("{place}-{}", key.get(..100).unwrap_or(&key)).into());
            let call = Call {
                caller,
                key,
                request_id: asked.context.request_id,
                address: None,
            };
            let body = AddStock {
                sku: sku.sku.clone(),
                units: REFILL_UNITS,
                idempotency_key: None,
            };
            door.rooms.sales.add_stock(call, demo.sale, body).await?;
        }
        Said::json(
            StatusCode::OK,
            &serde_json::json!({ "units": REFILL_UNITS }),
        )
    })
}

pub(super) fn crowd(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let demo = here(door, &asked)?;
        let _ = asked.change::<Nothing>()?;
        let sale = look(door, &asked, demo, "crowd").await?;
        if door.crowd.swap(true, Ordering::AcqRel) {
            return Err(
                Problem::because(Code::TooManyRequests, "a crowd is on its way already")
                    .retry_after(3),
            );
        }
        let door = Arc::clone(door);
        let skus: Arc<[Box<str>]> = sale.skus.iter().map(|sku| sku.sku.clone()).collect();
        let tasks = door.rooms.tasks.clone();
        drop(tasks.spawn(stampede(Crowd {
            door,
            demo,
            skus,
            number: asked.context.span_id,
        })));
        Said::json(
            StatusCode::ACCEPTED,
            &serde_json::json!({ "buyers": CROWD }),
        )
    })
}

/// One crowd.
#[derive(Clone)]
struct Crowd {
    door: Arc<Door>,
    demo: Demo,
    skus: Arc<[Box<str>]>,
    /// Makes the names and keys of this crowd its own.
    number: u64,
}

/// The crowd comes over two and a half seconds, most of it at the start.
async fn stampede(crowd: Crowd) {
    let room = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    let tasks = crowd.door.rooms.tasks.clone();
    let mut buyers = Vec::new();
    for buyer in 0..CROWD {
        let (crowd, room) = (crowd.clone(), Arc::clone(&room));
        let waits = tasks.clone();
        buyers.push(tasks.spawn(async move {
            let mut chance = Chance(crowd.number ^ buyer.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let eager = chance.below(ARRIVAL_MS) * chance.below(ARRIVAL_MS) / ARRIVAL_MS;
            waits.sleep(Duration::from_millis(eager)).await;
            let _acting = room.acquire().await;
            // A buyer who is refused goes home; the page shows why.
            let _ = crowd.buy(buyer, &mut chance).await;
        }));
    }
    for buyer in buyers {
        // Whoever panicked has gone home too.
        let _ = buyer.await;
    }
    crowd.door.crowd.store(false, Ordering::Release);
}

impl Crowd {
    /// One buyer: some click twice, some want more than they may, most pay, a few give up or forget.
    async fn buy(&self, buyer: u64, chance: &mut Chance) -> Result<(), Problem> {
        if self.skus.is_empty() {
            return Ok(());
        }
        let name = format!("crowd-{:x}-{buyer}", self.number >> 40);
        let wanted = usize::try_from(chance.below(self.skus.len() as u64)).unwrap_or_default();
        let quantity = if chance.below(20) == 0 {
            50
        } else {
            1 + u32::from(chance.below(4) == 0)
        };
        let line = AskedLine {
            sku: self.skus[wanted].clone(),
            quantity,
            price: None,
        };
        let body = PlaceOrder {
            sale_id: self.demo.sale,
            lines: vec![line],
            buyer: None,
            tags: None,
            paid: None,
            team: None,
            coupons: Vec::new(),
            facts: None,
            idempotency_key: None,
        };
        let placed = self
            .door
            .rooms
            .orders
            .place(self.call(&name, "place"), body.clone())
            .await?;
        if chance.below(10) == 0 {
            self.door
                .rooms
                .orders
                .place(self.call(&name, "place"), body)
                .await?;
        }
        self.settle(&name, placed.body.id, chance).await
    }

    async fn settle(&self, name: &str, order: OrderId, chance: &mut Chance) -> Result<(), Problem> {
        let orders = &self.door.rooms.orders;
        match chance.below(20) {
            0 => orders
                .cancel(self.call(name, "cancel"), order)
                .await
                .map(|_| ()),
            1 => Ok(()),
            _ => orders.pay(self.call(name, "pay"), order).await.map(|_| ()),
        }
    }

    fn call(&self, name: &str, step: &str) -> Call {
        let request_id = self.door.ids.request(self.door.rooms.clock.wall_ms());
        Call {
            caller: buyer_named(name),
            key: Some(format!("{name}-{step}").into()),
            request_id,
            address: None,
        }
    }
}

/// Small chances, for a show only.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most.max(1)
    }
}
