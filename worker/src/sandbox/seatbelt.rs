//! macOS: a profile for `sandbox-exec`, which every Mac has. **Experimental**: it is written after Apple's profiles, and its text is
//! tested; nobody has tried it on a machine yet.
//!
//! It bounds writes, reads of the home directory and the network. It knows no limits of memory or processes.

use std::{ffi::OsString, fmt::Write as _, path::Path};

use shared::Network;

use super::{
    Policy,
    tier::{Entrance, Sandbox, Tier},
};

/// `sandbox-exec` around each command.
pub(super) struct Seatbelt;

impl Sandbox for Seatbelt {
    fn tier(&self) -> Tier {
        Tier::Seatbelt
    }

    fn entrance(&self, policy: &Policy) -> Entrance {
        let words = ["/usr/bin/sandbox-exec".into(), "-p".into(), OsString::from(profile(policy))];
        Entrance::Prefix(words.into())
    }
}

/// The profile of a policy. The last rule that fits an operation decides.
fn profile(policy: &Policy) -> String {
    let mut text =
        String::from("(version 1)\n(deny default)\n(import \"system.sb\")\n(allow process-fork process-exec signal)\n");
    text.push_str("(deny signal)\n(allow signal (target same-sandbox))\n(allow sysctl-read mach-lookup)\n");
    let mut rule = |verb: &str, paths: &mut dyn Iterator<Item = &Path>| {
        for path in paths {
            writeln!(text, "({verb} (subpath {}))", quoted(path)).expect("writing to a string");
        }
    };
    rule("allow file-read*", &mut [Path::new("/System"), Path::new("/Library"), &policy.tree].into_iter());
    rule("allow file-read*", &mut policy.read.iter().map(AsRef::as_ref));
    rule("deny file-read*", &mut policy.hidden.iter().map(AsRef::as_ref));
    rule("allow file-read* file-write*", &mut policy.write.iter().map(|writable| writable.path.as_path()));
    rule("deny file-write*", &mut [policy.tree.join(".git").as_path()].into_iter());
    text.push_str("(allow file-write* (literal \"/dev/null\") (literal \"/dev/tty\") (literal \"/dev/zero\"))\n");
    text.push_str(match policy.network {
        Network::None => "(deny network*)\n",
        Network::Loopback => {
            "(deny network*)\n(allow network* (local ip \"localhost:*\"))\n(allow network-outbound (remote ip \"localhost:*\"))\n"
        }
        Network::Host => "(allow network*)\n",
    });
    text
}

fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::sandbox::{CommandLimits, policy::Writable};

    #[test]
    fn the_profile_says_what_the_policy_says() {
        let policy = Policy {
            tree: "/w/tree".into(),
            write: vec![Writable { path: "/w/tree/a \"b\"".into(), deep: true }],
            read: vec!["/usr".into()],
            hidden: vec!["/etc/shadow".into()],
            network: Network::Loopback,
            limits: CommandLimits::default(),
        };
        let Entrance::Prefix(words) = Seatbelt.entrance(&policy) else { panic!("it is a prefix") };
        let [program, flag, profile] = &words[..] else { panic!("{words:?}") };
        assert_eq!(
            (Seatbelt.tier(), program.to_str(), flag.to_str()),
            (Tier::Seatbelt, Some("/usr/bin/sandbox-exec"), Some("-p"))
        );
        expect![[r#"
            (version 1)
            (deny default)
            (import "system.sb")
            (allow process-fork process-exec signal)
            (deny signal)
            (allow signal (target same-sandbox))
            (allow sysctl-read mach-lookup)
            (allow file-read* (subpath "/System"))
            (allow file-read* (subpath "/Library"))
            (allow file-read* (subpath "/w/tree"))
            (allow file-read* (subpath "/usr"))
            (deny file-read* (subpath "/etc/shadow"))
            (allow file-read* file-write* (subpath "/w/tree/a \"b\""))
            (deny file-write* (subpath "/w/tree/.git"))
            (allow file-write* (literal "/dev/null") (literal "/dev/tty") (literal "/dev/zero"))
            (deny network*)
            (allow network* (local ip "localhost:*"))
            (allow network-outbound (remote ip "localhost:*"))
        "#]]
        .assert_eq(profile.to_str().unwrap());
    }
}
