//! The connection to a server: one for all dialects.
//!
//! A [`Wire`] writes requests, a [`Reader`] reads answers, [`fault`] reads refusals; what is left for this file is the connection and the
//! waiting. One request, one try: trying again is [`retry`](super::retry)'s affair.
//!
//! **Invariant:** every wait ends, as [`patience`] has it, by `request_timeout` in all, or by cancellation.
//! **Invariant:** what a change of provider drops is told, and once a conversation.

mod headers;
mod patience;

use std::{
    error::Error as _,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use dashmap::DashSet;
use futures_util::future::BoxFuture;
use reqwest::{Client, Response, Url, header::HeaderMap, redirect};
use shared::{Price, RunId, TaskId, Tokens};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::patience::Patience;
use super::{
    Answer, Delta, Label, Model, ModelError, ModelSettings, OnDelta, PrefixCache, Request, Role, fault,
    reader::Reader,
    translation,
    wire::{Ending, More, Wire, wire},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const LONGEST_REFUSAL: usize = 256 * 1024;
/// How long the end of a body may take that is complete already. Read to its end, the connection serves the next turn too.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(250);

/// A client for one model.
pub struct Connection {
    settings: ModelSettings,
    wire: &'static dyn Wire,
    url: Url,
    headers: HeaderMap,
    client: Client,
    /// The conversations whose translation has been told.
    translated: DashSet<(RunId, Role, Option<TaskId>, u32)>,
}

impl Connection {
    /// Checks the settings and reads the machine's certificates; sends nothing.
    pub fn new(settings: ModelSettings) -> Result<Self, ModelError> {
        let wrong = |why: String| ModelError::Settings { name: settings.name.clone(), why };
        let wire = wire(&settings.dialect).ok_or_else(|| wrong("no server speaks its dialect".to_owned()))?;
        let url = headers::address(&settings.base_url, wire.path()).map_err(&wrong)?;
        let headers = headers::constant(&settings, wire).map_err(&wrong)?;
        // All that can be wrong with a client of ours is that the machine has no certificates to trust.
        let client =
            client(&url).map_err(|error| ModelError::Untrusted { url: settings.base_url.clone(), why: reasons(&error) })?;
        Ok(Self { settings, wire, url, headers, client, translated: DashSet::new() })
    }

    async fn exchange(&self, request: &Request<'_>, on_delta: &OnDelta<'_>) -> Result<Answer, ModelError> {
        self.tell_translation(request, on_delta);
        let mut patience = Patience::new(self.settings.idle_timeout);
        let mut response = self.open(request, &patience).await?;
        patience.progressed();
        if !response.status().is_success() {
            return Err(refusal(response, &patience).await);
        }
        let mut reader = Reader::new(self.wire);
        let (written, longest) = (AtomicUsize::new(0), longest(request.max_tokens));
        let on_delta = &|delta: Delta<'_>| {
            match delta {
                Delta::Text(text) | Delta::Reasoning(text) | Delta::Arguments(text) => {
                    written.fetch_add(text.len(), Ordering::Relaxed);
                }
                Delta::Counted(tokens) if !is_plausible(&tokens) => return,
                _ => {}
            }
            on_delta(delta);
        };
        loop {
            let piece = match patience.wait("nothing came", response.chunk()).await {
                Ok(Ok(piece)) => piece,
                Ok(Err(_)) | Err(_) if reader.is_complete() => None,
                Ok(Err(error)) => return Err(ModelError::Broken { why: reasons(&error) }),
                Err(stalled) => return Err(stalled),
            };
            let Some(piece) = piece else { break };
            let heard = reader.push(&piece, on_delta)?;
            if written.load(Ordering::Relaxed) > longest {
                let said = format!("it does not keep to the {} tokens that an answer may have", request.max_tokens);
                return Err(ModelError::BadRequest { status: 200, said });
            }
            // A body that is all there must not keep a cancellation from being heard.
            tokio::task::yield_now().await;
            if heard.more == More::No {
                drain(&mut response).await;
                break;
            }
            if heard.progress {
                patience.progressed();
            }
            if reader.is_complete() {
                patience.shorten();
            }
        }
        let answer = reader.finish(&mut Ending::of(&self.settings, request), on_delta)?;
        Ok(Answer { usage: answer.usage.filter(is_plausible), ..answer })
    }

    async fn open(&self, request: &Request<'_>, patience: &Patience) -> Result<Response, ModelError> {
        let mut headers = self.headers.clone();
        headers::label(&mut headers, request.label);
        let post = self.client.post(self.url.clone()).headers(headers).body(self.wire.body(&self.settings, request));
        patience.wait("it did not begin to answer", post.send()).await?.map_err(|error| self.unreachable(&error))
    }

    /// Says what this model does not get of a conversation that another has written to, the first time that it gets it.
    fn tell_translation(&self, request: &Request<'_>, on_delta: &OnDelta<'_>) {
        let dropped = translation::dropped(request.messages, &self.settings.name);
        let Label { run, role, task, attempt, .. } = request.label;
        if dropped.is_empty() || !self.translated.insert((run.clone(), *role, task.clone(), *attempt)) {
            return;
        }
        for lost in &dropped {
            tracing::info!(model = self.settings.name, "the conversation changes its model: {lost}");
        }
        on_delta(Delta::Translated { dropped: &dropped });
    }

    fn unreachable(&self, error: &reqwest::Error) -> ModelError {
        let (url, why) = (self.settings.base_url.clone(), reasons(error));
        match () {
            () if why.contains("certificate") => ModelError::Untrusted { url, why },
            () if error.is_connect() || error.is_timeout() => ModelError::Unreachable { url, why },
            () => ModelError::Broken { why },
        }
    }
}

/// How many bytes an answer of so many tokens can be at the very most. A server that goes on is cut off: what it writes is paid for.
fn longest(max_tokens: u64) -> usize {
    const BYTES_PER_TOKEN: u64 = 40;
    usize::try_from(max_tokens.saturating_mul(BYTES_PER_TOKEN).saturating_add(64 * 1024)).unwrap_or(usize::MAX)
}

/// Some servers count nothing and say zero, and no request has a thousand billion tokens: such counts are none.
fn is_plausible(tokens: &Tokens) -> bool {
    (1..1_000_000_000_000).contains(&tokens.prompt()) && tokens.output < 1_000_000_000_000
}

async fn refusal(mut response: Response, patience: &Patience) -> ModelError {
    let mut body = Vec::new();
    while let Ok(Ok(Some(piece))) = patience.wait("nothing came", response.chunk()).await {
        body.extend_from_slice(&piece);
        if body.len() > LONGEST_REFUSAL {
            break;
        }
    }
    fault::of_response(response.status().as_u16(), response.headers(), &body)
}

impl Model for Connection {
    fn ask<'a>(
        &'a self,
        request: &'a Request<'a>,
        on_delta: &'a OnDelta<'a>,
        cancel: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<Answer, ModelError>> {
        Box::pin(async move {
            let after = self.settings.request_timeout;
            tokio::select! {
                biased;
                () = cancel.cancelled() => Err(ModelError::Cancelled),
                answer = timeout(after, self.exchange(request, on_delta)) => {
                    answer.unwrap_or(Err(ModelError::Stalled { what: "it did not come to an end", after }))
                }
            }
        })
    }

    fn context_window(&self) -> u64 {
        self.settings.context_window
    }

    fn max_output(&self) -> u64 {
        self.settings.max_output
    }

    fn price(&self) -> Option<Price> {
        self.settings.price
    }

    fn id(&self) -> &str {
        &self.settings.name
    }

    fn prefix_cache(&self) -> PrefixCache {
        self.settings.capabilities.cache
    }

    fn context_budget(&self) -> Option<u64> {
        self.settings.context_budget
    }
}

/// A plain address needs no certificates, whose reading costs more than all the rest; one on this machine needs no proxy.
fn client(url: &Url) -> Result<Client, reqwest::Error> {
    // The first caller's provider stays; a later one finds its own already there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let agent = concat!("inspan/", env!("CARGO_PKG_VERSION"));
    let builder =
        Client::builder().user_agent(agent).connect_timeout(CONNECT_TIMEOUT).redirect(redirect::Policy::none()).tcp_nodelay(true);
    let builder = if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if local { builder.no_proxy().build() } else { builder.build() }
}

async fn drain(response: &mut Response) {
    let end = async { while let Ok(Some(_)) = response.chunk().await {} };
    let _ = timeout(DRAIN_TIMEOUT, end).await;
}

/// What caused an error, each cause once, without the address and without the client's own frame around it.
fn reasons(error: &reqwest::Error) -> String {
    let mut reasons: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        let is_frame = text.starts_with("client error");
        if !is_frame && !reasons.iter().any(|known| known.contains(&text)) {
            reasons.push(text);
        }
        cause = error.source();
    }
    if reasons.is_empty() { error.to_string() } else { reasons.join(": ") }
}
