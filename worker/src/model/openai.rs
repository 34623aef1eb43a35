//! OpenAI-compatible chat completions, streamed: `DeepSeek`, `OpenAI`, `OpenRouter`, Ollama, llama.cpp, vLLM and many more.
//!
//! [`body`] writes requests, [`reply`] and [`assembly`] read answers, [`fault`] reads refusals; what is left for this file is the
//! connection and the waiting. One request, one try: trying again is [`retry`](super::retry)'s affair.
//!
//! **Invariant:** every wait ends, by an answer, by `idle_timeout` without a byte, by `request_timeout` in all (a server that
//! sends keep-alives forever), or by cancellation.

mod assembly;
mod body;
mod fault;
mod reply;
#[cfg(test)]
mod tests;

use std::{collections::HashSet, error::Error as _, future::Future, time::Duration};

use futures_util::future::BoxFuture;
use reqwest::{
    Client, Response, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    redirect,
};
use shared::Price;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::reply::{More, Reply};
use super::{Answer, Label, Message, Model, ModelError, ModelSettings, OnDelta, PrefixCache, Request};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const LONGEST_REFUSAL: usize = 256 * 1024;
/// How long the end of a body may take that is complete already. Read to its end, the connection serves the next turn too.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(250);

/// A client for one model.
pub struct OpenAi {
    settings: ModelSettings,
    url: Url,
    key: Option<HeaderValue>,
    client: Client,
}

impl OpenAi {
    /// Checks the settings and reads the machine's certificates; sends nothing.
    pub fn new(settings: ModelSettings) -> Result<Self, ModelError> {
        let wrong = |why: String| ModelError::Settings { name: settings.name.clone(), why };
        let url = endpoint(&settings.base_url).map_err(&wrong)?;
        let key = settings.api_key.as_ref().map(|key| bearer(key.reveal())).transpose().map_err(&wrong)?;
        // All that can be wrong with a client of ours is that the machine has no certificates to trust.
        let client =
            client(&url).map_err(|error| ModelError::Untrusted { url: settings.base_url.clone(), why: reasons(&error) })?;
        Ok(Self { settings, url, key, client })
    }

    async fn exchange(&self, request: &Request<'_>, on_delta: &OnDelta<'_>) -> Result<Answer, ModelError> {
        let mut response = self.open(request).await?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let mut reply = Reply::default();
        loop {
            let piece = match self.patiently("nothing came", response.chunk()).await {
                Ok(Ok(piece)) => piece,
                Ok(Err(_)) | Err(_) if reply.is_complete() => None,
                Ok(Err(error)) => return Err(ModelError::Broken { why: reasons(&error) }),
                Err(stalled) => return Err(stalled),
            };
            let Some(piece) = piece else { break };
            if reply.push(&piece, on_delta)? == More::No {
                drain(&mut response).await;
                break;
            }
        }
        reply.finish(&mut unique_ids(request), on_delta)
    }

    async fn open(&self, request: &Request<'_>) -> Result<Response, ModelError> {
        let post =
            self.client.post(self.url.clone()).headers(self.headers(request.label)).body(body::body(&self.settings, request));
        self.patiently("it did not begin to answer", post.send()).await?.map_err(|error| self.unreachable(&error))
    }

    fn headers(&self, label: &Label) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(self.key.clone().map(|key| (AUTHORIZATION, key)));
        let mut name = |name: &'static str, value: &str| {
            let value = HeaderValue::from_str(value).expect("ids, roles and numbers are plain ASCII");
            headers.insert(HeaderName::from_static(name), value);
        };
        name("x-inspan-run", label.run.as_str());
        name("x-inspan-role", label.role.as_str());
        if let Some(task) = &label.task {
            name("x-inspan-task", task.as_str());
        }
        name("x-inspan-attempt", &label.attempt.to_string());
        name("x-inspan-turn", &label.turn.to_string());
        headers
    }

    async fn refusal(&self, mut response: Response) -> ModelError {
        let mut body = Vec::new();
        while let Ok(Ok(Some(piece))) = self.patiently("nothing came", response.chunk()).await {
            body.extend_from_slice(&piece);
            if body.len() > LONGEST_REFUSAL {
                break;
            }
        }
        fault::of_response(response.status().as_u16(), response.headers(), &body)
    }

    async fn patiently<T>(&self, what: &'static str, wait: impl Future<Output = T>) -> Result<T, ModelError> {
        let after = self.settings.idle_timeout;
        timeout(after, wait).await.map_err(|_| ModelError::Stalled { what, after })
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

impl Model for OpenAi {
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

fn endpoint(base_url: &str) -> Result<Url, String> {
    let url = format!("{}/chat/completions", base_url.trim().trim_end_matches('/'));
    let url = Url::parse(&url).map_err(|error| format!("`{base_url}` is no address: {error}"))?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        return Ok(url);
    }
    Err(format!("`{base_url}` is no address that begins with http:// or https://"))
}

fn bearer(key: &str) -> Result<HeaderValue, String> {
    let bearer = HeaderValue::from_str(&format!("Bearer {key}"));
    let mut value = bearer.map_err(|_| "its key contains a character that no key has, such as a line break".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
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

/// Ids that are missing, or taken by an earlier call, are made up from the turn and the place: `call_3_1`.
fn unique_ids(request: &Request<'_>) -> impl FnMut(&str) -> String + use<> {
    let turns =
        request.messages.iter().filter_map(|message| if let Message::Assistant(turn) = message { Some(turn) } else { None });
    let mut taken: HashSet<String> = turns.flat_map(|turn| &turn.calls).map(|call| call.id.clone()).collect();
    let (turn, mut place) = (request.label.turn, 0_u32);
    move |given| {
        let mut id = given.to_owned();
        place += 1;
        let mut made_up = place;
        while id.is_empty() || !taken.insert(id.clone()) {
            id = format!("call_{turn}_{made_up}");
            made_up += 1;
        }
        id
    }
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
