//! Everything that `serve` runs, wired together.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api;
use crate::audio::{Codec, Locale, PromptLibrary};
use crate::config::Config;
use crate::dialplan::Dialplan;
use crate::engine::{Engine, EngineConfig, EngineHandle, Metrics};
use crate::guard::Guard;
use crate::store::{Metrics as StoreMetrics, Sqlite, Store, Use};
use crate::voice::Trunk;
use crate::voice::gateway::{Gateway, GatewayConfig};
use crate::voice::handset::{Handset, Timing};
use crate::voice::media::MediaConfig;
use crate::voice::wire::Tap;

/// The sandbox trunk's name.
pub const SANDBOX: &str = "sandbox";
/// The sandbox dialplan: the whole world, and the languages there are.
const SANDBOX_PLAN: &str = include_str!("../../dialplans/sandbox.toml");
/// How long calls and requests have to end in order.
const GRACE: Duration = Duration::from_secs(3);

/// What the two planes need that the configuration names: trunks, dialplan, prompts, and the
/// sandbox phone where there is no trunk.
pub struct Voice {
    /// The gateway.
    pub gateway: Gateway,
    /// The rules.
    pub dialplan: Arc<Dialplan>,
    /// The recordings.
    pub prompts: Arc<PromptLibrary>,
    stop: watch::Sender<bool>,
}

impl Voice {
    /// Starts the gateway, and the sandbox phone where no trunk is configured.
    ///
    /// # Errors
    /// What is wrong with dialplans, prompts, trunks or addresses.
    pub async fn start(config: &Config, tap: Tap) -> anyhow::Result<Voice> {
        let default: Locale = PromptLibrary::DEFAULT_LOCALE
            .parse()
            .context("the default locale")?;
        let prompts = Arc::new(match &config.prompts.dir {
            Some(dir) => PromptLibrary::load(dir, &default)?,
            None => PromptLibrary::builtin(&default)?,
        });
        let dialplan = match &config.dialplan.dir {
            Some(dir) => Dialplan::load(dir)?,
            None => sandbox_plan()?,
        };
        let (stop, stopped) = watch::channel(false);
        let mut trunks = config.trunks().map_err(anyhow::Error::msg)?;
        let mut bind = config.sip.bind;
        let mut media_bind = config.media.bind;
        if trunks.is_empty() {
            let handset = Handset::start(
                Timing::default(),
                config.media.ports.0..=config.media.ports.1,
            )
            .await
            .context("starting the sandbox phone")?;
            let address = handset.address();
            tracing::warn!(%address, "no trunk is configured: calls go to the sandbox phone");
            trunks.push(sandbox_trunk(address));
            tokio::spawn(handset.run(stopped.clone()));
            // Nothing of a sandbox leaves this machine.
            bind.set_ip(Ipv4Addr::LOCALHOST.into());
            media_bind = Ipv4Addr::LOCALHOST.into();
        }
        for named in dialplan.trunks() {
            if !trunks.iter().any(|trunk| &*trunk.name == named) {
                let known: Vec<&str> = trunks.iter().map(|trunk| &*trunk.name).collect();
                anyhow::bail!(
                    "the dialplan names trunk `{named}`, which is not configured; there is {}",
                    known.join(", ")
                );
            }
        }
        let gateway = Gateway::start(
            GatewayConfig {
                bind,
                advertise: config.sip.advertise,
                media: MediaConfig {
                    bind: media_bind,
                    ports: config.media.ports.0..=config.media.ports.1,
                    shards: config.media.shards,
                    tap: tap.clone(),
                },
                trunks,
                policy: config.policy(),
                prompts: Arc::clone(&prompts),
                tap,
            },
            stopped,
        )
        .await
        .with_context(|| format!("speaking SIP on {bind}"))?;
        Ok(Voice {
            gateway,
            dialplan: Arc::new(dialplan),
            prompts,
            stop,
        })
    }

    /// Ends calls in order, then the planes.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ = tokio::time::timeout(GRACE, self.gateway.task).await;
    }
}

/// The dialplan of the sandbox.
///
/// # Errors
/// Never, as a test makes sure.
pub fn sandbox_plan() -> anyhow::Result<Dialplan> {
    let mut plan = Dialplan::default();
    plan.add("dialplans/sandbox.toml", SANDBOX_PLAN)?;
    Ok(plan)
}

fn sandbox_trunk(address: SocketAddr) -> Trunk {
    Trunk {
        name: SANDBOX.into(),
        proxy: address.to_string().into(),
        domain: address.ip().to_string().into(),
        credentials: None,
        caller_id: None,
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        latch: false,
        max_calls: 1000,
        plus: true,
    }
}

/// The running service.
pub struct Service {
    /// The engine.
    pub engine: EngineHandle,
    /// Where the API listens.
    pub api: SocketAddr,
    /// The store, for keys.
    pub store: Arc<dyn Store>,
    serving: JoinHandle<()>,
    gateway: JoinHandle<std::io::Result<()>>,
    stop_planes: watch::Sender<bool>,
    stop_api: watch::Sender<bool>,
}

impl Service {
    /// Starts it all.
    ///
    /// # Errors
    /// What is wrong, and with what.
    pub async fn start(config: &Config, tap: Tap) -> anyhow::Result<Service> {
        let mut registry = Registry::with_prefix("ringtrue");
        let store_metrics = StoreMetrics::register(&mut registry);
        let engine_metrics = Metrics::register(&mut registry);
        let api_metrics = api::Metrics::register(&mut registry);
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(
            &config.store.path,
            &config.store.key_file,
            Use::Engine,
            store_metrics,
        )?);
        let listener = TcpListener::bind(config.server.listen)
            .await
            .with_context(|| format!("listening on {}", config.server.listen))?;
        let voice = Voice::start(config, tap).await?;
        let locales = voice
            .prompts
            .sets()
            .map(|set| set.locale().as_str().into())
            .collect();
        let Gateway {
            commands,
            reports,
            task: gateway,
        } = voice.gateway;
        let engine = Engine::start(
            EngineConfig {
                time_to_live: config.challenge.time_to_live,
                max_open: config.challenge.max_open,
                locales,
                ..EngineConfig::default()
            },
            Arc::clone(&store),
            voice.dialplan,
            Guard::new(config.guard()),
            commands,
            reports,
            engine_metrics,
        )
        .await?;
        let api = listener.local_addr()?;
        let router = api::router(engine.clone(), Arc::new(registry), api_metrics.clone());
        let (stop_api, mut stopped) = watch::channel(false);
        let serving = tokio::spawn(api::serve(
            listener,
            router,
            api_metrics,
            api::Limits::default(),
            async move {
                let _ = stopped.wait_for(|stopped| *stopped).await;
            },
        ));
        tracing::info!(%api, "ready");
        Ok(Service {
            engine,
            api,
            store,
            serving,
            gateway,
            stop_planes: voice.stop,
            stop_api,
        })
    }

    /// Stops in order: calls end with their reasons, requests get their answers.
    pub async fn stop(self) {
        self.stop_planes.send_replace(true);
        let _ = tokio::time::timeout(GRACE, self.gateway).await;
        self.engine.shutdown(GRACE).await;
        self.stop_api.send_replace(true);
        let _ = tokio::time::timeout(GRACE, self.serving).await;
    }
}
