//! What a drill plays on: a directory with a configuration and a key for the server, and, in this process, the payment
//! provider whose ledger outlives every kill.

use crate::audit::audit;
use crate::outside::Outside;
use crate::server::{Backroom, house_call};
use crate::settings::{Layers, load};
use crate::terminal;
use anyhow::Context;
use api::Scopes;
use api::key::CreateKey;
use api::service::Keys;
use drill::stampede::{Scenario, Settings, TokenMaker, Tools};
use edge::{Claims, Secret, TokenSecret};
use serde_json::{Value as Json, json};
use shop::provider::callback::HttpCallbacks;
use shop::provider::sandbox::{self, PerMille, Sandbox, UnknownCharge};
use shop::provider::{Provider, signature};
use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The merchant of the drill.
const ACCOUNT: &str = "drill";
/// How long a buyer's token is good, s: longer than any drill.
const TOKEN_S: u64 = 24 * 60 * 60;
/// How long the provider waits for the server to take a callback; it comes again later.
const CALLBACK_PATIENCE: Duration = Duration::from_secs(3);

/// Segments of a sale's journal in a storm, bytes: so small that a full disk is felt within seconds, where larger ones
/// that were made ahead of use would carry the sale through it.
const SEGMENT_BYTES_IN_STORM: u64 = 64 * 1024;

/// Where the server's data lies.
#[derive(Debug, Default)]
pub(super) struct Ground {
    /// The data directory, which must not exist yet; without one it lies with everything else.
    pub(super) data: Option<PathBuf>,
    /// Where the file system is mounted that a storm may fill, freeze and spoil.
    pub(super) disk: Option<PathBuf>,
    /// Whether the journals have small segments.
    pub(super) small_segments: bool,
}

/// Everything that a drill needs, and that goes when it is over.
pub(super) struct Stage {
    pub(super) tools: Tools,
    dir: PathBuf,
    close_provider: watch::Sender<bool>,
    provider: JoinHandle<std::io::Result<()>>,
}

/// Who may do what, in this drill only.
struct Secrets {
    token: TokenSecret,
    callback: String,
}

impl Stage {
    /// Makes the directory, the key and the provider.
    ///
    /// # Errors
    /// No directory, no free port, no journal.
    pub(super) async fn set(
        settings: &Settings,
        ground: Ground,
        outside: &Outside,
    ) -> anyhow::Result<Self> {
        let dir = std::env::temp_dir().join(format!("tidegate-drill-{}", outside.name()));
        let made = std::fs::DirBuilder::new().mode(0o700).create(&dir);
        made.with_context(|| format!("cannot make {}", dir.display()))?;
        let secrets = Secrets::draw(outside);
        let public = free_port().await?;
        let bank = outside
            .network
            .listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let config = dir.join("tidegate.toml");
        let data = ground.data.unwrap_or_else(|| dir.join("data"));
        let kept = secrets.write(&dir)?;
        let mut config_body = configuration(&data, public, bank.local_addr()?, &kept);
        if ground.small_segments {
            let bytes = SEGMENT_BYTES_IN_STORM;
            config_body["shop"] =
                json!({ "sales": { "segment_bytes_first": bytes, "segment_bytes_max": bytes } });
        }
        write_private(&config, &toml::to_string(&config_body)?)?;
        let merchant_key = merchant_key(&config, outside).await?;
        let sandbox = sandbox(settings, public, &secrets, outside)?;
        let (close_provider, closed) = watch::channel(false);
        let provider = tokio::spawn(sandbox::serve(bank, sandbox.clone(), closed));
        let tools = Tools {
            exe: std::env::current_exe().context("cannot find this program itself")?,
            arguments: vec!["serve".into(), "--config".into(), config.into()],
            data,
            disk: ground.disk,
            log: dir.join("server.log"),
            public,
            merchant_key,
            buyer_token: token_maker(secrets.token, outside),
            provider: Arc::new(sandbox),
            audit: Box::new(audit),
        };
        Ok(Self {
            tools,
            dir,
            close_provider,
            provider,
        })
    }

    /// Removes everything.
    pub(super) async fn clear(self) {
        let _ = self.close_provider.send(true);
        let _ = self.provider.await;
        // What stays is what the system clears from its temporary files later, and whoever made the disk with the disk.
        let _ = std::fs::remove_dir_all(&self.tools.data);
        let _ = std::fs::remove_dir_all(&self.dir);
    }

    /// Says where everything is, for whoever looks into what happened.
    pub(super) fn keep(&self) {
        let (dir, data) = (self.dir.display(), self.tools.data.display());
        terminal::to_stderr(&format!(
            "kept: the server's log in {dir}, the data in {data}\n"
        ));
    }
}

impl Secrets {
    fn draw(outside: &Outside) -> Self {
        let word = || (0..4).map(|_| outside.name()).collect::<String>();
        let token = TokenSecret {
            id: "drill".to_owned(),
            secret: Secret::new(word()),
        };
        Self {
            token,
            callback: word(),
        }
    }

    /// Writes each into a file of its own, and says how a configuration names them.
    fn write(&self, dir: &Path) -> anyhow::Result<Json> {
        let (token, callback) = (dir.join("token.secret"), dir.join("callback.secret"));
        write_private(&token, &String::from_utf8_lossy(self.token.secret.bytes()))?;
        write_private(&callback, &self.callback)?;
        Ok(json!({
            "token": { "id": self.token.id, "secret_file": token },
            "callback": callback,
        }))
    }
}

/// The server comes back on the same port after each kill, so it has to be known beforehand.
async fn free_port() -> anyhow::Result<SocketAddr> {
    let free = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    Ok(free.local_addr()?)
}

fn configuration(data: &Path, public: SocketAddr, bank: SocketAddr, secrets: &Json) -> Json {
    json!({
        "data": data,
        "edge": {
            "listen": public,
            "admin_listen": "127.0.0.1:0",
            "token_secrets": [secrets["token"]],
            "callback_secret_file": secrets["callback"],
        },
        "provider": { "url": format!("http://{bank}") },
    })
}

/// Only its owner may read it.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Makes the data directory and, in it, the key of the drill's merchant.
async fn merchant_key(config: &Path, outside: &Outside) -> anyhow::Result<Arc<str>> {
    let layers = Layers {
        file: Some(config.to_owned()),
        ..Layers::default()
    };
    let shop = Backroom::at_rest(&load(&layers)?.settings, outside)?;
    let body = CreateKey {
        name: "drill".into(),
        account: ACCOUNT.into(),
        scopes: Scopes::ALL,
        role: None,
        idempotency_key: None,
    };
    let made = Keys::create(&*shop.handle(), house_call(ACCOUNT, "drill"), body).await;
    shop.stop().await;
    let secret = made?.body.secret.context("a new key has a secret")?;
    Ok(secret.into())
}

fn sandbox(
    drill: &Settings,
    public: SocketAddr,
    secrets: &Secrets,
    outside: &Outside,
) -> anyhow::Result<Sandbox> {
    let habits = sandbox::Settings {
        // It outlives the server, so it is a witness against it.
        unknown_charge: UnknownCharge::Decline,
        // The oracles hold money that was promised back against money that came back.
        refund_decline_per_mille: PerMille::default(),
        ..habits(drill)
    };
    let sandbox = Sandbox::new(habits, Arc::clone(&outside.clock), outside.tasks.clone());
    let url = format!("http://{public}/v1/providers/sandbox/callbacks");
    let secret =
        signature::Secret::new(secrets.callback.as_bytes()).context("the secret is too short")?;
    let callbacks = HttpCallbacks::new(
        &url,
        secret,
        Arc::clone(&outside.clock),
        &outside.line(),
        CALLBACK_PATIENCE,
    )?;
    sandbox.callbacks_to(Arc::new(callbacks));
    Ok(sandbox)
}

/// How the provider behaves: at its worst where that is what the drill is about.
fn habits(drill: &Settings) -> sandbox::Settings {
    let lively = sandbox::Settings::lively(drill.seed);
    if drill.scenario != Scenario::PaymentsFromHell {
        return lively;
    }
    let share = |thousandths| PerMille::new(thousandths).unwrap_or_default();
    sandbox::Settings {
        decline_per_mille: share(200),
        pending_per_mille: share(200),
        slow_per_mille: share(100),
        slow_ms: 1_500,
        lost_answer_per_mille: share(150),
        callback_per_mille: share(500),
        lost_callback_per_mille: share(200),
        duplicate_callback_per_mille: share(500),
        callback_delay_ms_max: 3_000,
        ..lively
    }
}

fn token_maker(secret: TokenSecret, outside: &Outside) -> TokenMaker {
    let exp = outside.clock.wall_ms() / 1000 + TOKEN_S;
    Box::new(move |buyer| {
        let claims = Claims {
            sub: buyer.into(),
            exp,
            nbf: None,
            tags: Arc::new([]),
        };
        // Claims are plain text; were they not, the server would refuse the empty token.
        edge::mint(&secret, &claims).unwrap_or_default()
    })
}
