//! `config` and `init`.

use super::Here;
use crate::{
    cli::{ConfigArgs, OutputFormat},
    config::{self, Overrides},
    error::Error,
    ui,
};

/// `inspan config`.
pub(super) async fn config(here: &Here, args: &ConfigArgs) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let config = here.config(&repository, Overrides::default())?;
    ui::print(&match args.output_format {
        OutputFormat::Text => config.render(),
        OutputFormat::Json => config.to_json().to_string(),
    });
    Ok(0)
}

/// `inspan init`.
pub(super) async fn init(here: &Here) -> Result<u8, Error> {
    let repository = here.repository().await?;
    let path = repository.root.join(config::FILE_NAME);
    if path.exists() {
        let (what, hint) = (format!("{} is there already; it was not changed", path.display()), "edit it".to_owned());
        return Err(Error::Refused { what, hint });
    }
    std::fs::write(&path, config::commented_defaults()).map_err(Error::disk(&path))?;
    here.screen.say(&format!(
        "Wrote {}. It sets nothing yet: take away the `#` of what you want to change. Commit it before a run.",
        path.display()
    ));
    Ok(0)
}
