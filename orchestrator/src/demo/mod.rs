//! placeholder
use crate::{cli::DemoArgs, command::Here, error::Error};
pub(crate) async fn demo(_: &Here, _: DemoArgs) -> Result<u8, Error> {
    Ok(0)
}
