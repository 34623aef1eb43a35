//! Files that hold secrets by convention, told by their names alone.
//!
//! **Invariant:** source code is never among them, whatever it is called (`key.rs`, `secrets.py`, `id_rsa.go`), nor is a template
//! (`.env.example`), a public key (`id_rsa.pub`) or a certificate (`ca-cert.pem`).

/// Whole names.
const NAMES: &[&str] = &[
    ".env",
    ".envrc",
    ".netrc",
    "_netrc",
    ".pgpass",
    "pgpass.conf",
    ".my.cnf",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".htpasswd",
    ".vault-token",
    ".vault_pass",
    ".terraformrc",
    ".dockercfg",
    ".dockerconfigjson",
    ".boto",
    ".s3cfg",
    ".secret",
    ".secrets",
    "kubeconfig",
    "credentials.json",
    "credentials.csv",
    "application_default_credentials.json",
    "accesskeys.csv",
    "rootkey.csv",
];

/// Names and the folder that makes a secret of them.
const IN_FOLDERS: &[&str] = &[
    ".aws/credentials",
    ".docker/config.json",
    ".kube/config",
    ".gem/credentials",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".m2/settings.xml",
    ".m2/settings-security.xml",
    ".composer/auth.json",
    ".config/gh/hosts.yml",
    ".streamlit/secrets.toml",
    "gcloud/credentials.db",
    "gcloud/access_tokens.db",
    ".azure/accesstokens.json",
    ".azure/msal_token_cache.json",
];

const ENDINGS: &[&str] = &[
    ".pem",
    ".key",
    ".p12",
    ".pfx",
    ".p8",
    ".pkcs12",
    ".jks",
    ".jceks",
    ".keystore",
    ".keytab",
    ".ppk",
    ".kdbx",
    ".ovpn",
    ".tfstate",
    ".tfstate.backup",
    ".kubeconfig",
    "_history",
    "-firebase-adminsdk.json",
];

/// Key files of ssh, with whatever follows.
const SSH: &[&str] = &["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "ssh_host_"];

/// Beginnings of `.json` files.
const ACCOUNTS: &[&str] = &["service-account", "service_account", "serviceaccount", "client_secret", "client-secret"];

/// Environment files with the dot at the end.
const ENVIRONMENTS: &[&str] =
    &["prod.env", "production.env", "staging.env", "live.env", "local.env", "secret.env", "secrets.env"];

/// A part of a name that says that it is a pattern for the real file.
const TEMPLATES: &[&str] = &[
    "example",
    "examples",
    "sample",
    "template",
    "tmpl",
    "tpl",
    "dist",
    "test",
    "testing",
    "tests",
    "ci",
    "default",
    "defaults",
    "schema",
    "vault",
    "enc",
    "encrypted",
    "j2",
    "erb",
    "md",
];

/// A part of a name that says that there is nothing secret in it.
const PUBLIC: &[&str] = &[
    "pub",
    "public",
    "cert",
    "certs",
    "certificate",
    "ca",
    "cacert",
    "cacerts",
    "chain",
    "fullchain",
    "bundle",
    "dhparam",
    "csr",
];

const SOURCES: &[&str] = &[
    "rs", "py", "pyi", "js", "jsx", "mjs", "cjs", "ts", "tsx", "go", "java", "kt", "rb", "php", "c", "h", "cc", "cpp", "hpp",
    "cs", "swift", "scala", "lua", "pl", "r", "ex", "exs", "erl", "clj", "hs", "ml", "sh", "bash", "ps1", "vue", "svelte",
    "html", "css", "md",
];

/// Whether a file of this path holds secrets by convention. Only the file's own name and the folders next to it count.
pub(super) fn is_secret(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let name = path.rsplit_once('/').map_or(path.as_str(), |(_, name)| name);
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    if SOURCES.contains(&ending) && name != ".env" {
        return false;
    }
    let below = |folder: &str| path.starts_with(&format!("{folder}/")) || path.contains(&format!("/{folder}/"));
    NAMES.contains(&name)
        || IN_FOLDERS.iter().any(|known| path == *known || path.ends_with(&format!("/{known}")))
        || is_environment(name)
        || (ENDINGS.iter().any(|end| name.ends_with(end))
            && !is_public(name)
            && (name.starts_with('.') || !name.ends_with("_history")))
        || (SSH.iter().any(|start| name.starts_with(start)) && ending != "pub")
        || (ending == "json" && ACCOUNTS.iter().any(|start| name.starts_with(start)) && !is_template(name))
        || (below(".ssh") && ending != "pub" && !["config", "known_hosts", "authorized_keys"].contains(&name))
        || below(".gnupg")
        || below(".password-store")
}

/// `.env.production` and the like. The last part counts: `.env.test.local` is a person's own again.
fn is_environment(name: &str) -> bool {
    if ENVIRONMENTS.contains(&name) {
        return true;
    }
    let Some(rest) = name.strip_prefix(".env") else { return false };
    let is_one = rest.starts_with(['.', '-', '_']) && rest.len() > 1;
    is_one && (rest.ends_with("local") || !is_template(rest))
}

fn is_template(name: &str) -> bool {
    parts(name).any(|part| TEMPLATES.contains(&part))
}

fn is_public(name: &str) -> bool {
    parts(name).any(|part| PUBLIC.contains(&part))
}

fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split(['.', '-', '_'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_hold_secrets_by_convention() {
        let secret = "
            .env deploy/.env .ENV .env.production .env.local .env.test.local .env-prod .envrc docker/prod.env
            server.pem keys/tls.key privkey.pem store.p12 a.pfx release.jks app.keystore AuthKey_AB12.p8 krb5.keytab
            id_rsa .ssh/id_ed25519 keys/id_rsa.old id_ecdsa_sk .ssh/deploy ssh_host_ed25519_key
            .netrc .pgpass .npmrc .pypirc .git-credentials .htpasswd .vault-token
            credentials.json service-account.json service-account-prod.json client_secret_1.json
            .aws/credentials home/.aws/credentials .docker/config.json .kube/config .cargo/credentials.toml
            terraform.tfstate prod.tfstate.backup vault.kdbx .bash_history .gnupg/secring.gpg";
        for path in secret.split_whitespace() {
            assert!(is_secret(path), "{path}");
        }
    }

    #[test]
    fn sources_templates_and_public_parts_are_none() {
        let plain = "
            .env.example .env.sample .env.template .env.dist .env.test .env.production.example .env.d.ts .environment env.rs src/env.ts
            key.rs secrets.py src/key.go keys.ts keyboard.key.ts token.rs credentials.rs id_rsa.go id_rsa.pub .ssh/config .ssh/id_x.pub
            ca.pem cert.pem fullchain.pem server-cert.pem public.key aws/credentials.md docker/config.json kube/config config.json
            package-lock.json Cargo.lock tsconfig.json service-account.md service-account.example.json auth.json locales/en/auth.json
            main.tf variables.tfvars order_history secret secrets/README.md .env.md Dockerfile default.env";
        for path in plain.split_whitespace() {
            assert!(!is_secret(path), "{path}");
        }
    }
}
