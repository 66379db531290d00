//! The gateway as the engine sees it: two channels, with both planes running behind them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::calls::Calls;
use super::carrier::Carrier;
use super::evidence::Keeper;
use super::media::{MediaConfig, MediaPlane};
use super::order::{Command, Report};
use super::policy::CallPolicy;
use super::signalling::{self, Lines, Us};
use super::trunk::Trunk;
use super::wire::Tap;
use crate::audio::PromptLibrary;
use crate::sip::endpoint::{Endpoint, EndpointConfig};

/// Orders, reports and stream events that may wait.
const WAITING: usize = 4096;

/// What a gateway is made of.
pub struct GatewayConfig {
    /// Where SIP is spoken.
    pub bind: SocketAddr,
    /// The address told to trunks, where it is not the bound one.
    pub advertise: Option<SocketAddr>,
    /// The media plane.
    pub media: MediaConfig,
    /// The trunks.
    pub trunks: Vec<Trunk>,
    /// What calls are like.
    pub policy: CallPolicy,
    /// What is said.
    pub prompts: Arc<PromptLibrary>,
    /// Who keeps the sound of approving keys, if it is kept.
    pub keeper: Option<Keeper>,
    /// Who watches.
    pub tap: Tap,
}

/// A running gateway.
pub struct Gateway {
    /// Orders go in here.
    pub commands: mpsc::Sender<Command>,
    /// Reports come out here.
    pub reports: mpsc::Receiver<Report>,
    /// The signalling task; it ends after the stop.
    pub task: JoinHandle<io::Result<()>>,
}

impl Gateway {
    /// Binds, resolves the trunks, and starts both planes.
    ///
    /// # Errors
    /// When an address cannot be bound or a thread not be started.
    pub async fn start(config: GatewayConfig, stop: watch::Receiver<bool>) -> io::Result<Gateway> {
        let carrier = Carrier::bind(config.bind, config.tap).await?;
        let (stream_events, streams) = mpsc::channel(WAITING);
        let media = MediaPlane::start(config.media, stream_events)?;
        let us = Us {
            bound: carrier.local(),
            advertise: config.advertise,
        };
        let mut lines = Vec::with_capacity(config.trunks.len());
        for trunk in &config.trunks {
            lines.push(us.line(trunk.clone()).await);
        }
        // Via and Contact carry one address: that towards the first trunk that is found, if none is
        // configured.
        let found = lines.iter().find_map(|line| line.hop).map(|hop| hop.local);
        let advertised = config.advertise.or(found).unwrap_or(carrier.local());
        let endpoint = Endpoint::new(EndpointConfig::new(advertised), rand::random());
        let calls = Calls::new(config.policy, lines, config.prompts, media).keeping(config.keeper);
        let (commands, orders) = mpsc::channel(WAITING);
        let (news, reports) = mpsc::channel(WAITING);
        let lines = Lines {
            commands: orders,
            reports: news,
            streams,
            stop,
        };
        let task = tokio::spawn(signalling::run(
            carrier,
            endpoint,
            calls,
            (config.trunks, us),
            lines,
        ));
        Ok(Gateway {
            commands,
            reports,
            task,
        })
    }
}
