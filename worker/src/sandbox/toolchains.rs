//! What of a home directory commands need: compilers, interpreters and downloaded packages, never what is written beside them.
//!
//! **Invariant:** nothing here names a folder in which a tool keeps credentials, unless they are in [`HIDDEN`].

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Below the home directory.
const READABLE: &[&str] = &[
    ".cargo",
    ".rustup",
    ".nvm",
    ".volta",
    ".fnm",
    ".local/share/fnm",
    ".local/share/pnpm",
    ".local/share/mise",
    ".local/share/uv",
    ".local/share/virtualenv",
    ".local/bin",
    ".local/lib",
    ".asdf",
    ".npm/_cacache",
    ".npm-global",
    ".yarn",
    ".bun",
    ".deno",
    ".pyenv",
    ".virtualenvs",
    ".conda",
    "miniconda3",
    "anaconda3",
    "miniforge3",
    ".rye",
    "go",
    ".goenv",
    "sdk",
    ".rbenv",
    ".rvm",
    ".gem",
    ".sdkman",
    ".jenv",
    ".jabba",
    ".m2/repository",
    ".m2/wrapper",
    ".gradle/wrapper",
    ".gradle/caches",
    ".ivy2",
    ".coursier",
    ".cache/coursier",
    ".cache/pip",
    ".cache/uv",
    ".cache/deno",
    ".cache/ms-playwright",
    ".dotnet",
    ".nuget/packages",
    ".ghcup",
    ".cabal/packages",
    ".stack",
    ".opam",
    ".juliaup",
    ".julia",
    ".swiftly",
    ".mix",
    ".hex",
    ".kiex",
    ".nix-profile",
    ".linuxbrew",
    ".zvm",
    ".elan",
];

/// What of these holds keys.
const HIDDEN: &[&str] = &[
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".gem/credentials",
    ".ivy2/.credentials",
    ".nuget/packages/NuGet.Config",
    ".bun/.env",
    ".hex/hex.config",
    ".stack/hackage-upload-token",
];

/// Variables by which tools find these, when the home directory is another one.
const VARIABLES: &[(&str, &str)] = &[
    ("CARGO_HOME", ".cargo"),
    ("RUSTUP_HOME", ".rustup"),
    ("GOPATH", "go"),
    ("NVM_DIR", ".nvm"),
    ("VOLTA_HOME", ".volta"),
    ("PYENV_ROOT", ".pyenv"),
    ("PYTHONUSERBASE", ".local"),
    ("BUN_INSTALL", ".bun"),
    ("DENO_DIR", ".cache/deno"),
    ("RBENV_ROOT", ".rbenv"),
    ("ASDF_DATA_DIR", ".asdf"),
    ("SDKMAN_DIR", ".sdkman"),
    ("PLAYWRIGHT_BROWSERS_PATH", ".cache/ms-playwright"),
    ("NUGET_PACKAGES", ".nuget/packages"),
    ("OPAMROOT", ".opam"),
    ("GHCUP_INSTALL_BASE_PREFIX", ""),
    ("JULIAUP_DEPOT_PATH", ".julia"),
    ("JULIA_DEPOT_PATH", ".julia"),
    ("MIX_HOME", ".mix"),
    ("HEX_HOME", ".hex"),
];

/// Variables whose value is a folder with a toolchain, wherever it lies.
const PLACES: &[&str] = &[
    "CARGO_HOME",
    "RUSTUP_HOME",
    "GOROOT",
    "GOPATH",
    "GOMODCACHE",
    "JAVA_HOME",
    "NODE_PATH",
    "NVM_DIR",
    "VOLTA_HOME",
    "PNPM_HOME",
    "PYENV_ROOT",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "HOMEBREW_PREFIX",
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
];

/// What of a home directory may be read, and what of it is hidden again. `env` is the environment of the commands: what it names as a
/// toolchain's place may be read as well, unless that is a home directory or a root.
pub(super) fn readable(home: Option<&Path>, env: &[(OsString, OsString)]) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let in_home = |names: &'static [&'static str]| names.iter().filter_map(move |name| Some(home?.join(name)));
    let named = env.iter().filter(|(name, _)| PLACES.iter().any(|place| name == place));
    let named = named.flat_map(|(_, value)| std::env::split_paths(value).collect::<Vec<_>>());
    let programs = env.iter().filter(|(name, _)| name == "PATH").flat_map(|(_, value)| std::env::split_paths(value));
    let programs = programs.flat_map(|path| [behind_shims(&path), Some(path)].into_iter().flatten());
    let elsewhere = named.chain(programs).filter(|path| is_a_toolchain(path, home));
    let read = in_home(READABLE).chain(elsewhere).filter(|path| path.exists()).collect();
    let hidden: Vec<PathBuf> = in_home(HIDDEN).chain(cargo_keys(env)).filter(|path| path.symlink_metadata().is_ok()).collect();
    (read, hidden)
}

/// A shim does nothing but call the toolchain that it lies in, by its whole path, wherever the home directory is.
fn behind_shims(path: &Path) -> Option<PathBuf> {
    let toolchain = path.parent().filter(|_| path.ends_with("shims"))?;
    let name = toolchain.file_name()?;
    READABLE.iter().any(|known| name == *known).then(|| toolchain.to_owned())
}

fn cargo_keys(env: &[(OsString, OsString)]) -> impl Iterator<Item = PathBuf> {
    let homes = env.iter().filter(|(name, _)| name == "CARGO_HOME").map(|(_, value)| PathBuf::from(value));
    homes.flat_map(|home| ["credentials", "credentials.toml"].map(|name| home.join(name)))
}

/// Not a root, not somebody's home, not a folder around it: whoever has `.` or `$HOME` in PATH does not show everything by it.
fn is_a_toolchain(path: &Path, home: Option<&Path>) -> bool {
    path.is_absolute()
        && path.components().count() > 2
        && !home.is_some_and(|home| home.starts_with(path))
        && path.parent() != Some(Path::new("/home"))
}

/// Where tools find their files when `HOME` is another directory; only of what is there.
pub fn variables(home: &Path) -> Vec<(OsString, OsString)> {
    let there =
        VARIABLES.iter().map(|(name, place)| (name, home.join(place))).filter(|(_, place)| place.is_dir() && place != home);
    there.map(|(name, place)| (name.into(), place.into_os_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_shows_its_toolchains_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        for folder in [".cargo/bin", ".ssh", ".aws", "go/pkg", "Documents"] {
            std::fs::create_dir_all(home.path().join(folder)).unwrap();
        }
        std::fs::write(home.path().join(".cargo/credentials.toml"), "").unwrap();
        let env = [("PATH".into(), format!("{0}:/usr/bin:/:{0}/Documents/tools", home.path().display()).into())];
        let (read, hidden) = readable(Some(home.path()), &env);
        let shown = |paths: &[PathBuf]| {
            paths
                .iter()
                .map(|path| path.display().to_string().replace(&home.path().display().to_string(), "~"))
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(&read), ["~/.cargo", "~/go", "/usr/bin"]);
        assert_eq!(shown(&hidden), ["~/.cargo/credentials.toml"]);
        let elsewhere = tempfile::tempdir().unwrap();
        for folder in [".pyenv/shims", ".ssh/shims", ".pyenv/other"] {
            std::fs::create_dir_all(elsewhere.path().join(folder)).unwrap();
        }
        let path = "~/.pyenv/shims:~/.ssh/shims:~/.pyenv/other".replace('~', &elsewhere.path().display().to_string());
        let (read, _) = readable(None, &[("PATH".into(), path.into())]);
        let read: Vec<_> = read.iter().map(|path| path.strip_prefix(elsewhere.path()).unwrap()).collect();
        assert_eq!(read, [".pyenv", ".pyenv/shims", ".ssh/shims", ".pyenv/other"].map(Path::new), "what a shim calls is shown");
        let variables: Vec<_> = variables(home.path()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(variables, ["CARGO_HOME", "GOPATH"]);
    }
}
