//! Everything that `serve` runs, wired together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::evidence;
use crate::api;
use crate::audio::{Locale, PromptLibrary};
use crate::config::{Config, SANDBOX_CENTRE, SANDBOX_PROXY};
use crate::dialplan::Dialplan;
use crate::engine::{
    Engine, EngineConfig, EngineHandle, Metrics, TextGateway, TextPolicy, VoiceGateway,
};
use crate::guard::Guard;
use crate::sms::SmppLine;
use crate::sms::sandbox::{Sandbox, Shown};
use crate::store::{Metrics as StoreMetrics, Retention, Sqlite, Store, Use};
use crate::voice::Trunk;
use crate::voice::gateway::{Gateway, GatewayConfig};
use crate::voice::handset::{Handset, Timing};
use crate::voice::media::MediaConfig;
use crate::voice::wire::Tap;
use crate::wording::Wording;

/// The texting gateway's types, beside those of the same name for calls.
pub mod texting {
    pub use crate::sms::dispatch::{Command, Report};
    pub use crate::sms::gateway::{Gateway, GatewayConfig};
    pub use crate::sms::sandbox::Timing;
    pub use crate::sms::wire::Tap;
}

/// Texts to the sandbox that may wait to be shown.
const WATCHED: usize = 64;

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
                keeper: evidence::keeper(config).context("keeping the evidence of keys")?,
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

/// The texting gateway, and the sandbox message centre where a bind names it. Dropped, it stops.
pub struct Texts {
    /// What texts to the sandbox say, for the demonstration; nobody needs to read it.
    pub shown: mpsc::Receiver<Shown>,
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
    /// Keeps the sandbox serving, until the gateway has ended.
    _sandbox: watch::Sender<bool>,
    /// How long texts that have left have to be answered.
    grace: Duration,
}

/// What the engine needs to send texts: where commands go in, and where reports come out.
pub type TextChannels = (
    mpsc::Sender<texting::Command>,
    mpsc::Receiver<texting::Report>,
);

impl Texts {
    /// Starts the binds of a configuration that was checked; they connect by and by. `tap` watches
    /// their connections.
    ///
    /// # Errors
    /// A bind that cannot be: TLS without authorities, a field that does not fit the wire.
    pub async fn start(
        config: &Config,
        tap: texting::Tap,
    ) -> anyhow::Result<(Texts, TextChannels)> {
        let (stop, stopped) = watch::channel(false);
        let (sandbox_stop, sandbox_stopped) = watch::channel(false);
        let (watcher, shown) = mpsc::channel(WATCHED);
        let mut binds: Vec<SmppLine> = config.binds.values().cloned().collect();
        let names_sandbox = |line: &SmppLine| &*line.bind.address == SANDBOX_CENTRE;
        if binds.iter().any(names_sandbox) {
            let sandbox = Sandbox::start(texting::Timing::default(), watcher)
                .await
                .context("starting the sandbox message centre")?;
            let address = sandbox.address();
            tracing::warn!(%address, "texts go to the sandbox message centre, which delivers to nobody");
            for line in binds.iter_mut().filter(|line| names_sandbox(line)) {
                line.bind.address = address.to_string().into();
            }
            tokio::spawn(sandbox.run(sandbox_stopped));
        }
        for line in &mut binds {
            line.bind.tap = tap.clone();
            line.bind.drain = config.server.stop_time;
        }
        let gateways = config.text_gateways.values();
        let gateways = texting::GatewayConfig {
            http: gateways.map(|gateway| gateway.line.clone()).collect(),
            patience: config.text.patience,
            most_waiting: config.text.most_waiting,
            most_receipts: config.text.most_receipts,
            receipt_patience: config.text.await_receipts,
            ..texting::GatewayConfig::new(binds)
        };
        let gateway =
            texting::Gateway::start(gateways, stopped).context("starting the texting gateway")?;
        let texts = Texts {
            shown,
            task: gateway.task,
            stop,
            _sandbox: sandbox_stop,
            grace: config.server.stop_time,
        };
        Ok((texts, (gateway.commands, gateway.reports)))
    }

    /// Ends what is on its way in order, then the binds. The reports should be read meanwhile.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ = tokio::time::timeout(self.grace, self.task).await;
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
    /// The texting gateway, and what the sandbox message centre was sent.
    pub texts: Texts,
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
        let (texts, (text_commands, text_reports)) =
            Texts::start(config, texting::Tap::default()).await?;
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
        let rules = Arc::clone(&voice.dialplan);
        let text_gateway = TextGateway {
            commands: text_commands,
            reports: text_reports,
            route: Arc::new(move |number| rules.text_route(number)),
        };
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
                    await_receipts: config.text.await_receipts,
                },
                ..EngineConfig::default()
            },
            Arc::clone(&store),
            Arc::clone(&voice.dialplan),
            Guard::new(config.guard.clone(), rand::random(), Instant::now()),
            (VoiceGateway { commands, reports }, Some(text_gateway)),
            engine_metrics,
        )
        .await?;
        let api = listener.local_addr()?;
        let gateways = config.text_gateways.values();
        let callbacks = gateways.filter_map(|gateway| {
            let callback = gateway.line.callback.clone()?;
            Some((Arc::clone(&gateway.line.name), callback))
        });
        let router = api::router(
            engine.clone(),
            Arc::new(registry),
            api_metrics.clone(),
            callbacks.collect(),
        );
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
            texts,
            serving,
            gateway,
            stop_planes: voice.stop,
            stop_api,
            grace: config.server.stop_time,
        })
    }

    /// Stops in order: calls end with their reasons, texts that have left get their answers, and
    /// so do requests.
    pub async fn stop(self) {
        let Service { engine, grace, .. } = self;
        // The engine hears first that it is to stop, so that it expects the gateways to end.
        let stopping = async {
            self.stop_planes.send_replace(true);
            let _ = tokio::time::timeout(grace, self.gateway).await;
            self.texts.stop().await;
        };
        tokio::join!(engine.shutdown(grace), stopping);
        self.stop_api.send_replace(true);
        let _ = tokio::time::timeout(self.grace, self.serving).await;
    }
}
