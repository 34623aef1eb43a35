//! The real files and the real environment. Everything else about configuration is pure.

use std::{
    collections::BTreeMap,
    env, fs, io,
    path::{Path, PathBuf},
};

use super::{Config, ConfigError, Overrides, Sources, environment};

/// The repository's file, in its root.
pub const FILE_NAME: &str = "inspan.toml";

impl Config {
    /// Reads the process's environment, the user's file and that of the repository at `root`, and merges them with the flags.
    pub fn read(root: Option<&Path>, flags: Overrides) -> Result<Self, ConfigError> {
        let text =
            |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let mut env: BTreeMap<String, String> = env::vars_os().filter_map(text).collect();
        if !env.contains_key("HOME")
            && let Some(home) = etcetera::home_dir().ok().and_then(|home| home.into_os_string().into_string().ok())
        {
            env.insert("HOME".to_owned(), home);
        }
        let repo = root.map(|root| read_if_there(root.join(FILE_NAME))).transpose()?.flatten();
        Self::load(Sources { repo, user: user_file(&env)?, env, flags })
    }
}

/// A file that `INSPAN_CONFIG` names must be there; the usual one need not.
fn user_file(env: &BTreeMap<String, String>) -> Result<Option<(PathBuf, String)>, ConfigError> {
    if let Some(path) = environment::variable(env, environment::CONFIG) {
        let path = PathBuf::from(path);
        let text = fs::read_to_string(&path).map_err(|source| ConfigError::Unreadable { path: path.clone(), source })?;
        return Ok(Some((path, text)));
    }
    base_folder(env, "XDG_CONFIG_HOME", ".config").map_or(Ok(None), |base| read_if_there(base.join("inspan/config.toml")))
}

fn read_if_there(path: PathBuf) -> Result<Option<(PathBuf, String)>, ConfigError> {
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(ConfigError::Unreadable { path, source }),
    }
}

/// The user's cache directory.
pub(super) fn cache_folder(env: &BTreeMap<String, String>) -> Option<PathBuf> {
    base_folder(env, "XDG_CACHE_HOME", ".cache")
}

/// As the XDG base directory rules have it: a relative path counts as none.
fn base_folder(env: &BTreeMap<String, String>, name: &str, below_home: &str) -> Option<PathBuf> {
    let named = environment::variable(env, name).map(PathBuf::from).filter(|path| path.is_absolute());
    named.or_else(|| Some(Path::new(environment::variable(env, "HOME")?).join(below_home)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_file_is_where_the_variables_say() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("inspan");
        fs::create_dir(&place).expect("a folder");
        fs::write(place.join("config.toml"), "usual").expect("a file");
        fs::write(folder.path().join("mine.toml"), "named").expect("a file");
        let home = folder.path().to_str().expect("a plain path");
        let env = |pairs: &[(&str, String)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let text = |env: BTreeMap<String, String>| {
            user_file(&env).map(|file| file.map(|(_, text)| text)).map_err(|error| error.to_string())
        };
        assert_eq!(text(env(&[("XDG_CONFIG_HOME", home.to_owned())])), Ok(Some("usual".to_owned())));
        assert_eq!(text(env(&[("INSPAN_CONFIG", format!("{home}/mine.toml"))])), Ok(Some("named".to_owned())));
        assert_eq!(text(env(&[("HOME", home.to_owned())])), Ok(None));
        assert_eq!(text(env(&[("INSPAN_CONFIG", "/nowhere.toml".to_owned())])), Err("cannot read /nowhere.toml".to_owned()));
    }
}
