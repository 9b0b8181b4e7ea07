//! The textbook: check and deduct in Redis with one script, then the order's row in PostgreSQL.
//!
//! Built as a good engineer would: axum, one script call for idempotency, limit and stock, a multiplexed connection that
//! pipelines by itself, a pool of prepared connections, Unix sockets, and the deduction taken back when the row cannot be
//! written. What the shape cannot do is not hidden either: a crash between the two leaves a deduction without an order.
//! It checks no credentials, which is to its advantage.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use redis::aio::ConnectionManager;
use redis::{Client, Script};
use serde::{Deserialize, Serialize};
use std::io::{Error, Result};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_postgres::NoTls;

/// Units of one buyer.
const LIMIT: u32 = 10;
/// Price of one unit, minor units.
const PRICE_MINOR: i64 = 2_490;

/// Answers the order's number, or why not: -1 sold out, -2 limit.
const DEDUCT: &str = r"
local known = redis.call('GET', KEYS[3])
if known then return {1, tonumber(known)} end
local units = tonumber(ARGV[1])
local bought = tonumber(redis.call('GET', KEYS[2]) or '0')
if bought + units > tonumber(ARGV[2]) then return {0, -2} end
local stock = tonumber(redis.call('GET', KEYS[1]) or '0')
if stock < units then return {0, -1} end
redis.call('DECRBY', KEYS[1], units)
redis.call('INCRBY', KEYS[2], units)
redis.call('SET', KEYS[3], ARGV[3], 'EX', 86400)
return {0, tonumber(ARGV[3])}
";

/// Takes a deduction back.
const GIVE_BACK: &str = r"
redis.call('INCRBY', KEYS[1], ARGV[1])
redis.call('DECRBY', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[3])
return 1
";

const TABLE: &str = "CREATE TABLE orders (
    id bigint PRIMARY KEY, idempotency_key text NOT NULL UNIQUE, sku text NOT NULL, buyer text NOT NULL,
    quantity integer NOT NULL, total_minor bigint NOT NULL, state text NOT NULL,
    placed_at timestamptz NOT NULL DEFAULT now())";

const INSERT: &str =
    "INSERT INTO orders (id, idempotency_key, sku, buyer, quantity, total_minor, state)
    VALUES ($1, $2, $3, $4, $5, $6, 'held') ON CONFLICT (idempotency_key) DO NOTHING";

struct Shop {
    redis: ConnectionManager,
    postgres: Pool,
    deduct: Script,
    give_back: Script,
    numbers: AtomicU64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    sku: String,
    quantity: u32,
    buyer: String,
}

#[derive(Serialize)]
struct Answer {
    id: i64,
    state: &'static str,
    total_minor: i64,
}

type Refusal = (StatusCode, &'static str);

/// Serves until the process is stopped, with so many connections to PostgreSQL.
pub(crate) async fn serve(address: SocketAddr, sockets: &Path, pool: usize) -> Result<()> {
    let shop = Arc::new(open(sockets, pool).await?);
    let routes = Router::new().route("/orders", post(place)).with_state(shop);
    let listener = tokio::net::TcpListener::bind(address).await?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // As on the other side: an answer must not wait for more bytes.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, routes).await
}

async fn open(sockets: &Path, pool: usize) -> Result<Shop> {
    let url = format!("redis+unix://{}", sockets.join("redis.sock").display());
    let client = Client::open(url).map_err(Error::other)?;
    let mut redis = ConnectionManager::new(client).await.map_err(Error::other)?;
    let key = format!("stock:{}", super::tidegate::SKU);
    let set = redis::cmd("SET")
        .arg(key)
        .arg(super::tidegate::STOCK)
        .to_owned();
    set.exec_async(&mut redis).await.map_err(Error::other)?;
    let mut config = tokio_postgres::Config::new();
    config.host_path(sockets).user("rival").dbname("postgres");
    let manager = Manager::from_config(
        config,
        NoTls,
        ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        },
    );
    let postgres = Pool::builder(manager)
        .max_size(pool)
        .build()
        .map_err(Error::other)?;
    create_table(&postgres).await?;
    Ok(Shop {
        redis,
        postgres,
        deduct: Script::new(DEDUCT),
        give_back: Script::new(GIVE_BACK),
        numbers: AtomicU64::new(1),
    })
}

/// Its socket is there before PostgreSQL itself is ready.
async fn create_table(postgres: &Pool) -> Result<()> {
    let mut tries = 0;
    let client = loop {
        match postgres.get().await {
            Ok(client) => break client,
            Err(error) if tries == 500 => return Err(Error::other(error)),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    client.batch_execute(TABLE).await.map_err(Error::other)
}

async fn place(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    Json(asked): Json<Asked>,
) -> std::result::Result<(StatusCode, Json<Answer>), Refusal> {
    let key = headers
        .get("idempotency-key")
        .and_then(|key| key.to_str().ok())
        .filter(|key| (1..=128).contains(&key.len()))
        .ok_or((StatusCode::BAD_REQUEST, "an idempotency key is needed"))?;
    if !(1..=LIMIT).contains(&asked.quantity) {
        return Err((StatusCode::BAD_REQUEST, "a bad quantity"));
    }
    let (repeated, id) = shop.deduct(&asked, key).await?;
    if repeated {
        return Ok((StatusCode::OK, Json(answer(id, &asked))));
    }
    if shop.insert(id, &asked, key).await.is_err() {
        shop.give_back(&asked, key).await;
        return Err((StatusCode::SERVICE_UNAVAILABLE, "try again"));
    }
    Ok((StatusCode::CREATED, Json(answer(id, &asked))))
}

fn answer(id: i64, asked: &Asked) -> Answer {
    Answer {
        id,
        state: "held",
        total_minor: PRICE_MINOR * i64::from(asked.quantity),
    }
}

impl Shop {
    async fn deduct(&self, asked: &Asked, key: &str) -> std::result::Result<(bool, i64), Refusal> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let answer: redis::RedisResult<(i64, i64)> = self
            .deduct
            .key(format!("stock:{}", asked.sku))
            .key(format!("buyer:{}", asked.buyer))
            .key(format!("key:{key}"))
            .arg(asked.quantity)
            .arg(LIMIT)
            .arg(number)
            .invoke_async(&mut self.redis.clone())
            .await;
        match answer {
            Ok((_, -1)) => Err((StatusCode::CONFLICT, "sold out")),
            Ok((_, -2)) => Err((StatusCode::CONFLICT, "limit reached")),
            Ok((repeated, id)) => Ok((repeated == 1, id)),
            Err(_) => Err((StatusCode::SERVICE_UNAVAILABLE, "try again")),
        }
    }

    async fn insert(&self, id: i64, asked: &Asked, key: &str) -> Result<()> {
        let client = self.postgres.get().await.map_err(Error::other)?;
        let statement = client.prepare_cached(INSERT).await.map_err(Error::other)?;
        let quantity = i32::try_from(asked.quantity).map_err(Error::other)?;
        let total = PRICE_MINOR * i64::from(asked.quantity);
        client
            .execute(
                &statement,
                &[&id, &key, &asked.sku, &asked.buyer, &quantity, &total],
            )
            .await
            .map_err(Error::other)?;
        Ok(())
    }

    async fn give_back(&self, asked: &Asked, key: &str) {
        let answer: redis::RedisResult<i64> = self
            .give_back
            .key(format!("stock:{}", asked.sku))
            .key(format!("buyer:{}", asked.buyer))
            .key(format!("key:{key}"))
            .arg(asked.quantity)
            .invoke_async(&mut self.redis.clone())
            .await;
        // Nobody is left who could be told; this is the gap of the whole shape.
        drop(answer);
    }
}
