//! The demo: a sale of a few items, credentials that work at once, and what to try with them.

use crate::outside::Outside;
use crate::server::house_call;
use crate::terminal::{bold, faint};
use anyhow::Context;
use api::key::CreateKey;
use api::plan::CreateSale;
use api::sale::{Sale, Turn};
use api::service::{Keys, Sales};
use api::{SaleId, Scopes};
use edge::{Claims, Secret, TokenSecret};
use shop::Handle;
use std::sync::Arc;

/// The merchant of the demo.
const ACCOUNT: &str = "demo";
/// The buyer whose token is printed.
const BUYER: &str = "demo-buyer";
/// How long that token is good, s.
const TOKEN_S: u64 = 24 * 60 * 60;

/// The sale, as anybody could create it over HTTP.
const SALE: &str = r#"{
  "name": "Midnight cups", "currency": "EUR", "hold_ms": 120000,
  "limits": {"units_per_order": 4, "units_per_buyer": 4},
  "skus": [
    {"sku": "CUP-BLUE", "name": "Cup, blue", "price": "12.50", "stock": 2000},
    {"sku": "CUP-GOLD", "name": "Cup, gold rim", "price": "48.00", "stock": 200},
    {"sku": "TEA-SET", "name": "Tea set for two", "price": "89.90", "stock": 500}
  ]
}"#;

/// What a visitor of the demo needs.
pub(crate) struct Credentials {
    /// The demo's sale.
    pub(crate) sale: SaleId,
    key: Box<str>,
    token: String,
}

/// A fresh secret for buyer tokens; it lives as long as the process.
pub(crate) fn token_secret(outside: &Outside) -> TokenSecret {
    let secret = (0..4).map(|_| outside.name()).collect::<String>();
    TokenSecret {
        id: "demo".to_owned(),
        secret: Secret::new(secret),
    }
}

/// Opens the demo's sale, the one from last time if there is one, and makes credentials.
///
/// # Errors
/// The shop refuses, or the journal cannot be written.
pub(crate) async fn prepare(
    handle: &Handle,
    secret: &TokenSecret,
    outside: &Outside,
) -> anyhow::Result<Credentials> {
    let body: CreateSale = serde_json::from_str(SALE)?;
    let sale = Sales::create(handle, house_call(ACCOUNT, "demo-sale"), body)
        .await?
        .body;
    let sale: Sale = handle
        .turn(house_call(ACCOUNT, "demo-open"), sale.id, Turn::Open)
        .await?
        .body;
    Ok(Credentials {
        sale: sale.id,
        key: merchant_key(handle, outside).await?,
        token: buyer_token(secret, BUYER, outside)?,
    })
}

/// A new key that may do everything for the demo's merchant.
///
/// # Errors
/// The shop refuses, or the journal cannot be written.
pub(crate) async fn merchant_key(handle: &Handle, outside: &Outside) -> anyhow::Result<Box<str>> {
    let body = CreateKey {
        name: "demo".into(),
        account: ACCOUNT.into(),
        scopes: Scopes::ALL,
        role: None,
        idempotency_key: None,
    };
    let made = Keys::create(handle, house_call(ACCOUNT, &outside.name()), body)
        .await?
        .body;
    made.secret.context("a new key has a secret")
}

/// A buyer's token, good for a day.
///
/// # Errors
/// The token cannot be written.
pub(crate) fn buyer_token(
    secret: &TokenSecret,
    buyer: &str,
    outside: &Outside,
) -> anyhow::Result<String> {
    let claims = Claims {
        sub: buyer.into(),
        exp: outside.clock.wall_ms() / 1000 + TOKEN_S,
        nbf: None,
        tags: Arc::new([]),
    };
    Ok(edge::mint(secret, &claims)?)
}

/// What a visitor reads: where to look, who to be, what to try.
pub(crate) fn welcome(credentials: &Credentials, place: edge::Handle) -> String {
    let Credentials { sale, key, token } = credentials;
    let (url, admin) = (format!("http://{}", place.local_addr), place.admin_addr);
    let title = bold("Tidegate demo");
    let [watch, names, buy, look] = [
        "Watch the stock drain, buy something, let a crowd of a thousand loose:",
        "Or use the API, as a buyer (the token) and as the merchant (the key):",
        "# place an order; sent again it is the same order, marked as repeated",
        "# look at the sale, its stock and its figures",
    ]
    .map(faint);
    format!(
        "
{title}

{watch}

  {url}/

{names}

URL={url}
TOKEN={token}
KEY={key}

{buy}
curl -si $URL/v1/orders -H \"Authorization: Bearer $TOKEN\" \\
  -H 'Content-Type: application/json' -H 'Idempotency-Key: cart-1' \\
  -d '{{\"sale_id\": \"{sale}\", \"lines\": [{{\"sku\": \"CUP-BLUE\", \"quantity\": 1}}]}}'

{look}
curl -s $URL/v1/sales/{sale} -H \"Authorization: Bearer $KEY\"

Operators look at http://{admin}/metrics, /livez and /readyz. Ctrl-C stops it.

"
    )
}
