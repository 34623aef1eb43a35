//! The headers of a request, and the address that it goes to.
//!
//! **Invariant:** what cannot be a header or an address is said before anything is sent.
//! **Invariant:** the key is marked as sensitive, so that nothing below shows it.

use reqwest::{
    Url,
    header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};

use crate::model::{AuthHeader, Label, ModelSettings, wire::Wire};

/// The address of the endpoint's dialect. A query that stands in `base_url` stays where it belongs, at the end.
pub(super) fn address(base_url: &str, path: &str) -> Result<Url, String> {
    let mut url = Url::parse(base_url.trim()).map_err(|error| format!("`{base_url}` is no address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!("`{base_url}` is no address that begins with http:// or https://"));
    }
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path.split('/'));
    }
    Ok(url)
}

/// What all requests of a model carry: the dialect's headers, the key, then those of the settings, which go before both.
pub(super) fn constant(settings: &ModelSettings, wire: &dyn Wire) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // A compressed stream arrives in lumps. It is read where a proxy sends one all the same, but nobody is asked for it.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for (name, value) in wire.headers() {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if let Some(key) = &settings.api_key {
        let (name, value) = authorization(settings.capabilities.auth_header, wire.auth(), key.reveal())?;
        headers.insert(name, value);
    }
    for (name, value) in &settings.headers {
        let wrong = || format!("`{name}` in `headers` is no header");
        let name = HeaderName::try_from(name).map_err(|_| wrong())?;
        headers.insert(name, HeaderValue::try_from(value).map_err(|_| wrong())?);
    }
    Ok(headers)
}

fn authorization(configured: AuthHeader, usual: AuthHeader, key: &str) -> Result<(HeaderName, HeaderValue), String> {
    let place = if configured == AuthHeader::Dialect { usual } else { configured };
    let (name, text) = match place {
        AuthHeader::XApiKey => (HeaderName::from_static("x-api-key"), key.to_owned()),
        AuthHeader::ApiKey => (HeaderName::from_static("api-key"), key.to_owned()),
        AuthHeader::Dialect | AuthHeader::Authorization => (AUTHORIZATION, format!("Bearer {key}")),
    };
    let value = HeaderValue::from_str(&text);
    let mut value = value.map_err(|_| "its key contains a character that no key has, such as a line break".to_owned())?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// Who asks, so that a gateway can attribute cost.
pub(super) fn label(headers: &mut HeaderMap, label: &Label) {
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
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::model::{Dialect, Secret, wire::wire};

    fn check(dialect: Dialect, place: AuthHeader, expected: &Expect) {
        let mut settings = ModelSettings::new("p/m", dialect, "");
        settings.api_key = Some(Secret::new("k"));
        settings.capabilities.auth_header = place;
        settings.headers = [("X-Title".to_owned(), "Inspan".to_owned())].into();
        let headers = constant(&settings, wire(&settings.dialect).unwrap()).unwrap();
        let ours = ["content-type", "accept-encoding"];
        let mut lines: Vec<String> = headers
            .iter()
            .filter(|(name, _)| !ours.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
            .collect();
        lines.sort();
        expected.assert_eq(&lines.concat());
    }

    #[test]
    fn the_key_goes_where_the_dialect_or_the_settings_say() {
        check(
            Dialect::OpenAiChat,
            AuthHeader::Dialect,
            &expect![[r#"
            authorization: Bearer k
            x-title: Inspan
        "#]],
        );
        check(
            Dialect::AnthropicMessages,
            AuthHeader::Dialect,
            &expect![[r#"
            anthropic-version: 2023-06-01
            x-api-key: k
            x-title: Inspan
        "#]],
        );
        check(
            Dialect::AnthropicMessages,
            AuthHeader::Authorization,
            &expect![[r#"
            anthropic-version: 2023-06-01
            authorization: Bearer k
            x-title: Inspan
        "#]],
        );
        check(
            Dialect::OpenAiResponses,
            AuthHeader::ApiKey,
            &expect![[r#"
            api-key: k
            x-title: Inspan
        "#]],
        );
    }

    #[test]
    fn an_address_keeps_its_path_and_its_query() {
        for (base, expected) in [
            ("http://h/v1", "http://h/v1/chat/completions"),
            (" http://h/v1/ ", "http://h/v1/chat/completions"),
            ("http://h", "http://h/chat/completions"),
            ("https://h/openai/v1?api-version=preview", "https://h/openai/v1/chat/completions?api-version=preview"),
        ] {
            assert_eq!(address(base, "chat/completions").unwrap().as_str(), expected, "{base}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for (name, value) in [("a b", "c"), ("", "c"), ("a", "b\nc")] {
            let headers = [(name.to_owned(), value.to_owned())].into();
            let settings = ModelSettings { headers, ..ModelSettings::new("p/m", Dialect::OpenAiChat, "") };
            assert!(constant(&settings, wire(&settings.dialect).unwrap()).is_err(), "{name}: {value}");
        }
    }
}
