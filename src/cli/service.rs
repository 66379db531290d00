//! Everything that `serve` runs, wired together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api;
use crate::audio::{Locale, PromptLibrary};
use crate::config::{Config, SANDBOX_PROXY};
use crate::dialplan::Dialplan;
use crate::engine::{Engine, EngineConfig, EngineHandle, Metrics, TextPolicy, VoiceGateway};
use crate::guard::Guard;
use crate::store::{Metrics as StoreMetrics, Retention, Sqlite, Store, Use};
use crate::voice::Trunk;
use crate::voice::gateway::{Gateway, GatewayConfig};
use crate::voice::handset::{Handset, Timing};
use crate::voice::media::MediaConfig;
use crate::voice::wire::Tap;
use crate::wording::Wording;

/// What the two planes need that the configuration names: trunks, dialplan, prompts, and the
/// sandbox phone where there is no trunk.
pub struct Voice {
    /// The gateway.
    pub gateway: Gateway,
    /// The rules.
    pub dialplan: Arc<Dialplan>,
    /// The recordings.
    pub prompts: Arc<PromptLibrary>,
    /// The words of texts.
    pub wording: Arc<Wording>,
    stop: watch::Sender<bool>,
    /// How long calls have to end in order.
    grace: Duration,
}

impl Voice {
    /// Starts the gateway, and the sandbox phone where no trunk is configured.
    ///
    /// # Errors
    /// What is wrong with dialplans, prompts, trunks or addresses.
    pub async fn start(config: &Config, tap: Tap) -> anyhow::Result<Voice> {
        // The dialplan, the trunks and the prompts fit each other.
        let checked = config.check()?;
        for warning in &checked.warnings {
            tracing::warn!("{warning}");
        }
        let default: Locale = config
            .prompts
            .default_locale
            .parse()
            .context("the default locale")?;
        let prompts = Arc::new(match &config.prompts.dir {
            Some(dir) => PromptLibrary::load(dir, &default)?,
            None => PromptLibrary::builtin(&default)?,
        });
        let (stop, stopped) = watch::channel(false);
        let mut trunks: Vec<Trunk> = config.trunks.values().cloned().collect();
        let ports = config.media.ports.first()..=config.media.ports.last();
        if trunks.iter().any(|trunk| &*trunk.proxy == SANDBOX_PROXY) {
            let handset = Handset::start(Timing::default(), ports.clone())
                .await
                .context("starting the sandbox phone")?;
            let address = handset.address();
            tracing::warn!(%address, "calls go to the sandbox phone, which confirms whoever asks");
            for trunk in &mut trunks {
                lead_to_sandbox(trunk, address);
            }
            tokio::spawn(handset.run(stopped.clone()));
        }
        let bind = config.sip.bind;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let gateway = Gateway::start(
            GatewayConfig {
                bind,
                advertise: config.sip.advertise,
                media: MediaConfig {
                    bind: config.media.bind,
                    advertise: config
                        .media
                        .advertise
                        .or(config.sip.advertise.map(|sip| sip.ip())),
                    ports,
                    shards: config.media.shards.unwrap_or(cores),
                    tap: tap.clone(),
                },
                trunks,
                policy: config.call.clone(),
                prompts: Arc::clone(&prompts),
                tap,
            },
            stopped,
        )
        .await
        .with_context(|| format!("speaking SIP on {bind}"))?;
        Ok(Voice {
            gateway,
            dialplan: Arc::new(checked.dialplan),
            wording: Arc::new(checked.wording),
            prompts,
            stop,
            grace: config.server.stop_time,
        })
    }

    /// Ends calls in order, then the planes.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ = tokio::time::timeout(self.grace, self.gateway.task).await;
    }
}

/// Gives a trunk that names the sandbox phone its address, now that it has one.
fn lead_to_sandbox(trunk: &mut Trunk, address: SocketAddr) {
    if &*trunk.proxy == SANDBOX_PROXY {
        trunk.proxy = address.to_string().into();
        if &*trunk.domain == SANDBOX_PROXY {
            trunk.domain = address.ip().to_string().into();
        }
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
    /// How long calls, challenges and requests each have to end in order.
    grace: Duration,
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
                max_waiting: config.challenge.max_waiting,
                locales,
                retention: Retention {
                    numbers: config.store.keep_numbers,
                    challenges: config.store.keep_challenges,
                },
                text: TextPolicy {
                    wording: voice.wording,
                    attempts: config.text.attempts,
                    code_length: config.text.code_length,
                    time_to_live: config.text.time_to_live,
                    resend_after: config.text.resend_after,
                    resends: config.text.resends,
                    end_undeliverable: config.text.end_undeliverable,
                },
                ..EngineConfig::default()
            },
            Arc::clone(&store),
            voice.dialplan,
            Guard::new(config.guard.clone(), rand::random(), Instant::now()),
            (VoiceGateway { commands, reports }, None),
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
            api::Limits {
                connections: config.server.max_connections,
                stop_time: config.server.stop_time,
                ..api::Limits::default()
            },
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
            grace: config.server.stop_time,
        })
    }

    /// Stops in order: calls end with their reasons, requests get their answers.
    pub async fn stop(self) {
        self.stop_planes.send_replace(true);
        let _ = tokio::time::timeout(self.grace, self.gateway).await;
        self.engine.shutdown(self.grace).await;
        self.stop_api.send_replace(true);
        let _ = tokio::time::timeout(self.grace, self.serving).await;
    }
}
