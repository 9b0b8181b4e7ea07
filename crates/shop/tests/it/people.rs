//! Personal data and the record of administrative acts, behind the traits of `api`.

use std::path::Path;
use std::sync::Arc;

use api::audit::{AuditEntry, AuditQuery};
use api::key::CreateKey;
use api::people::PersonData;
use api::plan::{AlterSale, CreateSale};
use api::sale::Turn;
use api::service::{Audits, Call, Caller, Keys, People, Sales};
use api::{Code, KeyId, RequestId, Role, Scope, Scopes};
use storage::DataDir;
use storage::vault::VAULT_FILE;
use telemetry::{RequestContext, Telemetry};
use tidegate_shop::people::{MasterSecret, Secret, Settings as VaultSettings};
use tidegate_shop::provider::sandbox::{self, Sandbox};
use tidegate_shop::{Handle, Parts, Settings, Shop, ShopError};
use world::{Clock, Disk, OsDisk, SystemClock, SystemEntropy, Tasks};

const SECRET: &str = "a master secret of more than 32 bytes";

async fn try_open(dir: &Path, secret: Option<&str>) -> Result<Shop, ShopError> {
    let (disk, clock): (Arc<dyn Disk>, Arc<dyn Clock>) =
        (Arc::new(OsDisk), Arc::new(SystemClock::new()));
    let tasks = Tasks::of_the_machine();
    let parts = Parts {
        data: Arc::new(DataDir::open(&disk, dir, std::process::id()).expect("a directory")),
        provider: Arc::new(Sandbox::new(
            sandbox::Settings::default(),
            Arc::clone(&clock),
            tasks.clone(),
        )),
        disk,
        clock,
        entropy: Arc::new(SystemEntropy),
        tasks,
        telemetry: Telemetry::new(),
        network: Arc::new(world::network::OsNetwork),
    };
    let master = |secret| MasterSecret {
        id: "m1".into(),
        secret: Secret::new(secret),
    };
    let settings = Settings {
        vault: VaultSettings {
            secrets: secret.map(master).into_iter().collect(),
        },
        ..Settings::default()
    };
    Shop::open(settings, parts).await
}

async fn open(dir: &Path) -> Shop {
    try_open(dir, Some(SECRET)).await.expect("it opens")
}

async fn close(shop: Shop, handle: Arc<Handle>) {
    drop(handle);
    shop.stop().await;
}

fn call(caller: Caller, key: &str) -> Call {
    Call {
        caller,
        key: Some(key.into()),
        request_id: RequestId::from_u64(1),
        address: None,
    }
}

fn merchant(scopes: Scopes) -> Caller {
    Caller::Merchant {
        account: "shop".into(),
        key: KeyId(1),
        scopes,
    }
}

fn all(key: &str) -> Call {
    call(merchant(Scopes::ALL), key)
}

fn buyer(id: &str) -> Call {
    let caller = Caller::Buyer {
        id: id.into(),
        tags: Arc::from([]),
    };
    call(caller, "own")
}

fn ann() -> PersonData {
    PersonData {
        name: Some("Ann Example".into()),
        phone: Some("+44 1632 960000".into()),
        ..PersonData::default()
    }
}

async fn acts(handle: &Handle, query: AuditQuery) -> Vec<AuditEntry> {
    let page = handle.acts(all("-"), query).await.expect("a page").body;
    assert_eq!(page.next_cursor, None);
    page.acts
}

fn code<T>(outcome: Result<T, api::Problem>) -> Option<Code> {
    outcome.err().map(|problem| problem.code())
}

#[tokio::test]
async fn a_buyer_keeps_sees_and_erases_its_own_data_and_nobody_elses() {
    let dir = tempfile::tempdir().expect("a directory");
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let kept = People::put(&*handle, buyer("ann"), "ann".into(), ann()).await;
    assert_eq!(kept.expect("kept").body.data, ann());
    let others = handle.person(buyer("bob"), "ann".into()).await;
    assert_eq!(code(others), Some(Code::ScopeMissing));
    let narrow = call(merchant(Role::Cashier.scopes()), "-");
    assert_eq!(
        code(handle.person(narrow, "ann".into()).await),
        Some(Code::ScopeMissing)
    );
    let support = call(merchant(Role::Support.scopes()), "-");
    let shown = handle.person(support, "ann".into()).await;
    assert_eq!(shown.expect("shown").body.data, ann());
    let erased = People::erase(&*handle, buyer("ann"), "ann".into()).await;
    assert!(erased.expect("erased").body.found);
    assert_eq!(
        code(handle.person(buyer("ann"), "ann".into()).await),
        Some(Code::PersonNotFound)
    );
    let again = People::erase(&*handle, buyer("ann"), "ann".into()).await;
    assert!(!again.expect("erased").body.found);
    close(shop, handle).await;
}

#[tokio::test]
async fn an_older_vault_does_not_bring_an_erased_person_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    for who in ["ann", "bob"] {
        People::put(&*handle, all("p"), who.into(), ann())
            .await
            .expect("kept");
    }
    let older = std::fs::read(dir.path().join(VAULT_FILE)).expect("the vault");
    People::erase(&*handle, all("e"), "ann".into())
        .await
        .expect("erased");
    close(shop, handle).await;
    std::fs::write(dir.path().join(VAULT_FILE), older).expect("the older vault");
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let shown = handle.person(all("-"), "ann".into()).await;
    assert_eq!(code(shown), Some(Code::PersonNotFound));
    assert!(handle.person(all("-"), "bob".into()).await.is_ok());
    // Who comes again is kept again, also over the next start.
    People::put(&*handle, all("p2"), "ann".into(), ann())
        .await
        .expect("kept");
    close(shop, handle).await;
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    assert!(handle.person(all("-"), "ann".into()).await.is_ok());
    close(shop, handle).await;
}

#[tokio::test]
async fn a_wrong_master_key_stops_the_start_and_none_closes_the_vault() {
    let dir = tempfile::tempdir().expect("a directory");
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    People::put(&*handle, all("p"), "ann".into(), ann())
        .await
        .expect("kept");
    close(shop, handle).await;
    let wrong = try_open(dir.path(), Some("another master secret of over 32 bytes")).await;
    let wrong = wrong.err().expect("refused").to_string();
    assert!(
        wrong.contains("m1") && wrong.contains("not the one"),
        "{wrong}"
    );
    let shop = try_open(dir.path(), None).await.expect("it opens");
    let handle = shop.handle();
    let shown = handle.person(all("-"), "ann".into()).await;
    assert_eq!(code(shown), Some(Code::NoVault));
    close(shop, handle).await;
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    assert!(handle.person(all("-"), "ann".into()).await.is_ok());
    close(shop, handle).await;
}

async fn a_sale(handle: &Handle) -> api::SaleId {
    let body: CreateSale = serde_json::from_str(
        r#"{"name":"Cups","currency":"EUR","skus":[{"sku":"CUP","price":"12.50","stock":3}]}"#,
    )
    .expect("a sale");
    let made = Sales::create(handle, all("create"), body).await;
    made.expect("a sale").body.id
}

fn traced() -> RequestContext {
    RequestContext {
        request_id: RequestId::from_u64(9),
        trace_id: 0xabc,
        span_id: 1,
        parent_id: 0,
        sampled: false,
    }
}

#[tokio::test]
async fn every_administrative_act_says_who_what_before_and_after() {
    let dir = tempfile::tempdir().expect("a directory");
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let context = traced();
    let sale = a_sale(&handle).await;
    let patch: AlterSale = serde_json::from_str(r#"{"name":"Mugs"}"#).expect("a patch");
    handle.alter(all("a"), sale, patch).await.expect("altered");
    let mut open = handle.turn(all("o"), sale, Turn::Open);
    let opened = std::future::poll_fn(|poll| context.enter(|| open.as_mut().poll(poll)));
    opened.await.expect("it opens");
    drop(open);
    let stock = serde_json::from_str(r#"{"sku":"CUP","units":2}"#).expect("units");
    handle.add_stock(all("s"), sale, stock).await.expect("more");
    let body = CreateKey {
        name: "till".into(),
        account: "shop".into(),
        scopes: Scopes::NONE,
        role: Some(Role::Auditor),
        idempotency_key: None,
    };
    let key = Keys::create(&*handle, all("k"), body)
        .await
        .expect("a key")
        .body;
    handle.revoke(all("r"), key.id).await.expect("revoked");
    People::put(&*handle, all("p"), "ann".into(), ann())
        .await
        .expect("kept");
    handle.person(all("-"), "ann".into()).await.expect("shown");
    People::erase(&*handle, all("e"), "ann".into())
        .await
        .expect("erased");
    let acts = acts(&handle, AuditQuery::default()).await;
    let what: Vec<&str> = acts.iter().map(|act| &*act.what).collect();
    assert_eq!(
        what,
        [
            "sale.create",
            "sale.alter",
            "sale.open",
            "stock.add",
            "key.create",
            "key.revoke",
            "person.put",
            "person.read",
            "person.erase"
        ]
    );
    assert!(acts.iter().all(|act| *act.who == *KeyId(1).to_string()));
    let (before, after) = (acts[1].before.clone(), acts[1].after.clone());
    assert_eq!(before, Some(serde_json::json!({ "name": "Cups" })));
    assert_eq!(after, Some(serde_json::json!({ "name": "Mugs" })));
    assert_eq!(acts[2].after, Some(serde_json::json!({ "state": "open" })));
    assert_eq!(
        acts[2].trace_id.as_deref(),
        Some("00000000000000000000000000000abc")
    );
    let text = format!("{acts:?}");
    let secret = key.secret.expect("shown once");
    assert!(!text.contains("Ann") && !text.contains("1632") && !text.contains(&*secret));
    assert!(
        text.contains("audit:read"),
        "the scopes of the role are named"
    );
    close(shop, handle).await;
}

#[tokio::test]
async fn acts_are_paged_filtered_and_only_those_of_the_own_account() {
    let dir = tempfile::tempdir().expect("a directory");
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = a_sale(&handle).await;
    for (key, turn) in [("o", Turn::Open), ("p", Turn::Pause), ("c", Turn::Close)] {
        handle.turn(all(key), sale, turn).await.expect("it turns");
    }
    let mut query = AuditQuery {
        what: Some("sale".into()),
        limit: Some(3),
        ..AuditQuery::default()
    };
    let first = handle
        .acts(all("-"), query.clone())
        .await
        .expect("a page")
        .body;
    assert_eq!(first.acts.len(), 3);
    query.cursor = first.next_cursor;
    assert_eq!(acts(&handle, query.clone()).await.len(), 1);
    query.cursor = Some("999".into());
    assert_eq!(
        code(handle.acts(all("-"), query).await),
        Some(Code::InvalidFields)
    );
    let other = Caller::Merchant {
        account: "other".into(),
        key: KeyId(2),
        scopes: Scopes::NONE.with(Scope::AuditRead),
    };
    let page = handle.acts(call(other, "-"), AuditQuery::default()).await;
    assert!(page.expect("a page").body.acts.is_empty());
    close(shop, handle).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acts_that_come_together_are_all_on_record_and_share_batches() {
    let dir = tempfile::tempdir().expect("a directory");
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let begin = handle.registry().house().position().await.sequence;
    let noting = (0..200).map(|number: u32| {
        let handle = handle.clone();
        tokio::spawn(async move {
            let by = tidegate_shop::house::By::house("shop");
            let act = by.act("test", &number.to_string(), None, None);
            handle.registry().house().note(act).await
        })
    });
    let noting: Vec<_> = noting.collect();
    for noted in noting {
        noted.await.expect("no panic").expect("on record");
    }
    let end = handle.registry().house().position().await.sequence;
    assert!(end - begin < 200, "{} batches", end - begin);
    let query = AuditQuery {
        limit: Some(200),
        ..AuditQuery::default()
    };
    let mut subjects: Vec<u32> = Vec::new();
    let mut cursor = None;
    loop {
        let query = AuditQuery {
            cursor,
            ..query.clone()
        };
        let page = handle.acts(all("-"), query).await.expect("a page").body;
        subjects.extend(
            page.acts
                .iter()
                .map(|act| act.subject.parse::<u32>().expect("a number")),
        );
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    subjects.sort_unstable();
    assert_eq!(subjects, (0..200).collect::<Vec<u32>>());
    close(shop, handle).await;
}
