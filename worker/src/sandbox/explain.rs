//! What a failing command says when the sandbox was in its way, and what to do about it.
//!
//! Programs report it in their own words, as an error of the file system or of the network; without a hint their reader goes looking for
//! wrong permissions.

use shared::Network;

/// How programs call a write, or another right, that was refused.
const REFUSED: &[&str] = &[
    "Read-only file system",
    "read-only file system",
    "EROFS",
    "Permission denied",
    "permission denied",
    "EACCES",
    "Operation not permitted",
    "EPERM",
];

/// How they call a network that is not there.
const UNREACHABLE: &[&str] = &[
    "Network is unreachable",
    "network is unreachable",
    "ENETUNREACH",
    "Could not resolve host",
    "Temporary failure in name resolution",
    "Name or service not known",
    "EAI_AGAIN",
    "ENOTFOUND",
    "failed to lookup address",
    "dial tcp",
    "no such host",
];

/// A hint to whoever reads the output; none where nothing in it speaks of the sandbox. `writable` says what commands may write.
pub(super) fn explain(output: &str, writable: &str, network: Network) -> Option<String> {
    let speaks_of = |words: &[&str]| words.iter().any(|word| output.contains(word));
    let mut hints = Vec::new();
    if speaks_of(REFUSED) {
        hints.push(format!("commands may write only {writable}"));
    }
    if network != Network::Host && speaks_of(UNREACHABLE) {
        hints.push("no network can be reached but servers that the command itself starts on 127.0.0.1; a task that needs more says network = \"host\" in \
             the plan"
                .to_owned());
    }
    (!hints.is_empty()).then(|| format!("[the sandbox: {}]", hints.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_speaks_of_the_sandbox_is_explained() {
        let check = |output: &str, network| explain(output, "src/, $TMPDIR", network);
        assert_eq!(check("error: test failed", Network::Loopback), None);
        let written = check("touch: cannot touch 'a': Read-only file system", Network::Host);
        assert_eq!(written.as_deref(), Some("[the sandbox: commands may write only src/, $TMPDIR]"));
        let lookup = "curl: (6) Could not resolve host: example.org";
        assert!(check(lookup, Network::Loopback).is_some_and(|hint| hint.contains("127.0.0.1")));
        assert_eq!(check(lookup, Network::Host), None);
    }
}
