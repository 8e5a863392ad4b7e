//! The configuration of a command: what the command line says about it, laid over what the machine says.

use bulkhead_configuration::{InvalidConfiguration, Layers};
use toml::Table;

use crate::arguments::ConfigurationArguments;

/// Defaults, what a command puts over them, the file, the environment and the flags.
pub(crate) fn layers(
    arguments: &ConfigurationArguments,
    command_defaults: Option<(Table, &str)>,
) -> Result<Layers, InvalidConfiguration> {
    let mut layers = Layers::defaults();
    if let Some((table, origin)) = command_defaults {
        layers.add(table, origin);
    }
    if let Some(path) = &arguments.config {
        layers.add_file(path)?;
    }
    layers.add_environment(
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
    );
    if let Some(directory) = &arguments.strategies {
        layers.set_text("strategies.directory", &directory.display().to_string(), "--strategies");
    }
    for setting in &arguments.set {
        layers.add_flag(setting)?;
    }
    Ok(layers)
}
